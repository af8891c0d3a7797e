"""Classification accuracy score: what a classifier of generated images says of real ones."""

import logging
import random
import types

import keras
import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.evaluate import classifier
from tfgans.evaluate.classification_score import ClassificationScore


def shapes(labels, seed=0):
    """8x8 gray: a bright stripe where the class says, on noise."""
    images = np.random.default_rng(seed).integers(0, 60, (len(labels), 8, 8, 1))
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 1] += 180
    return images.astype(np.uint8)


class Real:
    """Real images of three classes, as a data set to compare with."""

    num_classes = 3

    def __init__(self, size=8, labelled=True):
        self.labels = np.arange(30) % 3
        self.images = shapes(self.labels, 5).repeat(size // 8, 1).repeat(size // 8, 2)
        self.labelled = labelled

    def reference(self):
        for start in range(0, 30, 7):
            yield self.images[start : start + 7], None

    def reference_labels(self):
        return self.labels if self.labelled else None


def of_class_as(shown, size=8):
    """of_class(label) of a generator that draws class shown[label]."""

    def of_class(label):
        count_made = 0

        def generate(count):
            nonlocal count_made
            count_made += count
            images = shapes(np.full(count, shown[label]), 100 * label + count_made)
            return images.repeat(size // 8, 1).repeat(size // 8, 2)

        return generate

    return of_class


SMALL = {"samples": 89, "epochs": 6, "batch_size": 16}


@pytest.mark.slow
def test_a_generator_of_the_classes_teaches_them_and_one_that_mixes_them_up_does_not():
    right = ClassificationScore(**SMALL)(of_class_as([0, 1, 2]), Real(), 20)
    assert right == {"classification_accuracy_score": 1.0, "classification_samples": 90}
    turned = ClassificationScore(**SMALL)(of_class_as([1, 2, 0]), Real(), 20)
    assert turned["classification_accuracy_score"] == 0.0


def test_it_repeats_itself_and_leaves_no_trace(eagerly):
    keras.config.set_dtype_policy("mixed_bfloat16")
    state, seen = random.getstate(), []
    score = ClassificationScore(30, epochs=1, batch_size=16, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        fit = classifier.fit
        patch.setattr(classifier, "fit", lambda *given: (seen.append(fit(*given)), seen[-1])[-1])
        for _ in range(2):
            score(of_class_as([0, 1, 2]), Real(), 20)
    weights = [np.concatenate([w.ravel() for w in model.get_weights()]) for model in seen]
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-6)
    assert seen[0].compute_dtype == "float32"
    assert random.getstate() == state and keras.config.dtype_policy().name == "mixed_bfloat16"


def test_large_images_are_squashed_on_both_sides(monkeypatch, eagerly):
    sizes = []
    fit, accuracies = classifier.fit, classifier.accuracies

    def seen_by_fit(data, *given):
        sizes.append(data.item_shape)
        return fit(data, *given)

    def seen_by_accuracies(model, batches, count):
        batches = list(batches)
        sizes.append(batches[0][0].shape[1:])
        assert sum(len(labels) for _, labels in batches) == 30
        return accuracies(model, batches, count)

    monkeypatch.setattr(classifier, "fit", seen_by_fit)
    monkeypatch.setattr(classifier, "accuracies", seen_by_accuracies)
    score = ClassificationScore(6, resolution=8, epochs=1)
    score(of_class_as([0, 1, 2], 16), Real(16), 2)
    assert sizes == [(8, 8, 1), (8, 8, 1)]


def test_without_classes_or_labels_there_is_none_and_the_log_says_so_once(caplog):
    score = ClassificationScore(**SMALL)
    with caplog.at_level(logging.WARNING):
        assert score(None, Real(), 20) == score(None, Real(), 20) == {}
        assert ClassificationScore(**SMALL)(of_class_as([0, 1, 2]), Real(labelled=False), 20) == {}
    assert caplog.messages == [
        "there is no classification_accuracy_score: the model has no classes",
        "there is no classification_accuracy_score: the real images have no labels",
    ]


def test_what_cannot_be_is_one_line():
    several = types.SimpleNamespace(distribute_strategy=types.SimpleNamespace(num_replicas_in_sync=2))
    with pytest.raises(ConfigError, match="trains a classifier, on one device: measure it after training"):
        ClassificationScore().check(Real(), several)
    one, strange = Real(), Real()
    one.num_classes, strange.labels = 1, np.full(30, 3)
    with pytest.raises(ConfigError, match="classification_accuracy_score needs two classes. Received: 1"):
        ClassificationScore().check(one)
    with pytest.raises(ConfigError, match=r"labels are integers in \[0, 3\)"):
        ClassificationScore().check(strange)
