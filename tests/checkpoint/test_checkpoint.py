"""A checkpoint holds everything a step depends on, and is whole or not there."""

import gc
import json
import os
import signal

import forks
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from checkpointed import make, train

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.gan import GAN


def test_every_variable_there_is_is_covered():
    gc.collect()
    before = {id(v) for v in gc.get_objects() if isinstance(v, keras.Variable)}
    model = train(make(compiled=True), 2)
    gc.collect()
    made = [v for v in gc.get_objects() if isinstance(v, keras.Variable) and id(v) not in before]
    named = checkpoint.variables_of(model)
    covered = {id(v) for v in named.values()}
    assert len(covered) == len(named)
    ours = [v for v in made if not v.path.startswith(("loss/", "seed_generator_state"))]  # Keras's own
    missing = [v.path for v in ours if id(v) not in covered]
    assert missing == []
    paths = [v.path for v in named.values()]
    for part in ("dropout", "draws", "step", "count", "perturbation", "moving_mean", "momentum", "velocity"):
        assert any(part in path for path in paths), part
    averaged = {id(v) for v in model.ema_generator.variables}
    seeds = {
        id(layer.seed_generator.state) for layer in model.discriminator.layers if "dropout" in layer.name
    }
    rates = {id(o.learning_rate) for o in (model.optimizer, model.discriminator_optimizer)}
    assert len(averaged) == 8 and len(seeds) == 1 and averaged | seeds | rates <= covered


@pytest.mark.slow
def test_a_fresh_model_goes_on_bit_for_bit(checkpoints):
    whole = train(make(compiled=True), 3)
    start = checkpoint.read_state(whole)
    checkpoints.save(whole, 3, {})
    train(whole, 3, seed=1)
    fresh = make(seed=5, compiled=True)
    fresh.seed = 0  # of the random streams: part of the configuration, not of the checkpoint
    assert checkpoints.restore(fresh) == {"step": 3}
    toys.assert_same(checkpoint.read_state(fresh), start)
    train(fresh, 3, seed=1)
    toys.assert_same(checkpoint.read_state(fresh), checkpoint.read_state(whole))
    moved = sum(np.any(v != start[k]) for k, v in checkpoint.read_state(whole).items())
    assert moved >= len(start) - 4  # all but the rates and a bias that cannot move: the test could fail


def test_about_comes_back(model, checkpoints):
    checkpoints.save(model, 2, {"train_seconds": 1.5})
    assert checkpoints.restore(make()) == {"step": 2, "train_seconds": 1.5}
    assert checkpoint.Checkpoints(checkpoints.folder / "none").restore(make()) is None


def test_per_replica_variables_are_saved_by_replica(model):
    state = checkpoint.read_state(model)
    name = next(k for k, v in checkpoint.variables_of(model).items() if v is model.perturbation)
    assert state[name].shape == (1, 3)
    np.testing.assert_array_equal(state[name][0], model.perturbation.numpy())
    other = make(seed=1)
    checkpoint.write_state(other, state)
    np.testing.assert_array_equal(other.perturbation.numpy(), model.perturbation.numpy())
    two = state | {name: np.repeat(state[name], 2, axis=0)}
    with pytest.raises(
        ConfigError, match=r"2 replicas, \(3,\) each of .*perturbation; this run has 1 of \(3,\)"
    ):
        checkpoint.write_state(other, two)
    kept = other.perturbation.numpy() + 1
    other.perturbation.assign(kept)
    checkpoint.write_state(other, two, replicas=False)  # to generate with, on any number of devices
    np.testing.assert_array_equal(other.perturbation.numpy(), kept)


