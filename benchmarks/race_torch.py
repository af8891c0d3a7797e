"""Are updates faster than those of the same networks and methods in PyTorch?

    python benchmarks/race_torch.py [--case=sngan ...] [--precision=float32 ...] [--rounds=5] [--threads=N]
        [--environment=DIR | --python=FILE] [--jobs=1] [--least=0] [--gin_param=...]

Optional: makes an environment of its own with PyTorch, once, unless `--python` has it. The networks, losses and
steps are written for it in `race_*.py`, channels last, with autocast for bfloat16; `mixed_bfloat16` is ours. Both
sides take a GPU where there is one, PyTorch's with `cudnn.benchmark`; turns are short there, so give `--least=0.5`.
Each side is a process with as many threads as the other; they take turns, A B A B, and the one that is not measured
waits, so that a machine whose speed drifts drifts for both. Both sides of a case have as many parameters and an
average or none, or there is no race. Prints a table, then one JSON object. A ratio is the median of those within
rounds: ours over PyTorch's. Beside that of the clock is that of the processor's time, which other work on the
machine disturbs less with one thread each.
"""

import argparse
import contextlib
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from gpu_processes import ENVIRONMENT
from race_cases import CASES, POLICIES
from race_talk import Side

from tfgans.files import user_cache

HERE = Path(__file__).resolve().parent
TORCH = "2.13.0"
EQUAL = ("generator", "discriminator", "average")  # of what both sides say first
HEAD = ("case", "precision", "ours, s/update", "PyTorch's", "ratio", "of processor time", "rounds")
CLOCKS = {"seconds": "ratio", "processor_seconds": "processor_ratio"}


def environment(folder):
    """The Python of an environment with PyTorch, which is made if it is not there, or not whole."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if version(python) == TORCH:
        return python
    tell(f"making {folder} with PyTorch {TORCH}: some hundred megabytes")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, stdout=sys.stderr)
    command = [str(python), "-m", "pip", "install", "--no-input", f"torch=={TORCH}"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return python


def version(python):
    """Of the PyTorch of an environment, without what is said of how it was built; None if there is none."""
    code = "from importlib import metadata; print(metadata.version('torch'))"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip().partition("+")[0] if done.returncode == 0 else None


def sides(python, bindings, *words):
    """Processes of ours and of PyTorch's side."""
    ours = [sys.executable, str(HERE / "race_ours.py"), *words, *bindings]
    theirs = [str(python), "-W", "ignore", str(HERE / "race_theirs.py"), *words]
    return [Side(command, cwd=HERE.parent, env=os.environ | ENVIRONMENT) for command in (ours, theirs)]


def race(both, updates, rounds, tell, least=0.0, turn=None):
    """A row of results.

    Args:
        both: our side and the other one, a `Side` each.
        updates: of a turn.
        rounds: counted ones; one before them warms up.
        tell: function of a line, for what is shown meanwhile.
        least: seconds of the faster side's turn; it is as many times the updates as that takes.
        turn: a lock held while sides are measured, and not while they compile.
    """
    first = [side.hear() for side in both]
    row = {"versions": [said["version"] for said in first]}
    row |= {name: first[0][name] for name in EQUAL}
    row["first_seconds"] = [round(said["first_seconds"], 1) for said in first]
    for name in EQUAL:
        if first[0][name] != first[1][name]:
            return row | {"error": f"{name}: {first[0][name]} of ours, {first[1][name]} of PyTorch's"}
    turns = []
    with turn or contextlib.nullcontext():
        for number in range(rounds + 1):
            turns.append([side.run(updates) for side in both])
            ours, other = (answer["seconds"] for answer in turns[-1])
            tell(f"round {number} of {rounds}: {ours:.4f} and {other:.4f} seconds an update")
            if number == 0 and least:
                updates *= max(1, math.ceil(least / (updates * min(ours, other))))
    return row | {"updates": updates} | summary(turns[1:])


def summary(turns):
    """Medians of both sides, and of the ratios within rounds with the lowest and the highest.

    Args: turns: for each round what both sides answered.
    """
    row = {"rounds": len(turns)}
    for clock, name in CLOCKS.items():
        row[clock] = [round(statistics.median(turn[i][clock] for turn in turns), 4) for i in range(2)]
        ratios = sorted(turn[0][clock] / turn[1][clock] for turn in turns)
        row[name] = round(statistics.median(ratios), 3)
        row[f"{name}_range"] = [round(ratios[0], 3), round(ratios[-1], 3)]
    return row


def table(results):
    """Lines of Markdown."""
    return [line_of(cells) for cells in (HEAD, ("---",) * len(HEAD), *map(cells_of, results))]


def cells_of(row):
    """Of one row of results, as many as `HEAD` has."""
    cells = [CASES[row["case"]].title, row["precision"]]
    if "error" in row:
        return [*cells, f"no race: {row['error']}", *[""] * 4]
    cells += [f"{seconds:.4f}" for seconds in row["seconds"]]
    for name in CLOCKS.values():
        low, high = row[f"{name}_range"]
        cells.append(f"{row[name]:.2f} ({low:.2f} to {high:.2f})")
    return [*cells, row["rounds"]]


def line_of(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def tell(line):
    print(line, file=sys.stderr, flush=True)


def processor():
    """The name of the processor, where the system tells it."""
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    except OSError:
        names = []
    return names[0].partition(":")[2].strip() if names else platform.processor()


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def one(name, precision, python, options, turn):
    """A row of results of a case in a precision."""
    case, title = CASES[name], f"{CASES[name].title}, {precision}"
    tell(title)
    both = sides(python, options.gin_param, name, precision, str(options.threads))

    def report(line):
        tell(f"{title}: {line}")

    try:
        row = race(both, case.updates, options.rounds, report, options.least, turn)
    except RuntimeError as error:
        row = {"error": str(error)}
    finally:
        for side in both:
            side.end()
    row = {"case": name, "precision": precision, **row}
    tell(line_of(cells_of(row)))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=CASES, help="may be given several times; all")
    parser.add_argument(
        "--precision", action="append", choices=POLICIES, help="the same; float32 and bfloat16"
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted turns of each side")
    parser.add_argument("--threads", type=int, default=cores(), help="of each side")
    parser.add_argument("--environment", type=Path, help="folder; in the user's cache if not given")
    parser.add_argument("--python", type=Path, help="one that has PyTorch: then no environment is made")
    parser.add_argument("--jobs", type=int, default=1, help="races that compile at a time; one is measured")
    parser.add_argument("--least", type=float, default=0.0, help="seconds that a turn takes at least")
    parser.add_argument("--gin_param", action="append", default=[], help="of our side, in every case")
    options = parser.parse_args()
    try:
        python = options.python or environment(options.environment or user_cache() / f"race-torch-{TORCH}")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"there is no environment with PyTorch, and none could be made: {error}")
    precisions, turn = options.precision or ("float32", "bfloat16"), threading.Lock()
    with ThreadPoolExecutor(options.jobs) as pool:
        races = [
            pool.submit(one, name, precision, python, options, turn)
            for name in options.case or CASES
            for precision in precisions
        ]
        try:
            wait(races)
        except KeyboardInterrupt:  # what is finished counts; the sides of the others have ended with it
            pool.shutdown(cancel_futures=True)
    results = [race.result() for race in races if not race.cancelled()]
    print("\n".join(table(results)))
    report = {"processor": processor(), "threads": options.threads, "gin_params": options.gin_param}
    print(json.dumps(report | {"results": results}))
    sys.exit(any("error" in row for row in results))


if __name__ == "__main__":
    main()
