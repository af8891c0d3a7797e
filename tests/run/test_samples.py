"""The folder that `generate` fills: all at once, never mixed, and a data set as it is."""

import os
import shutil
import signal
import tempfile

import numpy as np
import pytest
from PIL import Image

from tfgans import pictures
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.gan.codes import Codes
from tfgans.run import after, build
from tfgans.run.samples import SampleFolder, write_images


def images(count, level=0):
    return np.full((count, 4, 4, 1), level, np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None, None]


def write(part, pixels):
    return write_images(part, pixels, Codes("z", np.zeros((len(pixels), 2), np.float32)))


def fill(path, count, level=0, **options):
    return SampleFolder(path, **options).fill(lambda part: write(part, images(count, level)))


def listing(folder):
    """Files below a folder, hidden ones too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_samples_are_a_data_set_and_the_grid_lies_beside_them(tmp_path):
    paths = fill(tmp_path / "out", 3)
    names = [f"images/image_{i:05d}.png" for i in range(3)]
    assert [str(p.relative_to(tmp_path / "out")) for p in paths] == [*names, "latents.npz", "grid.png"]
    assert listing(tmp_path / "out") == ["grid.png", *names, "latents.npz"] and all(p.exists() for p in paths)
    dataset = Dataset(f"folder:{tmp_path / 'out' / 'images'}", batch_size=1)
    assert (dataset.num_examples, dataset.item_shape, dataset.class_names) == (3, (4, 4, 1), None)
    ((found, _),) = dataset.reference()
    assert (found == images(3)).all()


def test_points_have_a_plot(tmp_path):
    points = np.zeros((5, 2), np.float32)
    paths = SampleFolder(tmp_path).fill(lambda part: write(part, points))
    assert [p.name for p in paths] == listing(tmp_path) == ["latents.npz", "points.npy", "points.png"]


def test_samples_of_two_calls_are_not_mixed(tmp_path):
    out = tmp_path / "out"
    fill(out, 5)
    (out / "notes.txt").write_text("mine")
    (out / "mine.png").write_bytes(b"mine")
    (out / "image_00000.png").write_bytes(b"where earlier versions put samples")
    before = {name: (out / name).read_bytes() for name in listing(out)}
    line = f"{out} holds 8 files of an earlier generate, such as image_00000.png: choose another folder, or --over"
    with pytest.raises(ConfigError, match=line):
        fill(out, 2)
    assert {name: (out / name).read_bytes() for name in listing(out)} == before
    fill(out, 2, 9, overwrite=True)
    assert listing(out) == [
        "grid.png",
        "images/image_00000.png",
        "images/image_00001.png",
        "latents.npz",
        "mine.png",
        "notes.txt",
    ]
    with Image.open(out / "images" / "image_00001.png") as image:
        assert image.getpixel((0, 0)) == 10
    assert (out / "mine.png").read_bytes() == b"mine"

    def write_another(part):
        (part / "style_mixing.png").write_bytes(b"")
        return [part / "style_mixing.png"]

    assert SampleFolder(out, overwrite=True).fill(write_another) == [out / "style_mixing.png"]
    assert listing(out) == ["mine.png", "notes.txt", "style_mixing.png"]


def test_other_peoples_images_are_not_samples(tmp_path):
    (tmp_path / "photo.JPG").write_bytes(b"")
    with pytest.raises(
        ConfigError, match="holds 1 other images, such as photo.JPG: .* --overwrite to write beside them"
    ):
        SampleFolder(tmp_path)
    fill(tmp_path, 1, overwrite=True)
    (tmp_path / "images" / "cat.png").write_bytes(b"")
    before = listing(tmp_path)
    with pytest.raises(ConfigError, match="images/cat.png was not made by generate, which needs that place"):
        SampleFolder(tmp_path, overwrite=True)
    shutil.rmtree(tmp_path / "images")
    (tmp_path / "images").write_text("a file")
    with pytest.raises(ConfigError, match="images was not made by generate"):
        SampleFolder(tmp_path, overwrite=True)
    assert before == ["grid.png", "images/cat.png", "images/image_00000.png", "latents.npz", "photo.JPG"]


def test_an_error_leaves_what_was_there(tmp_path):
    def write_half(part):
        write(part, images(2, 50))
        raise OSError(28, "No space left on device")

    fill(tmp_path / "out", 1)
    for path in (tmp_path / "out", tmp_path / "deep" / "new"):
        with pytest.raises(OSError, match="No space"):
            SampleFolder(path, overwrite=True).fill(write_half)
    assert listing(tmp_path) == ["out/grid.png", "out/images/image_00000.png", "out/latents.npz"]
    assert not (tmp_path / "deep" / "new").exists()


def test_what_a_killed_process_leaves_is_seen_by_nobody(tmp_path):
    child = os.fork()
    if not child:
        save, seen = pictures.save_png, []

        def dies(path, picture):
            seen.append(path)
            if len(seen) == 3:
                path.write_bytes(b"half")
                os.kill(os.getpid(), signal.SIGKILL)
            save(path, picture)

        pictures.save_png = dies
        fill(tmp_path, 5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(listing(tmp_path)) == 4 and all(
        name.startswith(".generate.part") for name in listing(tmp_path)
    )
    with pytest.raises(ConfigError, match="has no images"):
        Dataset(f"folder:{tmp_path}")
    fill(tmp_path, 2)
    names = ["grid.png", "images/image_00000.png", "images/image_00001.png", "latents.npz"]
    assert listing(tmp_path) == names


def test_a_folder_that_cannot_be_written_to_is_refused_before_images_are_made(tmp_path, monkeypatch):
    def loaded(*_):
        raise AssertionError("the run was loaded")

    monkeypatch.setattr(build, "load", loaded)
    (tmp_path / "file").write_text("")
    for make in (
        lambda out: after.generate("run", out, 3),
        lambda out: after.interpolate("run", out, 3),
        lambda out: after.mix_styles("run", out, 2, 2),
    ):
        with pytest.raises(ConfigError, match="file is not a folder"):
            make(tmp_path / "file" / "out")
        with (
            monkeypatch.context() as patch,
            pytest.raises(ConfigError, match="out cannot be written to: .*Read-only"),
        ):

            def read_only(dir):
                assert dir == tmp_path
                raise OSError(30, "Read-only file system")

            patch.setattr(tempfile, "TemporaryFile", read_only)
            make(tmp_path / "out")
    assert listing(tmp_path) == ["file"]


def test_hidden_files_beside_samples_stay_whatever_takes_their_place(tmp_path):
    """A desktop puts them there; they once cost both the old samples and the new ones."""
    fill(tmp_path, 3)
    (tmp_path / "images" / ".DS_Store").write_text("a desktop's")
    fill(tmp_path, 1, overwrite=True)
    names = ["grid.png", "images/.DS_Store", "images/image_00000.png", "latents.npz"]
    assert listing(tmp_path) == names
    walk = SampleFolder(tmp_path, overwrite=True)
    walk.fill(lambda part: pictures.save_png(part / "grid.png", images(1)[0]) or [part / "grid.png"])
    assert listing(tmp_path) == ["grid.png", "images/.DS_Store"]


def test_what_another_call_made_meanwhile_stays(tmp_path):
    late = SampleFolder(tmp_path / "out")

    def overtaken(part):
        fill(tmp_path / "out", 2, 70)
        return write(part, images(3))

    with pytest.raises(ConfigError, match="out holds 4 files of an earlier generate, .*--overwrite"):
        late.fill(overtaken)
    kept = [Image.open(path).getpixel((0, 0)) for path in sorted((tmp_path / "out" / "images").iterdir())]
    assert kept == [70, 71]
    assert len(listing(tmp_path)) == 4


def test_a_link_in_the_place_of_the_samples_is_refused_at_once(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="out/images was not made by generate"):
        SampleFolder(tmp_path / "out", overwrite=True)
