"""What a data set gives, and what is said where it cannot be opened."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.data import Dataset


def everything(dataset, split=None):
    images, labels = zip(*dataset.reference(split), strict=True)
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)


def message(*arguments, **options):
    with pytest.raises(ConfigError) as caught:
        Dataset(*arguments, **options)
    lines = str(caught.value).splitlines()
    assert all("In call to configurable 'Dataset'" in line for line in lines[1:])  # gin's addition
    return lines[0]
