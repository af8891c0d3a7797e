"""Metrics of an evaluation that need more than features: spatial ones, training images, paths, classes."""

import logging

import keras
import numpy as np
import pytest
from short_runs import CONFIG, rows, run
from streams import stream

from tfgans.compare import collect
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import memorization, metrics
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures
from tfgans.evaluate.frechet import frechet_distance_of
from tfgans.evaluate.keras_features import KerasFeatures
from tfgans.run import after


@pytest.fixture(scope="module")
def spatial(tmp_path_factory):
    """Features of 8x8 images: their mean, and as spatial ones means of 4x4 pixels."""
    images = keras.Input((8, 8, 3))
    maps = keras.layers.AveragePooling2D(4, name="maps")(images)
    file = tmp_path_factory.mktemp("model") / "own.keras"
    keras.Model(images, keras.layers.GlobalAveragePooling2D(name="pooled")(maps)).save(file)
    rules = {"size": 8, "resize": "asymmetric", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return KerasFeatures(str(file), "own", "pooled", spatial_layer="maps", **rules)


def means(images):
    """Gray images' means of 4x4 pixels, three times: float64 [n, 12]."""
    blocks = images[..., 0].reshape(-1, 2, 4, 2, 4).mean(axis=(2, 4)) / 255.0
    return blocks.repeat(3, axis=-1).reshape(len(images), 12)


def test_sfid_is_of_spatial_features(tmp_path, spatial):
    data = Dataset("digits")
    real = np.concatenate([images for images, _ in data.reference()])
    fake = np.concatenate([images for images, _ in data.examples()])[:300]
    evaluator = Evaluator(spatial, 300, 70, metrics=["fid", "sfid"], cache_dir=tmp_path, second_split="train")
    evaluator.check()
    found = evaluator(stream(fake), data)
    assert found["sfid"] == pytest.approx(frechet_distance_of(means(real), means(fake)), rel=1e-3, abs=1e-6)
    train = np.concatenate([images for images, _ in data.examples()])
    expected = frechet_distance_of(means(train), means(fake))
    assert found["sfid_train"] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert found["sfid"] != pytest.approx(found["fid"], rel=0.1)
    alone = Evaluator(spatial, 300, 70, metrics=["fid"], cache_dir=tmp_path)(stream(fake), data)
    assert alone["fid"] == found["fid"]
    with pytest.raises(ConfigError, match="sfid needs spatial features, and digits_classifier has none"):
        Evaluator(DigitsFeatures(), 300, metrics=["sfid"])


def test_nearest_in_parts(monkeypatch):
    draws = np.random.default_rng(0)
    points, others = draws.normal(size=(20, 3)), draws.normal(size=(17, 3))
    others[11] = others[2]  # of equally near ones the first
    points[4] = others[2]
    distances = np.linalg.norm(points[:, None] - others[None], axis=2)
    for size in (8192, 5):
        monkeypatch.setattr(memorization, "_OTHERS", size)
        index, found = memorization.nearest(points, others)
        np.testing.assert_array_equal(index, distances.argmin(axis=1))
        np.testing.assert_allclose(found, distances.min(axis=1), atol=1e-7)
    assert index[4] == 2


def test_copying_is_both_numbers_of_the_same_distances():
    draws = np.random.default_rng(1)
    train, held_out, fake = (draws.normal(size=(n, 4)) for n in (60, 30, 40))
    assert memorization.copying(train, fake, held_out) == {
        "nearest_ratio": memorization.nearest_ratio(train, fake, held_out),
        "copying_score": memorization.copying_score(train, fake, held_out),
    }
    copies = memorization.copying(train, train[:40], held_out)
    assert copies["nearest_ratio"] < 1e-6 and copies["copying_score"] < -5
    assert list(memorization.copying(train, fake, train[:30])) == ["copying_score"]


def test_copies_are_told_from_new_images(tmp_path, caplog):
    data = Dataset("digits", fraction=0.7)
    assert data.held_out() is data and data.trained_on().reference_size() == data.num_examples == 1006
    assert Dataset("digits", evaluation_split="train").held_out().reference_size() == 359
    train = np.concatenate([images for images, _ in data.trained_on().reference()])
    held_out = np.concatenate([images for images, _ in data.reference()])
    options = {"metrics": ["copying"], "neighbour_samples": 300, "cache_dir": tmp_path}
    evaluator = Evaluator(DigitsFeatures(), 300, **options)
    copies, new = (evaluator(stream(images), data) for images in (train, held_out))
    assert copies["nearest_ratio"] < 1e-3 and copies["copying_score"] < -15
    assert new["nearest_ratio"] == pytest.approx(1.0, abs=0.1) and abs(new["copying_score"]) < 2
    other = Dataset("digits", fraction=0.6)
    prints = {each.trained_on().fingerprint() for each in (data, other, Dataset("digits", fraction=0.7))}
    assert len(prints) == 2
    alone = Dataset("digits", split="test")
    assert alone.held_out() is None
    with caplog.at_level(logging.WARNING):
        assert "nearest_ratio" not in evaluator(stream(held_out), alone)
    assert caplog.messages[-1].endswith("no images are held out of training")


FURTHER = ("copying", "ppl_z", "classification_accuracy_score")
OPTIONS = (
    f"Evaluator.metrics = {[*metrics.DEFAULT, *FURTHER]}",
    "Evaluator.path_length = @PathLength()",
    "PathLength.samples = 20",
    "PathLength.sampling = 'full'",
    "Evaluator.classification = @ClassificationScore()",
    "ClassificationScore.samples = 60",
    "ClassificationScore.epochs = 1",
)
VALUES = ("nearest_ratio", "copying_score", "ppl_z_full_digits_classifier", "classification_accuracy_score")


@pytest.mark.slow
def test_a_run_measures_them_and_nothing_else_changes(tmp_path, eagerly):
    gin_file = tmp_path / "run.gin"
    gin_file.write_text(CONFIG + "GAN.num_classes = %num_classes\ntrain.steps = 1\n")
    run(str(gin_file), tmp_path / "plain")
    run(str(gin_file), tmp_path / "further", *OPTIONS)
    plain, further = rows(tmp_path / "plain"), rows(tmp_path / "further")
    for before, row in zip(plain, further, strict=True):
        assert (row["ppl_samples"], row["classification_samples"]) == (20, 60)
        assert 0.0 <= row["classification_accuracy_score"] <= 1.0
        assert row["nearest_ratio"] > 0.1 and row["ppl_z_full_digits_classifier"] > 0
        own = (*VALUES, "ppl_samples", "classification_samples")
        others = {k: v for k, v in row.items() if k not in own and not k.endswith("_seconds")}
        assert others == {k: v for k, v in before.items() if not k.endswith("_seconds")}
    shown = collect.read_run(tmp_path / "further", tmp_path)["evaluations"][-1]["metrics"]
    assert {*VALUES} < shown.keys() and not {"ppl_samples", "classification_samples"} & shown.keys()
    keras.backend.clear_session()
    again = after.evaluate(tmp_path / "further")
    assert {k: again[k] for k in VALUES} == {k: pytest.approx(further[-1][k], rel=1e-4) for k in VALUES}


def test_a_run_without_styles_is_refused_paths_in_w_before_it_trains(tmp_path):
    gin_file = tmp_path / "run.gin"
    gin_file.write_text(CONFIG)
    with pytest.raises(ConfigError, match="^ppl_w: the generator has no styles"):
        run(str(gin_file), tmp_path / "run", "Evaluator.metrics = ['fid', 'ppl_w']")
    assert not (tmp_path / "run").exists()
