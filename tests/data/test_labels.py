"""Classes: their names and order, labels counted and looked up, and classes that no image is of."""

import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.labels import chosen_classes, count_labels, natural


def folder(root, counts, size=8):
    """A folder with so many images of each class; the levels are 0, 1, ... in each."""
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for k in range(count):
            Image.new("L", (size, size), k).save(root / name / f"{k:02}.png")
    return f"folder:{root}"


def archive(path, labels, **arrays):
    np.savez(path, images=np.zeros((len(labels), 8, 8), np.uint8), labels=np.array(labels), **arrays)
    return f"npz:{path}"


def refusal(function, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        function(*arguments, **options)
    return str(caught.value).splitlines()[0]


def test_names_sort_as_people_count():
    names = ["a10", "10", "b", "2", "a2", "1", "001", "B", "a", "", "1.5", "1a"]
    assert sorted(names, key=natural) == ["", "001", "1", "1.5", "1a", "2", "10", "B", "a", "a2", "a10", "b"]


def test_folders_called_by_numbers_are_classes_in_their_order(tmp_path):
    source = folder(tmp_path, {str(k): 1 + k % 2 for k in range(12)})
    dataset = Dataset(source)
    assert dataset.class_names == [str(k) for k in range(12)]
    assert dataset.label_counts.tolist() == [1 + k % 2 for k in range(12)]
    _, labels = next(dataset.reference())  # in the order of the paths: 0, 1, 10, 11, 2 ...
    assert labels[:5].tolist() == [0, 1, 1, 10, 11]
    assert Dataset(source, classes=["10", "2"]).class_names == ["10", "2"]


def test_counts():
    assert count_labels([2, 0, 2], 4).tolist() == [1, 0, 2, 0]
    assert count_labels(np.array([[1.0], [0.0]], "float32"), 2).tolist() == [1, 1]
    for labels, message in (
        (
            [0, 3],
            r"labels are integers in [0, 3) (GAN.num_classes = 3). Received: 3 (1 of 2 labels are outside)",
        ),
        ([-1, -2, 0], "Received: -1 (2 of 3 labels are outside)"),
        ([0.7], "Received: 0.7 (1 of 1"),
        ([np.nan, 1.0], "Received: nan (1 of 2"),
        (["a"], "labels must be integers [n]. Received: <U1 [1]"),
        (np.eye(3), "labels must be integers [n]. Received: float64 [3, 3]"),
    ):
        assert message in refusal(count_labels, labels, 3)


def test_labels_are_chosen_by_name_or_index():
    names = ("cat", "dog", "1", "caf\u00e9")
    assert chosen_classes(["dog", "0", "1", 1, "cafe\u0301"], names, 4).tolist() == [1, 0, 2, 1, 3]
    assert chosen_classes(2.0, None, 3).tolist() == [2]
    assert refusal(chosen_classes, ["Dogs"], names, 4) == (
        "labels is a list of integers or class names. Received: 'Dogs' (did you mean 'dog'?). "
        "Allowed: 0 to 3 or cat, dog, 1, caf\u00e9"
    )
    assert refusal(chosen_classes, ["cat"], None, 2).endswith(
        "Allowed: 0 to 1; this run has no names of classes"
    )
    for wrong in ([3, 12], [-1, 0], [0.7, 1.0], []):
        shown = ", ".join(map(str, (int(k) if k == int(k) else k for k in wrong)))
        assert refusal(chosen_classes, wrong, None, 4) == f"labels are in [0, 4). Received: [{shown}]"


NONE = "has no image to train on of"
CASES = {  # images of each class, options, what is said after the source
    "empty folder": (
        {"a": 4, "b": 0, "c": 4},
        {"num_classes": 3},
        f" {NONE} class 1 ('b') (the data has none): add some, or train on the others alone "
        "(Dataset.classes = ['a', 'c'] with num_classes = 2)",
    ),
    "fewer than num_classes": (
        {"a": 4, "b": 4},
        {"num_classes": 4},
        f" {NONE} classes 2, 3 (the data has none): set num_classes = 2 (Dataset.num_classes and GAN.num_classes), "
        "or train on the others alone (Dataset.classes = ['a', 'b'] with num_classes = 2)",
    ),
    "more than num_classes": (
        {"a": 4, "b": 4, "c": 1},
        {"num_classes": 2},
        " has 3 classes (a, b, c), and Dataset.num_classes = 2: set num_classes = 3 (Dataset.num_classes and "
        "GAN.num_classes), or choose some with Dataset.classes",
    ),
    "fraction": (
        {"a": 20, "b": 1},
        {"num_classes": 2, "fraction": 0.5, "fraction_order": "first"},
        f" {NONE} class 1 ('b') (Dataset.fraction = 0.5 takes none of them): raise the fraction, or train on the "
        "others alone (Dataset.classes = ['a'] with num_classes = 1)",
    ),
    "half": (
        {"a": 4, "b": 6},  # half 1 is the last 5
        {"num_classes": 2, "half": 1, "half_order": "contiguous"},
        f" {NONE} class 0 ('a') (half 1 has none of them): have more images, or train on the others alone "
        "(Dataset.classes = ['b'] with num_classes = 1)",
    ),
    "chosen": (
        {"a": 4, "b": 0},
        {"classes": ["b", "a"]},
        f" {NONE} class 0 ('b') (the data has none): add some",
    ),
    "balance": ({"a": 4, "b": 0}, {"balance": True}, f" {NONE} class 1 ('b') (the data has none): add some"),
    "two reasons": (
        {"a": 9, "b": 0, "c": 1},
        {"num_classes": 3, "fraction": 0.5, "fraction_order": "first"},
        f" {NONE} class 1 ('b') (the data has none) and class 2 ('c') (Dataset.fraction = 0.5 takes none of them): "
        "add some, or raise the fraction, or",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_class_without_an_image_is_refused_by_name(tmp_path, case):
    counts, options, line = CASES[case]
    source = folder(tmp_path, counts)
    assert refusal(Dataset, source, **options).startswith(f"{source}{line}")


def test_a_class_whose_images_are_all_bad_is_refused(tmp_path):
    source = folder(tmp_path, {"a": 3, "b": 1})
    (tmp_path / "b" / "00.png").write_bytes(b"")
    line = refusal(Dataset, source, num_classes=2, on_bad_image="skip")
    assert line.startswith(
        f"{source} {NONE} class 1 ('b') (Dataset.on_bad_image = 'skip' left out all of them): mend those"
    )


@pytest.mark.parametrize(
    ("labels", "num_classes", "line"),
    [
        ([0, 2, 2], 3, f" {NONE} class 1 (the data has none): add some, or"),
        ([0, 1, 1], 9, f" {NONE} classes 2 to 8 (the data has none): set num_classes = 2 "),
        (
            [1, 2, 3],
            4,
            f" {NONE} class 0 (the data has none): subtract 1 from the labels, which begin at 0, or",
        ),
        ([0, 4, 5], 9, f" {NONE} classes 1 to 3, 6 to 8 (the data has none): add some, or"),
    ],
)
def test_gaps_of_labels_without_names(tmp_path, labels, num_classes, line):
    source = archive(tmp_path / "x.npz", labels)
    assert refusal(Dataset, source, num_classes=num_classes).startswith(f"{source}{line}")


def test_labels_that_begin_at_one(tmp_path):
    source = archive(tmp_path / "x.npz", [1, 2, 3])
    line = f"labels of {source} must be 0 to 2 (Dataset.num_classes = 3). Received: 1 to 3"
    assert refusal(Dataset, source, num_classes=3) == f"{line}; labels begin at 0: subtract 1"
    source = archive(tmp_path / "y.npz", [0, 2**32])  # 0 as int32
    assert refusal(Dataset, source) == f"labels of {source} must be below 2**31. Received: 0 to {2**32}"


def test_who_does_not_use_labels_may_have_empty_classes(tmp_path):
    source = folder(tmp_path, {"a": 3, "b": 0})
    dataset = Dataset(source)
    assert (dataset.class_names, dataset.label_counts.tolist()) == (["a", "b"], [3, 0])
    assert f"{NONE} class 1 ('b')" in refusal(dataset.check_classes)
    dropped = Dataset(source, use_labels=False)
    assert (dropped.labels, dropped.label_counts, dropped.label_shares) == (None, None, None)
    dropped.check_classes()
    assert refusal(Dataset, source, use_labels=False, num_classes=2) == (
        f"Dataset.num_classes = 2, but {source} has no labels as Dataset.use_labels is False; set it to None"
    )


def test_halves_are_checked_one_by_one(tmp_path):
    whole = Dataset(folder(tmp_path, {"a": 6, "b": 4}), num_classes=2, half_order="contiguous")
    first, second = whole.halves()
    whole.check_classes()
    second.check_classes()
    assert f"{NONE} class 1 ('b') (half 0 has none of them)" in refusal(first.check_classes)


def test_links_and_other_folders_are_no_classes(tmp_path):
    source = folder(tmp_path / "images", {"cat": 1, "dog": 1})
    for other in (".git", "__MACOSX/cat", "lost+found"):
        (tmp_path / "images" / other).mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "images" / "__MACOSX" / "cat" / "a.png")
    (tmp_path / "images" / "loop").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "wolf").symlink_to(tmp_path / "images" / "dog")
    assert Dataset(source, num_classes=2).class_names == ["cat", "dog"]


def test_folders_that_look_like_parts_of_a_set_say_that_they_are_classes(tmp_path, caplog):
    source = folder(tmp_path, {"00000": 1, "00001": 1})
    with caplog.at_level("INFO", "tfgans"):
        Dataset(source, use_labels=False)
        assert caplog.messages == []
        assert Dataset(source).class_names == ["00000", "00001"]
    assert caplog.messages == [
        f"folder {tmp_path}: 2 folders = 2 classes (00000, 00001); if they are parts of one set, whose dataset.json "
        "is missing, Dataset.use_labels = False trains without classes"
    ]


def test_an_archive_may_name_its_classes(tmp_path):
    path = tmp_path / "x.npz"
    dataset = Dataset(archive(path, [0, 1, 1], class_names=np.array(["dog", "cat"])), num_classes=2)
    assert dataset.class_names == ["dog", "cat"]
    assert dataset.label_shares.tolist() == [1 / 3, 2 / 3]
    assert Dataset(f"npz:{path}", classes=["cat"]).num_examples == 2
    for names in (["a", "a"], [0, 1], [["a", "b"]]):
        source = archive(path, [0, 1], class_names=np.array(names))
        assert "class_names must be different texts, one a class. Received: " in refusal(Dataset, source)
    source = archive(path, [0, 2], class_names=np.array(["a", "b"]))
    assert refusal(Dataset, source) == f"labels of {source} go up to 2, but it has 2 names of classes"


class TwoSplits:
    """A source whose test split has neither class 0 nor the highest one."""

    splits, default_resolution = ("train", "test"), None

    def open(self, split):
        from tfgans.data.items import ArrayItems

        labels = np.array([0, 1, 2] if split == "train" else [1, 1])
        return ArrayItems(np.zeros((len(labels), 8, 8, 1), np.uint8), labels)


def test_images_to_compare_with_may_lack_classes(caplog, monkeypatch):
    monkeypatch.setattr("tfgans.data.dataset.find_source", lambda *_, **__: TwoSplits())
    with caplog.at_level("INFO", "tfgans"):
        assert Dataset("digits", num_classes=3).reference_size() == 2
    line = "digits: split 'test', which generated images are compared with, has no image of classes 0, 2"
    assert caplog.messages == [line]
    assert Dataset("digits", classes=[2, 1]).reference_size() == 2
    assert refusal(Dataset("digits", classes=[2]).reference_size) == (
        "digits has no image of Dataset.classes = [2] in split 'test'"
    )


def test_classes_are_a_list_of_known_ones():
    assert refusal(Dataset, "digits", classes="12") == (
        "Dataset.classes is a list (each a text or an integer of at least 0) or None. Received: '12'"
    )
    assert refusal(Dataset, "photos", classes=["China"]) == (
        "Dataset.classes has an unknown class 'China' (did you mean 'china'?). "
        "Allowed: 0 to 1 or one of china, flower"
    )
    ring = Dataset("ring", classes=["6", 1])
    np.testing.assert_array_equal(ring.modes, Dataset("ring").modes[[6, 1]])


def test_names_with_line_breaks_leave_a_message_whole(tmp_path):
    """Commands show the first line of a message: what comes behind a name would be missing there."""
    folder(tmp_path, {"a\nb": 1, "c": 1})
    assert refusal(Dataset, f"folder:{tmp_path}", num_classes=1).startswith(
        f"folder:{tmp_path} has 2 classes ('a\\nb', c), and Dataset.num_classes = 1: set num_classes = 2"
    )
    (tmp_path / "c" / "00.png").rename(tmp_path / "x\ny.png")
    assert refusal(Dataset, f"folder:{tmp_path}").endswith(
        "directly in it (1, as 'x\\ny.png') and in sub-folders (1); it must be flat or have one sub-folder a class"
    )
    (tmp_path / "dataset.json").write_text('{"labels": [["gone.png", 0], ["a\\nb/00.png", 0]]}')
    assert refusal(Dataset, f"folder:{tmp_path}").endswith(
        "has no label for 1 of 2 images, such as 'x\\ny.png'; Dataset.use_labels = False trains without labels"
    )
