"""Methods that keep weights of their own train networks of a user's in float64 as in float32, to rounding."""

import keras
import numpy as np
import pytest
import toys

from tfgans.methods.began import BEGAN
from tfgans.methods.fastgan import FastGAN


def networks(dtype):
    layers = keras.layers
    latents, images = keras.Input((4,), dtype=dtype), keras.Input((8, 8, 1), dtype=dtype)
    x = layers.Dense(64, activation="tanh", dtype=dtype)(latents)
    x = layers.Reshape((8, 8, 1), dtype=dtype)(x)
    errors = layers.Dense(4, activation="tanh", dtype=dtype)(layers.Flatten(dtype=dtype)(images))
    errors = layers.Dense(1, activation="softplus", dtype=dtype)(errors)
    pair = keras.Model(latents, x), keras.Model(images, errors)
    for number, network in enumerate(pair):
        random = np.random.default_rng(number)
        network.set_weights([random.normal(0, 0.3, w.shape) for w in network.weights])
    return pair


@pytest.mark.parametrize(
    "method, options",
    [
        (FastGAN, {"perturbation_radius": 0.1}),
        (FastGAN, {"perturbation_radius": 0.1, "perturbation_norm": "l2", "perturb_fakes": True}),
        (BEGAN, {"balance_rate": 0.5}),
    ],
)
@pytest.mark.parametrize("generator", ["float64", "float32"])
def test_networks_in_float64_train_as_in_float32(method, options, generator):
    found = {}
    for dtype in ("float32", "float64"):
        model = method(networks(generator)[0], networks(dtype)[1], **options)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
        model.fit(toys.images(8), batch_size=4, verbose=0)
        found[dtype] = [np.array(w, "float64") for w in model.generator.weights + model.discriminator.weights]
        assert all(w.dtype == dtype for w in model.discriminator.weights)
    for single, double in zip(*found.values(), strict=True):
        np.testing.assert_allclose(double, single, atol=1e-5)
