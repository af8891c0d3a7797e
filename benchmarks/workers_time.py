"""Seconds per update of two workers on this machine, a core each, beside one process with both cores.

The two ways take turns, each a short run of `train` that is thrown away; counted are the seconds in training steps
after the first, which compiles. The workers exchange by TensorFlow's ring over 127.0.0.1. On a machine that is busy
the figures say little: the load is printed, too. Prints a table, then one JSON object.

python benchmarks/workers_time.py [--gin_file=gin_configs/quickstart.gin] [--gin_param=...] [--steps=100] [--rounds=3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from kill_workers import free_addresses

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = [f"train.{name}_every={10**6}" for name in ("save", "evaluate", "sample")]


def start(model_dir, options, cores, flags=()):
    """A training process on some cores."""
    command = [sys.executable, str(ROOT / "launch" / "train.py"), f"--model_dir={model_dir}"]
    command += [f"--gin_file={file}" for file in options.gin_file] + [f"--steps={options.steps}", *flags]
    command += [f"--gin_param={binding}" for binding in (*BINDINGS, *options.gin_param)]
    with open(f"{model_dir}.txt", "ab") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
    os.sched_setaffinity(process.pid, cores)  # before it has loaded TensorFlow, which asks for it
    return process


def seconds_per_update(model_dir, options, processes):
    """Waits for the processes of a run; what an update took."""
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit(f"training failed: {Path(f'{model_dir}.txt').read_text()[-1000:]}")
    row = json.loads((Path(model_dir) / "metrics.jsonl").read_text().splitlines()[-1])
    return row["train_seconds"] / (options.steps - 1)


def one(model_dir, options, cores):
    """Seconds per update of one process."""
    return seconds_per_update(model_dir, options, [start(model_dir, options, cores)])


def two(model_dir, options, cores):
    """Seconds per update of two, with half of the cores each."""
    cores, addresses = sorted(cores), ",".join(free_addresses())
    halves = cores[: len(cores) // 2], cores[len(cores) // 2 :]
    processes = [
        start(model_dir, options, half, [f"--workers={addresses}", f"--task={task}"])
        for task, half in enumerate(halves)
    ]
    return seconds_per_update(model_dir, options, processes)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gin_file", action="append", help="default: gin_configs/quickstart.gin")
    parser.add_argument("--gin_param", action="append", default=[])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.gin_file = options.gin_file or ["gin_configs/quickstart.gin"]
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        raise SystemExit("two workers need two cores")
    found, load = {"one": [], "two": []}, os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for name, way in (("one", one), ("two", two)):
                found[name].append(way(f"{folder}/{name}_{number}", options, cores))
    ratio = statistics.median(b / a for a, b in zip(found["one"], found["two"], strict=True))
    for name, words in (("one", "one process"), ("two", "two workers")):
        print(f"{words}  {statistics.median(found[name]):.4f} s/update")
    print(f"ratio        {ratio:.2f}, {len(cores)} cores, load before {load:.1f}")
    print(json.dumps({"cores": len(cores), "load": load, "ratio": ratio, "seconds_per_update": found}))


if __name__ == "__main__":
    main()
