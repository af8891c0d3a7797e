"""`numerics.precision`: what it sets, and what it refuses."""

import keras
import pytest
import tensorflow as tf
from tensorflow.python.framework import config  # nothing public tells

from tfgans.config import ConfigError
from tfgans.run import build


@pytest.fixture(autouse=True)
def tf32_as_it_was():
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


@pytest.mark.parametrize(
    ("precision", "policy", "tf32"),
    [("float32", "float32", False), ("tf32", "float32", True), ("mixed_bfloat16", "mixed_bfloat16", True)],
)
def test_policy_and_tf32(precision, policy, tf32):
    build.numerics(precision=precision, deterministic=False)
    assert keras.config.dtype_policy().name == policy
    assert tf.config.experimental.tensor_float_32_execution_enabled() == tf32


@pytest.mark.parametrize("precision", ["float16", "tf64", "mixed_float16"])
def test_others_are_named(precision):
    with pytest.raises(ConfigError, match=f"^numerics.precision is float32, .*Received: '{precision}'$"):
        build.numerics(precision=precision)


@pytest.mark.parametrize("deterministic", [True, False])
def test_deterministic_kernels_are_asked_for_unless_it_is_switched_off(deterministic):
    build.numerics(deterministic=deterministic)
    assert config.is_op_determinism_enabled() == deterministic
