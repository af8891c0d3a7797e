"""`project`: what it leaves, what it says, what it refuses; and `docs/project.md`."""

import json
import os
import re
import shlex

import forks
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from short_runs import ROOT

from tfgans.run import build, latents

TEXT = (ROOT / "docs/project.md").read_text()
FILES = ["latents.npz", "projection.gif", "projection.mp4", "reconstruction.png", "side_by_side.png"]


@pytest.fixture(scope="module")
def images(call, run_dir, tmp_path_factory):
    """A folder with two images of the run's own, of classes 3 and 8, and a photograph in colour."""
    folder = tmp_path_factory.mktemp("images")
    flags = [f"--model_dir={run_dir}", f"--output_dir={folder / 'out'}", "--seeds=0,1", "--labels=3,8"]
    assert call("generate", *flags)[0] == 0
    (folder / "in").mkdir()
    (folder / "out/images/image_00000.png").rename(folder / "in/three.png")
    (folder / "out/images/image_00001.png").rename(folder / "in/eight.png")
    photo = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(photo).save(folder / "photo.jpg")
    return folder


@pytest.mark.parametrize("name", ["images", "latents.npz", "side_by_side.png", ".."])
def test_no_image_takes_the_place_of_what_is_of_all(tmp_path, name):
    """It is said before the run is looked at."""
    Image.new("L", (8, 8)).save(tmp_path / f"{name}.png", "PNG")
    flags = [f"--output_dir={tmp_path / 'out'}", f"--image={tmp_path / name}.png"]
    code, said, err = forks.command("project", "--model_dir=nowhere", *flags).finish()
    assert code == 2 and said == "" and not (tmp_path / "out").exists()
    assert f"{name}.png cannot get a folder called {name}, which has another meaning: rename it" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_each_image_gets_a_folder(call, run_dir, images, tmp_path):
    out = tmp_path / "out"
    flags = [f"--model_dir={run_dir}", f"--output_dir={out}", f"--image={images / 'in'}", "--steps=20"]
    flags += [f"--image={images / 'photo.jpg'}", "--labels=8,3"]  # by name: eight, three
    code, said, err = call("project", *flags)
    assert code == 0 and said.count("\n") == 1, err
    assert re.fullmatch(r"features: the run's discriminator, after [\w, ]+\n", err)
    rows = json.loads(said)["images"]
    names = ["eight", "three", "photo"]
    assert [os.path.basename(row["folder"]) for row in rows] == names
    assert [row["label"] for row in rows] == ["8", "3", "8"]
    assert sorted(os.listdir(out)) == sorted([*names, "latents.npz", "side_by_side.png"])
    model = build.load(run_dir)[0]
    together = latents.load(out / "latents.npz", model)
    for number, (name, row) in enumerate(zip(names, rows, strict=True)):
        assert sorted(os.listdir(out / name)) == FILES
        codes = latents.load(out / name / "latents.npz", model)
        np.testing.assert_array_equal(codes.values[0], together.values[number])
        with Image.open(out / name / "reconstruction.png") as image:
            found = np.asarray(image)
        assert np.abs(found.astype(int) - model.show(codes)[0, ..., 0]).max() <= 1
        with Image.open(out / name / "side_by_side.png") as image:
            assert image.size == (
                396,
                216,
            )  # 22 x 12 pixels with lines between, six times, and three times that
            right = np.asarray(image)[36:, 216:][9:144:18, 9:144:18]
        assert np.abs(right.astype(int) - found).max() <= 1
        frames, _ = imageio_ffmpeg.count_frames_and_secs(str(out / name / "projection.mp4"))
        assert frames == 21 + 20 and set(row["losses"]) == {"pixels", "features", "all"}
    again = [
        f"--model_dir={run_dir}",
        f"--output_dir={tmp_path / 'again'}",
        f"--latents={out / 'latents.npz'}",
    ]
    assert call("generate", *again)[0] == 0
    for number, name in enumerate(names):
        made = (tmp_path / "again/images" / f"image_{number:05d}.png").read_bytes()
        assert made == (out / name / "reconstruction.png").read_bytes()


@pytest.mark.slow
def test_nothing_is_replaced_unasked(call, refused, run_dir, images, tmp_path):
    flags = [f"--model_dir={run_dir}", f"--output_dir={tmp_path}", "--steps=2", "--video=gif", "--seed=4"]
    three = f"--image={images / 'in/three.png'}"
    assert call("project", *flags, three)[0] == 0
    before = (tmp_path / "three/reconstruction.png").read_bytes()
    line = refused("project", *flags, three)
    assert f"{tmp_path} holds 2 files of an earlier project" in line and "--overwrite" in line
    (tmp_path / "three/notes.txt").write_text("mine")
    code, out, err = call("project", *flags, three, "--overwrite", "--feature_weight=0")
    assert (code, err) == (0, "") and set(json.loads(out)["images"][0]["losses"]) == {"pixels", "all"}
    assert sorted(os.listdir(tmp_path / "three")) == sorted({*FILES, "notes.txt"} - {"projection.mp4"}), (
        before
    )


