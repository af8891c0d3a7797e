"""Which values rows of evaluations will have is known before anything is measured."""

import types

import numpy as np
import pytest
from streams import stream

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import classification_score, metrics, value_names
from tfgans.evaluate.classification_score import ClassificationScore
from tfgans.evaluate.duality import WithDualityGap
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures, NoFeatures, PointFeatures
from tfgans.evaluate.path_length import PathLength

CLASSES = types.SimpleNamespace(num_classes=10)


@pytest.fixture(autouse=True)
def no_classifier(monkeypatch):
    monkeypatch.setattr(classification_score.classifier, "fit", lambda *_: None)
    monkeypatch.setattr(classification_score.classifier, "accuracies", lambda *_: (None, 0.5))


def closeness(real, fake):
    return abs(real.mean() - fake.mean())


class Logitless(DigitsFeatures):
    has_logits = False

    def __call__(self, images):
        return {"features": super().__call__(images)["features"]}


class NothingTrained(ClassificationScore):
    """Without the classifier, which takes longer to train than all else here."""

    def _generated(self, of_class, num_classes, batch_size):
        return types.SimpleNamespace(num_examples=20, side=8)


def measured(evaluator, dataset, images, classes=True):
    """The values that an evaluation has."""

    def of_class(label):
        return stream(images)

    def paths(space, step, full):
        return lambda count: (np.zeros((count, 8, 8, 1), np.float32),) * 2

    row = evaluator(
        stream(images), dataset, of_class if classes else None, paths if images.ndim == 4 else None
    )
    return {name for name, value in row.items() if metrics.is_value(name, value)}


def digits(**options):
    return Dataset("digits", 16, resolution=8, num_classes=10, **options)


def quick(features, names, tmp_path, **options):
    options["classification"] = NothingTrained(samples=20, epochs=1)
    options["path_length"] = PathLength(samples=4, sampling="full")
    return Evaluator(features, 60, metrics=names, cache_dir=tmp_path, neighbour_samples=60, **options)


def images_like(dataset, count=60):
    return next(iter(dataset.reference(limit=count)))[0]


def test_they_are_those_that_all_metrics_give(tmp_path):
    names = [name for name in metrics.NAMES if name != "sfid"]  # digits' features have no positions
    dataset = digits()
    evaluator = quick(DigitsFeatures(), [*names, closeness], tmp_path, second_split="train")
    expected = measured(evaluator, dataset, images_like(dataset))
    known = evaluator.values(dataset, CLASSES)
    assert set(known) == expected and len(known) == len(expected) and set(evaluator.values()) == expected
    assert {"closeness", "closeness_train", "ppl_w_full_digits_classifier", "nearest_ratio"} <= expected


@pytest.mark.parametrize("case", ["no classes", "no logits", "nothing held out", "small", "points"])
def test_what_data_model_and_features_do_not_allow_is_not_among_them(case, tmp_path):
    names = ["fid", "inception_score", "class_coverage", "intra_class", "classification_accuracy_score"]
    names += ["copying", "ppl_z", "sliced_wasserstein", "spectrum"]
    options = {"evaluation_split": "train"} if case == "nothing held out" else {}
    features = {"no logits": Logitless, "points": PointFeatures}.get(case, DigitsFeatures)()
    dataset = Dataset("ring", 16) if case == "points" else digits(**options)
    if case == "nothing held out":
        dataset = types.SimpleNamespace(item_shape=(8, 8, 1), modes=None, held_out=lambda: None)
    if case == "small":
        dataset = Dataset("digits", 16, resolution=4, num_classes=10)
    if case == "no classes":
        model, classes = types.SimpleNamespace(num_classes=None), False
    else:
        model, classes = types.SimpleNamespace(num_classes=None if case == "points" else 10), case != "points"
    known = set(quick(features, names, tmp_path).values(dataset, model))
    if case != "nothing held out":
        images = images_like(dataset)
        assert known == measured(quick(features, names, tmp_path), dataset, images, classes)
    lacking = {
        "no classes": {"intra_fid", "intra_recall", "classification_accuracy_score"},
        "no logits": {"inception_score", "classes_covered", "class_kl"},
        "nothing held out": {"nearest_ratio", "copying_score"},
        "small": {"sliced_wasserstein", "spectrum_distance"},
        "points": {"sliced_wasserstein", "spectrum_distance", "ppl_z_full_points", "inception_score"},
    }[case]
    every = set(value_names.named(names)) | {"ppl_z_full_points"}
    assert not lacking & known and lacking <= every
    assert ("modes_covered" in known) == (case == "points")


def test_the_gap_comes_last_and_what_was_left_out_may_still_be_named():
    of_images = Evaluator(NoFeatures(), metrics=["fid", "spectrum", closeness], second_split="train")
    known = of_images.values()
    assert known == ["spectrum_distance", "spectrum_distance_high", "spectrum_distance_all"]
    assert {"fid", "fid_train", "closeness", "modes_covered"} - of_images.values_left_out == {"modes_covered"}
    both = WithDualityGap(of_images, None, None)
    assert both.values() == [*known, "duality_gap", "duality_minmax", "duality_maxmin"]
    assert Evaluator(DigitsFeatures(), metrics=["fid"]).values_left_out == set()
    value_names.check("x.y", "fid", known, of_images.values_left_out)
    said = f"^x.y is one of {', '.join(known)}, which are measured. Received: "
    with pytest.raises(ConfigError, match=said + "spectrum_distanc$"):
        value_names.check("x.y", "spectrum_distanc", known, of_images.values_left_out)
