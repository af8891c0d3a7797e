"""Folders of small images that are not held in memory, and what is read of them."""

import itertools

import numpy as np
from PIL import Image

from tfgans.data import Dataset


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), level).save(path)


def opened(folder, memory=0.0, **options):
    return Dataset(f"folder:{folder}", memory_limit_gb=memory, **({"batch_size": 4} | options))


def take(dataset, count, **options):
    """(levels [count, n], labels) of batches."""
    found = itertools.islice(dataset.batches(1, 7, **options), count)
    images, labels = zip(*((each["images"].numpy(), each["labels"].numpy()) for each in found), strict=True)
    return np.round((np.concatenate(images)[..., 0, 0, 0] + 1) * 127.5).astype(int), np.concatenate(labels)
