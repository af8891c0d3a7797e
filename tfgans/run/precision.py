"""What `numerics.precision = "auto"` stands for: bfloat16 where the machine multiplies in it, else float32.

A run keeps what it began with, also on another machine: it is written to its `operative.gin`.
"""

import logging
import platform
from pathlib import Path

import gin
import tensorflow as tf

from tfgans import config
from tfgans.run import auto

logger = logging.getLogger(__name__)

AUTO, LOW, FULL = "auto", "mixed_bfloat16", "float32"
_NAME = "numerics.precision"
_PROCESSORS = Path("/proc/cpuinfo")  # of Linux; others do not say so, and get float32
_UNITS = ("amx_bf16", "avx512_bf16")
_LEAST_CAPABILITY = (8, 0)  # of NVIDIA's GPUs: Ampere and newer


def bindings(run_folder=None):
    """The binding that takes the place of "auto", in a list; none where the configuration says something else.

    It is for what gin has read last. The log has what was chosen, and why.

    Args: run_folder: of a run to take up, or None.
    """
    if not config.is_bound(*_NAME.split(".")) or auto.followed(gin.query_parameter(_NAME)) != AUTO:
        return []
    kept = auto.kept(run_folder).get(_NAME)
    if kept is not None:
        return [f"{_NAME} = {kept}"]
    chosen, reason = choice()
    logger.info("auto: %s = %s, %s", _NAME, chosen, reason)
    return [f"{_NAME} = {chosen!r}"]


def choice():
    """(`mixed_bfloat16` or `float32`, the reason) for this machine's GPUs, or its processor if it has none."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return _of_gpus([_capability(gpu) for gpu in gpus])
    told = processor_flags()
    units = [unit for unit in _UNITS if unit in told]
    if units:
        return LOW, f"as the processor has instructions for products in it ({units[0]})"
    return FULL, f"as the processor has no instructions for products in bfloat16 ({', '.join(_UNITS)})"


def _capability(gpu):
    """Of an NVIDIA GPU, such as (9, 0); None if it does not say."""
    return tf.config.experimental.get_device_details(gpu).get("compute_capability")


def _of_gpus(capabilities):
    without = [each for each in capabilities if each is None or each < _LEAST_CAPABILITY]
    if without:
        told = "unknown" if without[0] is None else ".".join(map(str, without[0]))
        return FULL, f"as a GPU's compute capability is {told}: products in bfloat16 want 8.0"
    least = ".".join(map(str, min(capabilities)))
    return (
        LOW,
        f"as {'the GPU has' if len(capabilities) == 1 else 'all GPUs have'} compute capability {least}",
    )


def processor_flags():
    """What the processor says that it has, a set of words; empty where that is not told."""
    if platform.system() != "Linux" or not _PROCESSORS.exists():
        return set()
    lines = _PROCESSORS.read_text(errors="replace").splitlines()
    return set(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))
