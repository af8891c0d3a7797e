"""Each source's own contract: what it reads, in which order, and how it refuses."""

import numpy as np
import pytest
from opened import everything, message
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import ArrayItems, Dataset
from tfgans.data.sources import Photos
from tfgans.data.stacked import Stacked


def test_digits():
    dataset = Dataset("digits")
    images, labels = everything(dataset, "train")
    test_images, test_labels = everything(dataset)
    assert (dataset.num_examples, dataset.reference_size(), dataset.num_classes) == (1438, 359, 10)
    assert (dataset.item_shape, dataset.name, dataset.class_names[3]) == ((8, 8, 1), "digits", "3")
    assert set(np.unique(images)) == {round(ink * 255 / 16) for ink in range(17)}
    assert np.bincount(test_labels).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    assert len(labels) + len(test_labels) == 1797
    assert (dataset.labels == labels).all() and dataset.labels.dtype == np.int32
    assert Dataset("digits", resolution=32, channels=3).item_shape == (32, 32, 3)


def test_photos_keep_training_and_test_regions_apart():
    train, test = Photos().open("train").boxes, Photos().open("test").boxes
    assert (train[:, 0].min() >= 0) and (train[:, 2].max() <= 384)
    assert (test[:, 0].min() >= 384) and (test[:, 2].max() <= 640)
    for boxes in (train, test):
        sides = boxes[:, 2] - boxes[:, 0]
        assert (sides == boxes[:, 3] - boxes[:, 1]).all() and sides.min() >= 128 and sides.max() <= 256
        assert (boxes[:, 1].min() >= 0) and (boxes[:, 3].max() <= 427)
    assert (train == Photos().open("train").boxes).all()


def test_photos():
    dataset = Dataset("photos", classes=["flower"], fraction=0.01, resolution=16)
    assert (dataset.num_examples, dataset.item_shape, dataset.num_classes) == (20, (16, 16, 3), 1)
    assert dataset.reference_size() == 500
    assert everything(dataset)[0].std() > 20


@pytest.mark.parametrize(
    ("kind", "modes", "std", "farthest"), [("ring", 8, 0.008, 0.8), ("grid", 25, 0.01, 0.8 * 2**0.5)]
)
def test_mixtures(kind, modes, std, farthest):
    dataset = Dataset(kind)
    assert dataset.modes.shape == (modes, 2) and dataset.mode_std == pytest.approx(std)
    assert np.linalg.norm(dataset.modes, axis=1).max() == pytest.approx(farthest, abs=1e-6)
    points, labels = everything(dataset, "train")
    assert (len(points), dataset.reference_size(), dataset.num_classes) == (5000 * modes, 1000 * modes, modes)
    assert points.dtype == np.float32 and dataset.item_shape == (2,)
    offsets = points - dataset.modes[labels]
    np.testing.assert_allclose(offsets.std(0), std, rtol=0.02)
    assert abs(offsets).max() < 6 * std and np.bincount(labels).tolist() == [5000] * modes
    batch = next(iter(dataset.batches(3, 0)))
    assert batch["images"].shape == (3, 64, 2)
    nearest = np.linalg.norm(batch["images"].numpy()[:, :, None] - dataset.modes, axis=-1).argmin(-1)
    assert (nearest == batch["labels"].numpy()).all()
    assert not np.isin(points[:100], everything(dataset)[0]).all(axis=1).any()


def test_the_grid_has_the_literature_proportions():
    """Neighbours are 2 apart at standard deviation 0.05: 40 deviations."""
    dataset = Dataset("grid", classes=[0, 1])
    assert np.linalg.norm(dataset.modes[1] - dataset.modes[0]) / dataset.mode_std == pytest.approx(
        40, rel=1e-5
    )
    assert dataset.num_examples == 10000


def test_unknown_sources():
    paths = ", ".join(f"{kind}:<path>" for kind in ("folder", "packed", "zip", "npz"))
    allowed = f"Allowed: digits, photos, glyphs, ring, grid, tfds:<name>, {paths}"
    for source in ("cats", "folder:", "tfds", None):
        assert message(source=source) == f"Dataset.source is unknown. Received: {source!r}. {allowed}"


