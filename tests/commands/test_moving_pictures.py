"""`generate`: seeds by number, latents from a file, walks, classes, directions; and `docs/generate.md`."""

import os
import re
import shlex

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from short_runs import ROOT

from tfgans.run import build, directions, latents

TEXT = (ROOT / "docs/generate.md").read_text()


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def film(path):
    """`(frames, (width, height))` of an MP4."""
    about = next(imageio_ffmpeg.read_frames(str(path)))
    return imageio_ffmpeg.count_frames_and_secs(str(path))[0], about["size"]


@pytest.fixture
def made(call, tmp_path):
    """`made(run, name, *flags)` -> the folder that `generate` has filled."""

    def made(run, name, *flags):
        folder = tmp_path / name
        code, _, err = call("generate", f"--model_dir={run}", f"--output_dir={folder}", *flags)
        assert (code, err) == (0, ""), err
        return folder

    return made


@pytest.mark.slow
def test_a_picture_has_a_number(made, run_dir):
    """The same pixels whatever else is asked for."""
    plain = made(run_dir, "plain", "--num_images=121", "--seed=3")
    chosen = made(run_dir, "chosen", "--seeds=7,100-102,120", "--seed=3")
    names = [f"image_{number:05d}.png" for number in (7, 100, 101, 102, 120)]
    assert sorted(os.listdir(chosen / "images")) == names
    alone = made(run_dir, "alone", "--seeds=120", "--seed=3")
    for folder, found in ((chosen, names), (alone, names[-1:])):
        for name in found:
            assert (folder / "images" / name).read_bytes() == (plain / "images" / name).read_bytes()
    labelled = made(run_dir, "labelled", "--seeds=4,2", "--labels=0,5,9")
    assert latents.load(labelled / "latents.npz", build.load(run_dir)[0]).labels.tolist() == [5, 9]


@pytest.mark.slow
def test_latents_give_the_same_pixels_again(made, run_dir, styled_run_dir):
    for run, name, flags in (
        (run_dir, "classes", ["--labels=3,1", "--num_images=5"]),
        (run_dir, "between", ["--interpolate", "--num_images=5", "--frames=2", "--video=gif"]),
        (styled_run_dir, "styles", ["--truncation=0.7", "--seeds=3,9"]),
        (styled_run_dir, "layer", ["--style_layer=1", "--seeds=3,9"]),
    ):
        first = made(run, name, *flags)
        again = made(run, f"{name}_again", f"--latents={first / 'latents.npz'}")
        one, two = sorted((first / "images").iterdir()), sorted((again / "images").iterdir())
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    other = made(
        run_dir, "other", f"--latents={made(run_dir, 'some', '--seeds=0')}/latents.npz", "--labels=7"
    )
    model = build.load(run_dir)[0]
    found = latents.load(other / "latents.npz", model)
    assert found.labels.tolist() == [7] and np.array_equal(found.values, model.codes_at([0]).values)


@pytest.mark.slow
def test_a_walk_is_a_film_that_closes(made, run_dir, styled_run_dir):
    for run, space in ((styled_run_dir, "w"), (run_dir, "z")):
        folder = made(run, f"walk_{space}", "--walk", "--seeds=4,1,4", "--frames=4")
        assert sorted(os.listdir(folder)) == ["grid.png", "latents.npz", "walk.gif", "walk.mp4"]
        assert film(folder / "walk.mp4") == (12, (256, 256))
        model = build.load(run)[0]
        keys = latents.load(folder / "latents.npz", model)
        expected = model.codes_at([4, 1, 4])
        expected = model.in_w(expected) if space == "w" else expected
        np.testing.assert_allclose(keys.values, expected.values, rtol=1e-6, atol=1e-6)
        images = model.show(keys)[..., 0]
        with Image.open(folder / "walk.gif") as image:
            assert image.size == (256, 256) and image.info["loop"] == 0
            found = np.asarray(image.convert("L"))[16::32, 16::32]
        assert np.abs(found.astype(int) - images[0]).max() <= 1
        grid = pixels(folder / "grid.png")
        assert np.abs(grid[12:60:6, 72:120:6].astype(int) - images[1]).max() <= 1
    only = made(
        styled_run_dir, "mp4", "--walk", "--num_images=2", "--frames=2", "--video=mp4", "--truncation=0.5"
    )
    assert sorted(os.listdir(only)) == ["grid.png", "latents.npz", "walk.mp4"]


