"""EAGAN's and EWSGAN's networks: published counts, and how cells are wired, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.networks import evolved
from tfgans.networks.evolved import UpCell, evolved_discriminator, evolved_generator

COUNTS = {"EAGAN": 7_142_403, "EWSGAN": 9_967_363, "EWSGAN_sampled": 13_766_915}


@pytest.fixture
def ones(monkeypatch):
    """Kernels of 1 and biases of 0, drawn in no time."""

    def fill(value):
        return lambda self, shape, dtype=None, **_: tf.fill(shape, tf.cast(value, dtype or "float32"))

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", fill(1.0))
    monkeypatch.setattr(keras.initializers.RandomUniform, "__call__", fill(0.0))


@pytest.mark.parametrize("architecture", COUNTS)
def test_published_parameters(architecture, ones):
    network = evolved_generator(architecture=architecture)
    assert cost.parameters(network) == COUNTS[architecture]
    assert network.output_shape == (None, 32, 32, 3) and network.input_shape == (None, 120)


def test_the_discriminator(ones):
    network = evolved_discriminator()
    assert cost.parameters(network) == 906_240
    assert network.output["adversarial"].shape == (None, 1)


def run(inputs, cell, taps, skips="nearest"):
    """A cell on maps, and its node 2: with one channel and kernels of 1."""
    given = [keras.Input(np.shape(x)[1:]) for x in (inputs, *taps)]
    handed = list(given[1:])
    output = evolved._up_cell(given[0], cell, handed, skips)
    network = keras.Model(given, [output, handed[-1]])
    return [np.asarray(x)[0, :, :, 0] for x in network([tf.constant(x) for x in (inputs, *taps)])]


def test_a_cell_by_hand(ones):
    """A map of 1 is 1 after 1x1 kernels of 1; a skip of 2 is added to node 2 before it goes anywhere."""
    one, two = np.ones((1, 2, 2, 1), "float32"), np.full((1, 2, 2, 1), 2.0, "float32")
    output, node2 = run(one, UpCell(("nearest", "bilinear"), "id c1 none none id"), [])
    assert output.shape == (4, 4) and np.all(output == 2.0) and np.all(node2 == 2.0)
    output, node2 = run(one, UpCell(("nearest", "nearest"), "none id id none c1"), [two])
    assert np.all(node2 == 3.0) and np.all(output == 1.0 + 3.0)
    output, _ = run(-one, UpCell(("nearest", "nearest"), "id none none id none"), [])
    assert np.all(output == 0.0)  # a ReLU comes first in every operation


def test_a_dilated_convolution_by_hand(ones):
    """At a corner of a map of 1 a dilated 3x3 kernel sees 2x2 of its 9 places."""
    one = np.ones((1, 2, 2, 1), "float32")
    output, _ = run(one, UpCell(("nearest", "nearest"), "id none d3 none none"), [])
    assert output[0, 0] == 4.0 and output.shape == (4, 4)
    output, _ = run(one, UpCell(("nearest", "nearest"), "id none c3 none none"), [])
    assert output[0, 0] == 4.0 and output[1, 1] == 9.0


def test_a_transposed_convolution_is_kerass():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype("float32")
    given = keras.Input((3, 3, 4))
    network = keras.Model(given, evolved._deconvolved(given))
    kernel = network.trainable_variables[0].numpy()[..., 0]  # [3, 3, 4]
    full = np.zeros((3, 3, 4, 4), "float32")
    for channel in range(4):
        full[:, :, channel, channel] = kernel[::-1, ::-1, channel]
    # PyTorch's padding of 1 and output padding of 1: the full map of 7 sides without its first row and column.
    expected = tf.nn.conv2d_transpose(x, full, (2, 7, 7, 4), 2, "VALID")[:, 1:, 1:]
    np.testing.assert_allclose(network(x), expected, atol=1e-5)


def test_what_is_none_of_them():
    with pytest.raises(
        ConfigError, match="architecture is one of EAGAN, EWSGAN, EWSGAN_sampled. Received: A"
    ):
        evolved_generator(architecture="A")
    with pytest.raises(ConfigError, match="latent_dim of 3. Received: 32 and 128"):
        evolved_generator(latent_dim=128)
    with pytest.raises(ConfigError, match="multiple of 4. Received: 30"):
        evolved_discriminator(resolution=30)