def test_a_source_may_be_an_object_of_ones_own():
    class Mine:
        splits = ("train",)

        def __init__(self, level):
            self.level = level

        def open(self, split):
            return ArrayItems(np.full((3, 4, 4, 1), self.level, np.uint8), np.array([0, 1, 1]))

    dataset, alike, other = (Dataset(Mine(level), batch_size=3) for level in (7, 7, 8))
    assert (dataset.source, dataset.name, dataset.item_shape, dataset.num_classes) == (
        "Mine",
        "Mine",
        (4, 4, 1),
        2,
    )
    images, labels = next(dataset.reference())
    assert images.min() == images.max() == 7 and labels.tolist() == [0, 1, 1]
    assert dataset.contents().fingerprint == alike.contents().fingerprint != other.contents().fingerprint
    assert dataset.fingerprint() == alike.fingerprint() != other.fingerprint()
    compared = Dataset(Mine(7), batch_size=3, evaluation_source=Mine(8))
    assert next(compared.reference())[0].min() == 8 and compared.fingerprint() == other.fingerprint()
    with pytest.raises(ConfigError, match="Mine has no split 'test'. Allowed: train"):
        Dataset(Mine(7), split="test")


def test_an_object_that_is_no_source_is_refused():
    with pytest.raises(
        ConfigError, match=r"^Dataset.source has `splits` and `open\(split\)`. Received: <object"
    ):
        Dataset(object())
    for source in ("folder:", "digits:", "digits:x", "*", "folder"):
        with pytest.raises(ConfigError, match="Dataset.source is unknown"):
            Dataset(source)


def test_stacks_of_three():
    """Their colours are digits, one each; labels count in tens; drawn once for all, and of each split its own."""
    single, stacks = everything(Dataset("digits"), "train"), Stacked("digits", count=40)
    items = stacks.open("train")
    for i in range(3):
        channels = np.asarray(items.read(i)).transpose(2, 0, 1)
        for channel, j in zip(channels, items.chosen[i], strict=True):
            np.testing.assert_array_equal(channel, single[0][j, ..., 0])
        assert f"{items.labels[i]:03d}" == "".join(str(single[1][j]) for j in items.chosen[i])
    np.testing.assert_array_equal(stacks.open("train").chosen, items.chosen)
    assert stacks.open("test").chosen.max() < 359 <= items.chosen.max()
    dataset = Dataset(stacks, resolution=32, use_labels=False)
    assert dataset.item_shape == (32, 32, 3) and dataset.num_examples == 40
    with pytest.raises(ConfigError, match="Stacked.source has images with labels. Received: 'ring'"):
        Stacked("ring").open("train")


def test_stacks_are_scaled_as_their_images_are_alone(tmp_path):
    """Of 16 bits 65535 is 255 and 32768 is 128, not all that is above 255 white; what has alpha is put on white."""
    (tmp_path / "a").mkdir()
    for name, level in enumerate((0, 32768, 65535)):
        Image.fromarray(np.full((4, 4), level, np.uint16)).save(tmp_path / "a" / f"{name}.png")
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "a" / "3.png")
    levels = np.array([0, 128, 255, 255])
    items = Stacked(f"folder:{tmp_path}", count=40).open("train")
    assert set(items.chosen.ravel()) == {0, 1, 2, 3}
    for i in range(40):
        assert np.asarray(items.read(i))[0, 0].tolist() == levels[items.chosen[i]].tolist()


def test_stacks_of_several_sizes_are_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    Image.new("L", (4, 5)).save(tmp_path / "a/0.png")
    Image.new("L", (6, 6)).save(tmp_path / "b/0.png")
    line = message(Stacked(f"folder:{tmp_path}", count=20), resolution=4)
    assert "Stacked: 1" in line and "(its images have different sizes, 4x5 and 6x6)" in line
