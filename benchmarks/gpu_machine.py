"""What this machine is and can do, for `gpu_check.py`: devices, versions, XLA and measured ceilings as JSON.

    python benchmarks/gpu_machine.py

The ceilings are what the shares in `gpu_check.py`'s table are of: the rate of a large matrix product in float32, TF32
and bfloat16 (two operations a multiply-accumulate), and that of a copy, bytes read and written both counted.
"""

import json
import os
import platform
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import keras
import tensorflow as tf

from tfgans import xla
from tfgans.errors import ConfigError

PRECISIONS = {
    "float32": (tf.float32, False),
    "tf32": (tf.float32, True),
    "mixed_bfloat16": (tf.bfloat16, True),
}


def seconds(function, *arguments, least=0.3):
    """Seconds a call, of as many as take `least` seconds."""
    function(*arguments)
    calls, taken = 1, 0.0
    while taken < least:
        calls *= 2
        tf.test.experimental.sync_devices()
        began = time.perf_counter()
        for _ in range(calls):
            function(*arguments)
        tf.test.experimental.sync_devices()
        taken = time.perf_counter() - began
    return taken / calls


def product_rate(size, dtype, tf32):
    """TFLOP/s of the product of two random matrices [size, size]."""
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    matrices = [tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2)]
    return 2 * size**3 / seconds(tf.matmul, *matrices) / 1e12


def copy_rate(mib):
    """GB/s of a copy on the device."""
    array = tf.random.normal((mib * 2**18,))
    return 2 * mib * 2**20 / seconds(tf.function(lambda x: x + 1.0), array) / 1e9


def xla_works():
    """True, or the line that says why XLA cannot compile here."""
    try:
        xla.check()
    except ConfigError as error:
        return str(error)
    return True


def main():
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    size, mib = (8192, 1024) if gpus else (1024, 64)
    build = tf.sysconfig.get_build_info()
    row = {
        "gpus": [d.get("device_name", "?") for d in details],
        "compute_capability": [d.get("compute_capability") for d in details],
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
        "product_tflops": {name: round(product_rate(size, *how), 2) for name, how in PRECISIONS.items()},
        "copy_gb_per_second": round(copy_rate(mib), 1),
        "xla": xla_works(),
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
