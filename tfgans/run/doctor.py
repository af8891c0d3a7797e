"""`launch/doctor.py`: what this machine has, what is missing for what, and how fast it trains."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil

import gin
import tensorflow as tf

from tfgans.run import build
from tfgans.run.summary import lines
from tfgans.run.trial import trial

_LIBRARIES = ("tensorflow", "keras", "numpy", "gin-config")
# What a module is for, and what to do where it is missing.
_OPTIONAL = {
    "tensorflow_gan": ("Inception's FID, and its preprocessing", "pip install tfgans"),
    "tensorflow_datasets": ("--data=tfds:<name>", "pip install tfgans"),
    **dict.fromkeys(
        ("onnx", "tf2onnx", "onnxruntime"), ("ONNX files (docs/export.md)", "pip install 'tfgans[export]'")
    ),
    "ai_edge_litert": ("LiteRT files (docs/export.md)", "pip install 'tfgans[export]'"),
    "datasets": ("HuggingFace as a source (docs/large_data.md)", "pip install 'tfgans[huggingface]'"),
    "keras_hub": ("features of DINOv2, CLIP (gin_configs/features)", "pip install 'tfgans[features]'"),
    "wandb": ("train.trackers = [@WandbTracker()]", "pip install 'tfgans[wandb]'"),
    "mlflow": ("train.trackers = [@MLflowTracker()]", "pip install 'tfgans[mlflow]'"),
}
_QUICKSTART = "gin_configs/quickstart.gin"
# Milliseconds an update of the quickstart, measured: docs/devices.md and docs/gpu.md.
_REFERENCES = {"two cores of a Xeon with AMX": 42.0, "an NVIDIA H200": 20.2}


def examine(seconds=15.0):
    """What `doctor` knows, as a dictionary that JSON takes.

    Args: seconds: how long to train the quickstart's networks, compilation not counted; 0 leaves that out.
    Returns: `versions`, `processors`, `memory_gb`, `disk_free_gb` (of the working directory), `gpus`, `missing`
        ({module: what it is for}), and `ms_per_update` with `compile_seconds`.
    """
    found = {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES},
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "disk_free_gb": round(shutil.disk_usage(".").free / 1e9, 1),
        "gpus": [_gpu(device) for device in tf.config.list_physical_devices("GPU")],
        "missing": {name: use for name, (use, _) in _OPTIONAL.items() if not importlib.util.find_spec(name)},
    }
    return found | (_speed(seconds) if seconds else {})


def told(found):
    """What `examine` found, as lines for people."""
    gpus = ", ".join(found["gpus"]) or "none that TensorFlow finds: it trains on the processors"
    rows = {
        "versions": ", ".join(f"{name} {number}" for name, number in found["versions"].items()),
        "processors": f"{found['processors']}, {found['memory_gb']} GB of memory",
        "GPUs": gpus,
        "disk": f"{found['disk_free_gb']} GB free here",
    }
    for name, use in found["missing"].items():
        rows[f"no {name}"] = f"needed for {use}: {_OPTIONAL[name][1]}"
    if "ms_per_update" in found:
        rows["speed"] = f"{found['ms_per_update']:.1f} ms for an update of {_QUICKSTART}"
        for machine, reference in _REFERENCES.items():
            rows[f"  {machine}"] = (
                f"{reference:.1f} ms, {found['ms_per_update'] / reference:.2g} times that here"
            )
    return lines(rows)


def version(name):
    """The installed version of a distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpu(device):
    details = tf.config.experimental.get_device_details(device)
    return details.get("device_name", device.name)


def _speed(seconds):
    """Trains the quickstart's networks on random images."""
    build.prepare([_QUICKSTART], [])
    model, _ = build.build_model()
    found = trial(model, gin.query_parameter("%batch_size"), "the quickstart", steps=1, seconds=seconds)
    return {"ms_per_update": 1000 * found["seconds_per_step"], "compile_seconds": found["compile_seconds"]}
