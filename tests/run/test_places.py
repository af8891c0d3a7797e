"""Where commands may write, and what is left where nothing came of it."""

import os

import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data.packing import Options
from tfgans.data.recoding import Form
from tfgans.evaluate.features import DigitsFeatures
from tfgans.run import packs, sets
from tfgans.run.places import refuse_other_file


def _image(path):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)).save(path)


def test_a_pipe_or_a_device_is_no_file_to_be_replaced(tmp_path):
    """`report --output=/dev/full` put a page in the place of the device where it was allowed to."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="^--output=pipe is a device or a pipe, which would be replaced"):
        refuse_other_file(tmp_path / "pipe", "--output=pipe", "a page", lambda path: True)
    for name in ("missing", ""):
        refuse_other_file(tmp_path / name, "it", "a page", lambda path: False)


def test_two_sets_that_are_not_compared_leave_no_folder_for_pictures(tmp_path):
    _image(tmp_path / "real" / "a.png")
    where = tmp_path / "new" / "pictures"
    with pytest.raises(ConfigError, match="is not there"):
        sets.between(tmp_path / "real", tmp_path / "missing", DigitsFeatures(), drawn=str(where))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="^--pictures=.*file cannot be written: "):
        sets.between(tmp_path / "real", tmp_path / "real", DigitsFeatures(), drawn=str(tmp_path / "file"))
    assert sorted(os.listdir(tmp_path)) == ["file", "real"]


def test_a_zip_that_is_not_written_leaves_no_folder(tmp_path):
    _image(tmp_path / "real" / "a.png")
    data = (tmp_path / "real" / "a.png").read_bytes()
    (tmp_path / "real" / "b.png").write_bytes(data[: len(data) // 2])  # found where it is decoded
    origin = packs.Origin(str(tmp_path / "real"))
    with pytest.raises(ConfigError, match=r"1 of 2 images cannot be used: b.png \(truncated\)"):
        packs.pack(origin, str(tmp_path / "new" / "newer" / "a.zip"), Form(8), Options(), "zip")
    assert os.listdir(tmp_path) == ["real"]
