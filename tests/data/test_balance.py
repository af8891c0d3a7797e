"""Balanced sampling: every class equally often, a pure function of seed and epoch."""

import itertools

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.data import Dataset, to_uint8
from tfgans.data.balance import BalancedOrder

LABELS = np.array([0] * 20 + [1] * 4 + [2])  # 25 images of 3 classes: 9 of each an epoch


def test_every_class_comes_equally_often_and_its_images_in_turn():
    order = BalancedOrder(LABELS, 3, seed=5)
    assert order.size == 27
    seen = np.zeros(25, int)
    for epoch in range(12):
        chosen = order(epoch)
        assert np.bincount(LABELS[chosen]).tolist() == [9, 9, 9]
        seen += np.bincount(chosen, minlength=25)
        for k in range(3):  # over any number of epochs
            assert np.ptp(seen[k == LABELS]) <= 1
    assert seen[24] == 12 * 9 and seen[20:24].tolist() == [27] * 4


def test_it_is_a_function_of_seed_and_epoch():
    one, other = BalancedOrder(LABELS, 3, seed=5), BalancedOrder(LABELS, 3, seed=6)
    np.testing.assert_array_equal(one(7), BalancedOrder(LABELS, 3, seed=5)(7))
    assert np.any(one(7) != one(8)) and np.any(one(7) != other(7))
    assert np.any(np.diff(LABELS[one(0)]) < 0)  # shuffled, not class after class


def test_equal_classes_need_no_repetition():
    order = BalancedOrder(np.arange(12) % 3, 3, seed=0)
    assert all(sorted(order(epoch)) == list(range(12)) for epoch in range(3))


@pytest.fixture
def dataset(tmp_path):
    images = np.tile(np.arange(25, dtype=np.uint8)[:, None, None], (1, 4, 4))
    np.savez(tmp_path / "x.npz", images=images, labels=LABELS)
    return Dataset(f"npz:{tmp_path / 'x.npz'}", batch_size=4, balance=True, num_classes=3, flip=True)


def take(dataset, count, **options):
    batches = itertools.islice(dataset.batches(1, 3, **options), count)
    return [{name: value.numpy() for name, value in batch.items()} for batch in batches]


def test_batches_are_balanced_and_labels_stay_with_their_images(dataset):
    """27 images an epoch, 4 a step: six steps, three images left over."""
    batches = take(dataset, 60)
    for batch in batches:
        assert (LABELS[to_uint8(batch["images"])[..., 0, 0, 0]] == batch["labels"]).all()
    counts = np.bincount(np.concatenate([batch["labels"].ravel() for batch in batches]))
    assert counts.sum() == 240 and counts.min() >= 60  # 80 each but for the left over
    assert dataset.label_shares.tolist() == [1 / 3] * 3 and dataset.label_counts.tolist() == [20, 4, 1]


def test_a_resumed_run_and_replicas_see_the_same(dataset):
    whole = take(dataset, 9)
    for expected, found in zip(whole[7:], take(dataset, 2, start_step=7), strict=True):
        np.testing.assert_array_equal(expected["images"], found["images"])
    parts = take(dataset, 4, local_replicas=2, total_replicas=2)
    for k in range(2):
        both = np.concatenate([parts[2 * k]["labels"], parts[2 * k + 1]["labels"]], axis=1)
        np.testing.assert_array_equal(whole[k]["labels"], both)


def test_off_is_as_before(dataset):
    options = {"batch_size": 4, "num_classes": 3}
    plain = [take(Dataset(dataset.source, **options, **more), 8) for more in ({}, {"balance": False})]
    for one, other in zip(*plain, strict=True):
        np.testing.assert_array_equal(one["images"], other["images"])
    assert Dataset(dataset.source).label_shares.tolist() == [0.8, 0.16, 0.04]


def test_refusals(dataset):
    with pytest.raises(ConfigError, match="Dataset.balance is True or False. Received: 1"):
        Dataset(dataset.source, balance=1)
    with pytest.raises(ConfigError, match="Dataset.balance needs labels, and npz:.* has none"):
        Dataset(dataset.source, balance=True, use_labels=False)
