"""Files are whole or not there, whatever interrupts their writing."""

import errno
import fcntl
import json
import os
import signal

import pytest

from tfgans import files
from tfgans.config import ConfigError


def test_a_file_appears_only_when_its_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    with files.replacing(path, "w") as file:
        file.write("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), files.replacing(path, "w") as file:
        file.write("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_to_what_is_not_there_is_no_place(tmp_path):
    """`mkdir` fails there, which was seen once everything was made."""
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for folder in (tmp_path / "link", tmp_path / "link" / "deeper"):
        with pytest.raises(NotADirectoryError, match="link is a link to what is not there"):
            files.check_place(folder)
    (tmp_path / "gone").mkdir()
    files.check_place(tmp_path / "link" / "deeper")


def test_a_full_disk_is_reported_with_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, files.replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert caught.value.errno == errno.ENOSPC


def test_remove_partial_takes_only_what_replacing_left(tmp_path):
    for name in (".step_1.npz.part77", ".hidden", "step_1.npz", "a.part1"):
        (tmp_path / name).write_text("")
    (tmp_path / ".export.part77").mkdir()  # of `filling.part_of`, a command's that was killed
    (tmp_path / ".my.parts").write_text("")
    with files.replacing(tmp_path / "report.html") as file:  # another process
        files.remove_partial(tmp_path)
        file.write(b"new")
    stay = [".export.part77", ".hidden", ".my.parts", "a.part1", "report.html", "step_1.npz"]
    assert sorted(os.listdir(tmp_path)) == stay
    files.remove_partial(tmp_path / "missing")  # nothing to do


def test_what_killed_processes_left_of_a_file_goes_and_what_is_being_written_stays(tmp_path):
    names = [".a[1].zip.part77", ".a1.zip.part77", ".a[1].zip", ".b.zip.part77"]
    for name in names:
        (tmp_path / name).write_text("")
    child = os.fork()
    if not child:
        with files.replacing(tmp_path / "a[1].zip"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (tmp_path / f".a[1].zip.part{child}").exists()
    with files.replacing(tmp_path / "a[1].zip") as file:
        files.remove_left(tmp_path / "a[1].zip")
        file.write(b"new")
    assert sorted(os.listdir(tmp_path)) == sorted([*names[1:], "a[1].zip"])
    files.remove_left(tmp_path / "missing" / "a.zip")  # nothing to do


def test_a_file_that_is_taken_for_left_behind_as_it_is_opened_is_made_again(tmp_path, monkeypatch):
    lock, taken = fcntl.flock, []

    def slow(file, how):
        if not taken:
            taken.extend(tmp_path.glob(".a.part*"))
            taken[0].unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    with files.replacing(tmp_path / "a") as file:
        file.write(b"new")
    assert len(taken) == 1 and os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"new"


@pytest.fixture
def lines(tmp_path):
    return files.JsonLines(tmp_path / "rows.jsonl")


def test_rows_come_back_in_order(lines):
    assert lines.read() == []
    rows = [{"step": 0, "fid": None}, {"step": 4, "fid": 1.5}]
    for row in rows:
        lines.append(row)
    assert lines.read() == rows
    assert lines.path.read_text() == '{"step": 0, "fid": null}\n{"step": 4, "fid": 1.5}\n'


@pytest.mark.parametrize("torn", ['{"step": 4, "fi', "{", "\0\0\0", '{"step": 4}'])
def test_a_torn_last_line_is_no_row_and_does_not_spoil_the_next(lines, torn):
    lines.append({"step": 0})
    with open(lines.path, "a") as file:
        file.write(torn)
    whole = [{"step": 4}] if torn == '{"step": 4}' else []  # only its end of line is missing
    assert lines.read() == [{"step": 0}, *whole]
    lines.append({"step": 8})
    assert lines.read() == [{"step": 0}, *whole, {"step": 8}]


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b"[1]", b"null", b'{"fid": 1.0}', b'{"step": "4"}', b'{"step": 4.0}', b'{"step": true}',
     b'{"step": 4, "fid": NaN}', b'{"step": 4, "fid": 1e999}', b"[" * 100000, b'{"step": 4}, {"step": 5}'],
)  # fmt: skip
def test_lines_that_are_no_rows_are_left_out_and_counted(lines, line, caplog):
    lines.path.write_bytes(b'{"step": 0}\n' + line + b'\n{"step": 8}\n' + line)
    assert lines.read() == [{"step": 0}, {"step": 8}]
    lines.keep(lambda row: True)
    assert lines.path.read_bytes() == b'{"step": 0}\n{"step": 8}\n'
    assert caplog.messages == [
        f"{lines.path}: 1 damaged line left out"
    ]  # the last may have been torn by a kill


def test_a_file_that_cannot_be_read_is_named(lines):
    lines.path.mkdir()
    with pytest.raises(ConfigError, match="rows.jsonl cannot be read as rows of JSON: Is a directory"):
        lines.read()


def test_steps_of_names():
    assert files.step_of("samples/step_00001000.png") == 1000
    for name in ("step_copy.png", "step_.png", "step_1 (2).png", "notes.txt", "step_\u0663.png"):
        assert files.step_of(name) == -1


def test_texts_are_utf8_whatever_the_locale(tmp_path, monkeypatch):
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    monkeypatch.setattr("locale.getencoding", lambda: "ascii")
    files.write_text(tmp_path / "a.txt", "h\u00e4")
    assert (tmp_path / "a.txt").read_bytes() == b"h\xc3\xa4"


def test_keep_drops_rows_and_torn_lines(lines):
    for step in (0, 4, 8):
        lines.append({"step": step})
    with open(lines.path, "a") as file:
        file.write('{"step": 1')
    lines.keep(lambda row: row["step"] != 4)
    assert [json.loads(line) for line in lines.path.read_text().splitlines()] == [{"step": 0}, {"step": 8}]


def test_not_a_number_is_refused(lines):
    with pytest.raises(ValueError):
        lines.append({"fid": float("nan")})
    assert not lines.path.exists()
