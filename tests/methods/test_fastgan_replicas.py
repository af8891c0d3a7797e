"""FastGAN on two replicas, in a process of its own: logical devices are set before TensorFlow starts."""

import pytest
from replicas import assert_replicas_agree

SCRIPT = """
import keras, numpy as np, tensorflow as tf
device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
import toys
from tfgans import checkpoint, losses
from tfgans.config import ConfigError
from tfgans.methods.fastgan import FastGAN

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
one_device = tf.distribute.get_strategy()
random = np.random.default_rng(0)
images, labels = random.uniform(-1, 1, (64, 6, 6, 3)).astype("float32"), random.integers(0, 3, 64).astype("int32")


def make(strategy, seed=0, batch_size=8):
    with strategy.scope():
        model = FastGAN(
            *toys.classifier_networks(seed=seed), num_classes=3, perturb_fakes=True, perturbation_radius=0.1,
            perturbation_batch_size=batch_size, fake_class_loss=losses.class_uniform_divergence,
            ema_decay=0.9, seed=seed, label_distribution="uniform",
        )
        eagerly = strategy is one_device  # for that which is compiled, one is enough
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=eagerly)
    return model


def train(model, first, last):
    part = slice(8 * first, 8 * last)
    model.fit(images[part], labels[part], batch_size=8, shuffle=False, verbose=0)


def state(model):
    with model.distribute_strategy.scope():
        return checkpoint.read_state(model)


one, two = make(one_device), make(mirrored)
start, half = state(one), state(two)
separate = [n for n, v in checkpoint.variables_of(two).items() if "perturbation" in v.path]
assert len(separate) == 2
for name in separate:
    assert start[name].shape == (1, 8, 6, 6, 3) and half[name].shape == (2, 4, 6, 6, 3)
    np.testing.assert_array_equal(half[name].reshape(start[name].shape), start[name])
    assert np.any(half[name][0] != half[name][1])

lazy = make(mirrored, batch_size=None)
lazy.expect_batch(8)
toys.assert_same(state(lazy), half)

train(one, 0, 8)
train(two, 0, 4)
saved = state(two)
train(two, 4, 8)
expected = state(two)
moved = 0
for name, value in state(one).items():
    np.testing.assert_allclose(expected[name].reshape(value.shape), value, atol=1e-6, rtol=0, err_msg=name)
    moved += np.any(value != start[name])
assert moved > 14
for name in separate:
    assert np.any(expected[name] != saved[name]) and np.any(expected[name][0] != expected[name][1])

other = make(mirrored, seed=3)
with mirrored.scope():
    checkpoint.write_state(other, saved)
toys.assert_same(state(other), saved)
with mirrored.scope():
    checkpoint.write_state(two, saved)  # goes on with the step that was traced
train(two, 4, 8)
toys.assert_same(state(two), expected)

try:
    make(mirrored, batch_size=None).expect_batch(7)
except ConfigError as error:
    assert "perturbation_batch_size = 7 does not divide among 2 replicas" in str(error)
else:
    raise AssertionError("a batch of 7 was taken for two replicas")

# The remainder rule of `fit`: of batches of 12, 12 and 5 images two discriminator steps take 12, 12 and 4, on one
# device and on two alike; a last batch smaller than the replicas is dropped and leaves nothing that is not finite.
from tfgans.gan import GAN


def plain(strategy, networks, **options):
    with strategy.scope():
        model = GAN(*networks, **options)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


states = []
for strategy in (one_device, mirrored):
    with strategy.scope():
        networks = toys.classifier_networks()
    model = plain(strategy, networks, num_classes=3, discriminator_steps=2)
    odd = images[:29], labels[:29]
    model.fit(*odd, batch_size=12, shuffle=False, verbose=0)
    model.fit(tf.data.Dataset.from_tensor_slices(odd).batch(12), verbose=0)
    assert int(model.step.numpy()) == 6
    states.append(state(model))
for name, value in states[0].items():
    np.testing.assert_allclose(states[1][name], value, atol=1e-6, rtol=0, err_msg=name)
with mirrored.scope():
    networks = toys.image_networks()
model = plain(mirrored, networks)
model.fit(toys.images(9), batch_size=8, verbose=0)
assert int(model.step.numpy()) == 1
assert all(np.all(np.isfinite(value)) for value in state(model).values())
print("replicas agree")
"""


@pytest.mark.slow
def test_two_replicas_are_one_device_and_go_on_bit_for_bit():
    assert_replicas_agree(SCRIPT)
