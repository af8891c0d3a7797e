"""A checkpoint that is damaged, or none, is told from a whole one, and the one before is taken."""

import json
import logging
import os
import re
import zipfile

import numpy as np
import pytest
import toys
from checkpointed import make, train

from tfgans import checkpoint
from tfgans.config import ConfigError


def damage(path, kind):
    data = path.read_bytes()
    if kind == "flipped":  # a byte in the middle of an array
        middle = len(data) // 2
        data = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
    path.write_bytes({"empty": b"", "cut": data[:-100], "half": data[: len(data) // 2]}.get(kind, data))


@pytest.mark.parametrize("kind", ["empty", "cut", "half", "flipped"])
def test_a_damaged_newest_is_reported_and_the_one_before_used(model, checkpoints, caplog, kind):
    checkpoints.save(model, 2, {})
    expected = checkpoint.read_state(model)
    checkpoints.save(train(model, 2), 4, {})
    damage(checkpoints.path(4), kind)
    fresh = make()
    with caplog.at_level(logging.WARNING, "tfgans"):
        assert checkpoints.restore(fresh)["step"] == 2
    assert len(caplog.messages) == 1 and "step_00000004.npz cannot be read" in caplog.messages[0]
    toys.assert_same(checkpoint.read_state(fresh), expected)
    damage(checkpoints.path(2), kind)
    with pytest.raises(ConfigError, match="can be read: step_00000004.npz, step_00000002.npz"):
        checkpoints.restore(fresh)


def test_one_flipped_bit_anywhere_is_found_or_makes_no_difference(still, checkpoints):
    checkpoints.save(still, 2, {"train_seconds": 1.5})
    state, path = checkpoint.read_state(still), checkpoints.path(2)
    data, random, found = path.read_bytes(), np.random.default_rng(0), 0
    directory = data.index(b"PK\x01\x02")  # where the archive lists names, sums and lengths
    places = [
        *random.integers(8 * len(data), size=60),
        *random.integers(8 * directory, 8 * len(data), size=60),
    ]
    for place in places:
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(bytes(damaged))
        try:
            read, about = checkpoints.load(2)
        except ConfigError as error:
            assert f"{path} cannot be read as a checkpoint: " in str(error) and "\n" not in str(error)
            found += 1
            continue
        assert about == {"step": 2, "train_seconds": 1.5}
        toys.assert_same(read, state)
    assert found > 80  # what is left: dates, permissions, versions


def exchanged(path, change):
    """Writes an archive anew, sound in itself, with other members; its sum stays."""
    with zipfile.ZipFile(path) as archive:
        members, comment = {name: archive.read(name) for name in archive.namelist()}, archive.comment
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = comment
        for name, data in members.items():
            archive.writestr(name, data)


def another(members, name):
    """The bytes of a member that says something else than `name` does."""
    return next(data for data in members.values() if data != members[name])


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.pop("model/0000.npy"),
        lambda members: members.update({"model/9999.npy": members.pop("model/0000.npy")}),
        lambda members: members.update({"model/0000.npy": another(members, "model/0000.npy")}),
        lambda members: members.update({"model/0000.npy": members["model/0000.npy"][:-1] + b"\x77"}),
        lambda members: members.update({"about.npy": members["about.npy"].replace(b"1\0\0\0.", b"2\0\0\0.")}),
    ],
    ids=["one less", "renamed", "another's", "other bytes", "other seconds"],
)
def test_the_sum_tells_of_sound_archives_that_say_something_else(still, checkpoints, change, caplog):
    checkpoints.save(still, 2, {"train_seconds": 1.5})
    checkpoints.save(still, 4, {"train_seconds": 1.5})
    exchanged(checkpoints.path(4), lambda members: None)
    assert checkpoints.load(4)[1] == {"step": 4, "train_seconds": 1.5}  # written anew, it is the same
    exchanged(checkpoints.path(4), change)
    with caplog.at_level(logging.WARNING, "tfgans"):
        assert checkpoints.restore(still)["step"] == 2
    assert "step_00000004.npz cannot be read as a checkpoint: it is damaged" in caplog.text


def test_a_checkpoint_without_a_sum_is_one_of_earlier_versions(still, checkpoints):
    checkpoints.folder.mkdir()
    state = checkpoint.read_state(still)
    np.savez(checkpoints.path(3), **state, about=np.array(json.dumps({"step": 3})))
    found, about = checkpoints.load(3)
    toys.assert_same(found, state)
    assert about == {"step": 3}


def vanish(path):
    path.unlink()
    path.symlink_to(path.parent / "gone")  # listed, and not there


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(path.with_name("step_00000002.npz").read_bytes()), "it holds step 2"),
        (vanish, "no checkpoint of step 4 in .* There are: 2, 4"),
        (a_folder, "Is a directory"),
        (a_pipe, "it is not an ordinary file"),
        (lambda path: np.savez(path, other=np.zeros(3)), "it has no 'about'"),
        (lambda path: np.savez(path, about=np.array("[1]")), "."),
        (lambda path: np.savez(path, about=np.array('{"seconds": 1}')), "it has no 'step'"),
        (lambda path: np.savez(path, about=np.array(None, object)), "array about holds Python objects"),
    ],
    ids=["other step", "vanished", "folder", "pipe", "other arrays", "no object", "no step", "objects"],
)
def test_whatever_is_wrong_with_the_newest_the_one_before_is_taken(still, checkpoints, caplog, spoil, reason):
    for step in (2, 4):
        checkpoints.save(still, step, {})
    spoil(checkpoints.path(4))
    with caplog.at_level(logging.WARNING, "tfgans"):
        assert checkpoints.restore(still)["step"] == 2
    assert len(caplog.messages) == 1 and re.search(reason, caplog.messages[0])
    assert "\n" not in caplog.messages[0]
    with pytest.raises(ConfigError, match=reason):
        checkpoints.restore(still, 4)


def test_a_file_that_may_not_be_read_is_left_alone(still, checkpoints, caplog, monkeypatch):
    for step in (2, 4):
        checkpoints.save(still, step, {})
    real = zipfile.ZipFile

    def refusing(file, *args, **kwargs):  # the tests may run as a user to whom nothing is forbidden
        if str(file).endswith("4.npz"):
            raise PermissionError(13, "Permission denied", str(file))
        return real(file, *args, **kwargs)

    monkeypatch.setattr(zipfile, "ZipFile", refusing)
    with caplog.at_level(logging.WARNING, "tfgans"):
        assert checkpoints.restore(still)["step"] == 2
    assert caplog.messages == [f"{checkpoints.path(4)} cannot be read as a checkpoint: Permission denied"]


def test_damaged_files_take_no_place_of_good_ones(still, tmp_path):
    checkpoints = checkpoint.Checkpoints(tmp_path, keep=1)
    for step in (2, 8):
        checkpoints.save(still, step, {})
    damage(checkpoints.path(8), "cut")
    assert checkpoints.restore(still)["step"] == 2
    checkpoints.save(still, 4, {})
    checkpoints.prune()
    assert checkpoints.steps() == [4, 8]  # not 8 alone
    checkpoints.save(still, 8, {})  # as good as any now
    checkpoints.prune()
    assert checkpoints.steps() == [8]
    (tmp_path / "step_00000001.npz").mkdir()
    checkpoints.prune()  # what is no file is not removed
