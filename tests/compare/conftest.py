"""Comparisons for the tests of the page."""

import invented
import pytest
from pages import two

from tfgans.compare import report


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """`(folder, comparison)` of three losses x five seeds, written."""
    folder = tmp_path_factory.mktemp("three")
    comparison = invented.three_losses(folder)
    report.write(folder, comparison)
    return folder, comparison


@pytest.fixture
def small():
    """Two configurations x three seeds whose last FIDs are 10, 11, 12 and 20, 21, 23."""
    return two([10.0, 11.0, 12.0], [20.0, 21.0, 23.0])
