import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan.average import clone
from tfgans.layers.state import depends_on_batch, mixes_samples
from tfgans.networks.progan import progan_discriminator, progan_generator
from tfgans.networks.progan_parts import (
    ProgressiveCritic,
    ProgressiveSynthesis,
    at_stage,
    given_stage,
    growing_layers,
)

# regan.md 3.2 and 2.2: parameters of G and D, products of G and D where the table has them
PUBLISHED = {
    4: (8_915_971, 6_561_793, 79_716_352, 42_041_856),
    8: (13_637_126, 11_283_457, 381_779_968, 344_105_472),
    16: (18_358_281, 16_005_121, 1_590_034_432, 1_552_359_936),
    32: (23_079_436, 20_726_785, 6_423_052_288, 6_385_377_792),
    64: (24_850_191, 24_267_777, None, None),
    128: (25_293_202, 25_153_537, None, None),
    256: (25_588_757, 25_449_217, None, None),
}
RANDOM = np.random.default_rng(0)
LATENTS = RANDOM.normal(size=(4, 6)).astype("float32")
IMAGES = RANDOM.uniform(-1, 1, (4, 16, 16, 2)).astype("float32")


@pytest.fixture
def without_drawing(monkeypatch):
    """Large networks are built in no time where their kernels are not drawn."""
    zeros = lambda self, shape, dtype=None: tf.zeros(shape, dtype or "float32")  # noqa: E731
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", zeros)


@pytest.mark.parametrize("resolution", PUBLISHED)
def test_parameters(resolution, without_drawing):
    generator, discriminator, _, _ = PUBLISHED[resolution]
    assert cost.parameters(progan_generator(resolution)) == generator
    assert cost.parameters(progan_discriminator(resolution)) == discriminator


