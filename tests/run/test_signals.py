"""Signals to a process of its own, whose main thread is in C and does not see them."""

import os
import signal
import subprocess
import sys
import time

import pytest
from short_runs import ROOT

from tfgans.run import signals

# A process that watches, says `ready`, and is busy for a minute with what Python cannot interrupt; or `seconds`.
BUSY = """
import hashlib, sys, threading
from tfgans import files
from tfgans.run import signals

def busy(seconds):
    hashlib.pbkdf2_hmac("sha512", b"", b"", int(seconds * 1_000_000))

class Work(signals.Keeper):
    unsaved = True
    def at_risk(self): return self.unsaved
    def told(self, number): signals.write(f"told {number}")
    def standing(self): return "so it stands"

signals.watch(lambda line: signals.write(f"said: {line}"), files.remove_open)
signals._GRACE_SECONDS = 0.5
work = Work()
"""


def ended(code, *numbers):
    """(exit code, stderr, seconds from the last signal to the end) of a process that gets signals, each when told."""
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", BUSY + code], env=environment, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)  # into the busy work
        said = ""
        for index, number in enumerate(numbers):
            if index:
                said += process.stderr.readline()  # that it was told
            process.send_signal(number)
            sent = time.monotonic()
        said += process.communicate(timeout=60)[1]
        return process.returncode, said, time.monotonic() - sent


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_nothing_is_at_risk_the_process_ends_at_once(number, tmp_path):
    code = f"""
with files.replacing({str(tmp_path / "file")!r}) as file:
    print("ready", flush=True)
    busy(100)
"""
    returned, said, seconds = ended(code, number)
    assert (returned, said) == (128 + number, f"said: stopped by signal {int(number)}\n")
    assert seconds < 5.0 and os.listdir(tmp_path) == []  # what it was writing is gone


def test_it_ends_even_if_nobody_reads_what_it_says():
    code = (
        BUSY
        + """
with work:
    work.unsaved = False
    print("ready", flush=True)
    busy(100)
"""
    )
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        process.stderr.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 143


def test_what_is_at_risk_is_saved_first():
    code = """
with work:
    print("ready", flush=True)
    busy(1)
    work.unsaved = False
    print("saved", file=sys.stderr, flush=True)
    raise SystemExit(128 + work.received)
"""
    assert ended(code, signal.SIGTERM)[:2] == (143, "told 15\nsaved\n")


def test_a_second_interrupt_does_not_wait():
    code = """
with work:
    print("ready", flush=True)
    busy(100)
"""
    for first in (signal.SIGINT, signal.SIGTERM):
        returned, said, seconds = ended(code, first, signal.SIGINT)
        assert returned == 130 and seconds < 5.0
        assert said == f"told {int(first)}\nsaid: stopped at once by signal 2; so it stands\n"


def test_a_way_out_that_hangs_is_cut_short():
    code = """
with work:
    print("ready", flush=True)
    busy(1)
    work.unsaved = False
    busy(100)
"""
    returned, said, _ = ended(code, signal.SIGTERM)
    assert (returned, said) == (143, "told 15\nsaid: stopped by signal 15; so it stands\n")


class Safe(signals.Keeper):
    """Keeps nothing that could be lost."""


def test_in_the_library_a_signal_raises_and_handlers_come_back():
    before = [signal.getsignal(number) for number in signals.NUMBERS]
    for number in signals.NUMBERS:
        with Safe(), pytest.raises(signals.Interrupted, match=f"stopped by signal {int(number)}") as caught:
            os.kill(os.getpid(), number)
            time.sleep(1)
        assert caught.value.number == number and not isinstance(caught.value, Exception)
    assert [signal.getsignal(number) for number in signals.NUMBERS] == before
