"""Numbers of a digits classifier are for digits; other data have none of them, unless they are asked for."""

import logging
import types

import numpy as np
import pytest

from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures, NoFeatures, PointFeatures

METRICS = ["fid", "kid", "sliced_wasserstein", "spectrum"]


def data(name, class_names=None):
    return types.SimpleNamespace(name=name, source=f"npz:{name}.npz", class_names=class_names)


@pytest.mark.parametrize(
    ("name", "class_names", "suits"),
    [
        ("digits", None, True),
        ("my_Digits_32", None, True),
        ("mnist_train", None, True),
        ("svhn_cropped", list("0123456789"), True),
        ("own", ["3", "5"], True),
        ("photos", ["china", "flower"], False),
        ("fashion_mnist", None, False),
        ("fashion_mnist", ["Coat", "Bag"], False),
        ("mnist_of_letters", ["a", "b"], False),
        ("my_images", None, False),
    ],
)
def test_what_is_taken_for_digits(name, class_names, suits):
    reason = DigitsFeatures().unsuited(data(name, class_names))
    assert (reason is None) == suits
    assert suits or reason == f"the features of a digits classifier say nothing about npz:{name}.npz"
    assert DigitsFeatures(any_images=True).unsuited(data(name, class_names)) is None


def test_an_evaluator_leaves_them_out_in_one_line(caplog, tmp_path):
    evaluator = Evaluator(DigitsFeatures(), 64, metrics=[*METRICS, "intra_class"], cache_dir=tmp_path)
    evaluator.suit(data("digits"))
    assert not evaluator.of_images_alone and not caplog.records
    evaluator.suit(data("photos"))
    assert [record.getMessage() for record in caplog.records] == [
        "the features of a digits classifier say nothing about npz:photos.npz: fid, kid, intra_class left out; "
        "Evaluator.features = @InceptionFeatures() has them, or bind DigitsFeatures.any_images = True"
    ]
    assert evaluator.of_images_alone and evaluator.metrics == ("sliced_wasserstein", "spectrum")


def test_features_that_say_nothing_of_it_suit_everything(caplog):
    evaluator = Evaluator(PointFeatures(), metrics=["fid"])
    evaluator.suit(data("photos"))
    assert evaluator.metrics == ("fid",) and not caplog.records


def test_what_is_left_out_without_features_is_named(caplog):
    evaluator = Evaluator(NoFeatures(), metrics=[*METRICS, "intra_class"])
    with caplog.at_level(logging.INFO, "tfgans"):
        evaluator.suit(data("photos"))
        Evaluator(NoFeatures(), metrics=["spectrum"]).suit(data("photos"))
        Evaluator(NoFeatures(), metrics=["spectrum"], second_split="train").suit(data("photos"))
    assert caplog.messages == [
        "no features, so left out: fid, kid, intra_class; Evaluator.features = @InceptionFeatures() has them",
        "no features, so left out: second_split; Evaluator.features = @InceptionFeatures() has them",
    ]


class Images:
    """Sixteen noisy images of 16x16."""

    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3)).astype(np.uint8)

    def reference(self):
        yield self.pixels, None

    def reference_size(self):
        return 16

    def fingerprint(self):
        return "noise"


def test_without_features_there_are_the_metrics_of_images_alone(tmp_path):
    with_them, without = (
        Evaluator(features, 16, metrics=METRICS, cache_dir=tmp_path, spectrum_samples=16)
        for features in (DigitsFeatures(), NoFeatures())
    )
    generate = lambda count: Images.pixels[:count] // 2  # noqa: E731
    expected, found = with_them(generate, Images()), without(generate, Images())
    image_metrics = [name for name in expected if name.startswith(("sliced", "spectrum_distance"))]
    assert list(found) == [*image_metrics, "features", "num_samples", "num_reference", "spectrum_samples"]
    assert all(found[name] == expected[name] for name in image_metrics) and found["features"] == "none"
    assert len(image_metrics) == 4 and expected["fid"] > 0
