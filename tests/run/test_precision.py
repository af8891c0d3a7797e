"""`numerics.precision`: what it sets, what it refuses, and what "auto" stands for."""

import gin
import keras
import pytest
import tensorflow as tf
from tensorflow.python.framework import config  # nothing public tells

from tfgans.config import ConfigError
from tfgans.run import build
from tfgans.run import precision as chosen


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


WITH = "processor\t: 0\nflags\t\t: fpu avx512_bf16 amx_bf16 amx_tile\n\nprocessor\t: 1\nflags\t\t: fpu\n"


@pytest.mark.parametrize(
    ("told", "precision"),
    [
        (WITH, "mixed_bfloat16"),
        (WITH.replace(" amx_bf16", ""), "mixed_bfloat16"),
        (WITH.replace(" avx512_bf16", "").replace("amx_bf16", "amx_int8"), "float32"),
        ("Features: asimd\n", "float32"),
    ],
)
def test_a_processor_says_whether_it_has_products_in_bfloat16(told, precision, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(chosen, "_PROCESSORS", tmp_path / "cpuinfo")
    monkeypatch.setattr(chosen.platform, "system", lambda: "Linux")
    assert chosen.choice()[0] == precision and "bf16" in chosen.choice()[1]
    monkeypatch.setattr(chosen.platform, "system", lambda: "Darwin")
    assert chosen.processor_flags() == set() and chosen.choice()[0] == "float32"


@pytest.mark.parametrize(
    ("capabilities", "precision", "reason"),
    [
        ([(9, 0)], "mixed_bfloat16", "as the GPU has compute capability 9.0"),
        ([(9, 0), (8, 0)], "mixed_bfloat16", "as all GPUs have compute capability 8.0"),
        ([(9, 0), (7, 5)], "float32", "as a GPU's compute capability is 7.5: products in bfloat16 want 8.0"),
        ([None], "float32", "as a GPU's compute capability is unknown: products in bfloat16 want 8.0"),
    ],
)
def test_gpus_tell_by_their_compute_capability(capabilities, precision, reason, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    details = lambda gpu: {} if gpu is None else {"compute_capability": gpu}  # noqa: E731
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
    assert chosen.choice() == (precision, reason)


@pytest.mark.parametrize("text", ['numerics.precision = "auto"', 'p = "auto"\nnumerics.precision = %p'])
def test_auto_is_chosen_once_and_a_run_keeps_it(text, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "tfgans")
    (tmp_path / "a.gin").write_text(text)
    monkeypatch.setattr(chosen, "choice", lambda: ("mixed_bfloat16", "as it is so"))
    build.prepare([str(tmp_path / "a.gin")], [])
    assert gin.query_parameter("numerics.precision") == "mixed_bfloat16"
    assert "auto: numerics.precision = mixed_bfloat16, as it is so" in caplog.text
    (tmp_path / "operative.gin").write_text(gin.config_str())
    monkeypatch.setattr(chosen, "choice", lambda: pytest.fail("a run that goes on keeps its precision"))
    build.prepare([str(tmp_path / "a.gin")], [], run_folder=str(tmp_path))
    assert gin.query_parameter("numerics.precision") == "mixed_bfloat16"


@pytest.mark.parametrize("bindings", [[], ["numerics.precision = 'tf32'"], ["numerics.seed = 1"]])
def test_what_is_not_auto_stays(bindings, monkeypatch):
    monkeypatch.setattr(chosen, "choice", lambda: pytest.fail("nothing is left open"))
    build.prepare([], bindings)
    assert dict(gin.get_bindings("numerics")) == {
        line.split(" = ")[0].split(".")[1]: eval(line.split(" = ")[1]) for line in bindings
    }
