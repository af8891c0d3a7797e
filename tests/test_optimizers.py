"""PyTorch's Adam and RMSprop against their formulas, and what gin, precision, saving and schedules make of them."""

import collections
import itertools
import pathlib
import re

import configurations
import gin
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import config
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.optimizers import MovingAdam, TorchAdam, TorchRMSprop, default_optimizer, same_kind

GIN_FILES = pathlib.Path(__file__).parent.parent / "gin_configs"
# Far apart in size, from one update to the next and among the entries of one
SIZES = np.array(
    [[1e-9, 10.0, 5e-5], [3.0, 1e-9, 2e-8], [1e-8, 1e-5, 1e-3], [1e-9, 1e-4, 1.0], [0.0, 1e-7, 1e-9]]
)
GRADIENTS = np.concatenate([SIZES, -0.3 * SIZES[::-1], SIZES[:2]])
START = np.array([0.1, -0.05, 0.02])
RATE = 2.0**-10


def adam(beta_1=0.9, beta_2=0.999, epsilon=1e-8, amsgrad=False, weight_decay=0.0):
    """The weights after each update, by the formulas of `torch.optim.Adam`."""
    w, m, v, largest = START.copy(), np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(GRADIENTS, 1):
        g = g + weight_decay * w
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        largest = np.maximum(largest, v)
        root = np.sqrt(largest if amsgrad else v) / np.sqrt(1 - beta_2**t) + epsilon
        w = w - RATE / (1 - beta_1**t) * m / root
        yield w


def rmsprop(rho=0.99, epsilon=1e-8, momentum=0.0, centered=False, weight_decay=0.0):
    """The weights after each update, by the formulas of `torch.optim.RMSprop`."""
    w, v, mean, buffer = START.copy(), np.zeros(3), np.zeros(3), np.zeros(3)
    for g in GRADIENTS:
        g = g + weight_decay * w
        v = rho * v + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        root = np.sqrt(v - mean**2 if centered else v) + epsilon
        buffer = momentum * buffer + g / root
        w = w - RATE * buffer
        yield w


