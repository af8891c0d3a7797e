import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.norms import BatchNormalization, InstanceNormalization
from tfgans.layers.spectral import SpectralConv2D
from tfgans.layers.state import frozen_state
from tfgans.penalties import clip_weights, gradient_penalty, orthogonal_penalty, r1_penalty, r2_penalty

POINTS = tf.constant([[1.0, 2.0], [-3.0, 0.5]])
SLOPE = tf.constant([[3.0], [4.0]])


def linear(points):  # its gradient is (3, 4) everywhere, of norm 5
    return points @ SLOPE


def quadratic(images):  # |x|^2 / 2: its gradient is x
    return tf.reduce_sum(tf.square(images), list(range(1, images.shape.rank)))[:, None] / 2.0


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, 16.0),
        ({"target": 0.0}, 25.0),
        ({"target": 7.0}, 4.0),
        ({"target": 7.0, "one_sided": True}, 0.0),
        ({"target": 2.0, "one_sided": True}, 9.0),
    ],
)
def test_gradient_penalty_of_a_linear_critic(options, value):
    penalty = gradient_penalty(linear, POINTS, 2.0 * POINTS, tf.constant([[0.3], [0.9]]), **options)
    assert penalty.shape == () and float(penalty) == pytest.approx(value, rel=1e-6)


def test_r1_and_r2_of_a_linear_critic():
    assert float(r1_penalty(linear, POINTS)) == pytest.approx(25.0)
    assert float(r2_penalty(linear, POINTS)) == pytest.approx(25.0)


def test_penalties_of_a_quadratic_critic():
    assert float(r1_penalty(quadratic, POINTS)) == pytest.approx((5.0 + 9.25) / 2.0)
    real, fake = tf.ones((2, 2, 2, 1)), tf.zeros((2, 2, 2, 1))
    mix = tf.reshape(tf.constant([0.25, 1.0]), (2, 1, 1, 1))
    # mix is the share of the real image: norms 2 * 0.25 and 2 * 1
    penalty = gradient_penalty(quadratic, real, fake, mix)
    assert float(penalty) == pytest.approx((0.5**2 + 1.0**2) / 2.0, rel=1e-6)
    # the mix is drawn in float32, whatever the images are
    penalty = gradient_penalty(quadratic, tf.cast(real, tf.float64), tf.cast(fake, tf.float64), mix)
    assert penalty.dtype == tf.float64 and float(penalty) == pytest.approx(0.625, rel=1e-12)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_r1_and_r2_are_means_over_the_batch(count):
    points = np.float32([[1.0, 2.0], [-3.0, 0.5], [0.0, -1.0], [4.0, 0.0]])[:count]
    expected = np.mean(np.sum(points.astype("float64") ** 2, 1))
    assert float(r1_penalty(quadratic, points)) == pytest.approx(expected, rel=1e-6)
    assert float(r2_penalty(quadratic, points)) == pytest.approx(expected, rel=1e-6)


def test_orthogonal_penalty_by_hand():
    """Columns (1, 2), (3, -1), (0, 1): products 1, 2, -1, each counted twice; the norms cost nothing."""
    kernel = tf.constant([[1.0, 3.0, 0.0], [2.0, -1.0, 1.0]])
    assert float(orthogonal_penalty([kernel])) == 12.0
    assert float(orthogonal_penalty([kernel, 2.0 * kernel, 7.0 * tf.eye(4)])) == 12.0 + 16 * 12.0
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        penalty = orthogonal_penalty([kernel])
    # 4 W (W^T W without its diagonal); first column: 4 (1 * (3, -1) + 2 * (0, 1))
    expected = 4.0 * kernel @ tf.constant([[0.0, 1.0, 2.0], [1.0, 0.0, -1.0], [2.0, -1.0, 0.0]])
    np.testing.assert_array_equal(tape.gradient(penalty, kernel), expected)
    np.testing.assert_array_equal(expected[:, 0], [12.0, 4.0])


