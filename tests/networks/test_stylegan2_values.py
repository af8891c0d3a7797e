"""What StyleGAN2's networks compute: golden values of the authors' code, and styles by hand."""

import numpy as np
import pytest
import tensorflow as tf
from small_stylegan2 import LATENTS, RANDOM, parts
from stylegan2_weights import channels_last, golden_discriminator, golden_generator, golden_noise

from tfgans.layers.state import frozen_state
from tfgans.networks.stylegan2_parts import mix_styles

# Golden values of the authors' code: 8x8 images, maps of 8 and 6 channels, two mapping layers


def golden_parts(arrays):
    generator = golden_generator(arrays)
    return generator.get_layer("mapping"), generator.get_layer("synthesis"), golden_noise(arrays)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_images_and_logits_against_golden(golden, jit_compile):
    arrays = golden("regan_d_pl_r1")
    mapping, synthesis, noise = golden_parts(arrays)
    discriminator = golden_discriminator(arrays)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(latents):
        images = synthesis(mapping(latents), noise)
        return images, discriminator(images)["adversarial"]

    images, logits = run(tf.constant(arrays["z1"]))
    np.testing.assert_allclose(images, channels_last(arrays["fake_img"]), rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(logits, arrays["fake_pred"], rtol=1e-5, atol=2e-6)


def test_squared_slope_of_the_discriminator_against_golden(golden):
    arrays = golden("regan_d_pl_r1")
    network = golden_discriminator(arrays)
    images = tf.constant(channels_last(arrays["r1_x"]))
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(images)
            logits = network(images)["adversarial"]
        slopes = inner.gradient(logits, images)
        penalty = tf.reduce_mean(tf.reduce_sum(tf.square(slopes), (1, 2, 3)))
    np.testing.assert_allclose(logits, arrays["r1_pred"], rtol=1e-5, atol=2e-6)
    assert float(penalty) == pytest.approx(float(arrays["r1_penalty"]), rel=1e-5)
    sources = [network.get_layer("from_rgb").kernel, network.get_layer("block8").convolution2.kernel]
    for name, gradient in zip(
        ("convs.0.0.weight", "convs.1.conv2.1.weight"), outer.gradient(penalty, sources), strict=True
    ):
        expected = arrays[f"r1_grad/{name}"].transpose(2, 3, 1, 0)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_path_lengths_against_golden(golden):
    """Lengths of the gradient by every slot's style, and the gradient of their mean square by the weights."""
    arrays = golden("regan_d_pl_r1")
    mapping, synthesis, noise = golden_parts(arrays)
    directions = channels_last(arrays["pl_y_unscaled"]) / 8.0
    mean = float(arrays["pl_mean_1"])
    with tf.GradientTape() as outer:
        styles = mapping(tf.constant(arrays["z1"]))
        with tf.GradientTape() as inner:
            inner.watch(styles)
            projected = tf.reduce_sum(synthesis(styles, noise) * directions)
        slopes = inner.gradient(projected, styles)
        lengths = tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(slopes), 2), 1))
        moved = mean + 0.01 * (tf.reduce_mean(lengths) - mean)
        penalty = tf.reduce_mean(tf.square(lengths - moved))
    np.testing.assert_allclose(lengths, arrays["pl_lengths_2"], rtol=1e-5)
    assert float(penalty) == pytest.approx(float(arrays["pl_penalty_2"]), rel=1e-5)
    up = synthesis.convolutions[1]
    sources = [mapping.dense[0].kernel, up.convolution.kernel, up.noise.strength, synthesis.constant]
    found = outer.gradient(penalty, sources)
    expected = [
        arrays["pl_grad2/style.1.weight"].T,
        arrays["pl_grad2/convs.0.conv.weight"][0].transpose(2, 3, 0, 1),
        arrays["pl_grad2/convs.0.noise.weight"][0],
        channels_last(arrays["pl_grad2/input.input"])[0],
    ]
    for gradient, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, value, rtol=1e-4, atol=2e-5 * np.abs(value).max())


# Styles


def test_slots_of_the_layers():
    """At 16x16: the layers whose scales follow each slot's style, by the gradient of their modulation."""
    _, mapping, synthesis = parts(resolution=16)
    styles = tf.convert_to_tensor(mapping(LATENTS))
    assert styles.shape == (4, 6, 5) and synthesis.num_slots == 6
    layers = {layer.name: getattr(layer, "convolution", layer) for layer in synthesis.convolutions}
    layers |= {layer.name: layer for layer in synthesis.images}
    reached = {}
    for slot in range(6):  # a style of zeros leaves a modulation's kernel without gradient
        alone = tf.one_hot(slot, 6)[:, None] * styles
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(synthesis(alone)))
        kernels = [layer.modulation.kernel for layer in layers.values()]
        gradients = tape.gradient(loss, kernels)
        reached[slot] = {n for n, g in zip(layers, gradients, strict=True) if np.abs(g).max() > 1e-7}
    assert reached == {
        0: {"convolution4"},
        1: {"to_rgb4", "up8"},
        2: {"convolution8"},
        3: {"to_rgb8", "up16"},
        4: {"convolution16"},
        5: {"to_rgb16"},
    }


