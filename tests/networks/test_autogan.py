"""AutoGAN's networks: published sizes exactly, each cell against its formula, starting values."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.networks.autogan import autogan_discriminator, autogan_generator

# architecture, resolution: parameters, multiply-accumulates
SIZES = {
    ("A", 32): (4_405_251, 1_765_015_552),
    ("B", 32): (4_471_043, 1_832_124_416),
    ("C", 32): (4_406_275, 1_765_015_552),
    ("A", 48): (5_065_731, 3_971_284_992),
    ("B", 48): (5_131_523, 4_122_279_936),
    ("C", 48): (5_066_755, 3_971_284_992),
}


@pytest.mark.parametrize(("architecture", "resolution"), SIZES)
def test_published_sizes_of_generators(architecture, resolution):
    generator = autogan_generator(resolution, architecture=architecture)
    assert (cost.parameters(generator), cost.macs(generator)) == SIZES[architecture, resolution]


@pytest.mark.parametrize(("resolution", "macs"), [(32, 272_072_832), (48, 612_163_712)])
def test_published_sizes_of_the_discriminator(resolution, macs):
    discriminator = autogan_discriminator(resolution)
    assert (cost.parameters(discriminator), cost.macs(discriminator)) == (1_053_824, macs)


def nearest(x, factor=2):
    return np.repeat(np.repeat(x, factor, 1), factor, 2)


def bilinear(x):
    return keras.ops.image.resize(x, (2 * x.shape[1], 2 * x.shape[2]), "bilinear").numpy()


def relu(x):
    return np.maximum(x, 0.0)


@pytest.mark.parametrize("architecture", "ABC")
def test_generator_by_its_formula(architecture):
    generator = autogan_generator(16, 2, 3, base_channels=4, architecture=architecture)
    latents = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    layers = iter([layer for layer in generator.layers if layer.weights])
    weights = [[w.numpy() for w in layer.weights] for layer in layers]

    def convolve(x):
        kernel, bias = weights.pop(0)
        return tf.nn.conv2d(x, kernel, 1, "SAME").numpy() + bias

    def normalize(x):
        gamma, beta, mean, variance = weights.pop(0)
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    with_norms, second, last_shortcut = (
        architecture == "C",
        nearest if architecture == "B" else bilinear,
        (architecture == "B"),
    )
    kernel, bias = weights.pop(0)
    x = (latents @ kernel + bias).reshape(2, 4, 2, 2).transpose(0, 2, 3, 1)
    taps = []
    for up, shortcut, norms in (
        (nearest, True, with_norms),
        (second, True, False),
        (nearest, last_shortcut, False),
    ):
        first = convolve(up(relu(normalize(x) if norms else x)))
        for tap in taps:
            factor = first.shape[1] // tap.shape[1]
            first = first + convolve(up(tap) if factor == 2 else nearest(tap, 4))
        taps.append(first)
        y = convolve(relu(normalize(first) if norms else first))
        x = y + convolve(up(x)) if shortcut else y
    images = np.tanh(convolve(relu(normalize(x))))
    assert weights == []
    np.testing.assert_allclose(generator(latents), images, atol=1e-5)


def test_starting_values():
    generator, discriminator = autogan_generator(), autogan_discriminator()
    dense, first, *_, norm, last = [layer for layer in generator.layers if layer.weights]
    limits = [
        (dense.kernel, 128**-0.5),
        (dense.bias, 128**-0.5),
        (first.kernel, (6 / (2 * 9 * 256)) ** 0.5),
        (first.bias, (9 * 256) ** -0.5),
        (last.kernel, (6 / (9 * 256 + 9 * 3)) ** 0.5),
        (discriminator.get_layer("adversarial_head").kernel, 128**-0.5),
    ]
    for variable, limit in limits:
        largest = np.abs(variable.numpy()).max()
        assert 0.9 * limit < largest <= limit, variable.path
    gamma = norm.gamma.numpy()
    assert gamma.mean() == pytest.approx(1.0, abs=0.01) and gamma.std() == pytest.approx(0.02, abs=0.004)


def test_outputs_cloning_and_saving(tmp_path):
    generator = autogan_generator(24, 1, 5, base_channels=4, architecture="C")
    discriminator = autogan_discriminator(24, 1, base_channels=4)
    latents = np.ones((3, 5), "float32")
    images = generator(latents, training=True)
    assert images.shape == (3, 24, 24, 1) and np.abs(images).max() <= 1.0
    assert discriminator(images)["adversarial"].shape == (3, 1)
    copy = keras.models.clone_model(generator)
    copy.set_weights(generator.get_weights())
    generator.save(tmp_path / "generator.keras")
    for other in (copy, keras.saving.load_model(tmp_path / "generator.keras")):
        np.testing.assert_array_equal(other(latents), generator(latents))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 20}, "autogan_generator: resolution is a multiple of 8. Received: 20"),
        ({"architecture": "D"}, "architecture is one of A, B, C. Received: D"),
        ({"base_channels": 0}, "base_channels is an integer of at least 1"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        autogan_generator(**options)