CASES = [
    (TorchAdam, adam, {}),
    (TorchAdam, adam, {"beta_1": 0.0, "beta_2": 0.9}),
    (TorchAdam, adam, {"beta_1": 0.5, "epsilon": 1e-6}),
    (TorchAdam, adam, {"amsgrad": True, "weight_decay": 0.1}),
    (TorchRMSprop, rmsprop, {}),
    (TorchRMSprop, rmsprop, {"rho": 0.9, "momentum": 0.5, "epsilon": 1e-6}),
    (TorchRMSprop, rmsprop, {"centered": True, "weight_decay": 0.1}),
    (TorchRMSprop, rmsprop, {"centered": True, "momentum": 0.9}),
]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-7), ("float64", 1e-12)])
@pytest.mark.parametrize(("kind", "formula", "options"), CASES)
def test_they_are_pytorchs_formulas(kind, formula, options, dtype, tolerance):
    weight = keras.Variable(START, dtype=dtype)
    optimizer = kind(RATE, **options)
    for expected, gradient in zip(formula(**options), GRADIENTS, strict=True):
        optimizer.apply([tf.constant(gradient, dtype)], [weight])
        np.testing.assert_allclose(weight.numpy(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("options", [{}, {"gradient_accumulation_steps": 2}], ids=str)
@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("kind", [TorchAdam, MovingAdam, TorchRMSprop])
def test_variables_share_numbers_and_move_as_alone(kind, in_graph, options):
    """What is the same for all variables is made once in an update, for each dtype, and is not kept for the next."""
    together = [keras.Variable(START, dtype=dtype) for dtype in ("float32", "float64", "float32")]
    alone = [keras.Variable(START, dtype=v.dtype) for v in together]
    optimizer, others = kind(RATE, **options), [kind(RATE, **options) for _ in alone]
    optimizer.build(together)
    for other, variable in zip(others, alone, strict=True):
        other.build([variable])

    def update(gradient):
        optimizer.apply([tf.cast(gradient, v.dtype) for v in together])
        for other, variable in zip(others, alone, strict=True):
            other.apply([tf.cast(gradient, variable.dtype)])

    function = tf.function(update, autograph=False) if in_graph else update
    for gradient in GRADIENTS:
        function(tf.constant(gradient))
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert not np.allclose(together[0].numpy(), START)


@pytest.mark.parametrize("kind", [TorchAdam, TorchRMSprop])
def test_graphs_grow_with_variables_by_what_is_theirs(kind):
    def nodes(count):
        variables = [keras.Variable(START, dtype="float32") for _ in range(count)]
        optimizer = kind(RATE, momentum=0.5) if kind is TorchRMSprop else kind(RATE)
        optimizer.build(variables)
        apply = tf.function(lambda: optimizer.apply([tf.ones(3)] * count), autograph=False)
        return collections.Counter(o.type for o in apply.get_concrete_function().graph.get_operations())

    more = nodes(3) - nodes(2)
    if kind is TorchAdam:
        assert more["ResourceApplyAdam"] == 1 and not {"AssignVariableOp", "AssignSubVariableOp"} & set(more)
    else:
        assert more["AssignSubVariableOp"] == more["Square"] == 1
    assert not {"Const", "Expm1", "Neg", "Cast"} & set(more)


def test_kerass_own_are_others():
    """With PyTorch's settings; 5e-5 is the size of G's gradients in a first update of the octave WGAN."""
    moves = {}
    for optimizer in (TorchRMSprop(RATE), keras.optimizers.RMSprop(RATE, rho=0.99, epsilon=1e-8)):
        weight = keras.Variable(0.0)
        optimizer.apply([tf.constant(5e-5)], [weight])
        moves[type(optimizer).__name__] = -float(weight.numpy()) / RATE
    assert moves["TorchRMSprop"] == pytest.approx(5e-5 / (0.1 * 5e-5 + 1e-8), rel=1e-6)
    assert moves["RMSprop"] / moves["TorchRMSprop"] == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize("kind", ["vanilla", "octave", "low", "ramp", "combi"])
def test_the_octave_wgan_takes_the_authors_first_steps(kind):
    """Theirs are rate * g / (sqrt(0.01 g^2) + 1e-8), whatever the size of g."""
    configurations.prepare(f"octave/celeba128_wgan_rmsprop_{kind}")
    for name in ("generator_optimizer", "discriminator_optimizer"):
        optimizer = gin.query_parameter(f"build.{name}").configurable.wrapper()
        for size in (5e-5, 1e-7, 2.0):
            optimizer = same_kind(optimizer, [weight := keras.Variable(0.0)], 5e-5)
            optimizer.apply([tf.constant(size)], [weight])
            assert -float(weight.numpy()) == pytest.approx(5e-5 * size / (0.1 * size + 1e-8), rel=1e-5)


@pytest.mark.slow
def test_published_files_train_with_pytorchs():
    """Networks without a published PyTorch code have Keras's; published experiments with them name PyTorch's."""
    keras_named = {
        path.relative_to(GIN_FILES).as_posix()
        for path in GIN_FILES.rglob("*.gin")
        if re.search(r"(?m)^[^#\n]*(?<![A-Za-z_])(Adam|AdamW|RMSprop)\b", path.read_text())
    }
    assert keras_named == {"networks/dcgan.gin", "networks/mlp.gin", "glyphs.gin"}
    kerass = set()
    for name in configurations.ROWS:
        configurations.prepare(name)
        if any(
            line.startswith("build.") and line.endswith("optimizer = @Adam")
            for line in configurations.lines()
        ):
            kerass.add(name.split("/")[0])
    assert kerass == {"base", "compare", "folder", "glyphs"}


def test_the_default_is_pytorchs():
    optimizer = default_optimizer()
    assert type(optimizer) is TorchAdam
    settings = optimizer.get_config()
    assert [settings[k] for k in ("beta_1", "beta_2", "epsilon", "weight_decay")] == [0.0, 0.9, 1e-8, 0.0]
    assert settings["learning_rate"] == pytest.approx(2e-4)
    config.import_rooms()
    config.parse([], ["generator/TorchAdam.beta_1 = 0.25", "TorchRMSprop.momentum = 0.5"])
    with gin.config_scope("generator"):
        assert TorchAdam().beta_1 == 0.25
    assert TorchAdam().beta_1 == 0.9 and TorchRMSprop().momentum == 0.5
    with pytest.raises(ConfigError, match="TorchAdam has no parameter 'eps'. Allowed: learning_rate, beta_1"):
        config.parse([], ["TorchAdam.eps = 1e-8"])


@pytest.mark.parametrize(
    "optimizer",
    [
        TorchAdam(1e-2, 0.5, 0.99, 1e-6, amsgrad=True, weight_decay=0.1, clipnorm=2.0),
        TorchRMSprop(1e-2, 0.9, 0.5, 1e-6, centered=True, weight_decay=0.1),
    ],
)
def test_settings_are_kept(optimizer, tmp_path):
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    data = np.ones((4, 2)), np.ones((4, 1))
    model.fit(*data, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(*data, verbose=0)
    for mine, theirs in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    np.testing.assert_array_equal(model.get_weights()[0], loaded.get_weights()[0])


def gan(kind, **options):
    model = GAN(*toys.scalar_networks())
    model.compile(kind(1e-2, **options), kind(2e-2, **options), run_eagerly=True)
    return model


@pytest.mark.parametrize(
    ("kind", "options"), [(TorchAdam, {"amsgrad": True}), (TorchRMSprop, {"momentum": 0.5, "centered": True})]
)
def test_a_run_goes_on_bit_for_bit(kind, options):
    from tfgans import checkpoint

    points = np.random.default_rng(0).normal(size=(48, 1)).astype("float32")
    whole, first, second = (gan(kind, **options) for _ in range(3))
    fit = lambda model, part: model.fit(part, batch_size=16, shuffle=False, verbose=0)  # noqa: E731
    fit(whole, points)
    fit(first, points[:32])
    checkpoint.write_state(second, toys.values(first))
    fit(second, points[32:])
    toys.assert_same(toys.values(second), toys.values(whole))


def test_the_rate_is_set_while_compiled_and_under_xla():
    weight, optimizer, traces = (
        keras.Variable(np.zeros(2), dtype="float32"),
        TorchAdam(0.5),
        itertools.count(),
    )
    optimizer.build([weight])

    def step(gradient):
        next(traces)
        optimizer.apply([gradient], [weight])

    for compiled in (tf.function(step), tf.function(step, jit_compile=True)):
        moved = []
        for rate in (0.5, 0.25, 1.0):
            optimizer.learning_rate.assign(rate)
            before = weight.numpy()
            compiled(tf.constant([3.0, -1e-3]))
            moved.append(weight.numpy() - before)
        np.testing.assert_allclose(moved, np.outer([0.5, 0.25, 1.0], [-1, 1]), rtol=2e-5)
    assert next(traces) == 2


def test_state_is_float32_whatever_the_policy():
    for policy in ("mixed_bfloat16", "bfloat16"):
        keras.config.set_dtype_policy(policy)
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        for optimizer in (TorchAdam(0.5, amsgrad=True), TorchRMSprop(0.5, momentum=0.5, centered=True)):
            optimizer.build(layer.trainable_variables)
            gradients = [tf.fill(v.shape, tf.constant(2.0, tf.bfloat16)) for v in layer.trainable_variables]
            optimizer.apply(gradients, layer.trainable_variables)
            assert {v.dtype for v in optimizer.variables if "iteration" not in v.path} == {"float32"}
            bias = layer.trainable_variables[1].numpy().astype("float64")
            assert bias == pytest.approx(np.full(2, bias[0])) and bias[0] < -0.4


def test_a_sparse_gradient_is_the_dense_one():
    """That of an embedding, with one row twice."""
    rows = tf.IndexedSlices(
        tf.constant([[1.0, -2.0], [3.0, 0.5], [2.0, 4.0]]), tf.constant([2, 0, 2]), (3, 2)
    )
    for kind in (TorchAdam, TorchRMSprop):
        weights = [keras.Variable(np.ones((3, 2))) for _ in range(2)]
        for weight, gradient in zip(weights, (rows, tf.convert_to_tensor(rows)), strict=True):
            optimizer = kind(0.1)
            for _ in range(2):
                optimizer.apply([gradient], [weight])
        np.testing.assert_array_equal(weights[0].numpy(), weights[1].numpy())
        assert (weights[0].numpy()[1] == 1.0).all() and (weights[0].numpy()[[0, 2]] != 1.0).all()


def test_decay_leaves_out_what_is_excluded_and_follows_clipping():
    weights = [keras.Variable(np.ones(1), name=name) for name in ("kernel", "bias")]
    optimizer = TorchRMSprop(0.1, rho=0.0, epsilon=1.0, weight_decay=0.5, clipvalue=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([tf.constant([4.0])] * 2, weights)
    # the gradient 4 is clipped to 1, and only the kernel's is then 1.5
    np.testing.assert_allclose([w.numpy()[0] for w in weights], [1 - 0.1 * 1.5 / 2.5, 1 - 0.1 * 1 / 2])


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (TorchAdam, {"beta_1": 1.0}, r"TorchAdam.beta_1 is a number in \[0, 1\). Received: 1.0"),
        (TorchAdam, {"beta_2": -0.1}, r"TorchAdam.beta_2 is a number in \[0, 1\). Received: -0.1"),
        (TorchAdam, {"epsilon": -1e-8}, "TorchAdam.epsilon is a number of at least 0. Received: -1e-08"),
        (TorchRMSprop, {"rho": float("nan")}, r"TorchRMSprop.rho is a number in \[0, 1\). Received: nan"),
        (TorchRMSprop, {"momentum": 1.5}, r"TorchRMSprop.momentum is a number in \[0, 1\). Received: 1.5"),
        (
            TorchRMSprop,
            {"weight_decay": -1.0},
            "TorchRMSprop.weight_decay is a number of at least 0. Received: -1.0",
        ),
        (TorchAdam, {"clipnorm": -1.0}, "TorchAdam.clipnorm is a number above 0 or None. Received: -1.0"),
    ],
)
def test_values_out_of_range_are_refused(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        kind(**options)
