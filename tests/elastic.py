"""A run of two replicas that goes on with two, one or four. A process of its own: the CPU is split but once."""

import global_batch
import numpy as np
import tensorflow as tf

from tfgans import checkpoint
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.optimizers import TorchAdam

PER_IMAGE = {"perturbation_real", "perturbation_fake", "pseudo_images", "pseudo_labels"}


def case():
    """All that keeps state of its own: images per place, statistics that adapt, Adam's moments, the average."""
    adaptive = global_batch.ADAPTIVE | {"perturb_fakes": True, "perturbation_batch_size": global_batch.BATCH}
    methods = (DiffAugmentGAN, ADAGAN, APAGAN, FastGAN)
    return global_batch.Case(
        methods, ema_decay=0.9, optimizer=lambda: TorchAdam(0.01, epsilon=0.1), **adaptive
    )


def go_on(strategy, state, steps):
    """The state after some steps, from a state or the beginning: as it is, and `in_rows`."""
    found = case()
    with strategy.scope():
        model = global_batch.compose(*found.methods)(*found.networks(), **found.options)
        model.compile(found.optimizer(), found.optimizer(), run_eagerly=True)
        if state is not None:
            checkpoint.write_state(model, state)
            again = in_rows(model, checkpoint.read_state(model))
            for name, value in in_rows(model, state).items():
                np.testing.assert_array_equal(again[name], value, err_msg=name)
    for step in steps:
        model.choose_step(step)
        strategy.run(model.train_step, (found.batch(model, strategy, np.random.default_rng(step)),))
    with strategy.scope():
        state = checkpoint.read_state(model)
        return state, in_rows(model, state)


def in_rows(model, state):
    """A state in which [replicas, n, ...] are [rows, ...]."""
    separate = {id(v): v.name for v in model.per_replica_variables()}
    assert set(separate.values()) == PER_IMAGE
    rows = {
        name: state[name].reshape(global_batch.BATCH, *v.shape[1:])
        for name, v in checkpoint.variables_of(model).items()
        if id(v) in separate
    }
    assert len(rows) == 4
    return state | rows


def mirrored(count):
    """So many replicas; of TensorFlow's own way to exchange, two numbers of them in a process are in each other's."""
    devices = [f"CPU:{i}" for i in range(count)]
    return tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())


def main():
    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 4)
    one, two, four = tf.distribute.get_strategy(), mirrored(2), mirrored(4)
    begun, before = go_on(two, None, range(1))
    _, stayed = go_on(two, begun, range(1, 2))
    moved = [name for name, value in stayed.items() if not np.array_equal(value, before[name])]
    assert len(moved) > 0.8 * len(stayed), moved
    for strategy in (one, four):
        for name, value in go_on(strategy, begun, range(1, 2))[1].items():
            np.testing.assert_allclose(value, stayed[name], rtol=1e-5, atol=2e-6, err_msg=name)
    print("replicas agree")
