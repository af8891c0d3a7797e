"""A run on a packed set or a zip is that on the folder, and goes on exactly where it stopped."""

import image_sets
import numpy as np
import pytest
from PIL import Image
from short_runs import CONFIG, Crash, crash_at, run

from tfgans.data.digits import digits_split
from tfgans.run import callbacks

LENGTH = ("train.steps = 6", "train.save_every = 2", "train.evaluate_every = 6", "train.sample_every = 6")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve digits of each class, a folder a class."""
    root = tmp_path_factory.mktemp("digits") / "images"
    images, labels = digits_split()[:2]
    for label in range(10):
        (root / str(label)).mkdir(parents=True)
        for i, pixels in enumerate(images[labels == label][:12]):
            Image.fromarray(pixels).save(root / str(label) / f"{i}.png")
    return root


def trained(source, folder, *bindings):
    """Weights and optimisers after training, read from disk at every step."""
    gin_file = folder.parent / f"{folder.name}.gin"
    gin_file.write_text(CONFIG)
    bound = (f'Dataset.source = "{source}"', "Dataset.memory_limit_gb = 0.0", "Dataset.flip = True")
    run(str(gin_file), folder, *bound, *LENGTH, *bindings)
    return dict(np.load(folder / "checkpoints" / "step_00000006.npz"))


@pytest.fixture(scope="module")
def expected(images, tmp_path_factory, all_eagerly):
    return trained(f"folder:{images}", tmp_path_factory.mktemp("folder") / "run")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["packed", "zip"])
def test_a_run_killed_in_the_middle_of_an_epoch_goes_on(
    images, expected, tmp_path, monkeypatch, all_eagerly, kind
):
    """An epoch is seven steps of 16 images. What goes on with the zip was begun on the folder."""
    if kind == "zip":
        source = f"zip:{image_sets.zipped(images, tmp_path / 'x.zip', 'digits/')}"
    else:
        source = image_sets.packed(images, tmp_path / "x", images_per_shard=50)
    with monkeypatch.context() as patch:
        crash_at(patch, callbacks.StopOnSignal, "after", lambda _, step: step == 3)
        with pytest.raises(Crash):
            trained(f"folder:{images}" if kind == "zip" else source, tmp_path / "run")
    found = trained(source, tmp_path / "run")
    assert found.keys() == expected.keys()
    for name, value in found.items():
        if value.dtype.kind in "fiu":
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