@pytest.mark.slow
def test_products_of_every_stage(without_drawing):
    """Of grown networks, and of the stages of those that go to 32: a fade adds the to-RGB of the stage before."""
    generator, discriminator = progan_generator(), progan_discriminator()
    for stage, side in enumerate((4, 8, 16, 32)):
        _, _, generator_macs, discriminator_macs = PUBLISHED[side]
        grown = generator if side == 32 else progan_generator(side)
        assert cost.macs(grown) == generator_macs
        images = tf.TensorSpec((1, side, side, 3))
        assert cost.macs(discriminator, images) == discriminator_macs
        fade = (side // 2) ** 2 * 512 * 3 if stage else 0
        with at_stage(stage):
            assert cost.macs(generator) == generator_macs + fade
            assert cost.macs(discriminator, images) == discriminator_macs + fade


@pytest.mark.parametrize(("resolution", "published"), [(32, 12.97193e9), (64, 27.47059e9)])
def test_published_operations(resolution, published, without_drawing):
    """They count the first, transposed convolution at every pixel of its output, 16 times what it takes."""
    macs = cost.macs(progan_generator(resolution)) + 15 * 16 * 512 * 512
    assert 2 * macs == pytest.approx(published, rel=5e-7)


def test_widths_of_other_sizes():
    widths = lambda *args, **kw: growing_layers(progan_generator(*args, **kw))[0].widths  # noqa: E731
    assert widths(16, latent_dim=2, max_channels=8) == (8, 8, 8)
    small = dict(latent_dim=2, channel_multiplier=0.01, max_channels=20)  # 163 / r
    assert widths(32, **small, min_channels=2) == (20, 20, 10, 5)
    assert widths(32, **small, min_channels=8) == (20, 20, 10, 8)


def networks(resolution=16, seed=0, **options):
    keras.utils.set_random_seed(seed)
    options = dict(channels=2, max_channels=5) | options
    pair = progan_generator(resolution, latent_dim=6, **options), progan_discriminator(resolution, **options)
    for network in pair:
        for weight in network.trainable_variables:  # biases, too
            weight.assign(weight + 0.3 * np.random.default_rng(seed).normal(size=weight.shape))
    return pair


def set_state(network, alpha, stage=None):
    (layer,) = growing_layers(network)
    layer.alpha.assign(alpha)
    if stage is not None:
        layer.stage.assign(stage)


def generated(generator, stage, alpha):
    set_state(generator, alpha)
    with at_stage(stage):
        return generator(LATENTS, training=True).numpy()


def judged(discriminator, images, stage, alpha):
    set_state(discriminator, alpha)
    with at_stage(stage):
        return discriminator(images, training=True)["adversarial"].numpy()


def pooled(images, factor=2):
    count, side, _, channels = images.shape
    parts = images.reshape(count, side // factor, factor, side // factor, factor, channels)
    return parts.mean((2, 4))


def enlarged(images, factor=2):
    return images.repeat(factor, 1).repeat(factor, 2)


# By hand, in float64


def convolved(layer, x, padding=1):
    kernel, bias = layer.kernel.numpy().astype("float64"), layer.bias.numpy()
    side, scale = kernel.shape[0], np.sqrt(2 / np.prod(kernel.shape[:3]))
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    size = x.shape[1] - side + 1
    taps = [(i, j) for i in range(side) for j in range(side)]
    return scale * sum(x[:, i : i + size, j : j + size] @ kernel[i, j] for i, j in taps) + bias


def activated(x):
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)
    return np.maximum(x, 0.1 * x)


def images_by_hand(layer, latents, alpha):
    """Of stage 1."""
    width = layer.widths[0]
    first = latents @ layer.first.kernel.numpy().astype("float64") * np.sqrt(2 / (16 * width))
    x = activated(first.reshape(-1, 4, 4, width) + layer.bias.numpy())
    maps = []
    for stage, block in enumerate(layer.blocks[:2]):
        x = enlarged(x) if stage else x
        for convolution in block:
            x = activated(convolved(convolution, x))
        maps.append(convolved(layer.images[stage], x, 0))
    return np.tanh((1 - alpha) * enlarged(maps[0]) + alpha * maps[1])


def logits_by_hand(layer, images, alpha):
    """Of stage 1."""
    x = convolved(layer.inputs_of_stages[1], images, 0)
    for convolution in layer.blocks[1]:
        x = activated(convolved(convolution, x))
    x = alpha * pooled(x) + (1 - alpha) * convolved(layer.inputs_of_stages[0], pooled(images), 0)
    deviation = np.sqrt(x.var(0) + 1e-8).mean()
    x = np.concatenate([x, np.full((*x.shape[:3], 1), deviation)], -1)
    x = activated(convolved(layer.blocks[0][0], x))
    x = activated(convolved(layer.blocks[0][1], x, 0))[:, 0, 0]
    return x @ layer.head.kernel.numpy() * np.sqrt(2 / x.shape[1]) + layer.head.bias.numpy()


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_fading_networks_by_hand(alpha):
    generator, discriminator = networks()
    expected = images_by_hand(growing_layers(generator)[0], LATENTS, alpha)
    np.testing.assert_allclose(generated(generator, 1, alpha), expected, rtol=1e-4, atol=1e-5)
    images = IMAGES[:, :8, :8]
    expected = logits_by_hand(growing_layers(discriminator)[0], images.astype("float64"), alpha)
    np.testing.assert_allclose(judged(discriminator, images, 1, alpha), expected, rtol=1e-4, atol=1e-5)


def test_layers_against_golden(golden):
    arrays = golden("regan_c_layers")
    last = lambda x: x.transpose(0, 2, 3, 1)  # noqa: E731
    kernel = lambda x: x.transpose(2, 3, 1, 0)  # noqa: E731
    synthesis = ProgressiveSynthesis(1, (3,))
    synthesis.build((None, 7))
    weight = arrays["progan_eq_convT/weight_orig"]  # [7, 3, 4, 4]
    synthesis.first.kernel.assign(weight.transpose(0, 2, 3, 1).reshape(7, 48))
    first = (
        synthesis.first(arrays["pixelnorm/z"]).numpy().reshape(4, 4, 4, 3) + arrays["progan_eq_convT/bias"]
    )
    np.testing.assert_allclose(first, last(arrays["progan_eq_convT/out"]), rtol=1e-5, atol=1e-6)
    critic, maps = ProgressiveCritic((3, 4)), last(arrays["mbstd/x"])
    critic.build((None, 8, 8, 4))
    layer = critic.blocks[1][0]
    layer.set_weights([kernel(arrays["progan_eq_conv/weight_orig"]), arrays["progan_eq_conv/bias"]])
    np.testing.assert_allclose(layer(maps), last(arrays["progan_eq_conv/out"]), rtol=1e-5, atol=1e-6)
    expected = last(arrays["mbstd/progan_wholebatch_out"])
    np.testing.assert_allclose(critic.deviation(maps), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        critic.normalization(maps), last(arrays["pixelnorm/x_out"]), rtol=1e-5, atol=1e-6
    )
    wide = ProgressiveCritic((7,))
    wide.build((None, 4, 4, 3))
    row = arrays["progan_eq_linear/weight_orig"][:1].T, arrays["progan_eq_linear/bias"][:1]
    wide.head.set_weights(row)
    expected = arrays["progan_eq_linear/out"][:, :1]
    np.testing.assert_allclose(wide.head(arrays["pixelnorm/z"]), expected, rtol=1e-5, atol=1e-6)


# Stages and fading


def test_a_fade_goes_from_the_stage_before_to_the_new_one():
    generator, discriminator = networks()
    before, grown = generated(generator, 1, 1.0), generated(generator, 2, 1.0)
    assert before.shape == (4, 8, 8, 2) and grown.shape == (4, 16, 16, 2)
    np.testing.assert_array_equal(generated(generator, 2, 0.0), enlarged(before))
    np.testing.assert_array_equal(grown, generator(LATENTS, training=True))  # the plain, grown network
    smallest = generated(generator, 0, 0.3)
    assert np.abs(smallest).max() > 1.0  # no tanh at 4x4
    np.testing.assert_allclose(generated(generator, 1, 0.0), np.tanh(enlarged(smallest)), rtol=1e-5)
    small = pooled(IMAGES)
    judged_before = judged(discriminator, small, 1, 1.0)
    np.testing.assert_allclose(judged(discriminator, IMAGES, 2, 0.0), judged_before, rtol=1e-4, atol=1e-5)
    plain = discriminator(IMAGES)["adversarial"]
    np.testing.assert_array_equal(judged(discriminator, IMAGES, 2, 1.0), plain)
    assert np.abs(judged_before - plain).max() > 1e-3
    assert np.abs(judged(discriminator, IMAGES, 2, 0.5) - plain).max() > 1e-3


def test_inference_shows_the_state_without_tracing_again():
    generator, _ = networks()
    traces = []

    @tf.function(autograph=False)
    def show(latents):
        traces.append(1)
        return generator(latents)

    for stage, alpha in ((0, 1.0), (1, 0.25), (1, 1.0), (2, 0.5), (2, 1.0)):
        expected = enlarged(generated(generator, stage, alpha), 2 ** (2 - stage))
        set_state(generator, alpha, stage)
        for images in (show(LATENTS), generator(LATENTS)):
            np.testing.assert_allclose(images, expected, rtol=1e-5, atol=1e-6)
    assert len(traces) == 1


def test_copies_and_files_keep_the_state(tmp_path):
    generator, discriminator = networks()
    set_state(generator, 0.5, 1)
    generator.save(tmp_path / "generator.keras")
    discriminator.save(tmp_path / "discriminator.keras")
    shown = generator(LATENTS)
    for copy in (clone(generator), keras.models.load_model(tmp_path / "generator.keras")):
        np.testing.assert_array_equal(copy(LATENTS), shown)
    loaded = keras.models.load_model(tmp_path / "discriminator.keras")
    np.testing.assert_array_equal(loaded(IMAGES)["adversarial"], discriminator(IMAGES)["adversarial"])
    assert depends_on_batch(discriminator) and mixes_samples(discriminator)


def test_the_stage_is_known_in_one_place_alone():
    assert given_stage() is None
    with at_stage(1):
        with at_stage(0):
            assert given_stage() == 0
        assert given_stage() == 1
    assert given_stage() is None


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_stage_uses_its_weights_and_no_later_ones(stage):
    """All of it but the to-RGB and from-RGB of stages that have faded out."""
    generator, discriminator = networks()
    images = IMAGES if stage == 2 else pooled(IMAGES, 4 // 2**stage)
    for network, ends, inputs in (
        (generator, "images", LATENTS),
        (discriminator, "inputs_of_stages", images),
    ):
        set_state(network, 0.5)
        (layer,) = growing_layers(network)
        with tf.GradientTape() as tape, at_stage(stage):
            outputs = network(inputs, training=True)
            loss = tf.reduce_sum(tf.sin(outputs["adversarial"] if isinstance(outputs, dict) else outputs))
        variables = network.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in variables])
        given = {v.path for v, g in zip(variables, gradients, strict=True) if g is not None}
        so_far = {v.path for number in range(stage + 1) for v in layer.variables_of(number)}
        faded = {v.path for end in getattr(layer, ends)[: max(stage - 1, 0)] for v in end.weights}
        assert given == so_far - faded
        assert {v.path for number in range(3) for v in layer.variables_of(number)} == {
            v.path for v in variables
        }


