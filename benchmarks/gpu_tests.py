"""The tests of layers, networks, methods and the base model on this machine's GPU, for `gpu_check.py`.

    python benchmarks/gpu_tests.py [--jobs=8] [--seconds=150] [PATH ...]

Prints one JSON object: how many passed, and the names of those that failed. TF32 is off. Tests that compare bits
without `numerics.deterministic` may fail on a GPU; all others should not.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from gpu_processes import ENVIRONMENT

PATHS = (
    "tests/test_philox.py",
    "tests/test_optimizers.py",
    "tests/test_losses.py",
    "tests/test_penalties.py",
)
PATHS += tuple(f"tests/{name}" for name in ("layers", "networks", "methods", "gan", "augment"))
ENDED = re.compile(
    r"(PASSED|FAILED|ERROR) +(tests/\S.*?)\s*$"
)  # with several processes, "[gw0] [ 3%] " before it


def counted(lines):
    """{"passed", "failed": names} of what `pytest -v` of several processes prints."""
    ends = [found.groups() for found in map(ENDED.search, lines) if found]
    failed = sorted({name for how, name in ends if how != "PASSED"})
    return {"passed": sum(how == "PASSED" for how, _ in ends), "failed": failed}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", default=PATHS, help="files and folders of tests")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--seconds", type=float, default=150.0, help="then it is told what there is by then")
    options = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-v", "--dist=worksteal", "-n"]
    command += [str(options.jobs), "-m", "not slow", "-p", "no:cacheprovider", *options.paths]
    switches = ENVIRONMENT | {"CUDA_VISIBLE_DEVICES": "0", "NVIDIA_TF32_OVERRIDE": "0"}
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).resolve().parent.parent,
        env=switches | os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=options.seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        output, _ = process.communicate()
    print(json.dumps({"finished": process.returncode in (0, 1)} | counted(output.splitlines())))


if __name__ == "__main__":
    main()
