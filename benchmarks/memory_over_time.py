"""Does the memory of commands that run long stay flat?

    python benchmarks/memory_over_time.py [--command=train ...] [--scale=1.0] [--folder=DIR]

Runs each command for some time and looks at the memory of its processes four times a second. `settled` is the median
of the second quarter of its time, `end` that of the last tenth; their difference is what it has grown by in between,
in megabytes, and `in_an_hour` what that would be in one. What is read, compiled or allocated once lies before. The
commands that use a run take that of `train`, which is made first where it is missing. Prints a table, then JSON.
For Linux, whose `ps` knows sessions.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def every(steps):
    """Flags that let training evaluate, draw and save every so many steps."""
    return " ".join(f"--gin_param=train.{what}_every={steps}" for what in ("evaluate", "sample", "save"))


# Units of work at a scale of 1: some minutes on two cores. {n}, {run} and {images} are put in.
COMMANDS = {
    "train": (
        1500,
        f"train --gin_file=gin_configs/quickstart.gin --model_dir={{run}} --steps={{n}} {every(50)}",
    ),
    "search": (
        150,
        "search --gin_file=gin_configs/alphagan/digits32_search.gin --model_dir={run}_search --steps={n} "
        "--gin_param=AlphaGAN.weight_steps=1 --gin_param=AlphaGAN.test_steps=1 "
        f"--gin_param=AlphaGAN.architecture_steps=1 {every(10)}",
    ),
    "evaluate": (100_000, "evaluate --model_dir={run} --num_samples={n}"),
    "generate": (40_000, "generate --model_dir={run} --output_dir={images} --overwrite --num_images={n}"),
    "fid": (40_000, "fid digits {images}/images --features=digits"),
    "pack": (40_000, "pack --source={images}/images --output={images}_packed --overwrite"),
}
NEEDS = {"evaluate": "train", "generate": "train", "fid": "generate", "pack": "generate"}
EVERY = 0.25  # seconds


def memory_of(session):
    """Megabytes that the processes of a session have in memory, what they share counted for each."""
    done = subprocess.run(["ps", "-o", "rss=", "-g", str(session)], capture_output=True, text=True)
    return sum(map(int, done.stdout.split())) / 1024.0


def watched(words, log):
    """`(exit code, [(seconds, megabytes)])` of the words of a command of `tfgans`; what it says goes to a file."""
    began, seen = time.monotonic(), []
    with open(log, "w") as said:
        command = [sys.executable, "-m", "tfgans", *words]
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
        while process.poll() is None:
            time.sleep(EVERY)
            if megabytes := memory_of(process.pid):
                seen.append((time.monotonic() - began, megabytes))
    return process.returncode, seen


def growth(seen):
    """What `main` prints of a command's samples; None of fewer than 20.

    Args: seen: [(seconds, megabytes)] in the order of time.
    """
    if len(seen) < 20:
        return None
    count, whole = len(seen), seen[-1][0]
    settled = statistics.median(m for _, m in seen[count // 4 : count // 2])
    end = statistics.median(m for _, m in seen[-(count // 10) :])
    between = seen[-1 - count // 20][0] - seen[count * 3 // 8][0]
    return {
        "seconds": round(whole, 1),
        "settled": round(settled, 1),
        "end": round(end, 1),
        "growth": round(end - settled, 1),
        "in_an_hour": round((end - settled) * 3600.0 / between, 1),
        "most": round(max(m for _, m in seen), 1),
    }


def wanted(chosen):
    """Names of commands in an order in which each finds what it needs."""
    names = []
    for name in chosen:
        before = wanted([NEEDS[name]]) if name in NEEDS else []
        names += [each for each in (*before, name) if each not in names]
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--command", action="append", choices=COMMANDS, help="may be given several times; all"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the work of each")
    parser.add_argument("--folder", help="for what they write; a temporary one if not given")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for name in wanted(options.command or COMMANDS):
            units, words = COMMANDS[name]
            places = {"run": folder / "run", "images": folder / "images"}
            print(f"{name} ...", file=sys.stderr, flush=True)
            count = max(1, round(units * options.scale))
            command = [word.format(n=count, **places) for word in words.split()]
            code, seen = watched(command, folder / f"{name}.txt")
            if code:
                sys.exit(f"{name} ended with {code}:\n{(folder / f'{name}.txt').read_text()[-2000:]}")
            results[name] = growth(seen)
            print(f"{name:10} {results[name] or 'too short to tell'}", flush=True)
    print(json.dumps({"results": results}))


if __name__ == "__main__":
    main()