def test_replicas_each_keep_their_own_part():
    script = """
import sys; sys.path.insert(0, "tests")
import numpy as np, tensorflow as tf, keras
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfgans import checkpoint
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    import checkpointed
    model = checkpointed.make()
    name = next(k for k, v in checkpoint.variables_of(model).items() if v is model.perturbation)
    values = np.arange(6, dtype="float32").reshape(2, 3)
    checkpoint.write_state(model, checkpoint.read_state(model) | {name: values})
    parts = [part.numpy() for part in model.perturbation.value.values]
    np.testing.assert_array_equal(parts, values)
    np.testing.assert_array_equal(checkpoint.read_state(model)[name], values)
"""
    code, _, err = forks.run(script)
    assert code == 0, err[-2000:]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: make(width=5), r"another model: .*kernel has shape \(64, 5\), the file's \(64, 4\)"),
        (lambda: plain(), r"another model: \d+ variables differ, such as \w+/"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(model, checkpoints, other, message):
    checkpoints.save(model, 2, {})
    with pytest.raises(ConfigError, match=message) as caught:
        checkpoints.restore(other())
    assert "\n" not in str(caught.value)


def plain():
    model = GAN(*toys.image_networks())
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    return model


def test_a_step_without_file_is_refused(model, checkpoints):
    checkpoints.save(model, 2, {})
    with pytest.raises(ConfigError, match="no checkpoint of step 7 .* There are: 2"):
        checkpoints.restore(model, 7)


def test_partial_and_foreign_files_are_no_checkpoints(model, checkpoints):
    checkpoints.save(model, 2, {})
    for name in (".step_00000004.npz.part12", "step_00000006.npz.bak", "step_8.npz", "notes.txt"):
        (checkpoints.folder / name).write_bytes(b"x")
    assert checkpoints.steps() == [2]
    assert checkpoints.restore(make())["step"] == 2


def test_a_save_that_fails_leaves_what_there_was(model, checkpoints, monkeypatch):
    checkpoints.save(model, 2, {})
    before = checkpoints.path(2).read_bytes()

    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    for step in (2, 4):
        with pytest.raises(OSError, match=f"No space left on device: .*step_0000000{step}.npz"):
            checkpoints.save(model, step, {})
    assert os.listdir(checkpoints.folder) == ["step_00000002.npz"]
    assert checkpoints.path(2).read_bytes() == before


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_saved(model, checkpoints, value):
    kernel = model.generator.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, value))
    with pytest.raises(FloatingPointError, match="model/.* is not finite"):
        checkpoints.save(model, 2, {})
    assert checkpoints.steps() == []


def test_prune_keeps_the_newest_and_the_protected(model, checkpoints):
    for step in range(1, 6):
        checkpoints.save(model, step, {})
    checkpoints.prune({2})
    assert checkpoints.steps() == [2, 4, 5]
    checkpoints.prune()
    assert checkpoints.steps() == [4, 5]
    with pytest.raises(ConfigError, match="at least 1. Received: 0"):
        checkpoint.Checkpoints(checkpoints.folder, keep=0)


def test_what_stands_in_a_lock_may_be_anything(tmp_path):
    with checkpoint.Lock(tmp_path):
        (tmp_path / "train.lock").write_bytes(b"\xff\xfe\0" * 1000)
        with pytest.raises(ConfigError, match="is being trained by another process"):
            checkpoint.Lock(tmp_path).__enter__()


HOLD = """
import sys, time
from tfgans import checkpoint
with checkpoint.Lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_keeps_others_out_until_its_process_is_dead(tmp_path):
    holder = forks.Fork(HOLD, "hold", tmp_path)
    try:
        holder.wait_for("held\n")
        with pytest.raises(ConfigError, match=rf"trained by another process \(number {holder.pid}\)"):
            checkpoint.Lock(tmp_path).__enter__()
    finally:
        holder.kill()
        assert holder.finish()[0] == -signal.SIGKILL
    with checkpoint.Lock(tmp_path):
        assert (tmp_path / "train.lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(ConfigError, match="another process"):
            checkpoint.Lock(tmp_path).__enter__()
    with checkpoint.Lock(tmp_path):
        pass


def test_a_file_is_plain_arrays(model, checkpoints):
    checkpoints.save(model, 2, {})
    with np.load(checkpoints.path(2)) as data:
        assert set(data.files) == set(checkpoint.variables_of(model)) | {"about"}
        assert json.loads(str(data["about"])) == {"step": 2, "names": checkpoint.names_of(model)}
        step = next(k for k, v in checkpoint.variables_of(model).items() if v is model.step)
        assert data[step] == 2 == int(tf.convert_to_tensor(model.step.value))
