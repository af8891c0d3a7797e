"""What a data set gives, and what is said where it cannot be opened."""

import errno
import os

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


def lock(folder, monkeypatch):
    """Has the system refuse to tell what is in a folder; where tests are root's it never does of its own accord."""

    def refusing(read):
        def refused(path="."):
            if os.fspath(path) == str(folder):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
            return read(path)

        return refused

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