def test_pictures_go_from_class_to_class(made, run_dir):
    folder = made(run_dir, "classes", "--class_walk=3,8,1", "--num_images=2", "--frames=3")
    assert sorted(os.listdir(folder)) == [f"class_walk.{kind}" for kind in ("gif", "mp4", "png")] + [
        "latents.npz"
    ]
    assert film(folder / "class_walk.mp4")[0] == 9
    sheet = pixels(folder / "class_walk.png")
    assert sheet.shape == (2 * 50 + 2, 13 * 48 + 4)
    model = build.load(run_dir)[0]
    codes = model.codes_at([0, 1], labels=[3])
    np.testing.assert_array_equal(sheet[2:50, 2:50], sheet[2:50, 2 + 12 * 48 : 2 + 13 * 48])
    for column, label in ((0, 3), (4, 8), (8, 1)):
        pure = model.render(codes.values, np.array([label] * 2))[..., 0]
        for row in (0, 1):
            shown = sheet[2 + 50 * row : 50 + 50 * row : 6, 2 + 48 * column : 50 + 48 * column : 6]
            assert np.abs(shown.astype(int) - pure[row]).max() <= 1


@pytest.mark.slow
def test_directions_are_drawn_and_taken_again(made, run_dir, styled_run_dir):
    flags = ["--frames=3", "--num_images=2"]
    for run, method, more in ((run_dir, "sefa", []), (styled_run_dir, "pca", ["--moved_slots=1:3"])):
        folder = made(run, f"found_{method}", f"--directions={method}", "--num_directions=2", *flags, *more)
        films = [f"direction_{n:02d}.{kind}" for n in (0, 1) for kind in ("gif", "mp4", "png")]
        assert sorted(os.listdir(folder)) == [*films, "directions.npz", "latents.npz"]
        assert film(folder / "direction_01.mp4")[0] == 4  # there and back
        model = build.load(run)[0]
        found = directions.load(folder / "directions.npz", model)
        expected = model.directions(method, 2, (1, 3) if more else None)
        np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-5)
        codes = latents.load(folder / "latents.npz", model)
        images = model.show(found.move(codes, 1, np.linspace(-3, 3, 7)))[..., 0]
        sheet = pixels(folder / "direction_01.png")
        for place in (0, 3, 6, 10):
            row, column = divmod(place, 7)
            shown = sheet[2 + 50 * row : 50 + 50 * row : 6, 2 + 48 * column : 50 + 48 * column : 6]
            assert np.abs(shown.astype(int) - images[place]).max() <= 1
        again = made(
            run, f"again_{method}", f"--directions={folder / 'directions.npz'}", "--strength=1.5",
            f"--latents={folder / 'latents.npz'}", "--frames=3", "--num_directions=1",
        )  # fmt: skip
        assert not (again / "direction_01.png").exists()
        ends = pixels(again / "direction_00.png")[2:50:6, 2:50:6]
        image = model.show(found.move(codes, 0, [-1.5]))[0, ..., 0]
        assert np.abs(ends.astype(int) - image).max() <= 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--seeds=a"], "--seeds are numbers and ranges, such as 0-99,120. Received: 'a'"),
        (["--seeds=9-3"], "Received: '9-3'"),
        (["--seeds="], "Received: ''"),
        (["--seeds=0-999999"], "--seeds names at most 100,000 pictures"),
        (["--seeds=1,2,1"], "--seeds names a picture twice"),
        (["--seeds=1", "--num_images=3"], "--num_images does not go with --seeds"),
        (["--latents=no.npz"], "no.npz cannot be read as latents that generate or project wrote"),
        (["--latents=no.npz", "--seed=3"], "--seed does not go with --latents"),
        (["--latents=no.npz", "--seeds=3"], "--seeds does not go with --latents"),
        (["--latents=no.npz", "--truncation=0.5"], "--truncation does not go with --latents"),
        (["--walk", "--num_images=1"], "a walk has at least 2 key pictures. Received: 1"),
        (["--walk", "--interpolate"], "--interpolate does not go with --walk"),
        (["--walk", "--class_walk=0,1"], "--walk does not go with --class_walk"),
        (["--walk", "--interpolate_in=w"], "the generator has no styles"),
        (["--class_walk=0"], "a walk through classes has at least 2 of them. Received: 1"),
        (["--class_walk=0,dog"], "class names. Received: 'dog'"),
        (["--class_walk=0,10"], r"[0, 10). Received: [0, 10]"),
        (["--class_walk=0,1", "--labels=3"], "--labels does not go with --class_walk"),
        (["--directions=pca"], "the generator has no styles"),
        (["--directions=ica"], "--directions is sefa, pca or a file. Received: 'ica', which is not there"),
        (["--directions=sefa", "--strength=0"], "--strength is in (0, 1000]. Received: 0.0"),
        (["--directions=sefa", "--moved_slots=1"], "--moved_slots is A:B, such as 0:4. Received: '1'"),
        (["--strength=2"], "--strength is for --directions"),
        (["--langevin_rate=0.1"], "--langevin_rate is for --langevin_steps"),
        (["--walk", "--langevin_steps=3"], "--langevin_steps does not go with --walk"),
        (["--video=mp4"], "--video is for --interpolate, --walk, --class_walk, --directions"),
        (["--walk", "--video=avi"], "video"),
    ],
)  # fmt: skip
def test_what_cannot_be_made(refused, run_dir, tmp_path, flags, said):
    assert said in refused("generate", f"--model_dir={run_dir}", f"--output_dir={tmp_path / 'out'}", *flags)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_latents_and_directions_of_another_run(refused, made, run_dir, styled_run_dir, tmp_path):
    folder = made(
        styled_run_dir, "styles", "--directions=sefa", "--num_directions=1", "--frames=2", "--video=gif"
    )
    for flags, said in (
        ([f"--latents={folder / 'latents.npz'}"], "latents.npz: codes in w: the generator has no styles"),
        (
            [f"--directions={folder / 'directions.npz'}"],
            "directions of this generator are in z, of 8 numbers",
        ),
        ([f"--latents={folder / 'directions.npz'}"], "directions.npz cannot be read as latents"),
        ([f"--directions={folder / 'latents.npz'}"], "latents.npz cannot be read as directions"),
    ):
        line = refused("generate", f"--model_dir={run_dir}", f"--output_dir={tmp_path / 'out'}", *flags)
        assert said in line
    mine = ["--class_walk=0,1", f"--latents={folder / 'latents.npz'}"]
    line = refused("generate", f"--model_dir={styled_run_dir}", f"--output_dir={tmp_path / 'out'}", *mine)
    assert "the model has no classes" in line and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_commands_of_the_page_work(call, run_dir, styled_run_dir, tmp_path):
    """Each line of docs/generate.md, in its order, on short runs of the two kinds."""
    lines = re.findall(r"^ *python launch/generate.py (.*)$", TEXT, re.MULTILINE)
    assert len(lines) >= 10
    places = {"runs/faces": str(styled_run_dir), "runs/mine": str(run_dir), "=out": f"={tmp_path}/out"}
    for line in lines:
        for old, new in places.items():
            line = line.replace(old, new)
        flags = [*shlex.split(line), "--overwrite"]
        if any(flag in line for flag in ("--walk", "--class_walk", "--directions", "--interpolate")):
            flags = [f for f in flags if not f.startswith("--frames=")] + ["--frames=2"]
        code, _, err = call("generate", *flags)
        assert code == 0, (line, err)
