"""Does everything run on this machine's GPUs, with the right bits, and how fast?

    python benchmarks/gpu_check.py [--output=gpu_check] [--jobs=8] [--only=machine,families,...] [--small]
        [--profiles=FOLDER]

Needs no internet and no data set: networks train on random images, the quickstart on scikit-learn's digits. Parts:
`machine` (devices, XLA, ceilings), `families` (one configuration of each network and method: trains, and the same
bits twice), `resume` (the quickstart killed and taken up again), `replicas` (one and all GPUs), `speed` (float32,
TF32 and bfloat16, with and without XLA), `quickstart` (trained and evaluated), and, if asked for by `--only`, `tests`
(those of layers, networks and methods on the GPU). Each part has a time limit, some seven minutes in all; what it has
found by then is kept. Writes OUTPUT.json after each part, and OUTPUT.md, the table, which is printed at the end.

Please send us the JSON of a card that is not in docs/gpu.md.
"""

import argparse
import contextlib
import json
import os
import tempfile
import threading
import time
from pathlib import Path

import gpu_table
from gpu_configurations import FAMILIES, PROFILED, REPLICAS, SPEED, small
from gpu_processes import each, said

LIMITS = {
    "machine": 60,
    "families": 150,
    "resume": 150,
    "replicas": 150,
    "speed": 150,
    "quickstart": 120,
    "tests": 150,
}
# Parts of a row run beside each other.
ORDER = (("machine",), ("families", "replicas"), ("speed",), ("quickstart", "resume"), ("tests",))


def machine(options, until):
    return [said(["gpu_machine.py"], until)]


def families(options, until):
    return each(options.families, options.jobs, until, lambda case: case.answer(until))


def replicas(options, until):
    return each(REPLICAS, options.jobs, until, lambda case: case.answer(until))


def speed(options, until):
    """All are built beside each other; then one at a time is measured, and the others wait."""
    rows = []
    for start in range(0, len(options.speed), options.jobs):
        rows += measured(options.speed[start : start + options.jobs], options.updates, until)
    return rows


def measured(cases, updates, until):
    begun, one = threading.Barrier(len(cases)), threading.Lock()

    def use(case):
        first = case.answer(until - 15)
        with contextlib.suppress(
            threading.BrokenBarrierError
        ):  # rather one that is late and disturbs than no figure
            begun.wait(max(0.1, until - 60 - time.monotonic()))
        if "error" in first:
            return first
        with one:
            row = first | case.ask(updates, until)
            if "error" not in row and case.name in PROFILED:
                row["work"] = case.ask("profile", until)
            return row

    return each(cases, len(cases), until, use)


def resume(options, until):
    return [
        said(
            ["kill_and_resume.py", "--kills=1", "--steps=60", "--gin_file=gin_configs/quickstart.gin"], until
        )
    ]


def quickstart(options, until):
    """Seconds and scores of the README's first command."""
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/quickstart"
        steps = ["--steps=20"] if options.small else []
        began = time.monotonic()
        train = ["../launch/train.py", "--gin_file=gin_configs/quickstart.gin", f"--model_dir={run}", *steps]
        said(train, until)
        seconds = time.monotonic() - began
        path = Path(run) / "metrics.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if not rows:
        return [{"name": "quickstart", "error": "no metrics.jsonl within the limit"}]
    kept = {k: v for k, v in rows[-1].items() if isinstance(v, (int, float, str))}
    return [{"name": "quickstart", "seconds": round(seconds, 1), "last_row": kept}]


def tests(options, until):
    seconds = until - time.monotonic() - 10
    return [said(["gpu_tests.py", f"--seconds={seconds}", f"--jobs={options.jobs}"], until)]


def profile_of(case, folder):
    """The file of a case's profile."""
    name = "".join(letter if letter.isalnum() else "_" for letter in case["name"])
    return os.path.abspath(os.path.join(folder, f"{name}.xplane.pb.gz"))


PARTS = {part.__name__: part for part in (machine, families, resume, replicas, speed, quickstart, tests)}


def note(name, options, report):
    """Runs a part and puts what it found into the report."""
    print(f"{name}: at most {LIMITS[name]} s", flush=True)
    began = time.monotonic()
    report[name] = PARTS[name](options, began + LIMITS[name])
    report["seconds"][name] = round(time.monotonic() - began, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="gpu_check", help="where OUTPUT.json and OUTPUT.md are written")
    parser.add_argument("--jobs", type=int, default=max(1, min(8, (os.cpu_count() or 2) // 2)))
    parser.add_argument("--only", default=",".join(PARTS).removesuffix(",tests"), help="parts, with commas")
    parser.add_argument("--small", action="store_true", help="small networks: a rehearsal on a CPU")
    parser.add_argument("--profiles", help="a folder for the profiles of TensorFlow, an .xplane.pb.gz each")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"parts are {', '.join(PARTS)}. Received: {unknown[0]}")
    options.families = [small(case) for case in FAMILIES] if options.small else FAMILIES
    options.speed = [small(case) for case in SPEED] if options.small else SPEED
    options.updates = 16
    if options.profiles:
        os.makedirs(options.profiles, exist_ok=True)
        options.speed = [case | {"profile": profile_of(case, options.profiles)} for case in options.speed]
    report = {"seconds": {}}
    for row in ORDER:
        parts = [
            threading.Thread(target=note, args=(name, options, report)) for name in row if name in chosen
        ]
        for part in parts:
            part.start()
        for part in parts:
            part.join()
        Path(f"{options.output}.json").write_text(json.dumps(report, indent=1) + "\n")
        Path(f"{options.output}.md").write_text(gpu_table.table(report))
    print(gpu_table.table(report))


if __name__ == "__main__":
    main()
