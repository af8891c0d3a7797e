"""Does a run that is killed again and again end as one that is left alone?

Trains twice with the same command: once undisturbed, once with `kill -9` at random moments, started again
each time until it is done. Compares the last checkpoint bit for bit, metrics.jsonl (no holes, repeats or torn
lines; the same values, seconds aside), the pictures, and the curves that TensorBoard shows. Prints JSON; exits 1 if
anything differs.

python benchmarks/kill_and_resume.py [--kills=20] [--steps=200] [--gin_file=...] [--gin_param=...]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = ("train.save_every=20", "train.evaluate_every=50", "train.sample_every=50", "train.log_every=10")


def start(model_dir, options):
    """The training command as a process; what it says goes to a file beside its folder."""
    command = [sys.executable, str(ROOT / "launch" / "train.py"), f"--model_dir={model_dir}"]
    command += [f"--gin_file={file}" for file in options.gin_file] + [f"--steps={options.steps}"]
    command += [f"--gin_param={binding}" for binding in (*BINDINGS, *options.gin_param)]
    with open(f"{model_dir}.txt", "ab") as said:
        return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)


def undisturbed(model_dir, options):
    """Trains to the end; returns the seconds it took, of starting and of training."""
    began = time.monotonic()
    process = start(model_dir, options)
    while process.poll() is None and not (model_dir / "train.lock").exists():
        time.sleep(0.05)
    ready = time.monotonic()
    if process.wait() != 0:
        raise SystemExit(f"training failed: see {model_dir}.txt")
    return ready - began, time.monotonic() - ready


def disturbed(model_dir, options, starting, training):
    """Trains with `options.kills` kills, most of them while the run is at work; returns the seconds before each.

    A kill falls between the moment the folder is taken and the time a share of the run takes, so that the
    kills spread over all of it. Each start must come some way, or the run would never end: those that did
    not save anything are killed all the same, but a run that was saved goes on from there.
    """
    delays, generator = [], random.Random(options.seed)
    longest = starting + max(3.0, 2.5 * training / (options.kills + 1))
    for _ in range(options.kills):
        process = start(model_dir, options)
        delay = generator.uniform(0.6 * starting, longest)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            delays.append(round(delay, 2))
            continue
        if process.returncode != 0:
            raise SystemExit(f"training failed: see {model_dir}.txt")
        break  # done before it could be killed
    if start(model_dir, options).wait() != 0:
        raise SystemExit(f"training failed: see {model_dir}.txt")
    return delays


def rows(model_dir):
    """The rows of metrics.jsonl without seconds; a line that is no JSON raises ValueError."""
    lines = (Path(model_dir) / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if not k.endswith("_seconds")} for line in lines]


def curves(folder):
    """What TensorBoard shows of a folder: {tag: [(step, value)]}, an image's value being its bytes."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    shown.Reload()
    values = {}
    for tag in shown.Tags()["tensors"]:
        values[tag] = sorted(
            (event.step, tuple(event.tensor_proto.string_val) or _number(event.tensor_proto))
            for event in shown.Tensors(tag)
        )
    return values


def _number(proto):
    return float(np.frombuffer(proto.tensor_content, np.float32)[0]) if proto.tensor_content else proto.float_val[0]


def differences(first, second):
    """In what two runs' folders differ, a line each; none if they are the same run."""
    first, second = Path(first), Path(second)
    found = []
    if rows(first) != rows(second):
        found.append(f"metrics.jsonl: {rows(first)} and {rows(second)}")
    for folder, pattern in (("checkpoints", "*"), ("samples", "*"), (".", "*"), (".", ".*")):
        names = [sorted(p.name for p in (run / folder).glob(pattern)) for run in (first, second)]
        if names[0] != names[1]:
            found.append(f"files of {folder}: {names[0]} and {names[1]}")
    for path in sorted((first / "samples").glob("*.png")):
        if path.read_bytes() != (second / "samples" / path.name).read_bytes():
            found.append(f"samples/{path.name}")
    newest = sorted(p.name for p in (first / "checkpoints").glob("*.npz"))[-1]
    return found + _states(first / "checkpoints" / newest, second / "checkpoints" / newest) + _events(first, second)


def _states(first, second):
    if not second.exists():
        return [f"{second.name} is missing"]
    with np.load(first) as one, np.load(second) as other:
        if set(one.files) != set(other.files):
            return ["variables of the checkpoints"]
        names = [name for name in one.files if name != "about"]  # which holds seconds
        return [f"variable {name}" for name in names if one[name].tobytes() != other[name].tobytes()]


def _events(first, second):
    found = []
    for part in ("train", "eval"):
        one, other = curves(first / part), curves(second / part)
        for tag in sorted(one.keys() | other.keys()):
            steps = [[step for step, _ in shown.get(tag, [])] for shown in (one, other)]
            if steps[0] != steps[1] or (part == "eval" and one[tag] != other[tag]):
                found.append(f"curve {part}/{tag}: steps {steps[0]} and {steps[1]}")
    return found


def main(arguments=None):
    """Runs the comparison; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gin_file", action="append", help="default: gin_configs/quickstart.gin")
    parser.add_argument("--gin_param", action="append", default=[])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--folder", help="for the two runs; a temporary one if not given")
    options = parser.parse_args(arguments)
    options.gin_file = options.gin_file or ["gin_configs/quickstart.gin"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        os.makedirs(folder, exist_ok=True)
        began = time.monotonic()
        starting, training = undisturbed(folder / "whole", options)
        delays = disturbed(folder / "killed", options, starting, training)
        found = differences(folder / "whole", folder / "killed")
        said = (folder / "killed.txt").read_text()
        result = {
            "steps": options.steps,
            "kills": len(delays),
            "resumed_at": [int(line.split()[3]) for line in said.splitlines() if line.startswith("resumed at")],
            "killed_after_seconds": delays,
            "evaluated_steps": [row["step"] for row in rows(folder / "killed")],
            "differences": found,
            "seconds": round(time.monotonic() - began, 1),
        }
    print(json.dumps(result, indent=1))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
