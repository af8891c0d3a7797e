"""The lightweight GAN's networks: parameters of the published code, by hand; what they take and hand out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from configurations import CONFIGS

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.networks import lightweight
from tfgans.networks.lightweight import lightweight_discriminator as D
from tfgans.networks.lightweight import lightweight_generator as G
from tfgans.networks.lightweight_parts import looking, nearest, noise_shapes, patch_count, quarter

SMALL = dict(resolution=32, channels=1, base_channels=8)


def convolution(inputs, outputs, side):
    return inputs * outputs * side**2


def norm(channels):
    return 2 * channels


def doubling(inputs, outputs):
    return convolution(inputs, 2 * outputs, 3) + norm(2 * outputs)


def two_convolutions(inputs, outputs):
    """With a strength of noise after each."""
    return doubling(inputs, outputs) + 1 + doubling(outputs, outputs) + 1


def gate(inputs, outputs):
    return convolution(inputs, outputs, 4) + convolution(outputs, outputs, 1)


def halving(inputs, outputs):
    main = convolution(inputs, outputs, 4) + convolution(outputs, outputs, 3)
    return main + convolution(inputs, outputs, 1) + 3 * norm(outputs)


def decoder(inputs):
    blocks = doubling(inputs, 128) + doubling(128, 64) + doubling(64, 64) + doubling(64, 32)
    return blocks + convolution(32, 3, 3)


UP_TO_256 = (
    convolution(256, 2048, 4) + norm(2048)
    + two_convolutions(1024, 512) + doubling(512, 256) + two_convolutions(256, 128) + doubling(128, 128)
    + two_convolutions(128, 64) + doubling(64, 32)
    + gate(1024, 128) + gate(512, 64) + gate(256, 32)
    + convolution(64, 3, 1)
)  # fmt: skip
UP_TO_512 = UP_TO_256 + two_convolutions(32, 16) + gate(128, 16)
GENERATORS = {
    256: UP_TO_256 + convolution(32, 3, 3),
    512: UP_TO_512 + convolution(16, 3, 3),
    1024: UP_TO_512 + doubling(16, 8) + convolution(8, 3, 3),
}
DECODERS = decoder(512) + 2 * decoder(256)
DOWN = (
    halving(16, 32) + halving(32, 64) + halving(64, 128) + halving(128, 256) + halving(256, 512)
    + convolution(512, 1024, 1) + norm(1024) + convolution(1024, 1, 4)
    + gate(16, 128) + gate(32, 256) + gate(64, 512)
    + convolution(3, 32, 4) + convolution(32, 64, 4) + convolution(64, 128, 4) + convolution(128, 256, 4)
    + norm(64) + norm(128) + norm(256) + convolution(256, 1, 4)
    + DECODERS
)  # fmt: skip
DISCRIMINATORS = {
    256: DOWN + convolution(3, 16, 3),
    512: DOWN + convolution(3, 16, 4),
    1024: DOWN + convolution(3, 8, 4) + convolution(8, 16, 4) + norm(16),
}


@pytest.fixture
def without_drawing(monkeypatch):
    zeros = lambda self, shape, dtype=None, **_: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)


@pytest.mark.parametrize("resolution", [256, 512, 1024])
def test_parameters(resolution, without_drawing):
    page = (CONFIGS / "lightweight/README.md").read_text()
    found = [cost.parameters(function(resolution)) for function in (G, D)]
    assert found == [GENERATORS[resolution], DISCRIMINATORS[resolution]]
    assert f"| {resolution} | {found[0]:,} | {found[1]:,} |" in page and f"{DECODERS:,}" in page
    assert f"G {found[0]:,}" in " ".join((CONFIGS / "networks/lightweight.gin").read_text().split("\n# "))
    assert noise_shapes(G(64, base_channels=8)).keys() == {
        f"noise{side}_{number}" for side in (8, 32) for number in (1, 2)
    }


def test_pixels_and_quarters_by_hand():
    images = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    assert nearest(images, 2)[0, ..., 0].numpy().tolist() == [[0, 2], [8, 10]]
    assert nearest(images, 1).numpy().ravel().tolist() == [0] and nearest(images, 4) is images
    corners = [quarter(images, tf.constant(part))[0, 0, 0, 0].numpy() for part in range(4)]
    assert corners == [0, 2, 8, 10]
    colours = tf.reshape(tf.range(48.0), (1, 4, 4, 3))
    np.testing.assert_array_equal(nearest(colours, 2), colours[:, ::2, ::2])


def test_a_gate_by_hand():
    """Of a source that is 0.3 everywhere, by kernels of norm 1: 16 * 0.3 / 4, then times 1 or -1."""
    maps, source = (keras.Input((side, side, 1)) for side in (2, 8))
    network = keras.Model([maps, source], lightweight._excited(maps, source, 64))
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(tf.ones_like(layer.kernel.value) * (5.0 if "_1" in layer.name else -2.0))
    given = [tf.constant([[[[1.0], [2.0]], [[3.0], [-4.0]]]]), tf.fill((1, 8, 8, 1), 0.3)]
    network(given, training=True)  # finds the norms of the kernels
    swish = 1.2 / (1.0 + np.exp(-1.2))
    np.testing.assert_allclose(network(given), given[0] / (1.0 + np.exp(swish)), rtol=1e-5)
    gated = lightweight._gated(tf.constant([[[[2.0, -3.0, 0.5, 1.0]]]]))
    np.testing.assert_allclose(
        gated[0, 0, 0], [2.0 / (1.0 + np.exp(-0.5)), -3.0 / (1.0 + np.exp(-1.0))], rtol=1e-6
    )


def test_two_ways_to_half_the_size_are_one_map():
    images = keras.Input((4, 4, 2))
    halved = lightweight._halved(images, 3, 2)
    ways = halved._keras_history.operation.input
    network = keras.Model(images, [halved, *ways])
    found, one, other = network(tf.constant(np.random.default_rng(0).normal(size=(2, 4, 4, 2)), tf.float32))
    assert np.abs(one).max() > 0.0 < np.abs(other).max() and found.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(found, (one + other) / 2.0, rtol=1e-5)


def test_a_generator_takes_noise_and_hands_out_small_images():
    network, latents = G(latent_dim=4, **SMALL), tf.ones((2, 4))
    for layer in network.layers:
        if layer.name in noise_shapes(network):
            layer.strength.assign(0.5)
    plain = network(latents)
    assert noise_shapes(network)["noise32_2"] == (32, 32, 1)
    np.testing.assert_array_equal(plain[0], plain[1])
    noise = {"noise8_1": tf.random.stateless_normal((2, 8, 8, 1), (0, 0))}
    with looking(noise=noise) as found:
        images = network(latents)
    assert found["small"].shape == (2, 16, 16, 1) and np.abs(found["small"]).max() <= 1.0
    assert np.abs(images[0] - images[1]).max() > 1e-4 and np.abs(images - plain).max() > 1e-4
    with looking() as found:
        np.testing.assert_array_equal(network(latents), plain)


def test_a_discriminator_takes_small_images_and_hands_out_what_it_makes():
    network = D(**SMALL)
    random = np.random.default_rng(0)
    images, other = (tf.constant(random.uniform(-1, 1, (2, 32, 32, 1)), tf.float32) for _ in range(2))
    plain = network(images)["adversarial"]
    with looking() as found:
        network(images)
    patches = found["patches"]
    assert found.keys() == {"patches"} and patches.shape == (2, 50) == (2, patch_count(network))
    np.testing.assert_allclose(tf.reduce_mean(patches, 1, keepdims=True), plain, atol=1e-6)
    with looking(small=other, part=tf.constant([2, 2])) as found:
        network(images)
    # the first half is of the image, the second of the small one
    np.testing.assert_array_equal(found["patches"][:, :25], patches[:, :25])
    assert np.abs(found["patches"][:, 25:] - patches[:, 25:]).min() > 1e-7
    assert {tuple(found[f"{name}_copy"].shape) for name in ("whole", "small", "part")} == {(2, 16, 16, 1)}
    for name in ("whole", "small"):
        np.testing.assert_array_equal(found[f"{name}_image"], images[:, ::2, ::2])
    np.testing.assert_array_equal(found["part_image"], images[:, 16:, :16])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resolution": 16}, "resolution is a power of two from 32 to 1024. Received: 16"),
        ({"resolution": 96}, "resolution is a power of two from 32 to 1024. Received: 96"),
        ({"base_channels": 12}, "base_channels is a multiple of 8. Received: 12"),
    ],
)
@pytest.mark.parametrize("function", [G, D])
def test_what_is_refused(function, arguments, said):
    with pytest.raises(ConfigError, match=f"{function.__name__}: {said}"):
        function(**arguments)
