"""Options that choose among the items, the reference and its fingerprint, and the shipped gin files."""

from pathlib import Path

import numpy as np
import pytest
from opened import message

from tfgans import config
from tfgans.config import ConfigError
from tfgans.data import Dataset

GIN = Path(__file__).parents[2] / "gin_configs" / "data"


@pytest.fixture
def source(tmp_path):
    """100 images of 4 x 4; image i has level i and label i // 10."""
    images = np.tile(np.arange(100, dtype=np.uint8)[:, None, None], (1, 4, 4))
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(100) // 10)
    return f"npz:{tmp_path / 'x.npz'}"


def trained_on(dataset):
    """The levels of the images that batches of one give in an epoch, sorted."""
    dataset.batch_size = 1
    batches = dataset.batches(1, 0).take(dataset.num_examples)
    return sorted(int(round((float(batch["images"][0, 0, 0, 0, 0]) + 1) * 127.5)) for batch in batches)


def test_a_fraction_is_fixed_by_its_seed_and_nested(source):
    small, large = (Dataset(source, fraction=share) for share in (0.1, 0.29))
    assert (small.num_examples, large.num_examples) == (10, 29)
    chosen = trained_on(small)
    assert chosen == trained_on(Dataset(source, fraction=0.1))
    assert set(chosen) < set(trained_on(large)) and chosen != list(range(10))
    assert chosen != trained_on(Dataset(source, fraction=0.1, fraction_seed=1))
    assert (small.labels == np.array(chosen) // 10).all()


def test_the_first_fraction_is_in_source_order(source):
    assert trained_on(Dataset(source, fraction=0.075, fraction_order="first")) == list(range(7))


@pytest.mark.parametrize("order", ["random", "contiguous"])
def test_halves_are_disjoint_and_complete(source, order):
    options = {"half_order": order, "fraction": 0.51, "fraction_order": "first"}
    first, second = (trained_on(Dataset(source, half=half, **options)) for half in (0, 1))
    assert (len(first), len(second)) == (25, 26)
    assert sorted(first + second) == list(range(51))
    assert (first == list(range(25))) == (order == "contiguous")


def test_classes_are_relabelled_in_the_order_given(source):
    dataset = Dataset(source, classes=[7, 2])
    assert (dataset.num_examples, dataset.num_classes, dataset.reference_size()) == (20, 2, 20)
    assert trained_on(dataset) == [*range(20, 30), *range(70, 80)]
    for batch in dataset.batches(1, 0).take(20):
        level = round((float(batch["images"][0, 0, 0, 0, 0]) + 1) * 127.5)
        assert int(batch["labels"][0, 0]) == (0 if level >= 70 else 1)


def test_classes_by_name():
    dataset = Dataset("digits", classes=["3", "1"])
    assert dataset.class_names == ["3", "1"] and set(dataset.labels) == {0, 1}


def test_classes_of_a_file(source, tmp_path):
    """Names where there are any, else indices; the order of the file is that of the new labels."""
    (tmp_path / "list.txt").write_text("# two classes\n\n7\r\n  2 \n", encoding="utf-8")
    dataset, same = Dataset(source, classes_file=str(tmp_path / "list.txt")), Dataset(source, classes=[7, 2])
    assert trained_on(dataset) == trained_on(same) == [*range(20, 30), *range(70, 80)]
    assert (dataset.labels == same.labels).all() and dataset.num_classes == 2
    (tmp_path / "list.txt").write_text("3\n1", encoding="utf-8")
    named = Dataset("digits", classes_file=tmp_path / "list.txt")
    assert named.class_names == ["3", "1"]
    assert named.fingerprint() == Dataset("digits", classes=["3", "1"]).fingerprint()


def test_a_class_called_by_a_number_goes_before_an_index(tmp_path):
    for name in ("1", "0"):
        (tmp_path / "images" / name).mkdir(parents=True)
    from PIL import Image

    for name, level in (("0", 50), ("1", 200)):
        Image.new("L", (4, 4), level).save(tmp_path / "images" / name / "a.png")
    (tmp_path / "images" / "0").rename(tmp_path / "images" / "2")  # the classes are now called 1 and 2
    (tmp_path / "list.txt").write_text("1\n", encoding="utf-8")
    dataset = Dataset(f"folder:{tmp_path / 'images'}", classes_file=tmp_path / "list.txt")
    assert dataset.class_names == ["1"] and next(dataset.reference())[0].max() == 200


def test_a_wrong_file_of_classes_is_one_line(source, tmp_path):
    path = tmp_path / "list.txt"
    options = {"classes_file": str(path)}
    expected = "Dataset.classes_file must be a text file with a class a line. Received: "
    assert message(source, **options) == f"{expected}{str(path)!r} (No such file or directory)"
    # before anything is read or downloaded
    assert message("tfds:no_such_set", **options).startswith("Dataset.classes_file")
    path.write_bytes(b"\xff\xfe\x00")
    assert message(source, **options) == f"{expected}{str(path)!r} (it is not a text file)"
    path.write_text("# nothing\n\n")
    assert message(source, **options) == f"Dataset.classes_file {str(path)!r} names no class"
    path.write_text("1\nn02085620\n")
    assert message(source, **options) == "Dataset.classes has an unknown class 'n02085620'. Allowed: 0 to 9"
    path.write_text("1\n2\n01\n")
    line = "Dataset.classes must be different classes, at least one. Received: ['1', '01']"
    assert message(source, **options) == line
    line = "Dataset.classes and Dataset.classes_file exclude each other: one is None"
    assert message(source, classes=[1], **options) == line


def test_labels_can_be_dropped(source):
    dataset = Dataset(source, classes=[1], use_labels=False, batch_size=5)
    assert (dataset.labels, dataset.num_classes, dataset.num_examples) == (None, None, 10)
    assert set(next(iter(dataset.batches(2, 0)))) == {"images"}
    assert next(dataset.reference())[1] is None


def test_the_reference_is_whole_and_in_order(source):
    """There is no test split: the training images, whatever the fraction and half."""
    dataset = Dataset(source, fraction=0.2, half=1, flip=True)
    parts = list(dataset.reference(batch_size=30))
    assert [len(images) for images, _ in parts] == [30, 30, 30, 10] and dataset.reference_size() == 100
    assert np.concatenate([images for images, _ in parts])[:, 0, 0, 0].tolist() == list(range(100))
    assert (np.concatenate([labels for _, labels in parts]) == np.arange(100) // 10).all()
    assert parts[0][0].dtype == np.uint8


def test_a_limited_reference_is_a_fixed_sample_of_all_classes(source):
    dataset = Dataset(source)
    samples = [
        np.concatenate([labels for _, labels in dataset.reference(limit=40, batch_size=15)]) for _ in "ab"
    ]
    assert (samples[0] == samples[1]).all() and len(samples[0]) == 40
    assert len(set(samples[0])) >= 8


def test_the_evaluation_split_can_be_chosen():
    assert Dataset("digits", evaluation_split="train").reference_size() == 1438
    assert Dataset("digits", split="test").num_examples == 359
    assert Dataset("digits").reference_size("train") == 1438


def test_the_fingerprint_follows_content_and_options(source, tmp_path):
    base = Dataset(source).fingerprint()
    assert len(base) == 64 and base == Dataset(source, fraction=0.5, flip=True, crop="random").fingerprint()
    others = [
        Dataset(source, resolution=8),
        Dataset(source, channels=3),
        Dataset(source, classes=[0]),
        Dataset(source, crop="none"),
        Dataset(source, use_labels=False),
        Dataset("digits"),
        Dataset("ring"),
    ]
    prints = [other.fingerprint() for other in others] + [Dataset("digits").fingerprint("train")]
    images = np.load(source[4:])["images"]
    images[3, 0, 0] += 1
    np.savez(source[4:], images=images, labels=np.arange(100) // 10)
    prints.append(Dataset(source).fingerprint())
    assert len({base, *prints}) == 10


def test_the_fingerprint_follows_content_that_is_not_in_memory(source):
    options = {"memory_limit_gb": 0.0, "resolution": 2}
    before = Dataset(source, **options).fingerprint()
    assert before == Dataset(source, **options).fingerprint()
    images = np.load(source[4:])["images"]
    images[99, 3, 3] = 0
    np.savez(source[4:], images=images, labels=np.arange(100) // 10)
    assert before != Dataset(source, **options).fingerprint()


SIZE = "Dataset.resolution is an integer of at least 1 or (height, width) or None. Received: "
COLOUR = "Dataset.background is the name of a colour, such as white, or #rrggbb. Received: "


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"num_classes": 7}, "labels of {source} must be 0 to 6 (Dataset.num_classes = 7). Received: 0 to 9"),
        ({"classes": [10]}, "Dataset.classes has an unknown class 10. Allowed: 0 to 9"),
        ({"classes": ["a"]}, "Dataset.classes has an unknown class 'a'. Allowed: 0 to 9"),
        ({"classes": [1, 1]}, "Dataset.classes must be different classes, at least one. Received: [1, 1]"),
        ({"fraction": 0.005}, "Dataset.fraction = 0.005 leaves nothing of 100 images"),
        ({"fraction": 0.0}, "Dataset.fraction is a number in (0, 1]. Received: 0.0"),
        ({"fraction": 0.01, "half": 0}, "Dataset.half = 0 needs at least 2 images. Received: 1"),
        ({"half": 2}, "Dataset.half is one of 0, 1 or None. Received: 2"),
        ({"crop": "middle"}, "Dataset.crop is one of center, random, none. Received: 'middle'"),
        ({"channels": 5}, "Dataset.channels is one of 1, 2, 3, 4 or None. Received: 5"),
        ({"batch_size": 0}, "Dataset.batch_size is an integer of at least 1. Received: 0"),
        ({"resolution": 8.0}, f"{SIZE}8.0"),
        ({"resolution": -8}, f"{SIZE}-8"),
        ({"resolution": (0, 4)}, f"{SIZE}(0, 4)"),
        ({"resolution": (4,)}, f"{SIZE}(4,)"),
        ({"resolution": (4, 4, 3)}, f"{SIZE}(4, 4, 3)"),
        ({"resolution": "4x"}, f"{SIZE}'4x'"),
        ({"background": "#12"}, f"{COLOUR}'#12'"),
        ({"background": "#ff000080"}, f"{COLOUR}'#ff000080'"),
        ({"background": "bright"}, f"{COLOUR}'bright'"),
        ({"on_bad_image": "stop"}, "Dataset.on_bad_image is one of fail, skip. Received: 'stop'"),
        (
            {"random_area": (0.9, 0.1)},
            "Dataset.random_area is (low, high) with low <= high. Received: (0.9, 0.1)",
        ),
        ({"split": "valid"}, "{source} has no split 'valid'. Allowed: train"),
        ({"split": "test"}, "{source} has no split 'test'. Allowed: train"),
    ],
)
def test_refusals(source, options, line):
    assert message(source, **options) == line.format(source=source)


