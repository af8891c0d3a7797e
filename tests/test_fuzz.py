"""The script that damages files: a few of every kind, and that it would see what goes wrong."""

import time

import fuzz
import fuzz_mutations
import numpy as np
import pytest
from fuzz_kinds import Reader
from fuzz_readers import READERS

from tfgans.config import ConfigError

CHEAP = [reader for reader in READERS if reader.share >= 0.5]  # the others take seconds


@pytest.fixture
def limited(monkeypatch):
    """Without the limit of memory, which would stay, and with what SIGALRM did before afterwards."""
    monkeypatch.setattr(fuzz.resource, "setrlimit", lambda *_: None)
    before = fuzz.signal.getsignal(fuzz.signal.SIGALRM)
    yield
    fuzz.signal.signal(fuzz.signal.SIGALRM, before)


@pytest.mark.parametrize("reader", CHEAP, ids=lambda reader: reader.name)
def test_damaged_files_of_every_kind_are_one_line(reader, tmp_path, monkeypatch, limited):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tally = fuzz.try_reader(reader, 5, 1, tmp_path / "files")
    assert tally.failures == [] and tally.read + tally.refused == 5


def test_mutations_are_functions_of_the_seed_and_differ():
    data = bytes(range(256)) * 4
    made = [fuzz_mutations.mutated(data, np.random.default_rng([0, k])) for k in range(30)]
    assert made == [fuzz_mutations.mutated(data, np.random.default_rng([0, k])) for k in range(30)]
    assert len(set(made)) > 25


def read(path):
    data = path.read_bytes()
    if b"sound" in data:
        return
    if len(data) % 4 == 0:
        raise ConfigError(f"{path} is short")
    if len(data) % 4 == 1:
        raise ConfigError("it is short")  # which file?
    if len(data) % 4 == 2:
        raise KeyError("a")
    time.sleep(20)


def test_tracebacks_hangs_and_poor_messages_are_seen(tmp_path, monkeypatch, limited, capsys):
    def make(folder):
        (folder / "a.txt").write_text("a sound file")
        return folder / "a.txt"

    monkeypatch.setattr(fuzz_mutations, "mutated", lambda data, random: b"x" * int(random.integers(4)))
    tally = fuzz.try_reader(Reader("bad", make, read), 40, 0, tmp_path, keep=tmp_path, seconds=0.05)
    assert min(tally.refused, tally.traceback, tally.hang) > 0
    assert tally.read == 0 and tally.refused + tally.traceback + tally.hang == 40
    assert len(tally.failures) == tally.traceback + tally.hang
    assert any("a poor message" in text for _, text in tally.failures)
    assert len(list(tmp_path.glob("bad_*"))) == len(tally.failures)
    monkeypatch.setattr(fuzz, "READERS", [Reader("bad", make, read)])
    monkeypatch.setattr(fuzz_mutations, "mutated", lambda data, random: b"xx")
    assert fuzz.main(["--mutations=2"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].split() == ["all", "2", "0", "0", "2", "0"]
    monkeypatch.setattr(fuzz_mutations, "mutated", lambda data, random: b"")
    assert fuzz.main(["--mutations=2"]) == 0
