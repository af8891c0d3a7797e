"""The embedded classifier of glyphs: how good it is on fonts it has not seen, and which data it is for."""

import re
import types

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.data.glyphs import CHARACTERS, Glyphs
from tfgans.evaluate.classifier_features import GlyphsFeatures
from tfgans.run import sets


@pytest.fixture(scope="module")
def features():
    return GlyphsFeatures(batch_size=180)


def accuracy(features, resolution, gray=False):
    """Of 180 test images, five of each class."""
    items = Glyphs().open("test").at(resolution)
    pictures = [items.read(i) for i in range(180)]
    images = np.stack(
        [np.asarray(each.convert("L"))[..., None] if gray else np.asarray(each) for each in pictures]
    )
    outputs = features(images)
    assert outputs["features"].shape == (180, 48) and outputs["logits"].shape == (180, 36)
    return np.mean(outputs["logits"].argmax(axis=1) == items.labels[:180])


def test_it_is_as_good_as_its_docstring_says(features):
    said = float(re.search(r"has ([\d.]+) % of", GlyphsFeatures.__doc__)[1])
    assert said == pytest.approx(100 * features.accuracy, abs=0.05)
    assert accuracy(features, 32) == pytest.approx(features.accuracy, abs=0.025)  # 180 of 3,600 images


def test_other_sizes_and_gray_images_are_seen_as_well(features):
    assert accuracy(features, 64) > 0.95
    assert accuracy(features, 32, gray=True) > 0.95


def test_what_is_known_of_it(features):
    assert GlyphsFeatures.path.stat().st_size < 400_000
    assert (features.name, features.shape) == ("glyphs_classifier", [32, 32, 3])
    assert "".join(features.class_names) == CHARACTERS and len(features.fingerprint()) == 64
    assert sets.extractor("glyphs").name == "glyphs_classifier"


@pytest.mark.parametrize(
    ("source", "class_names", "suits"),
    [
        ("glyphs", list("07"), True),
        ("glyphs", None, True),
        ("folder:letters", ["A", "Q"], True),
        ("npz:plates.npz", list(CHARACTERS), True),
        ("digits", list("0123456789"), False),
        ("folder:letters", ["a", "b"], False),
        ("folder:mine", None, False),
        ("photos", ["china", "flower"], False),
    ],
)
def test_what_is_taken_for_glyphs(features, source, class_names, suits):
    data = types.SimpleNamespace(name=source, source=source, class_names=class_names)
    reason = features.unsuited(data)
    assert reason == (None if suits else f"the features of a classifier of glyphs say nothing about {source}")
    assert GlyphsFeatures(any_images=True).unsuited(data) is None


def test_a_package_without_it_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(GlyphsFeatures, "path", tmp_path / "glyphs_classifier.keras")
    with pytest.raises(ConfigError, match="^the package lacks glyphs_classifier.keras: install tfgans again"):
        GlyphsFeatures()