def test_vanishing_gradient_gives_a_finite_derivative():
    slope = tf.Variable([[0.0], [0.0]])
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(lambda x: x @ slope, POINTS, POINTS, tf.ones((2, 1)))
    assert float(penalty) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(tape.gradient(penalty, slope), [[0.0], [0.0]])


def network():
    """A critic with batch, instance and spectral normalization, in float64."""
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((4, 4, 2), dtype="float64"),
            SpectralConv2D(4, 3, activation="softplus"),
            InstanceNormalization(),
            keras.layers.Conv2D(4, 2),
            BatchNormalization(),
            keras.layers.Activation("tanh"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )


@pytest.mark.parametrize("penalty_name", ["gradient_penalty", "one_sided", "r1_penalty"])
def test_parameter_gradients_against_finite_differences(penalty_name):
    critic = network()
    random = np.random.default_rng(0)
    real, fake = (tf.constant(random.normal(size=(3, 4, 4, 2))) for _ in range(2))
    mix = tf.constant(random.random((3, 1, 1, 1)))
    variables = critic.trainable_variables
    state = [v.numpy() for v in critic.non_trainable_variables]

    def penalty():
        with frozen_state():
            called = lambda images: critic(images, training=True)  # noqa: E731
            if penalty_name == "r1_penalty":
                return r1_penalty(called, real)
            one_sided = penalty_name == "one_sided"
            target = 0.1 if one_sided else 1.0
            return gradient_penalty(called, real, fake, mix, target=target, one_sided=one_sided)

    with tf.GradientTape() as tape:
        value = penalty()
    sources = [v.value for v in variables]  # Keras variables cannot be filled with zeros
    gradients = tape.gradient(value, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    directions = [random.normal(size=v.shape) for v in variables]
    exact = sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients, directions, strict=True))
    start, step, values = [v.numpy() for v in variables], 1e-5, []
    for sign in (1.0, -1.0):
        for variable, origin, direction in zip(variables, start, directions, strict=True):
            variable.assign(origin + sign * step * direction)
        values.append(float(penalty()))
    assert abs(exact) > 1e-3
    assert exact == pytest.approx((values[0] - values[1]) / (2.0 * step), rel=1e-5)
    for before, after in zip(state, critic.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(before, after)


def test_bfloat16_images_are_measured_in_float32():
    penalty = r1_penalty(linear_bfloat16, tf.cast(POINTS, tf.bfloat16))
    assert penalty.dtype == tf.float32 and float(penalty) == 25.0


def linear_bfloat16(points):
    return points @ tf.cast(SLOPE, tf.bfloat16)


def test_clip_weights():
    layer = keras.layers.Dense(2)
    layer.build((None, 2))
    layer.kernel.assign([[-3.0, 0.005], [0.01, 0.5]])
    clip_weights(layer.trainable_variables, float("inf"))
    np.testing.assert_array_equal(layer.kernel, np.float32([[-3.0, 0.005], [0.01, 0.5]]))
    clip_weights(layer.trainable_variables, 0.01)
    np.testing.assert_array_equal(layer.kernel, np.float32([[-0.01, 0.005], [0.01, 0.01]]))


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), "0.1", None])
def test_clip_limit_is_positive(limit):
    with pytest.raises(ConfigError, match=rf"limit is a number in \(0, inf\]. Received: {limit!r}"):
        clip_weights([], limit)


@pytest.mark.parametrize("target", [-1.0, float("nan"), "1", None])
def test_target_is_not_negative(target):
    with pytest.raises(ConfigError, match=f"target is a number of at least 0. Received: {target!r}"):
        gradient_penalty(linear, POINTS, POINTS, tf.ones((2, 1)), target=target)


def test_a_critic_that_stops_the_gradient_is_refused():
    with pytest.raises(ConfigError, match="a critic with one by its images: this one stops it"):
        r1_penalty(lambda images: linear(tf.round(tf.stop_gradient(images))), POINTS)
