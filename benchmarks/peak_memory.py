"""Peak memory of training steps of gin files, each in a process of its own.

    python benchmarks/peak_memory.py --gin_file=A.gin --gin_file=B.gin [--steps=1] [--batch_size=2]
    python benchmarks/peak_memory.py --family=stylegan2 --family=progan --batch_size=1 --batch_size=2

A configuration of several files or with bindings is --configuration='--gin_file=A.gin --gin_file=B.gin'. A family is
one of networks at 256x256, of published width, which is measured as it is and with `recompute`. With two batch sizes
a straight line through the first and the last gives what batches of up to 8 take.

Two numbers of the process in megabytes: once its networks are built, and the peak at the end of the steps, on random
images; their difference is what training takes besides the networks' weights. On a GPU that of the device, too. The
first step has the regularisations that others leave out; --steps=0 makes that one alone.
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

_PROGAN = ("build.methods=[@GradientPenaltyGAN]",)  # all of it at once: it does not grow
for _network in ("generator", "discriminator"):
    _PROGAN += (f"build.{_network}=@progan_{_network}", f"progan_{_network}.resolution=%resolution")
FAMILIES = {
    "stylegan2": "--gin_file=gin_configs/data/lsun_church256.gin --gin_file=gin_configs/networks/stylegan2.gin",
    "progan": " ".join(
        ["--gin_file=gin_configs/data/lsun_church256.gin", *(f"--gin_param={value}" for value in _PROGAN)]
    ),
    "biggan": "--gin_file=gin_configs/data/imagenet128.gin --gin_file=gin_configs/networks/biggan_128.gin "
    "--gin_param=resolution=256 --gin_param=biggan_generator.latent_dim=140",
}


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
    if steps:
        contender.run(steps)
    networks = (contender.model.generator, contender.model.discriminator)
    report = {
        "parameters": sum(network.count_params() for network in networks),
        "built_megabytes": round(built[0]),
        "peak_megabytes": round(peak_bytes() / 1e6),
        "first_seconds": round(contender.compile_seconds, 1),
        "seconds_per_step": round((time.perf_counter() - began) / steps, 2) if steps else None,
    }
    if tf.config.list_physical_devices("GPU"):
        report["gpu_megabytes"] = round(tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6)
    return report


def contenders(options):
    """[(name, configuration, bindings)] of what is asked for."""
    found = [(gin_file, gin_file, []) for gin_file in options.gin_file]
    for family in options.family:
        own = [f"{family}_{network}.recompute=True" for network in ("generator", "discriminator")]
        found += [(family, FAMILIES[family], []), (f"{family}, recompute", FAMILIES[family], own)]
    return found


def run(configuration, gin_params, batch_size, steps):
    """`measure` in a process of its own."""
    # A fork's peak counts its parent's memory: the parent stays small, and TensorFlow is the child's alone.
    command = [sys.executable, __file__, "--child", f"--gin_file={configuration}", f"--steps={steps}"]
    command += [f"--gin_param={value}" for value in gin_params]
    command += [] if batch_size is None else [f"--batch_size={batch_size}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def lines(rows):
    """{name: {batch size: megabytes}} up to 8 by a straight line, where there are two batch sizes."""
    found = {}
    for name in dict.fromkeys(row["name"] for row in rows):
        first, *_, last = 2 * [row for row in rows if row["name"] == name]
        images = last["batch_size"] - first["batch_size"] if last["batch_size"] else 0
        if images > 0:
            slope = (last["peak_megabytes"] - first["peak_megabytes"]) / images
            sizes = [size for size in (1, 2, 4, 8) if size > last["batch_size"]]
            found[name] = {n: round(last["peak_megabytes"] + slope * (n - last["batch_size"])) for n in sizes}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gin_file", "--configuration", action="append", default=[])
    parser.add_argument("--family", action="append", default=[], choices=sorted(FAMILIES))
    parser.add_argument("--gin_param", action="append", default=[])
    parser.add_argument("--batch_size", type=int, action="append", help="the files' own by default")
    parser.add_argument("--steps", type=int, default=1, help="after one that compiles; may be 0")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = options.batch_size or [None]
    if not (options.gin_file or options.family):
        parser.error("--gin_file, --configuration or --family is needed")
    if options.child:
        print(json.dumps(measure(options.gin_file[0], options.gin_param, sizes[0], options.steps)))
        return
    rows = []
    print(f"{'batch':>5} {'parameters':>12} {'built MB':>9} {'peak MB':>8} {'first s':>8} {'s/step':>7}  of")
    for name, configuration, own in contenders(options):
        for size in sizes:
            row = run(configuration, [*options.gin_param, *own], size, options.steps)
            rows.append({"name": name, "batch_size": size} | row)
            numbers = f"{row['parameters']:12,} {row['built_megabytes']:9,} {row['peak_megabytes']:8,}"
            seconds = f"{row['first_seconds']:8.1f} {row['seconds_per_step'] or 0:7.2f}"
            print(f"{size or '':>5} {numbers} {seconds}  {name}", flush=True)
    for name, sizes in lines(rows).items():
        print(f"extrapolated, {name}: " + ", ".join(f"batch {n} {mb:,} MB" for n, mb in sizes.items()))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