@pytest.mark.slow
def test_styles_with_their_noise(call, styled_run_dir, images, tmp_path):
    flags = [
        f"--model_dir={styled_run_dir}",
        f"--image={images / 'in/three.png'}",
        "--steps=5",
        "--video=gif",
    ]
    model = build.load(styled_run_dir)[0]
    for space, more, noise in (
        ("w", [], 3),
        ("w_plus", ["--space=w_plus", "--nonoise"], 0),
        ("z", ["--space=z"], 3),
    ):
        code, _, err = call("project", *flags, *more, f"--output_dir={tmp_path / space}")
        assert code == 0, err
        codes = latents.load(tmp_path / space / "three/latents.npz", model)
        assert (codes.space, len(codes.noise)) == (space[0], noise)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "Flag --image must have a value"),
        (["--image={none}"], "there is no image"),
        (["--image={text}"], "text.png cannot be used: not a jpg, png, webp, bmp or gif image"),
        (["--image={tiny}"], "tiny.png cannot be used: too small, 1x1"),
        (["--image={empty}"], "empty has no images; looked for"),
        (["--image={photo}", "--labels=10"], "labels are in [0, 10). Received: [10]"),
        (["--image={photo}", "--labels=cat"], "class names. Received: 'cat'"),
        (["--image={photo}", "--space=w"], "the generator has no styles"),
        (["--image={photo}", "--steps=0"], "steps"),
        (["--image={photo}", "--step=7"], "There are: 0, 2, 4"),
        (["--image={photo}", "--gin_param=Dataset.crop='no'"], "Dataset.crop"),
        (["--image={photo}", "--gin_file=gin_configs/quickstart.gin"], "use --gin_param"),
    ],
)  # fmt: skip
def test_what_cannot_be_projected(refused, run_dir, images, tmp_path, flags, said):
    made = tmp_path / "made"
    (made / "empty").mkdir(parents=True)
    (made / "text.png").write_text("none")
    Image.new("L", (1, 1)).save(made / "tiny.png")
    places = {name: made / f"{name}.png" for name in ("text", "tiny", "none")}
    places |= {"empty": made / "empty", "photo": images / "photo.jpg"}
    flags = [flag.format(**places) for flag in flags]
    line = refused("project", f"--model_dir={run_dir}", f"--output_dir={tmp_path / 'out'}", *flags)
    assert said in line
    assert os.listdir(tmp_path) == ["made"]


def test_a_run_that_is_none(refused, images, tmp_path):
    flags = [f"--model_dir={tmp_path / 'none'}", f"--output_dir={tmp_path / 'out'}"]
    assert "is not a run" in refused("project", *flags, f"--image={images / 'photo.jpg'}")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_line_and_1(run_dir, images, tmp_path):
    flags = [f"--model_dir={run_dir}", f"--output_dir={tmp_path / 'out'}", "--steps=2", "--video=gif"]
    script = f"""
import os, sys
sys.argv = ["launch/project.py", *{flags!r}, "--image={images / "in"}"]
replace = os.replace
def full(source, target):
    if "three" in str(target) and "side_by_side.png" in str(target):
        raise OSError(28, "No space left on device")
    replace(source, target)
os.replace = full
from tfgans.commands import command_line
command_line.run("project")
"""
    code, out, err = forks.run(script)
    assert (code, out) == (1, "") and "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("project.py: [Errno 28] No space left on device")
    assert os.listdir(tmp_path / "out") == [
        "eight"
    ]  # whole, as it was done before; of three there is nothing
    assert len(os.listdir(tmp_path / "out/eight")) == 4


@pytest.mark.slow
def test_the_commands_of_the_page_work(call, run_dir, styled_run_dir, images, tmp_path):
    """Each line of docs/project.md, in its order."""
    lines = re.findall(r"^ *python launch/(project|generate).py (.*)$", TEXT, re.MULTILINE)
    assert len(lines) >= 4
    places = {
        "runs/faces": str(styled_run_dir), "runs/mine": str(run_dir), "=out": f"={tmp_path}/out",
        "=me.jpg": f"={images / 'photo.jpg'}", "=holidays": f"={images / 'in'}",
    }  # fmt: skip
    for command, line in lines:
        for old, new in places.items():
            line = line.replace(old, new)
        flags = [flag for flag in shlex.split(line) if not flag.startswith(("--steps", "--frames="))]
        few = ["--steps=3"] if command == "project" else ["--frames=2"] * ("--walk" in line)
        code, _, err = call(command, *flags, *few, "--overwrite")
        assert code == 0, (line, err)
