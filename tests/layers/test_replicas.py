"""Layer state on two replicas, in a process of its own: logical devices are set before TensorFlow starts."""

import pytest
from replicas import assert_replicas_agree

SCRIPT = """
import keras, numpy as np, tensorflow as tf
device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfgans.layers.blocks import ResidualDownBlock
from tfgans.layers.norms import BatchNormalization, InstanceNormalization
from tfgans.layers.spectral import SpectralConv2D, SpectralDense
from tfgans.layers.state import frozen_state
from tfgans.penalties import clip_weights, r1_penalty

def build():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4, 4, 2)), SpectralConv2D(4, 3),
                             ResidualDownBlock(4, False, spectral_normalization=True, recompute=True),
                             InstanceNormalization(),
                             keras.layers.Flatten(), SpectralDense(1)])

images = np.random.default_rng(0).normal(size=(8, 4, 4, 2)).astype("float32")

def step(network, batch, optimizer, replicas):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(network(batch, training=True))
        with frozen_state():
            loss += r1_penalty(lambda x: network(x, training=True), batch)
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply([g / replicas for g in gradients], network.trainable_variables)
    clip_weights(network.trainable_variables, 0.4)

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    network, optimizer = build(), keras.optimizers.SGD(0.1)
    optimizer.build(network.trainable_variables)
halves = strategy.experimental_distribute_values_from_function(
    lambda c: tf.constant(images[4 * c.replica_id_in_sync_group :][:4]))
run = tf.function(lambda: strategy.run(step, (network, halves, optimizer, 2.0)))
single, single_optimizer = build(), keras.optimizers.SGD(0.1)
for _ in range(3):
    run()
    step(single, tf.constant(images), single_optimizer, 1.0)
moved = 0.0
for mine, theirs, start in zip(network.variables, single.variables, build().variables):
    first, second = (v.numpy() for v in mine.value.values)
    assert np.array_equal(first, second), mine.path
    np.testing.assert_allclose(first, theirs.numpy(), atol=1e-6)
    moved = max(moved, np.abs(first - start.numpy()).max())
assert moved > 1e-2
assert max(np.abs(v.numpy()).max() for v in network.trainable_variables) <= np.float32(0.4)

with strategy.scope():
    norm = BatchNormalization(momentum=0.0)
    norm.build((None, 4, 4, 2))
tf.function(lambda: strategy.run(lambda x: norm(x, training=True), (halves,)))()
for replica, value in enumerate(norm.moving_mean.value.values):  # each its own: the trainer averages them
    np.testing.assert_allclose(value, images[4 * replica :][:4].mean((0, 1, 2)), atol=1e-6)
print("replicas agree")
"""


@pytest.mark.slow
def test_two_replicas_make_one_devices_step():
    assert_replicas_agree(SCRIPT)
