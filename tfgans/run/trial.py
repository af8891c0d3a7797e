"""How long a step takes on this machine, and how much memory: some steps on random images."""

import time

import numpy as np
import tensorflow as tf

from tfgans import memory, progress
from tfgans.config import ConfigError


def trial(model, batch_size, name, steps=5, seconds=0.0):
    """Trains a model that nobody needs afterwards, on images of uniform noise; no data have to be there.

    Args:
        batch_size: images of each batch that the discriminator sees, over all replicas.
        name: of what is trained, for the lines that show progress.
        steps: how many calls of the training function to measure, at least 1; a call makes the model's
            `steps_per_execution`. seconds: for how long, at least; compilation not counted.
    Returns: {"compile_seconds": of the first step, "seconds_per_step": the median, "peak_memory_gb": the most that
        this process has had, "peak_gpu_memory_gb": if there is a GPU}.
    Raises: ConfigError for a search.
    """
    if model.on_halves:
        raise ConfigError(f"a search cannot be measured by single steps. Received: {type(model).__name__}")
    train, data, began = model.make_train_function(), iter(noise(model, batch_size)), time.perf_counter()
    with progress.phase(f"compiling {name}'s first step"):
        _finish(train(data))
    compiled, took = time.perf_counter() - began, []
    with progress.phase(f"training {name} to measure it"):
        end = time.perf_counter() + seconds
        while len(took) < steps or time.perf_counter() < end:
            began = time.perf_counter()
            _finish(train(data))
            took.append((time.perf_counter() - began) / model.steps_per_execution)
    found = {
        "compile_seconds": round(compiled, 1),
        "seconds_per_step": float(np.median(took)),
        "peak_memory_gb": round(memory.peak_bytes() / 1e9, 2),
    }
    if tf.config.list_physical_devices("GPU"):
        found["peak_gpu_memory_gb"] = round(tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9, 2)
    return found


def noise(model, batch_size):
    """A batch of uniform noise for a step of a model, with labels where it has classes, again and again.

    Replicas share it, as they do a run's. Args: batch_size: images of each discriminator step, over all replicas.
    """
    shape, draws = (model.batches_per_step, batch_size), np.random.default_rng(0)
    batch = {"images": draws.uniform(-1, 1, (*shape, *model.sample_shape)).astype("float32")}
    if model.num_classes:
        batch["labels"] = draws.integers(0, model.num_classes, shape).astype("int32")
    return model.intake().placed(tf.data.Dataset.from_tensors(batch).repeat())


def _finish(logs):
    """Waits for the device."""
    for value in logs.values():
        float(value)
