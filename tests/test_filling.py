"""What is made for a folder comes all at once, and nothing of another process goes."""

import os
import signal

import pytest

from tfgans import filling


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


def test_a_folder_that_is_new_goes_if_nothing_came_of_it(tmp_path):
    with pytest.raises(ValueError), filling.part_of(tmp_path / "new", ".part") as part:
        (part / "half").write_text("")
        raise ValueError
    assert names(tmp_path) == []
    with filling.part_of(tmp_path / "new", ".part") as part:
        (part / "a").write_text("new")
        filling.put([part / "a"], [], part)
    assert names(tmp_path / "new") == ["a"]


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