def test_slope_of_a_squared_slope_against_finite_differences():
    keras.config.set_dtype_policy("float64")
    _, discriminator = networks(8)
    set_state(discriminator, 0.4)
    (layer,) = growing_layers(discriminator)
    images, kernel = tf.constant(IMAGES[:, :8, :8], tf.float64), layer.blocks[1][0].kernel
    direction = RANDOM.normal(size=kernel.shape)

    def square():
        with tf.GradientTape() as tape, at_stage(1):
            tape.watch(images)
            logits = discriminator(images, training=True)["adversarial"]
        return tf.reduce_sum(tf.square(tape.gradient(logits, images)))

    with tf.GradientTape() as tape:
        value = square()
    found = float(tf.reduce_sum(tape.gradient(value, kernel.value) * direction))
    start, step = kernel.numpy(), 1e-6
    kernel.assign(start + step * direction)
    ahead = float(square())
    kernel.assign(start - step * direction)
    assert found == pytest.approx((ahead - float(square())) / (2 * step), rel=1e-5)


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    generator, discriminator = networks()
    images = generated(generator, 2, 0.5)
    assert images.dtype == "float32" and np.isfinite(images).all()
    logits = judged(discriminator, images, 2, 0.5)
    assert logits.dtype == "float32"
    keras.config.set_dtype_policy("float32")
    exact_generator, exact = networks()
    assert 1e-5 < np.abs(images - generated(exact_generator, 2, 0.5)).mean() < 0.02
    assert 1e-5 < np.abs(logits - judged(exact, images, 2, 0.5)).max() < 0.2


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ConfigError, match="resolution is a power of two of at least 4. Received: 24"):
        progan_generator(24)
    with pytest.raises(ConfigError, match="min_channels is an integer of at least 1. Received: 0"):
        progan_discriminator(8, min_channels=0)
    _, discriminator = networks()
    with pytest.raises(ConfigError, match="takes square images of 4, 8, 16 pixels"):
        discriminator(np.zeros((2, 32, 32, 2), "float32"))
