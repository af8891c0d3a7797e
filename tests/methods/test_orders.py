"""Methods that change what reaches an optimizer train alike in whatever order they are named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import test_pairs
from slow import some

PAIRS = [
    ("FreezeDGAN", "RGGAN"),
    ("ReGAN", "RGGAN"),
    ("RGGAN", "TicketGAN"),
    ("AdaptGAN", "RGGAN"),
    ("AdversarialNASGAN", "FreezeDGAN"),
    ("AdversarialNASGAN", "ReGAN"),
    ("AdversarialNASGAN", "TicketGAN"),
    ("AlphaGAN", "TicketGAN"),
]
OPTIONS = {
    "RGGAN": {"straight_through": True, "threshold_weight": 1e-2},
    "ReGAN": {"pruned_networks": "both"},
}


def trained(names, steps=3):
    """A model after some steps, rewound by tickets after the first."""
    options = {key: value for name in names for key, value in OPTIONS.get(name, {}).items()}
    model = test_pairs.composed(names, **options)
    model.compile(*(keras.optimizers.SGD(0.05) for _ in range(2)), run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (4, *model.sample_shape)).astype("float32")
    batch = {"images": tf.constant(images[None])}
    for step in range(steps):
        kind = model.choose_step(step)
        if hasattr(model, "phases"):
            for phase, number in model.phases(step):
                model.choose_phase(phase, number)
                model.train_step(() if phase in ("copy", "end") else batch)
        else:
            model.choose_kind(*kind)
            model.train_step(batch)
    return model


@pytest.mark.parametrize("names", some(PAIRS, every=3), ids="-".join)
def test_the_order_of_methods_makes_no_difference(names, monkeypatch):
    monkeypatch.setattr(test_pairs, "networks", test_pairs.networks.__wrapped__)  # new ones for each model
    one, other = (trained(order) for order in (names, names[::-1]))
    for network in ("generator", "discriminator"):
        pairs = zip(getattr(one, network).weights, getattr(other, network).weights, strict=True)
        for mine, theirs in pairs:
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=mine.path)
    assert one.optimizers().keys() == other.optimizers().keys()
    for name, optimizer in one.optimizers().items():
        for mine, theirs in zip(optimizer.variables, other.optimizers()[name].variables, strict=True):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=f"{name} {mine.path}")
