"""Puts faults into a copy of the library, one at a time, and says which of them no test sees. Run by hand:

    python tests/mutants.py [--only=NAME] [--list]

The faults are those of the folder `faults`; `--only` takes those with this in their names, or in the names of the
files of the library that they are in. The exit code is 1 if one survives or cannot be tried. Each is tried by a few
tests, in a process that has loaded TensorFlow already.
"""

import argparse
import compileall
import multiprocessing
import os
import pathlib
import py_compile
import shlex
import shutil
import sys
import tempfile
import time

from faults import FAULTS

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH = max(len(fault.name) for fault in FAULTS)
LIMIT = 1800  # seconds of the clock for the tests of one fault, on a busy machine too
SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "MPLBACKEND": "Agg",
    "PYTHONDONTWRITEBYTECODE": "1",
}
PASSED, FAILED = 0, 1  # of pytest; others mean that it could not run the tests


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a part of the names of those to try, or of their files")
    parser.add_argument("--list", action="store_true", help="only name them")
    options = parser.parse_args(arguments)
    chosen = [fault for fault in FAULTS if options.only in fault.name or options.only in fault.path]
    wrong = [line for fault in FAULTS if (line := mistake(fault))]
    print("\n".join(wrong or [f"{len(chosen)} faults"]), flush=True)
    if wrong or not chosen:
        return 1
    if options.list:
        print("\n".join(f"{fault.name:{WIDTH}} {fault.tests}" for fault in chosen))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        rows = tried(chosen, copied(pathlib.Path(folder) / "copy"))
    print("\n" + "\n".join(f"{name:{WIDTH}} {outcome:9} {seen}" for name, outcome, seen in rows))
    lost = [name for name, outcome, _ in rows if outcome != "killed"]
    print(
        f"\n{len(rows) - len(lost)} of {len(rows)} killed" + "".join(f"\nnot killed: {name}" for name in lost)
    )
    return 1 if lost else 0


def mistake(fault):
    """What is wrong with the entry of a fault in the list, or None."""
    count = (ROOT / fault.path).read_text().count(fault.old) if (ROOT / fault.path).exists() else 0
    if count != 1:
        return f"{fault.name}: {fault.path} has its text {count} times, not once: {fault.old!r}"
    names = [other.name for other in FAULTS]
    return f"{fault.name}: the name is there twice" if names.count(fault.name) > 1 else None


def copied(folder):
    """A copy of the working tree, in which a file that changes within a second is compiled anew."""
    shutil.copytree(
        ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(".*", "__pycache__", "runs", "build")
    )
    by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(folder / "tfgans", quiet=1, invalidation_mode=by_hash)
    return folder


def tried(chosen, folder):
    """[(name, killed | SURVIVED | broken, the test that failed or what is wrong)], told as they come."""
    os.environ |= SETTINGS | {"PYTHONPATH": str(folder)}
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tensorflow", "keras", "scipy.stats", "matplotlib.figure", "pytest"])
    unchanged, rows, began = {}, [], time.time()
    for number, fault in enumerate(chosen, 1):
        if fault.tests not in unchanged:
            unchanged[fault.tests] = outcome_of(processes, folder, fault.tests)
        code, seen, seconds = unchanged[fault.tests]
        outcome, seen = "broken", f"without the fault: {seen}"
        if code == PASSED:
            code, seen, seconds = with_fault(processes, folder, fault)
            outcome = {PASSED: "SURVIVED", FAILED: "killed"}.get(code, "broken")
        rows.append((fault.name, outcome, seen))
        clock = f"[{number}/{len(chosen)} {time.time() - began:5.0f} s]"
        print(f"{clock} {fault.name:{WIDTH}} {outcome:9} {seconds:5.1f} s of CPU  {seen}", flush=True)
    return rows


def with_fault(processes, folder, fault):
    path = folder / fault.path
    text = path.read_text()
    path.write_text(text.replace(fault.old, fault.new))
    try:
        return outcome_of(processes, folder, fault.tests)
    finally:
        path.write_text(text)


def outcome_of(processes, folder, tests):
    """(pytest's exit code or None, the test that failed or another reason, seconds of CPU)."""
    receiver, sender = processes.Pipe(duplex=False)
    log = folder.with_name("log.txt")
    process = processes.Process(target=run_tests, args=(str(folder), shlex.split(tests), str(log), sender))
    process.start()
    sender.close()
    process.join(LIMIT)
    if process.is_alive():
        process.kill()
        process.join()
        return None, f"not done in {LIMIT} s", 0.0
    try:
        code, seconds = receiver.recv()
    except EOFError:
        return None, f"its process died ({process.exitcode})", 0.0
    lines = log.read_text(errors="replace").splitlines()
    failed = [line.removeprefix("FAILED ").split(" - ")[0] for line in lines if line.startswith("FAILED ")]
    return code, (failed or [" ".join(lines[-1:])])[0], seconds


def run_tests(folder, arguments, log, sender):
    """In a process of its own: the tests of the copy, their output to a file."""
    with open(log, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    sys.path[:] = [
        folder,
        *(path for path in sys.path if pathlib.Path(path).resolve() not in (ROOT, ROOT / "tests")),
    ]
    import pytest

    place = ["--basetemp", str(pathlib.Path(folder).with_name("tests"))]
    code = pytest.main(["-x", "-p", "no:cacheprovider", "-p", "no:xdist", *place, *arguments])
    import tfgans

    if not tfgans.__file__.startswith(folder):
        code = 3  # the tests were of another copy
    sender.send((int(code), sum(os.times()[:4])))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
