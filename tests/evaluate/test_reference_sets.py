"""Which images generated ones are compared with: one split or two, mirrored or not; rows say which."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import metrics
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures, PointFeatures

METRICS = ["fid", "inception_score", "kid", "precision_recall"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twelve gray images of 8x8 in two classes."""
    path = tmp_path_factory.mktemp("reference") / "own.npz"
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8)).astype(np.uint8)
    np.savez(path, images=images, labels=np.arange(12) % 2)
    return f"npz:{path}", images[..., None]


def test_mirror_images_come_after_all_others(data):
    source, images = data
    dataset = Dataset(source, evaluation_flip=True)
    found = np.concatenate([batch for batch, _ in dataset.reference(batch_size=5)])
    np.testing.assert_array_equal(found, np.concatenate([images, images[:, :, ::-1]]))
    assert dataset.reference_size() == 24 and dataset.num_examples == 12
    labels = np.concatenate([labels for _, labels in dataset.reference()])
    assert labels.tolist() == dataset.reference_labels().tolist() == 2 * [0, 1] * 6
    some = next(dataset.reference(indices=[1, 13, 0]))[0]
    np.testing.assert_array_equal(some, [images[1], images[1][:, ::-1], images[0]])
    assert len(next(dataset.reference(limit=20))[0]) == 20
    plain = Dataset(source)
    np.testing.assert_array_equal(next(dataset.reference("train"))[0], images)  # only what is compared with
    assert dataset.reference_size("train") == 12
    assert dataset.fingerprint("train") == plain.fingerprint() != dataset.fingerprint()


def test_mirror_images_of_a_place_of_its_own(data):
    source, images = data
    dataset = Dataset("digits", evaluation_source=source, evaluation_flip=True)
    found = np.concatenate([batch for batch, _ in dataset.reference()])
    np.testing.assert_array_equal(found, np.concatenate([images, images[:, :, ::-1]]))
    assert (dataset.reference_size(), len(dataset.reference_labels())) == (24, 24)
    assert dataset.fingerprint() == Dataset(source, evaluation_flip=True).fingerprint()


def test_what_rows_say_of_it(data):
    source, _ = data
    for dataset, reference, flipped in (
        (Dataset("digits"), "digits test", False),
        (Dataset("digits", evaluation_split="train"), "digits train", False),
        (Dataset(source, evaluation_flip=True), f"{source} train", True),
        (Dataset("digits", evaluation_source=source), f"{source} train", False),
        (Dataset(source, resolution=8, evaluation_source="digits"), "digits test", False),
    ):
        assert dataset.reference_facts() == {"reference": reference, "reference_flipped": flipped}


def measured(dataset, folder, **options):
    generate = lambda count: np.resize(Dataset("digits").examples().__next__()[0], (count, 8, 8, 1))  # noqa: E731
    return Evaluator(DigitsFeatures(), 300, metrics=METRICS, cache_dir=folder, **options)(generate, dataset)


def test_two_splits_in_one_evaluation(tmp_path):
    """Each value is what an evaluation against that split alone gives."""
    both = measured(Dataset("digits"), tmp_path, second_split="train")
    test = measured(Dataset("digits"), tmp_path)
    train = measured(Dataset("digits", evaluation_split="train"), tmp_path)
    compared = ["fid", "kid", "kid_std", "precision", "recall"]
    assert {f"{name}_train": train[name] for name in compared}.items() <= both.items()
    assert test.items() <= both.items() and test["fid"] != train["fid"]
    assert both.keys() - test.keys() == {f"{name}_train" for name in (*compared, "num_reference")}
    assert (both["num_reference"], both["num_reference_train"]) == (359, 1438)
    assert (both["reference"], train["reference"]) == ("digits test", "digits train")


def test_a_split_that_is_not_there_or_is_compared_with_already(data, tmp_path):
    source, _ = data
    for dataset, split, message in (
        (Dataset("digits"), "valid", "digits has no split 'valid'. Allowed: train, test"),
        (Dataset("digits"), "test", "compared with digits's split 'test' already"),
        (Dataset(source), "test", "has no split 'test'. Allowed: train"),
        (Dataset(source), "train", "split 'train' already"),
    ):
        with pytest.raises(ConfigError, match=message):
            Evaluator(PointFeatures(), cache_dir=tmp_path, second_split=split).suit(dataset)
    other = Dataset(source, resolution=8, evaluation_source="digits")
    assert other.against("train").reference_size() == 12  # the data's own beside those of another place
    with pytest.raises(ConfigError, match="Dataset.evaluation_flip is for images; ring has points"):
        Dataset("ring", evaluation_flip=True)


def test_comparisons_know_which_values_of_a_second_split_are_better_high():
    names = ("fid_test", "kid_train", "precision_test", "coverage_train", "auth_pct_test", "recall", "kid")
    assert [metrics.higher_is_better(name) for name in names] == [False, False, True, True, True, True, False]
    row = {
        "fid": 1.0,
        "fid_test": 2.0,
        "num_reference": 3,
        "num_reference_test": 4,
        "reference_flipped": False,
    }
    assert metrics.values_of(row | {"reference": "digits test"}) == {"fid": 1.0, "fid_test": 2.0}


def test_how_sure_a_value_is_is_no_metric_of_a_second_split_either():
    row = {"kid": 1.0, "kid_subsets": 2.0, "fid_infinity": 3.0}
    sure = {"kid_std": 0.1, "kid_subsets_std": 0.1, "fid_infinity_slope": 4.0, "fid_infinity_error": 0.1}
    both = {f"{name}{end}": value for end in ("", "_train") for name, value in (row | sure).items()}
    assert metrics.values_of(both) == row | {f"{name}_train": value for name, value in row.items()}
