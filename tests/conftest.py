"""Test-wide settings: quiet TensorFlow, no display, and a clean gin and Keras state for every test."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
# Two workers share two cores, and the products of the tests are small: threads would wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What XLA compiles here runs a few times, in less time than it takes to optimise it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory):
    """Reference statistics go to a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="module")
def same_draws():
    """What a file's own fixtures draw, too, depends on no test before."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def clean_state():
    """gin and Keras keep global state: a test must not see what another one left, and draws the same each time."""
    import keras

    from tfgans import config

    keras.utils.set_random_seed(0)
    yield
    config.read(())  # gin's bindings go, and what is remembered of the files that were read
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
    from tensorflow.python.framework import config as internal  # the only way back from enable_op_determinism

    internal.disable_op_determinism()


@pytest.fixture(autouse=True, scope="session")
def libraries():
    """What importing TensorFlow and Keras leaves stays for good: looking for garbage in it takes 0.3 seconds.

    Graphs run as they were traced: to optimise them took a quarter of all tests' time, and they run a few times. In
    processes that tests start they are optimised.
    """
    import keras  # noqa: F401
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def forget_graphs():
    """Compiled functions hold each other in circles: after some thousand tests they fill gigabytes."""
    yield
    gc.collect()


@pytest.fixture
def eagerly():
    """Without graphs: for runs of few steps, tracing takes longer than they do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def all_eagerly():
    """The same for all of a module, and for what its fixtures train."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def golden():
    """Opens a file of `tests/golden` as a dictionary of arrays."""
    import numpy as np

    return lambda name: dict(np.load(GOLDEN / f"{name}.npz"))
