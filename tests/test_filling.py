"""What is made for a folder comes all at once, and nothing of another process goes."""

import os
import signal
import threading
import time

import pytest

from tfgans import files, filling


def names(folder):
    return sorted(os.listdir(folder))


def test_what_a_killed_process_left_goes_and_what_another_makes_stays(tmp_path):
    child = os.fork()
    if not child:
        with filling.part_of(tmp_path, ".a[1].part"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(names(tmp_path)) == 1
    (tmp_path / ".a1.part").mkdir()
    with filling.part_of(tmp_path, ".a[1].part") as first:
        (first / "half").write_text("")
        with filling.part_of(tmp_path, ".a[1].part") as second:
            assert names(tmp_path) == sorted([".a1.part", first.name, second.name])
            assert names(first) == ["half"]
    assert names(tmp_path) == [".a1.part"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_signal_takes_what_is_half_written_and_no_error_of_that_is_seen(tmp_path, kind):
    """A thread answers signals: the main thread once failed first, with another exit code and line."""
    child = os.fork()
    if not child:
        removed = threading.Event()

        def leave():
            files.remove_open()
            removed.set()
            time.sleep(0.5)
            os._exit(7)

        try:
            whole = files.replacing(tmp_path / "a") if kind == "file" else filling.part_of(tmp_path, ".a")
            with whole as part:
                threading.Thread(target=leave).start()
                removed.wait()
                if kind == "folder":
                    (part / "images").mkdir()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert names(tmp_path) == []


def test_a_folder_that_is_new_goes_if_nothing_came_of_it(tmp_path):
    with pytest.raises(ValueError), filling.part_of(tmp_path / "new", ".part") as part:
        (part / "half").write_text("")
        raise ValueError
    assert names(tmp_path) == []
    with filling.part_of(tmp_path / "new", ".part") as part:
        (part / "a").write_text("new")
        filling.put([part / "a"], [], part)
    assert names(tmp_path / "new") == ["a"]


def test_of_folders_that_are_new_the_empty_go_with_a_part(tmp_path):
    """Those above it stayed."""
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError), filling.part_of(tmp_path / "there" / "new" / "newer", ".part"):
        raise ValueError
    assert names(tmp_path / "there") == []
    with pytest.raises(ValueError), filling.part_of(tmp_path / "there" / "new" / "newer", ".part") as part:
        (part.parent.parent / "mine").write_text("mine")
        raise ValueError
    assert names(tmp_path / "there" / "new") == ["mine"]


def test_a_new_folder_goes_when_the_process_ends_at_once(tmp_path):
    """As by Ctrl-C before anything was made: `generate` and the others left an empty folder."""
    child = os.fork()
    if not child:
        try:
            with filling.part_of(tmp_path / "new" / "newer", ".part") as part:
                (part / "half").write_text("")
                files.remove_open()
                os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert names(tmp_path) == []


def test_what_was_there_makes_room_by_renaming_alone(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1").write_text("old")
    (tmp_path / "mine").write_text("mine")
    with filling.part_of(tmp_path, ".part") as part:
        (part / "images").mkdir()
        (part / "images" / "2").write_text("new")
        with monkeypatch.context() as patch:
            for name in ("unlink", "remove", "rmdir"):
                patch.setattr(os, name, None)
            filling.put([part / "images"], [tmp_path / "images"], part)
        assert names(tmp_path / "images") == ["2"]
    assert names(tmp_path) == ["images", "mine"]


def test_a_part_goes_at_the_end_though_it_is_still_written_into(tmp_path, monkeypatch):
    """As by Ctrl-C while `generate` writes thousands of images: the next one came before the folder was empty."""
    monkeypatch.setattr(files, "_ending", threading.Event())
    monkeypatch.setattr(files, "open_parts", set())
    begun = threading.Event()

    def write():
        with filling.part_of(tmp_path, ".a.part") as part:
            for number in range(10**9):
                with files.replacing(part / f"{number}.png") as file:
                    file.write(b"image")
                if number == 300:
                    begun.set()

    threading.Thread(target=write, daemon=True).start()
    assert begun.wait(60)
    files.remove_open()
    assert names(tmp_path) == []