def test_other_refusals(source):
    with pytest.raises(ConfigError, match="has no split 'tset'. Allowed: train, test"):
        Dataset("digits", evaluation_split="tset").reference_size()
    assert message("ring", resolution=8) == "Dataset.resolution is for images; ring has points"
    np.savez(source[4:], images=np.zeros((3, 4, 4), np.uint8))
    assert message(source, classes=[0]) == "Dataset.classes = [0] needs labels, and the source has none"
    assert message(source, num_classes=3) == (
        f"Dataset.num_classes = 3, but {source} has no labels; set it to None"
    )
    np.savez(source[4:], images=np.zeros((2, 4, 4), np.uint8), labels=np.array([-1, 0]))
    assert message(source) == f"labels of {source} must be 0 or more. Received: -1 to 0"
    assert "must be 0 to 1 (Dataset.num_classes = 2). Received: -1 to 0" in message(source, num_classes=2)
    np.savez(source[4:], images=np.zeros((2, 4, 4), np.uint8), labels=np.array([-1, -1]))
    assert message(source) == f"labels of {source} must be 0 or more. Received: -1 to -1"  # was "0 to -1"
    np.savez(source[4:], images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 2**63], np.uint64))
    assert message(source) == f"labels of {source} must be below 2**31. Received: 0 to {2**63}"  # was below 0


