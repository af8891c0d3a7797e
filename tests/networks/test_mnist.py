"""The networks of AdvAs's MNIST experiment: sizes by hand, range, options, and third derivatives of the pair."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.layers.state import depends_on_batch
from tfgans.networks.mnist import mnist_discriminator, mnist_generator


def test_parameters_and_products_by_hand():
    generator, discriminator = mnist_generator(), mnist_discriminator()
    # dense 128 -> 3136 with bias; 4x4x64x32; 4x4x32x16; 3x3x16x1 with bias
    assert cost.parameters(generator) == 404_544 + 32_768 + 8_192 + 145
    assert cost.macs(generator) == 401_408 + 32_768 * 7**2 + 8_192 * 14**2 + 144 * 28**2
    # 5x5x1x64; 5x5x64x128; 5x5x128x256; dense 4096 -> 1
    assert cost.parameters(discriminator) == 1_600 + 204_800 + 819_200 + 4_097
    assert cost.macs(discriminator) == 1_600 * 14**2 + 204_800 * 7**2 + 819_200 * 4**2 + 4_096
    bilinear = mnist_generator(upsampling="bilinear", normalization="batch")
    assert cost.parameters(bilinear) == 404_544 + 18_432 + 64 + 4_608 + 32 + 145
    assert cost.macs(bilinear) == 401_408 + 18_432 * 14**2 + 4_608 * 28**2 + 144 * 28**2


@pytest.mark.parametrize("options", [{}, {"upsampling": "bilinear", "normalization": "batch"}])
@pytest.mark.parametrize("resolution", [12, 28])
def test_outputs_and_saving(options, resolution, tmp_path):
    generator = mnist_generator(resolution, 3, 5, base_channels=8, **options)
    latents = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    images = generator(latents)
    assert images.shape == (4, resolution, resolution, 3) and images.dtype == tf.float32
    far = generator(1e4 * latents)  # saturates, in front of batch norms that have seen nothing yet
    limit = 0.9 if options else 0.1
    assert -1.0 <= np.min(far) < -limit and limit < np.max(far) <= 1.0
    normalization = options.get("normalization", "instance")
    discriminator = mnist_discriminator(resolution, 3, base_channels=4, normalization=normalization)
    assert {name: tuple(x.shape) for name, x in discriminator(images).items()} == {"adversarial": (4, 1)}
    assert depends_on_batch(discriminator) == depends_on_batch(generator) == (normalization == "batch")
    for network, inputs in ((generator, latents), (discriminator, images)):
        network.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras")
        for mine, theirs in zip(
            tf.nest.flatten(network(inputs)), tf.nest.flatten(loaded(inputs)), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_the_discriminator_sees_images_between_0_and_1():
    discriminator = mnist_discriminator(base_channels=4)
    images = tf.random.stateless_uniform((2, 28, 28, 1), (1, 2), -1.0, 1.0)
    first = next(layer for layer in discriminator.layers if isinstance(layer, keras.layers.Conv2D))
    rest = keras.Model(first.input, discriminator.output)
    np.testing.assert_allclose(
        discriminator(images)["adversarial"], rest((images + 1.0) / 2.0)["adversarial"], atol=1e-6
    )


def test_the_scaled_penalty_is_the_published_one():
    """10 (|slope in [0, 1]| - 1)^2 is 40 (|slope in [-1, 1]| - 0.5)^2: the slope there is twice that here."""
    here = np.array([0.0, 0.3, 0.5, 2.0])
    np.testing.assert_allclose(10.0 * (2.0 * here - 1.0) ** 2, 40.0 * (here - 0.5) ** 2)


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_third_derivatives_are_right(upsampling):
    """d/dz of |d penalty / d weights|^2, which AdvAs needs with a gradient penalty, against differences."""
    keras.config.set_dtype_policy("float64")
    generator = mnist_generator(12, 1, 3, base_channels=4, upsampling=upsampling)
    discriminator = mnist_discriminator(12, 1, base_channels=2)
    random = np.random.default_rng(0)
    start, direction = (tf.constant(random.normal(size=(2, 3))) for _ in range(2))

    def r(latents):
        images = generator(latents)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(images)
                logits = tf.reduce_sum(discriminator(images)["adversarial"])
            slopes = inner.gradient(logits, images)
            penalty = tf.reduce_mean((tf.sqrt(tf.reduce_sum(slopes**2, (1, 2, 3))) - 0.5) ** 2)
        return tf.add_n(
            [tf.reduce_sum(g**2) for g in outer.gradient(penalty, discriminator.trainable_variables[:-1])]
        )

    with tf.GradientTape() as tape:
        tape.watch(start)
        value = r(start)
    exact = float(tf.reduce_sum(tape.gradient(value, start) * direction))
    difference = float(r(start + 1e-6 * direction) - r(start - 1e-6 * direction)) / 2e-6
    assert abs(exact) > 1e-6
    assert exact == pytest.approx(difference, rel=1e-4)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (mnist_generator, {"resolution": 30}, "mnist_generator: resolution is a multiple of 4, at least 12"),
        (mnist_discriminator, {"resolution": 8}, "mnist_discriminator: resolution is a multiple of 4"),
        (mnist_generator, {"base_channels": 6}, "base_channels is a multiple of 4. Received: 6"),
        (
            mnist_generator,
            {"upsampling": "nearest"},
            "upsampling is transposed or bilinear. Received: nearest",
        ),
        (
            mnist_discriminator,
            {"normalization": "layer"},
            "normalization is instance or batch. Received: layer",
        ),
    ],
)
def test_bad_arguments_are_refused(network, options, message):
    with pytest.raises(ConfigError, match=message):
        network(**options)
