"""A data set that is trained on in part."""

import numpy as np
import pytest
from followed import random_images

from tfgans.data import Dataset


@pytest.fixture
def data(tmp_path):
    """A data set of 60 images of which it trains on half, and those images in its order."""
    np.savez(tmp_path / "images.npz", images=random_images(60, 0))
    dataset = Dataset(f"npz:{tmp_path / 'images.npz'}", fraction=0.5)
    return dataset, np.concatenate([batch for batch, _ in dataset.examples()])
