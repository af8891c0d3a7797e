"""Peak memory of training steps of gin files, each in a process of its own.

    python benchmarks/peak_memory.py --gin_file=A.gin --gin_file=B.gin [--steps=1] [--batch_size=2]

A configuration of several files or with bindings is --configuration='--gin_file=A.gin --gin_file=B.gin'.

Two numbers of the process in megabytes: once its networks are built, and the peak at the end of the steps, on random
images; their difference is what training takes besides the networks' weights. On a GPU that of the device, too.
Data sets need not be there. Prints a table, then one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from tfgans.memory import peak_bytes


def measure(gin_file, gin_params, batch_size, steps):
    """What the child prints: a dictionary of numbers."""
    import tensorflow as tf
    from step_time import Contender

    built = []

    class Watched(Contender):
        def start(self, batch_size):
            built.append(peak_bytes() / 1e6)
            super().start(batch_size)

    contender = Watched(gin_file, gin_file, gin_params, batch_size)
    began = time.perf_counter()
    contender.run(steps)
    networks = (contender.model.generator, contender.model.discriminator)
    report = {
        "parameters": sum(network.count_params() for network in networks),
        "built_megabytes": round(built[0]),
        "peak_megabytes": round(peak_bytes() / 1e6),
        "seconds_per_step": round((time.perf_counter() - began) / steps, 2),
    }
    if tf.config.list_physical_devices("GPU"):
        report["gpu_megabytes"] = round(tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gin_file", "--configuration", action="append", required=True)
    parser.add_argument("--gin_param", action="append", default=[])
    parser.add_argument("--batch_size", type=int, default=None, help="the files' own by default")
    parser.add_argument("--steps", type=int, default=1, help="after one that compiles")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.gin_file[0], options.gin_param, options.batch_size, options.steps)))
        return
    rows = {}
    for gin_file in options.gin_file:
        # A fork's peak counts its parent's memory: the parent stays small, and TensorFlow is the child's alone.
        command = [sys.executable, __file__, "--child", f"--gin_file={gin_file}", f"--steps={options.steps}"]
        command += [f"--gin_param={value}" for value in options.gin_param]
        command += [] if options.batch_size is None else [f"--batch_size={options.batch_size}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows[gin_file] = json.loads(done.stdout.splitlines()[-1])
    print(f"{'parameters':>12} {'built MB':>9} {'peak MB':>8} {'s/step':>7}  file")
    for gin_file, row in rows.items():
        numbers = f"{row['parameters']:12,} {row['built_megabytes']:9,} {row['peak_megabytes']:8,}"
        print(f"{numbers} {row['seconds_per_step']:7.2f}  {gin_file}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
