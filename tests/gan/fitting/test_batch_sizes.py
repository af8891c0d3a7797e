"""Batches that a method cannot take are refused before the first step, or where their size is known no sooner."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import APAGAN
from tfgans.methods.fastgan import FastGAN

PLACES = {FastGAN: "FastGAN.perturbation_batch_size", APAGAN: "APAGAN.pseudo_batch_size"}


def make(cls, **options):
    model = cls(*toys.image_networks(batch_norm=False), **options)
    model.compile("sgd", "sgd", run_eagerly=True)
    return model


def in_batches(*sizes, static=False):
    """A tf.data set of batches of these sizes, which it does not tell beforehand unless they are static."""
    batches = np.split(toys.images(sum(sizes)), np.cumsum(sizes)[:-1])
    spec = tf.TensorSpec((sizes[0] if static else None, 8, 8, 1), batches[0].dtype)
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec)


@pytest.mark.parametrize("cls", PLACES)
def test_a_batch_larger_than_the_places_that_are_kept(cls):
    model, told = make(cls), f"^{PLACES[cls]} = 4, but a batch holds 8 images: give the largest"
    model.fit(toys.images(6), batch_size=4, verbose=0)
    for data in (dict(x=toys.images(12), batch_size=8), dict(x=in_batches(8, static=True))):
        with pytest.raises(ConfigError, match=told):
            model.fit(**data, verbose=0)
    with pytest.raises(ConfigError, match=told):
        model.train_on_batch(toys.images(8))
    assert int(model.step.numpy()) == 2
    with pytest.raises(ConfigError, match=told):
        model.fit(in_batches(4, 2, 8), verbose=0)
    assert int(model.step.numpy()) == 4
    larger = make(cls, **{PLACES[cls].partition(".")[2]: 8})
    larger.fit(in_batches(4, 2, 8), verbose=0)
    assert int(larger.step.numpy()) == 3


@pytest.mark.parametrize(("estimator", "last"), [("unbiased", 1), ("split_half", 3)])
def test_a_last_batch_without_pairs(estimator, last):
    """The unbiased estimator of one pair is 0 / 0: it made weights that are no numbers."""
    model = make(AdvAsGAN, advas_estimator=estimator)
    told = f"^AdvAsGAN.advas_estimator = '{estimator}' takes .* Received: {last}$"
    for data in (dict(x=toys.images(4 + last), batch_size=4), dict(x=in_batches(last, last, static=True))):
        with pytest.raises(ConfigError, match=told):
            model.fit(**data, verbose=0)
    assert int(model.step.numpy()) == 0
    with pytest.raises(ConfigError, match=told):
        model.fit(in_batches(4, last), verbose=0)
    assert int(model.step.numpy()) == 1
    model.fit(toys.images(6), batch_size=4, verbose=0)
    assert int(model.step.numpy()) == 3 and np.isfinite(model.step_logs["g/advas_r"])
