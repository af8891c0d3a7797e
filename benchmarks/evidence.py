"""Trials of what the methods claim, on real data: trains all arms of a part and writes what came of it.

    python benchmarks/evidence.py --part=octave --output=runs/evidence --data=DATA --classifiers=CLASSIFIERS \
        [--processes=2] [--seconds=N] [--updates=N|auto] [--gin_param=...]

`evidence_parts.py` says what the parts are. The same command goes on where an earlier one ended; after --seconds it
ends by itself, the runs save, and what is there by then is written: OUTPUT/PART.json, which `evidence_page.py` makes
a page of, PART.md, a table, PART.png, images of each arm, and PART.tar.gz, what the runs said.

--updates=auto measures for half a minute how long an update takes here, all processes at once, and makes as many as
fit into --seconds: schedules such as RAMP need to know before they begin.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # of each run: runs share the processors
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from pathlib import Path

from evidence_parts import PARTS


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", required=True, help="parts, joined by commas: " + ", ".join(PARTS))
    parser.add_argument("--output", required=True, help="folder of the runs and of what comes of them")
    parser.add_argument(
        "--data", required=True, help="folder of emoji64.npz, mnist_train.npz, mnist_test.npz"
    )
    parser.add_argument("--classifiers", required=True, help="folder of emoji.keras, mnist.keras")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time")
    parser.add_argument("--seconds", type=float, help="after which everything ends and is written")
    parser.add_argument("--updates", help="of the first arm, instead of the part's; auto: what fits")
    parser.add_argument("--seeds", type=int, help="counted runs of each arm but a drawn one")
    parser.add_argument(
        "--gin_param", action="append", default=[], help="for all arms; may be given several times"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.part.split(",") if name not in PARTS]:
        parser.error(f"parts are {', '.join(PARTS)}. Received: {unknown[0]}")
    auto = options.updates == "auto"
    if auto and options.seconds is None:
        parser.error("--updates=auto needs --seconds")
    if not (auto or options.updates is None or options.updates.isdigit() and int(options.updates)):
        parser.error(f"--updates is a number above 0, or auto. Received: {options.updates}")
    for name in ("output", "data", "classifiers"):
        setattr(options, name, Path(getattr(options, name)).expanduser().resolve())
    return options


def main():
    began = time.monotonic()
    options = parse()
    os.chdir(Path(__file__).resolve().parent.parent)  # where the gin files are found
    from evidence_report import write_report  # with TensorFlow, which takes seconds
    from evidence_trial import Clock, Trial

    from tfgans.config import ConfigError
    from tfgans.run.signals import Interrupted

    clock = Clock(options.seconds, began)
    for name in options.part.split(","):
        if clock.left() < 1:
            break
        trial, code = Trial(name, PARTS[name], options, clock), 0
        try:
            trial.run()
        except ConfigError as error:
            sys.exit(f"{name}: {error}")
        except Interrupted as error:
            code = 128 + error.number if clock.left() >= 1 else 0  # a signal from outside, not the clock
        if trial.updates:
            write_report(trial)
        else:
            print(f"{name}: nothing was trained in the time there was", file=sys.stderr)
        if code:
            sys.exit(code)


if __name__ == "__main__":
    main()
