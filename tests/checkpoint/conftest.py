"""What tests of checkpoints have in common."""

import pytest
from checkpointed import make, train

from tfgans import checkpoint


@pytest.fixture
def model():
    return train(make(), 2)


@pytest.fixture(scope="module")
def still():
    """A model that nobody trains, for what is about files."""
    return make()


@pytest.fixture
def checkpoints(tmp_path):
    return checkpoint.Checkpoints(tmp_path / "checkpoints", keep=2)
