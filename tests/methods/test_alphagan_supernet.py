"""AlphaGAN's supernets: what they mix, what learns, architecture gradients, copies, precision, compilation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from supernets import architecture_gradient, assert_slopes, batch, output, set_architecture, settle_vectors

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.gan.average import clone
from tfgans.layers.state import frozen_state
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.genotype import from_architecture, random_genotype
from tfgans.methods.alphagan.spaces.autogan.mixed import MixedOperation
from tfgans.methods.alphagan.spaces.autogan.networks import alphagan_generator
from tfgans.methods.alphagan.spaces.autogan.operations import NORMAL, UP
from tfgans.methods.alphagan.spaces.autogan.search_discriminator import alphagan_search_discriminator
from tfgans.methods.alphagan.spaces.autogan.supernet import alphagan_supernet, row_probabilities

# Smaller pools than the default ones, for time: two convolutions are run as one, the others on their own.
SMALL = {
    "normal_operations": ("conv_1x1", "sep_conv_3x3", "conv_3x3"),
    "up_operations": ("deconv", "bilinear"),
}


def tiny(**options):
    return alphagan_supernet(**{"base_channels": 3, "latent_dim": 4, "resolution": 8, **SMALL, **options})


def tiny_discriminator(**options):
    pool = ("none", "conv_3x3_SN", "skip_connect")
    return alphagan_search_discriminator(
        **{"base_channels": 4, "resolution": 8, "normal_operations": pool, **options}
    )


TINY = {"generator": (tiny, (4,)), "discriminator": (tiny_discriminator, (8, 8, 3))}
both = pytest.mark.parametrize(("make", "shape"), TINY.values(), ids=TINY)


def test_published_size():
    network = alphagan_supernet()
    assert cost.parameters(network) == 27_469_571
    shapes = [tuple(v.shape) for v in network.architecture_variables]
    assert shapes == [(3, 6)] * 3 + [(2, 3)] * 3 + [(1, 3), (2, 3)]
    assert network.architecture_names == space.ARCHITECTURE_NAMES
    assert network.architecture_operations["skip_3"] == space.UP_OPERATIONS
    values = np.concatenate([np.ravel(v) for v in network.architecture_variables])
    assert values.size == 81 and values.std() == pytest.approx(1e-3, rel=0.3) and abs(values.mean()) < 5e-4


def test_search_discriminator_by_hand():
    network = alphagan_search_discriminator()
    pool = sum(128 * k * 128 * k + 128 for k in (1, 3, 5))
    raising = sum(3 * k * 128 * k + 128 for k in (1, 3, 5))
    shortcuts = (3 * 128 + 128) + (128 * 128 + 128)
    assert cost.parameters(network) == raising + 7 * pool + shortcuts + 128
    shapes = {name: tuple(v.shape) for name, v in named(network).items()}
    assert shapes == {
        "channels_raise": (1, 3), "normal_1": (1, 5), "normal_2": (2, 5), "normal_3": (2, 5), "normal_4": (2, 5),
    }  # fmt: skip
    convolutions = alphagan_search_discriminator(
        8,
        4,
        normal_operations=space.DISCRIMINATOR_OPERATIONS_CONVOLUTIONS,
    )
    assert convolutions.architecture_variables[1].shape == (1, 3)


def named(network):
    return dict(zip(network.architecture_names, network.architecture_variables, strict=True))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_probabilities_by_hand(temperature):
    logits = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]])
    np.testing.assert_allclose(row_probabilities(logits), [[0.125, 0.25, 0.625], [0.375, 0.375, 0.25]])
    noise = np.exp(-np.array([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]]))  # -log(-log(noise)) = -log of the matrix
    expected = (np.exp(logits) / [[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]]) ** (1 / temperature)
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(row_probabilities(logits, noise, temperature), expected)


def test_golden_gumbel(golden):
    data = golden("alphagan_gumbel")
    found = row_probabilities(data["alpha"], data["uniform"], float(data["t"]))
    np.testing.assert_allclose(found, data["probs"], rtol=1e-5, atol=1e-7)
    assert np.isfinite(row_probabilities(data["alpha"], np.zeros_like(data["uniform"]))).all()


def test_a_temperature_is_positive():
    with pytest.raises(ConfigError, match="temperature is positive. Received: 0.0"):
        row_probabilities(np.zeros((1, 3)), np.full((1, 3), 0.5), 0.0)


@both
def test_own_mixing_is_the_softmax_of_the_weights(make, shape):
    network, inputs = make(), batch(shape)
    set_architecture(network)
    mixing = [tf.nn.softmax(v.numpy()) for v in network.architecture_variables]
    for mine, expected in zip(network.mixing(), mixing, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-6)
    np.testing.assert_array_equal(output(network, inputs), output(network, inputs, mixing=network.mixing()))
    other = [tf.reverse(m, [1]) for m in mixing]
    assert np.abs(output(network, inputs, mixing=other) - output(network, inputs)).max() > 1e-4


def test_mixing_with_noise():
    network = tiny()
    noise = [np.full(v.shape, 0.3) for v in network.architecture_variables]
    noise[0][1, 2] = 0.99
    found = network.mixing(noise, 0.7)
    for weight, draws, mine in zip(network.architecture_variables, noise, found, strict=True):
        np.testing.assert_array_equal(mine, row_probabilities(weight.value, draws, 0.7))
    assert np.argmax(found[0][1]) == 2


POOLS = {"normal": tuple(NORMAL), "up": tuple(UP)}


@pytest.mark.parametrize(("kind", "stride"), [("normal", 1), ("up", 2), ("up", 4)])
def test_one_hot_weights_give_the_operation_itself(kind, stride):
    mixed, inputs = MixedOperation(POOLS[kind], 3, stride), batch((4, 5, 3))
    mixed.build(inputs.shape)
    for index, candidate in enumerate(mixed.candidates):
        one_hot = tf.one_hot(index, len(mixed.candidates))
        np.testing.assert_allclose(mixed(inputs, one_hot), candidate(inputs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("kind", "stride"), [("normal", 1), ("up", 2), ("up", 4)])
def test_weights_mix_in_proportion(kind, stride, training):
    """All operations of a pool, weights of both signs: raw architecture weights may be negative."""
    mixed, inputs = MixedOperation(POOLS[kind], 3, stride), batch((4, 5, 3))
    mixed.build(inputs.shape)
    weights = np.random.default_rng(3).normal(size=len(mixed.candidates)).astype("float32")
    expected = 0.0
    with frozen_state():  # vectors of spectral norms stay
        found = mixed(inputs, tf.constant(weights), training=training)
        for weight, candidate in zip(weights, mixed.candidates, strict=True):
            options = {"training": training} if candidate._call_has_training_arg else {}
            expected += weight * candidate(inputs, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_one_hot_supernet_is_the_genotypes_generator():
    """With the same weights, and gammas of 1."""
    genotype = random_genotype(7, **SMALL)
    network = tiny()
    mixing = [
        tf.one_hot([pool.index(name) for name in genotype.group(group)], len(pool))
        for group, pool in network.architecture_operations.items()
    ]
    assert from_architecture(mixing, **SMALL) == genotype
    generator = alphagan_generator(genotype, 8, 3, 4, 3)
    for edge, mixed in zip(space.EDGES, network.edges, strict=True):
        layer = generator.get_layer(edge.name)
        source = mixed.candidates[mixed.operations.index(genotype.operation(edge))]
        values = iter(source.get_weights())
        for variable in layer.weights:
            constant = {"gamma": 1.0, "beta": 0.0}.get(variable.name)
            variable.assign(next(values) if constant is None else tf.fill(variable.shape, constant))
        assert next(values, None) is None
    for name in ("latent_maps", "images"):
        generator.get_layer(name).set_weights(
            getattr(network, name.replace("images", "to_images")).get_weights()
        )
    latents = batch((4,))
    for training in (True, False):
        found = network(latents, training=training, mixing=mixing)
        np.testing.assert_allclose(found, generator(latents, training=training), rtol=1e-4, atol=1e-5)


def loss_of(network, inputs, weights, training):
    """A function without arguments: the sum of the outputs times weights."""
    return lambda: tf.reduce_sum(output(network, inputs, training=training) * weights)


@both
@pytest.mark.parametrize("training", [False, True])
def test_architecture_gradient_against_finite_differences(make, shape, training):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    network, inputs = make(), batch(shape)
    set_architecture(network)
    settle_vectors(network)
    weights = batch(tuple(output(network, inputs).shape[1:]), seed=2)
    loss = loss_of(network, inputs, weights, training)
    assert_slopes(network, architecture_gradient(network, loss), tf.function(loss), directions=3)


@both
def test_every_weight_learns_but_the_architecture(make, shape):
    network = make()
    inputs = batch(shape)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(output(network, inputs, training=True) * batch((1,))[0, 0])
        loss += tf.reduce_sum(output(network, inputs, training=True) ** 2)
    variables = network.trainable_variables
    ids = {id(v) for v in variables}
    assert not any(id(v) in ids for v in network.architecture_variables)
    gradients = tape.gradient(loss, [v.value for v in variables])
    assert [v.path for v, g in zip(variables, gradients, strict=True) if g is None] == []
    assert all(id(v) in {id(w) for w in network.weights} for v in network.architecture_variables)


@pytest.mark.slow
@both
def test_copies_and_files_have_the_architecture(make, shape, tmp_path):
    network, inputs = make(), batch(shape)
    set_architecture(network)
    output(network, inputs, training=True)
    network.save(tmp_path / "network.keras")
    network.save_weights(tmp_path / "network.weights.h5")
    read = make()
    read.load_weights(tmp_path / "network.weights.h5")
    for other in (clone(network), keras.saving.load_model(tmp_path / "network.keras"), read):
        np.testing.assert_array_equal(output(other, inputs), output(network, inputs))
        for mine, theirs in zip(other.architecture_variables, network.architecture_variables, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        set_architecture(other, seed=5)
        assert np.abs(output(other, inputs) - output(network, inputs)).max() > 1e-6
        assert other.get_config() == network.get_config() | {"name": other.name}


@pytest.mark.slow
def test_a_gan_takes_both_and_trains_without_touching_the_architecture():
    model = GAN(tiny(), tiny_discriminator())
    assert model.latent_dim == 4 and model.sample_shape == (8, 8, 3) and not model.joint_batch
    model.compile("sgd", "sgd")
    before = [v.numpy() for n in (model.generator, model.discriminator) for v in n.architecture_variables]
    moved = model.generator.latent_maps.dense.kernel.numpy()
    data = {"images": tf.constant(batch((2, 8, 8, 3), 1))}
    model.train_step(data)
    after = [v.numpy() for n in (model.generator, model.discriminator) for v in n.architecture_variables]
    assert all((a == b).all() for a, b in zip(after, before, strict=True))
    assert (model.generator.latent_maps.dense.kernel.numpy() != moved).any()


@pytest.mark.parametrize(("pool", "stride"), [(space.NORMAL_OPERATIONS, 1), (space.UP_OPERATIONS, 4)])
def test_compiled_is_the_same(pool, stride):
    """Outputs in training, and gradients of the weights of operations, by XLA."""
    mixed, inputs = MixedOperation(pool, 3, stride), tf.constant(batch((4, 5, 3)))
    mixed.build(inputs.shape)
    weights = tf.nn.softmax(tf.range(float(len(pool))))

    def evaluate():
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs = mixed(inputs, weights, training=True)
            loss = tf.reduce_sum(outputs**3)
        return outputs, tape.gradient(loss, weights)

    for mine, expected in zip(tf.function(evaluate, jit_compile=True)(), evaluate(), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4)


@both
def test_mixed_precision(make, shape):
    keras.config.set_dtype_policy("mixed_bfloat16")
    network, inputs = make(), batch(shape)
    set_architecture(network)
    assert {v.dtype for v in network.architecture_variables} == {"float32"}
    assert {m.dtype for m in network.mixing()} == {tf.float32}
    config = network.get_config() | {"dtype": "float32"}
    wide = type(network).from_config(config)
    wide.set_weights(network.get_weights())
    assert output(network, inputs).dtype == tf.float32
    spread = float(tf.reduce_max(tf.abs(output(wide, inputs))))
    np.testing.assert_allclose(output(network, inputs), output(wide, inputs), atol=0.05 * spread)
    gradient, expected = (
        architecture_gradient(each, loss_of(each, inputs, 1.0, False)) for each in (network, wide)
    )
    assert gradient @ expected > 0.9 * np.linalg.norm(gradient) * np.linalg.norm(expected) > 0.0


def test_first_cell_with_raw_weights():
    """The released code's choice: without noise, the first cell's two weights as they are."""
    network = tiny_discriminator(first_cell_softmax=False)
    set_architecture(network)
    mixing, logits = network.mixing(), [v.numpy() for v in network.architecture_variables]
    np.testing.assert_array_equal(mixing[0], logits[0])
    np.testing.assert_array_equal(mixing[1], logits[1])
    np.testing.assert_allclose(mixing[2], tf.nn.softmax(logits[2]), rtol=1e-6)
    noise = [np.full(v.shape, 0.5) for v in network.architecture_variables]
    np.testing.assert_allclose(np.sum(network.mixing(noise)[0]), 1.0, rtol=1e-6)
    images = batch((8, 8, 3))
    same = tiny_discriminator(first_cell_softmax=True)
    same.set_weights(network.get_weights())
    assert np.abs(output(same, images) - output(network, images)).max() > 1e-4
    np.testing.assert_array_equal(output(same, images, mixing=mixing), output(network, images))


def test_search_discriminator_by_its_formula():
    """With only skips and a 1x1 convolution of the image."""
    network = tiny_discriminator(normal_operations=("skip_connect", "none"))
    images = batch((8, 8, 3))
    raise_only = tf.constant([[1.0, 0.0, 0.0]])
    mixing = [raise_only, tf.constant([[1.0, 0.0]])] + [tf.constant([[1.0, 0.0], [1.0, 0.0]])] * 3

    def relu(x):
        return np.maximum(x, 0.0)

    def halve(x):
        return x.reshape(3, x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).mean((2, 4))

    def shortcut(index, x):
        layer = network.shortcuts[index]
        return x @ layer.normalized_kernel(False).numpy()[0, 0] + layer.bias.numpy()

    first = network.mixed[0].candidates[0].convolution
    x = relu(relu(images) @ first.kernel.numpy()[0, 0] + first.bias.numpy())
    x = halve(x) + shortcut(0, halve(images))
    x = halve(relu(x)) + shortcut(1, halve(x))
    for _ in range(2):
        x = relu(x) + x
    logits = relu(x).sum((1, 2)) @ network.head.normalized_kernel(False).numpy()
    np.testing.assert_allclose(output(network, images, mixing=mixing), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (tiny, {"resolution": 12}, "alphagan_supernet: resolution is a multiple of 8. Received: 12"),
        (tiny, {"normal_operations": ()}, "normal operations are different ones of"),
        (tiny, {"normal_operations": ("conv_1x1",) * 2}, "normal operations are different ones of"),
        (tiny, {"up_operations": ("conv_1x1",)}, "up operations are different ones of deconv"),
        (tiny, {"up_operations": "deconv"}, r"up_operations is a list \(each a text\). Received: 'deconv'"),
        (tiny_discriminator, {"resolution": 6}, "resolution is a multiple of 4. Received: 6"),
        (tiny_discriminator, {"channels": 0}, "channels is an integer of at least 1"),
    ],
)
def test_bad_arguments_are_refused(make, options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)