def test_plain_model_is_mapping_then_synthesis_with_fixed_noise():
    generator, mapping, synthesis = parts()
    for layer in synthesis.convolutions:
        layer.noise.strength.assign(0.5)
    images = generator(LATENTS)
    assert images.shape == (4, 8, 8, 3) and images.dtype == tf.float32
    own = [tf.constant(layer.noise.own_noise) for layer in synthesis.convolutions]
    np.testing.assert_array_equal(images, synthesis(mapping(LATENTS), own))
    np.testing.assert_array_equal(images, generator(LATENTS))
    assert synthesis.noise_shapes == [(4, 4, 1), (8, 8, 1), (8, 8, 1)]
    noise = [RANDOM.normal(size=(4, *shape)).astype("float32") for shape in synthesis.noise_shapes]
    assert np.abs(synthesis(mapping(LATENTS), noise) - images).max() > 1e-3


def test_mapping_by_hand():
    _, mapping, _ = parts()
    normal = LATENTS / np.sqrt((LATENTS**2).mean(1, keepdims=True) + 1e-8)
    features, expected = normal, []
    for layer in mapping.dense:
        layer.bias.assign(RANDOM.normal(size=5) * 10)
        features = (
            features @ layer.kernel.numpy() * 0.01 / np.sqrt(features.shape[1]) + 0.01 * layer.bias.numpy()
        )
        features = 2**0.5 * np.where(features > 0, features, 0.2 * features)
        expected.append(features)
    for found, value in zip(mapping.intermediates(LATENTS), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(mapping(LATENTS), np.stack([expected[-1]] * 4, 1), rtol=1e-4, atol=1e-6)


def test_slots_choose_their_mapping_layer():
    _, mapping, _ = parts(mapping_layers=3, style_layers=(2, 1, 3, 2))
    first, second, third = mapping.intermediates(LATENTS)
    np.testing.assert_array_equal(mapping(LATENTS), np.stack((second, first, third, second), 1))


def test_mean_of_w_moves_in_training_forwards_alone():
    generator, mapping, _ = parts(mean_decay=0.9)
    means = np.stack([w.numpy().mean(0) for w in mapping.intermediates(LATENTS)])
    assert means.shape == (2, 5) and not np.any(mapping.mean_w)
    generator(LATENTS)
    with frozen_state():
        generator(LATENTS, training=True)
    assert not np.any(mapping.mean_w)
    generator(LATENTS, training=True)
    np.testing.assert_allclose(mapping.mean_w, 0.1 * means, rtol=1e-4, atol=1e-7)
    mapping(LATENTS, training=True)
    np.testing.assert_allclose(mapping.mean_w, 0.19 * means, rtol=1e-4, atol=1e-7)
    assert parts()[1].mean_decay == 0.995


def test_truncation_by_hand():
    _, mapping, _ = parts(style_layers=(1, 2, 2, 1))
    center = RANDOM.normal(size=(2, 5)).astype("float32")
    mapping.mean_w.assign(center)
    plain, middle = mapping(LATENTS).numpy(), center[[0, 1, 1, 0]]
    expected = middle + 0.7 * (plain - middle)
    np.testing.assert_allclose(mapping(LATENTS, truncation=0.7), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mapping(LATENTS, truncation=0.0), np.stack([middle] * 4), rtol=1e-6)
    np.testing.assert_allclose(mapping(LATENTS, truncation=1.0), plain, rtol=1e-5, atol=1e-6)
    cut = mapping(LATENTS, truncation=tf.constant(0.7), truncated_slots=3).numpy()
    np.testing.assert_allclose(cut[:, :3], expected[:, :3], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(cut[:, 3], plain[:, 3])


def test_style_mixing_by_hand():
    first, second = np.zeros((2, 4, 3), "float32"), np.ones((2, 4, 3), "float32")
    np.testing.assert_array_equal(mix_styles(first, second, 1)[:, :, 0], [[0, 1, 1, 1]] * 2)
    np.testing.assert_array_equal(mix_styles(first, second, 4), first)
    np.testing.assert_array_equal(mix_styles(first, second, 0), second)
    mixed = mix_styles(first, second, np.array([3, 1]))
    np.testing.assert_array_equal(mixed[:, :, 2], [[0, 0, 0, 1], [0, 1, 1, 1]])
