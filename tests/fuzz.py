"""Damages every kind of file that tfgans reads, at random, and reads it: never a traceback, never a hang.

python tests/fuzz.py [--mutations=10000] [--seed=0] [--readers=npz,checkpoint] [--keep=FOLDER]

Prints how often each reader read a damaged file all the same, refused it with one line, left with another exception
or took too long; exits 1 if one of the last two happened. Every case is a function of the seed, the reader's name
and its number; `--keep` keeps the files of the failures.
"""

import argparse
import contextlib
import faulthandler
import logging
import os
import pathlib
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import zlib
from dataclasses import dataclass, field

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

import fuzz_mutations
import numpy as np
from fuzz_kinds import REFUSALS
from fuzz_readers import READERS

SECONDS = 20  # for one file, on a busy machine
MEMORY = 4 * 2**30  # bytes beyond what is taken at the start


class Hang(BaseException):
    """A reader took too long."""


class Watch:
    """Raises `Hang` in a block that takes too long."""

    def __init__(self):
        self.inside = False
        signal.signal(signal.SIGALRM, self._too_long)

    def _too_long(self, number, frame):
        if self.inside:
            raise Hang

    @contextlib.contextmanager
    def limit(self, seconds):
        try:
            # code outside Python sees no signal; pytest's own stderr has no number
            faulthandler.dump_traceback_later(10 * seconds + 60, exit=True, file=sys.__stderr__)
            self.inside = True
            signal.setitimer(signal.ITIMER_REAL, seconds)
            yield
        finally:
            self.inside = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()


@dataclass
class Tally:
    """What became of a reader's cases."""

    read: int = 0
    refused: int = 0
    traceback: int = 0
    hang: int = 0
    failures: list = field(default_factory=list)  # (number of the case, text)


def judge(reader, path, watch, seconds):
    """("read" | "refused" | "traceback" | "hang", text) of reading a file."""
    try:
        with watch.limit(seconds):
            reader.read(path)
        return "read", ""
    except REFUSALS as error:
        return ("refused", "") if reader.says(path, error) else ("traceback", f"a poor message: {error!r}")
    except Hang:
        return "hang", "".join(traceback.format_exc().splitlines(keepends=True)[-4:])
    except (Exception, SystemExit):
        return "traceback", traceback.format_exc()


def try_reader(reader, count, seed, folder, keep=None, seconds=SECONDS):
    """A `Tally` of `count` damaged files, made in a folder, each read for so many seconds at most."""
    folder.mkdir(exist_ok=True)
    path = pathlib.Path(reader.make(folder))
    whole, tally, watch = path.read_bytes(), Tally(), Watch()
    reader.read(path)  # raises if it does not read its own file
    for number in range(count):
        random = np.random.default_rng([seed, zlib.crc32(reader.name.encode()), number])
        damaged = fuzz_mutations.mutated(whole, random)
        path.write_bytes(damaged)
        outcome, text = judge(reader, path, watch, seconds)
        setattr(tally, outcome, getattr(tally, outcome) + 1)
        if text:
            tally.failures.append((number, text))
            if keep:
                pathlib.Path(keep, f"{reader.name.replace(' ', '_')}_{number}").write_bytes(damaged)
    return tally


def limit_memory():
    """Makes too much memory an exception."""
    taken = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, resource.RLIM_INFINITY))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=10000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", default="", help="only these, by name")
    parser.add_argument("--keep", help="folder for the files of failures")
    options = parser.parse_args(arguments)
    names = [name for name in options.readers.split(",") if name]
    readers = [reader for reader in READERS if not names or reader.name in names]
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
    limit_memory()
    shares = sum(reader.share for reader in readers)
    tallies = {}
    print(f"{'reader':28} {'cases':>6} {'read':>6} {'refused':>8} {'traceback':>10} {'hang':>5}")
    for reader in readers:
        folder = pathlib.Path(tempfile.mkdtemp())
        count = max(1, round(options.mutations * reader.share / shares))
        t = tallies[reader.name] = try_reader(reader, count, options.seed, folder, options.keep)
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{reader.name:28} {count:6} {t.read:6} {t.refused:8} {t.traceback:10} {t.hang:5}", flush=True)
        for number, text in t.failures[:3]:
            print(f"  case {number}: {text}", file=sys.stderr)
    total = {
        name: sum(getattr(t, name) for t in tallies.values()) for name in vars(Tally()) if name != "failures"
    }
    print(
        f"{'all':28} {sum(total.values()):6} "
        + "{read:6} {refused:8} {traceback:10} {hang:5}".format(**total)
    )
    return 1 if total["traceback"] or total["hang"] else 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main())
