"""Images with alpha that are no squares, from a folder to what each command makes of them."""

import json

import numpy as np
import pytest
from PIL import Image
from short_runs import rows

CONFIG = """
include "gin_configs/data/folder.gin"
include "gin_configs/networks/dcgan.gin"
num_classes = None
batch_size = 8
build.methods = [@DiffAugmentGAN]
dcgan_generator.base_channels = 8
dcgan_generator.latent_dim = 4
dcgan_discriminator.base_channels = 8
Evaluator.features = @DigitsFeatures()
DigitsFeatures.any_images = True
Evaluator.num_samples = 20
Evaluator.metrics = ["fid", "sliced_wasserstein", "spectrum"]
train.num_samples_shown = 4
"""


@pytest.fixture(scope="module")
def trained(call, tmp_path_factory):
    """`(folder, what was printed, what was said)`: 20 images with alpha, of which half is cut off."""
    folder, draws = tmp_path_factory.mktemp("shapes"), np.random.default_rng(0)
    (folder / "images").mkdir()
    for number in range(20):
        image = draws.integers(0, 256, (32, 32, 4), np.uint8)
        Image.fromarray(image).save(folder / f"images/{number:02d}.png")
    (folder / "own.gin").write_text(CONFIG)
    flags = [
        f"--gin_file={folder / 'own.gin'}",
        f"--data={folder / 'images'}",
        f"--model_dir={folder / 'run'}",
    ]
    code, out, err = call("train", *flags, "--resolution=32x16", "--channels=4", "--steps=1")
    assert code == 0, err
    return folder, json.loads(out), err


def mode_and_size(path):
    with Image.open(path) as image:
        return image.mode, image.size


@pytest.mark.slow
def test_a_run(trained):
    """Pictures of 16x32 in lines of 2 pixels, two by two."""
    folder, row, err = trained
    assert "20 images of 32 high and 16 wide, RGB and alpha, no classes" in err
    assert rows(folder / "run")[-1] == row and row["step"] == 1
    assert all(np.isfinite(row[name]) for name in ("fid", "sliced_wasserstein", "spectrum_distance"))
    size = (2 * 18 + 2, 2 * 34 + 2)
    for name in ("real", "step_00000001"):
        assert mode_and_size(folder / f"run/samples/{name}.png") == ("RGBA", size)
    operative = (folder / "run/operative.gin").read_text()
    assert "resolution = (32, 16)" in operative and "channels = 4" in operative


@pytest.mark.slow
def test_generated_images_keep_alpha_and_films_do_not(trained, call, tmp_path):
    run = f"--model_dir={trained[0] / 'run'}"
    code, _, err = call("generate", run, f"--output_dir={tmp_path / 'out'}", "--num_images=2")
    assert code == 0, err
    assert mode_and_size(tmp_path / "out/images/image_00000.png") == ("RGBA", (16, 32))
    assert mode_and_size(tmp_path / "out/grid.png")[0] == "RGBA"
    flags = ["--walk", "--seeds=0,1", "--frames=2", "--video=both"]
    code, _, err = call("generate", run, f"--output_dir={tmp_path / 'film'}", *flags)
    assert code == 0, err
    with Image.open(tmp_path / "film/walk.gif") as film:
        frame = np.asarray(film.convert("RGBA"))
    assert (frame[..., 3] == 255).all() and frame.shape[0] == 2 * frame.shape[1]
    assert (tmp_path / "film/walk.mp4").stat().st_size > 0


@pytest.mark.slow
def test_an_image_is_projected_with_its_alpha(trained, call, tmp_path):
    folder, out = trained[0], tmp_path / "out"
    flags = [f"--image={folder / 'images/00.png'}", f"--output_dir={out}", "--steps=2", "--video=gif"]
    code, _, err = call("project", f"--model_dir={folder / 'run'}", *flags)
    assert code == 0, err
    (row,) = [path for path in out.rglob("reconstruction.png")]
    assert mode_and_size(row) == ("RGBA", (16, 32))


def test_an_export_has_the_shape(trained, call, tmp_path):
    flags = [f"--output_dir={tmp_path / 'out'}", "--formats=onnx"]
    code, out, err = call("export", f"--model_dir={trained[0] / 'run'}", *flags)
    assert code == 0, err
    told = json.loads(out)
    assert told["image_shape"] == [32, 16, 4] and told["failed"] == {} and list(told["formats"]) == ["onnx"]


@pytest.mark.slow
def test_a_report(trained, call, tmp_path):
    flags = [f"--model_dir={trained[0] / 'run'}", f"--output={tmp_path / 'report.html'}"]
    code, _, err = call("report", *flags)
    assert code == 0 and (tmp_path / "report.html").stat().st_size > 0, err


def test_sets_of_images_are_brought_to_a_shape(trained, call):
    images = trained[0] / "images"
    code, out, err = call("fid", images, images, "--features=digits", "--resolution=8x16")
    assert code == 0, err
    assert abs(json.loads(out)["fid"]) < 1e-3
