"""Does a run that is killed again and again end as one that is left alone?

Trains, or with --command=search searches, twice with the same command: once undisturbed, once with `kill -9` at
random moments, started again each time until it is done. Compares the last checkpoint bit for bit, metrics.jsonl (no
holes, repeats or torn lines; the same values, seconds aside), the pictures, what a search has noted and found, and
the curves that TensorBoard shows. Prints JSON; exits 1 if anything differs.

python benchmarks/kill_and_resume.py [--kills=20] [--steps=200] [--command=search] [--gin_file=...] [--gin_param=...]
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = ("train.save_every=20", "train.evaluate_every=50", "train.sample_every=50", "train.log_every=10")
_OF_SEARCHES = ("search.jsonl", "genotype.json", "candidates.json", "genotypes/*.json")


def parsed(description, gin_file, arguments):
    """The options of a comparison. Args: gin_file: what is trained if nothing else is given."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gin_file", action="append", help=f"default: {gin_file}")
    parser.add_argument("--gin_param", action="append", default=[])
    parser.add_argument("--command", choices=["train", "search"], default="train")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--folder", help="for the two runs; a temporary one if not given")
    options = parser.parse_args(arguments)
    options.gin_file = options.gin_file or [gin_file]
    return options


def command_of(model_dir, options):
    """The command, as a list."""
    command = [sys.executable, str(ROOT / "launch" / f"{options.command}.py"), f"--model_dir={model_dir}"]
    command += [f"--gin_file={file}" for file in options.gin_file] + [f"--steps={options.steps}"]
    return command + [f"--gin_param={binding}" for binding in (*BINDINGS, *options.gin_param)]


def start(model_dir, options):
    """The command as a process; what it says goes to a file beside its folder."""
    with open(f"{model_dir}.txt", "ab") as said:
        return subprocess.Popen(command_of(model_dir, options), cwd=ROOT, stdout=said, stderr=said)


def wait_until_at_work(process, model_dir):
    """Waits until a process has taken the folder: before that it writes nothing."""
    lock = model_dir / "train.lock"
    while process.poll() is None and not (lock.exists() and lock.read_text().strip() == str(process.pid)):
        time.sleep(0.02)


def newest(model_dir):
    """The name of the newest checkpoint."""
    return max((path.name for path in (model_dir / "checkpoints").glob("step_*")), default="")


def finish(process, model_dir):
    """Waits for the end of a run that must succeed."""
    if process.wait() != 0:
        raise SystemExit(f"training failed: see {model_dir}.txt")


def undisturbed(model_dir, options):
    """Trains to the end; returns the seconds of work, compilation and all, to the first checkpoint after step 0."""
    process = start(model_dir, options)
    wait_until_at_work(process, model_dir)
    began = time.monotonic()
    while process.poll() is None and len(list((model_dir / "checkpoints").glob("step_*"))) < 2:
        time.sleep(0.02)
    seconds = time.monotonic() - began
    finish(process, model_dir)
    return seconds


def disturbed(model_dir, options, seconds):
    """Trains with `options.kills` kills, then to the end; returns the seconds of work before each.

    Each start works for a random time of up to 1.2 times what it takes to save anything, at most until it has
    saved: some come no further, some a little, so that the kills spread over the run.
    """
    delays, generator = [], random.Random(options.seed)
    for _ in range(options.kills):
        process = start(model_dir, options)
        wait_until_at_work(process, model_dir)
        delay = generator.uniform(0.0, 1.2 * seconds)
        began, seen = time.monotonic(), {newest(model_dir)}
        while process.poll() is None and time.monotonic() < began + delay and len(seen) < 2:
            time.sleep(0.02)
            seen.add(newest(model_dir))
        if process.poll() is not None:
            finish(process, model_dir)
            break  # done before it could be killed
        process.kill()
        process.wait()
        delays.append(round(time.monotonic() - began, 2))
    finish(start(model_dir, options), model_dir)
    return delays


def rows(model_dir):
    """The rows of metrics.jsonl without seconds; a line that is no JSON raises ValueError."""
    return _without_seconds(Path(model_dir) / "metrics.jsonl")


def _without_seconds(path):
    """What a file of JSON has, or each line of one of `.jsonl`, but for seconds at whatever depth."""

    def kept(pairs):
        return {name: value for name, value in pairs if not name.endswith("_seconds")}

    text = path.read_text()
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    return [json.loads(line, object_pairs_hook=kept) for line in lines]


def curves(folder):
    """What TensorBoard shows of a folder: {tag: [(step, value)]}, an image's value being its bytes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorBoard loads TensorFlow
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
    return (
        float(np.frombuffer(proto.tensor_content, np.float32)[0])
        if proto.tensor_content
        else proto.float_val[0]
    )


def differences(first, second):
    """In what two runs' folders differ, a line each; none if they are the same run."""
    first, second = Path(first), Path(second)
    found = []
    if rows(first) != rows(second):
        found.append(f"metrics.jsonl: {rows(first)} and {rows(second)}")
    for folder, pattern in (
        ("checkpoints", "*"),
        ("samples", "*"),
        ("genotypes", "*"),
        (".", "*"),
        (".", ".*"),
    ):
        names = [sorted(p.name for p in (run / folder).glob(pattern)) for run in (first, second)]
        if names[0] != names[1]:
            found.append(f"files of {folder}: {names[0]} and {names[1]}")
    for path in sorted((first / "samples").glob("*.png")):
        if path.read_bytes() != (second / "samples" / path.name).read_bytes():
            found.append(f"samples/{path.name}")
    for pattern in _OF_SEARCHES:
        for path in sorted(first.glob(pattern)):
            other = second / path.relative_to(first)
            if other.exists() and _without_seconds(path) != _without_seconds(other):
                found.append(str(path.relative_to(first)))
    newest = sorted(p.name for p in (first / "checkpoints").glob("*.npz"))[-1]
    return (
        found
        + _states(first / "checkpoints" / newest, second / "checkpoints" / newest)
        + _events(first, second)
    )


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
    options = parsed(__doc__, "gin_configs/quickstart.gin", arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        os.makedirs(folder, exist_ok=True)
        began = time.monotonic()
        seconds = undisturbed(folder / "whole", options)
        delays = disturbed(folder / "killed", options, seconds)
        found = differences(folder / "whole", folder / "killed")
        said = (folder / "killed.txt").read_text()
        result = {
            "steps": options.steps,
            "kills": len(delays),
            "resumed_at": [int(step) for step in re.findall(r"resumed at step (\d+)", said)],
            "killed_after_seconds": delays,
            "evaluated_steps": [row["step"] for row in rows(folder / "killed")],
            "differences": found,
            "seconds": round(time.monotonic() - began, 1),
        }
    print(json.dumps(result, indent=1))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
