"""Bars and phases, on a terminal and in a log, in a command and in the library."""

import io
import logging
import sys
import time

import pytest

from tfgans import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def said(monkeypatch, capsys):
    """What was written so far to a log, whose bars are drawn every 0.2 seconds rather than every ten."""
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.2)
    parts = []
    return lambda: parts.append(capsys.readouterr().err) or "".join(parts)


@pytest.fixture
def command(monkeypatch):
    """As in a command: `talk` has been called."""
    logger = logging.getLogger("tfgans")
    kept = logger.level, logger.handlers, logger.propagate
    monkeypatch.setitem(progress._state, "talks", False)
    progress.talk()
    yield
    logger.level, logger.handlers, logger.propagate = kept


def test_a_log_has_a_line_at_once_then_now_and_then(said, command):
    with progress.Bar("reading", 4, "image") as bar:
        assert said().splitlines()[0].startswith("reading:   0%|")
        for _ in range(4):
            bar.update()  # in no time
    first, last = said().splitlines()
    assert last.startswith("reading: 100%|") and "4/4" in last and "\r" not in said()


def test_a_bar_moves_while_one_item_takes_long(said, command):
    with progress.Bar("reading", 4, "image", done=1) as bar:
        bar.update()
        time.sleep(0.7)
        lines = said().splitlines()
    assert 2 <= len(lines) <= 5  # at 0, 0.2, 0.4, 0.6 seconds
    assert "1/4" in lines[0] and all("2/4" in line for line in lines[1:])


def test_a_phase_tells_how_long_it_took(said, command):
    with progress.phase("building"):
        assert said() == "building ... 0 s\n"
        time.sleep(1.1)
    lines = said().splitlines()
    assert lines[-1] == "building ... 1 s" and "building ... 0 s" in lines
    with progress.phase("short"):
        pass
    assert said().splitlines()[len(lines) :] == ["short ... 0 s"]  # its end tells nothing new


@pytest.mark.parametrize("total", [None, 4, 20000])
def test_what_is_drawn_is_known_from_what_is_told(total, said, command):
    with progress.Bar("training", total, "step") as bar:
        bar.update(2)
        bar.set_postfix_str("d 0.1, g 2")
    with progress.phase("compiling"):
        pass
    lines = said().splitlines()
    assert len(lines) >= 3 and all(map(progress.is_drawn, lines))
    for told in ("training diverged at step 2", "GAN.x is 50%", "ValueError: [2/4]: 3step", "wait ..."):
        assert not progress.is_drawn(told)


def test_a_phase_ends_with_an_error(said, command):
    with pytest.raises(KeyError), progress.phase("failing"):
        raise KeyError
    before = said()
    time.sleep(0.5)
    assert said() == before == "failing ... 0 s\n"


def test_a_terminal_is_drawn_over_and_messages_stand_above(monkeypatch, command):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.Bar("training", 3, "step") as bar:
        bar.update()
        logging.getLogger("tfgans.here").info("step 1: fid 5")
        time.sleep(1.2)  # drawn anew, though nothing happens
        moved = sys.stderr.getvalue().count("\rtraining")
        bar.update(2)
    said = sys.stderr.getvalue()
    assert moved >= 3 and "\rstep 1: fid 5\n" in said
    assert said.endswith("\n") and "3/3" in said.rsplit("\r", 1)[1]


def test_the_library_is_quiet_about_what_is_quick(said):
    with progress.phase("building"), progress.Bar("reading", 2) as bar:
        bar.update(2)
    assert said() == ""
    with progress.Bar("reading", 2) as bar:
        bar.update(1)
        time.sleep(0.5)  # longer than the delay
    assert "1/2" in said()
