"""Files are whole or not there, whatever interrupts their writing."""

import errno
import json
import os

import pytest

from tfgans import files


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


def test_a_full_disk_is_reported_with_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, files.replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert caught.value.errno == errno.ENOSPC


def test_remove_partial_takes_only_what_replacing_left(tmp_path):
    for name in (".step_1.npz.part77", ".hidden", "step_1.npz", "a.part1"):
        (tmp_path / name).write_text("")
    files.remove_partial(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "a.part1", "step_1.npz"]
    files.remove_partial(tmp_path / "missing")  # nothing to do


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
