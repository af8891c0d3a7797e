"""How far ahead of training data is read, and that tf.data's tuning thread, which the end waits for, is not there."""

import time

import numpy as np
import pytest
import tensorflow as tf

from tfgans.data import Dataset
from tfgans.data.ahead import ELEMENTS, made_ahead
from tfgans.data.passes import THREADS
from tfgans.data.pipeline import Batches
from tfgans.gan.fitting import sources
from tfgans.gan.fitting.intake import Intake


def settled(count):
    """What `count()` gives once it has stayed the same for half a second."""
    before, now = None, count()
    while now != before:
        time.sleep(0.5)
        before, now = now, count()
    return now


def test_elements_come_in_order_and_a_few_are_made_ahead():
    made = []

    def generate():
        for number in range(1000):
            made.append(number)
            yield number

    iterator = iter(
        made_ahead(tf.data.Dataset.from_generator(generate, output_signature=tf.TensorSpec((), tf.int32)))
    )
    assert [int(next(iterator)) for _ in range(10)] == list(range(10))
    assert 10 + ELEMENTS <= settled(lambda: len(made)) <= 10 + ELEMENTS + 1  # one waits for room


def test_a_data_set_reads_a_few_batches_ahead(monkeypatch):
    read, real = [], Batches.read
    monkeypatch.setattr(Batches, "read", lambda *arguments: read.append(0) or real(*arguments))
    iterator = iter(Dataset("digits", batch_size=8).batches(1, 0))
    for _ in range(30):
        next(iterator)
    assert 30 + ELEMENTS <= settled(lambda: len(read)) <= 30 + ELEMENTS + 2 * THREADS


@pytest.mark.parametrize("kind", ["dataset", "arrays", "generator"])
def test_nothing_is_left_to_tune(kind):
    images = np.linspace(-1.0, 1.0, 16 * 64, dtype=np.float32).reshape(16, 8, 8, 1)
    if kind == "dataset":
        data = Dataset("digits", batch_size=8).batches(1, 0)
    else:
        given = images if kind == "arrays" else (images[k : k + 4] for k in range(0, 16, 4))
        intake = Intake(images.shape[1:], None, 1, tf.distribute.get_strategy())
        data = sources.batches(intake, given)[0].get_tf_dataset()
    assert data.options().autotune.enabled is False
