"""`pack` as a user calls it, and training on what it has written."""

import json
import re
import shlex

import numpy as np
import pytest
from PIL import Image
from short_runs import ROOT
from tiny_squares import TinySquares

from tfgans.data import packing

PAGE = (ROOT / "docs" / "large_data.md").read_text()


def images(root, count=40):
    """Noise of 32 x 40 pixels, in two classes."""
    for i in range(count):
        path = root / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (32, 40, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def test_a_folder_is_packed_checked_and_trained_on(call, tmp_path):
    source, output, run = images(tmp_path / "images"), tmp_path / "packed", tmp_path / "run"
    code, out, err = call("pack", f"--source={source}", f"--output={output}", "--resolution=8")
    assert code == 0, err
    about = json.loads(out)
    assert about == {
        "packed": str(output),
        "source": f"folder:{source}",
        "images": {"train": 40},
        "records": {"train": "raw"},
        "skipped": 0,
        "files": 1,
        "bytes": 131072,
    }
    assert re.search(
        rf"^train on it: .*launch/train.py --data={re.escape(str(output))} ...$", err, re.MULTILINE
    )
    code, out, err = call("pack", f"--verify={output}")
    assert (code, json.loads(out)) == (0, about | {"verified": True}), err
    small = [f"--gin_param=dcgan_{net}.base_channels=4" for net in ("generator", "discriminator")]
    config = f"--gin_file={ROOT}/gin_configs/folder/recommended.gin"
    code, out, err = call("train", config, f"--data={output}", f"--model_dir={run}", "--steps=1", *small)
    assert code == 0, err
    assert "auto: resolution = 8" in err and "auto: num_classes = 2" in err
    assert json.loads((run / "classes.json").read_text())["names"] == ["cat", "dog"]


@pytest.mark.slow
def test_what_cannot_be_packed_is_one_line(refused, tmp_path):
    source, output = f"--source={images(tmp_path / 'images', 4)}", f"--output={tmp_path / 'x'}"
    assert refused("pack").endswith("pack takes --source and --output, or --verify\n")
    assert refused("pack", source).endswith("pack takes both --source and --output\n")
    assert "--source is a folder, a .zip or .npz file" in refused("pack", "--source=nowhere", output)
    assert "no packed data set: it does not exist" in refused("pack", "--verify=nowhere")
    assert "4 of 4 images cannot be used" in refused("pack", source, output, "--resolution=200")
    assert "--background is the name of a colour" in refused(
        "pack", source, output, "--resolution=8", "--background=puce ish"
    )


@pytest.mark.parametrize(
    "flags", [["--output=file"], ["--output=file/x"], ["--output=file/x.zip", "--format=zip"]]
)
def test_an_output_that_is_no_folder(refused, tmp_path, flags):
    (tmp_path / "file").write_text("mine")
    flags = [flag.replace("=file", f"={tmp_path}/file") for flag in flags]
    line = refused("pack", f"--source={images(tmp_path / 'images', 2)}", *flags)
    assert line == f"pack.py: {flags[0]} cannot be written: {tmp_path}/file is not a folder\n"
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--label_key=x"], "--label_key=x is for --source=tfds:<name> alone. Received: --source="),
        (["--data_dir=/x"], "--data_dir=/x is for --source=tfds:<name> alone. Received: --source="),
        (["--format=zip", "--images_per_shard=5"], "--format=zip writes one file: leave --images_per_shard out"),
        (
            ["--verify=x", "--resolution=16", "--nolabels"],
            "--verify compares what is packed as it is: leave --source, --output, --nolabels, --resolution out",
        ),
    ],
)  # fmt: skip
def test_flags_that_would_do_nothing_are_refused(refused, tmp_path, flags, line):
    given = [f"--source={images(tmp_path / 'images', 2)}", f"--output={tmp_path / 'x'}"]
    assert line in refused("pack", *given, *flags)
    assert not (tmp_path / "x").exists()


def test_the_pages_commands_are_understood(refused):
    """Their sources are not here; that of TensorFlow Datasets would be looked for elsewhere."""
    lines = re.findall(r"^python launch/pack.py (?!.*tfds:).*", PAGE, re.MULTILINE)
    assert len(lines) >= 4
    for line in lines:
        words = shlex.split(line)[2:]
        assert "not there" in refused("pack", *words), line
    assert f"{packing.IMAGES_PER_SHARD:,} images" in PAGE


def test_the_limit_of_a_set_that_must_fit_in_memory_is_a_flag(call, refused, tmp_path):
    TinySquares(data_dir=str(tmp_path / "tfds"), file_format="tfrecord").download_and_prepare()
    words = ["pack", "--source=tfds:tiny_squares", f"--data_dir={tmp_path}/tfds", f"--output={tmp_path}/x"]
    line = refused(*words, "--memory_limit_gb=1e-8")
    assert "which must fit in memory, and exceeds Dataset.memory_limit_gb = 1e-08; raise the limit" in line
    line = refused(*words, "--memory_limit_gb=nan")
    assert line.endswith("flag --memory_limit_gb=nan: It must be a finite number.\n")
    assert not (tmp_path / "x").exists()
    code, out, err = call(*words, "--memory_limit_gb=1e-4")
    assert (code, json.loads(out)["images"]) == (0, {"train": 6, "test": 2}), err