SHAPES = {
    "digits": (8, 8, 1), "digits32": (32, 32, 1), "photos64": (64, 64, 3), "glyphs": (32, 32, 3), "ring": (2,),
    "grid": (2,), "mnist": (28, 28, 1), "lsun_church256": (256, 256, 3), "imagenet143": (128, 128, 3),
    "ffhq1024": (1024, 1024, 3), "stl10_48": (48, 48, 3),
}  # fmt: skip
OFFLINE = {"digits", "digits32", "photos64", "glyphs", "ring", "grid"}
FEW_SHOT = {f"{name}256" for name in ("obama", "grumpy_cat", "panda", "animal_cat", "animal_dog", "flowers")}
UNLABELLED = {"lsun_church256", "ffhq1024", "tiny_imagenet64", "stl10_48"} | FEW_SHOT
SHAPES |= dict.fromkeys(FEW_SHOT, (256, 256, 3))


@pytest.mark.parametrize("name", sorted(path.stem for path in GIN.glob("*.gin")))
def test_gin_files(name, source):
    """Files of sources that are not on this machine are bound to an archive of the same macros."""
    classes = {"photos64": 2, "glyphs": 36, "ring": 8, "grid": 25, "cifar100": 100}.get(name, 10)
    classes = None if name in UNLABELLED else classes
    bindings = []
    if name not in OFFLINE:
        bindings = [f"Dataset.source = {source!r}", f"num_classes = {classes}", "Dataset.min_size = 1"]
        bindings += ["Dataset.classes_file = None"] if "143" in name else []
        bindings += ["batch_size = 64"] if name in ("mnist", "folder") else []  # of 100 images
        bindings += (
            ["resolution = 64", "channels = 3"] if name == "folder" else []
        )  # which are left to images
        if classes == 100:
            np.savez(source[4:], images=np.load(source[4:])["images"], labels=np.arange(100))
        bindings += (
            [f"Dataset.{kind}split = 'train'" for kind in ("", "evaluation_")]
            if name in ("stl10_48", "celeba64", "celeba128")
            else []
        )
    config.parse([str(GIN / f"{name}.gin")], bindings)
    dataset = Dataset()
    config.refuse_unused()
    resolution = 32 if "cifar" in name else 128 if name.endswith("128") else 64
    assert dataset.item_shape == SHAPES.get(name, (resolution, resolution, 3))
    assert dataset.num_classes == classes
    small = name in UNLABELLED - {"stl10_48"}  # StyleGAN2's batch
    assert dataset.batch_size == (256 if dataset.modes is not None else 32 if small else 64)
    dataset.check(1)
