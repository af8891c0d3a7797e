"""The pictures of an evaluation: what they are given, what is drawn, what is left out."""

import json

import numpy as np
import pytest
from followed import Means, brute_force, random_images, typical
from matplotlib.figure import Figure
from PIL import Image

from tfgans.data import Dataset
from tfgans.evaluate import evaluation_figures, evaluation_pictures, frechet, prd, principal
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.evidence import Evidence
from tfgans.evaluate.features import NoFeatures
from tfgans.evaluate.frechet import Moments, frechet_distance
from tfgans.evaluate.statistics import Statistics, collect

NAMES = ("nearest.png", "map.png", "precision_recall.png", "fid_by_samples.png")


def evidence_of(dataset, images, extract=None):
    """As the evaluator fills it."""
    found, extract = Evidence(), extract or Means()
    real = np.concatenate([batch for batch, _ in dataset.reference()])
    found.reference = collect(extract, [real], len(real), len(real))
    found.sample = collect(
        extract, [images], len(images), len(images), 1, lambda x, out: found.take(x, out["features"])
    )
    return found


def drawn(monkeypatch):
    """What the figures are given, by the figure's name; it fills as they are drawn."""
    given = {}
    for name in ("nearest", "feature_map", "precision_recall", "frechet_by_size"):
        make = getattr(evaluation_figures, name)
        monkeypatch.setattr(
            evaluation_figures, name, lambda *a, make=make, name=name: given.update({name: a}) or make(*a)
        )
    return given


def test_evidence_is_the_first_images(monkeypatch):
    found = Evidence()
    for start in (0, 200):
        images = random_images(200, start)
        found.take(images, images[:, 0, 0].astype(np.float32))
    assert len(found.images) == len(found.features) == 256
    np.testing.assert_array_equal(found.images[:200], random_images(200, 0))
    np.testing.assert_array_equal(found.features, found.images[:, 0, 0])
    large = Evidence()
    large.take(np.zeros((9, 1024, 4096, 3), np.uint8), np.zeros((9, 2)))  # 12 MiB each
    assert len(large.images) == 6
    points = Evidence()
    points.take(np.zeros((9, 2)), np.zeros((9, 2)))
    assert len(points.images) == 0


def test_an_evaluation_with_pictures_measures_the_same(data):
    dataset, _ = data
    evaluator = Evaluator(Means(), num_samples=70, batch_size=40, metrics=("fid", "kid"), kernel_samples=20)
    images, results, found = random_images(70, 3), [], Evidence()
    for evidence in (None, found):
        left = iter([images[:40], images[40:]])
        results.append(evaluator(lambda count, left=left: next(left), dataset, evidence=evidence))
    assert results[0] == results[1]
    assert found.sample.kept.shape == (70, 16) and found.reference.kept.shape == (60, 16)
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_array_equal(found.features, Means()(images)["features"])


def test_all_pictures_are_whole_and_show_what_was_computed(data, tmp_path, monkeypatch, caplog):
    dataset, trained = data
    given = drawn(monkeypatch)
    images = random_images(300, 4)
    images[17] = trained[3]
    found = evidence_of(dataset, images)
    evaluation_pictures.draw(tmp_path / "out", found, Means(), dataset, tmp_path / "cache")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*NAMES, "curves.json"])
    for name in NAMES:
        with Image.open(tmp_path / "out" / name) as image:
            image.load()
            assert image.mode == "RGB" and image.width == 1120 and 600 < image.height < 2000, name
    assert not [line for line in caplog.messages if "left out" in line]

    groups, title = given["nearest"]
    assert title == "Nearest training images (30 searched)"
    (first, closest), (second, typical_ones) = groups.items()
    assert first == "The most similar of 256 generated images (by features)" and second.startswith(
        "The first"
    )
    np.testing.assert_array_equal(closest[0][1][0], images[17])  # the copy comes first
    np.testing.assert_array_equal(typical_ones[0][1], images[:6])
    index, distances = brute_force(found.features[:6], Means()(trained)["features"])
    np.testing.assert_array_equal(typical_ones[1][1], trained[index])
    scale = typical(Means()(trained)["features"])
    np.testing.assert_allclose(typical_ones[1][2], distances / scale, rtol=1e-4)
    index, _ = brute_force(images[:6].reshape(6, -1) / 255.0, trained.reshape(30, -1) / 255.0)
    np.testing.assert_array_equal(typical_ones[2][1], trained[index])
    assert closest[1][2][0] == pytest.approx(0.0, abs=1e-4) and np.all(np.diff(closest[1][2]) >= 0)

    curves = json.loads((tmp_path / "out/curves.json").read_text())
    reference, sample = found.reference, found.sample
    precision, recall = prd.curve(reference.kept, sample.kept)
    stored = curves["precision_recall"]
    np.testing.assert_allclose([stored["precision"], stored["recall"]], [precision, recall])
    stored = curves["fid_by_samples"]
    assert stored["fid"][-1] == pytest.approx(frechet_distance(reference.moments, sample.moments))
    expected = frechet.frechet_infinity(reference.moments, sample.kept)
    assert {name: stored[name] for name in expected} == pytest.approx(expected)
    assert stored["num_samples"] == frechet.infinity_sizes(300).tolist() and curves["features"] == "means"
    maps, name = given["feature_map"]
    assert [title for title, *_ in maps] == ["PCA", "t-SNE"] and name == "means"
    assert all(real.shape == fake.shape == (60, 2) for _, real, fake, _ in maps)


def test_features_of_the_evaluation_are_used_where_it_is_against_the_training_images(data, tmp_path, caplog):
    dataset = Dataset(data[0].source)
    found = evidence_of(dataset, random_images(40, 5))

    class Never(Means):
        def __call__(self, images):
            raise AssertionError("these features are known")

    assert left_out(tmp_path, caplog, found, Never(), dataset, tmp_path / "cache") == {}


def left_out(folder, caplog, *given):
    """Draws into a folder with older pictures; `(names that are there, reasons by name)`."""
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).write_bytes(b"of an earlier evaluation")
    caplog.clear()
    with pytest.MonkeyPatch.context() as patch:  # t-SNE takes a second
        patch.setattr(principal, "neighbour_map", lambda features: features[:, :2])
        evaluation_pictures.draw(folder, *given)
    there = {name for name in NAMES if (folder / name).exists()}
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in there)
    reasons = dict(line.split(" is left out: ") for line in caplog.messages if "left out" in line)
    assert reasons.keys() == set(NAMES) - there
    return reasons


def test_few_samples(data, tmp_path, caplog):
    dataset, _ = data
    reasons = left_out(
        tmp_path, caplog, evidence_of(dataset, random_images(29, 6)), Means(), dataset, tmp_path
    )
    assert reasons == {
        "precision_recall.png": "it needs 40 images a side, and there are 29",
        "fid_by_samples.png": "it needs 30 generated images, and there are 29",
    }
    reasons = left_out(
        tmp_path, caplog, evidence_of(dataset, random_images(3, 6)), Means(), dataset, tmp_path
    )
    assert reasons["map.png"] == "it needs 10 images a side, and there are 3" and len(reasons) == 3


def test_points(tmp_path, caplog, monkeypatch):
    given = drawn(monkeypatch)
    draws = np.random.default_rng(0)
    sides = [draws.normal(size=(50, 2)).astype(np.float32) for _ in range(2)]
    found = Evidence(*(Statistics(Moments(2).update(side), side) for side in sides))
    reasons = left_out(tmp_path, caplog, found, Means(), Dataset("ring"))
    assert reasons == {"nearest.png": "it is for images, and these are points"}
    ((_, real, fake, _),) = given["feature_map"][0]
    np.testing.assert_array_equal([real, fake], sides)


def test_statistics_alone(tmp_path, caplog):
    draws = np.random.default_rng(0)
    fake = draws.normal(size=(50, 4)).astype(np.float32)
    found = Evidence(Statistics(Moments(4).update(fake), fake[:0]), Statistics(Moments(4).update(fake), fake))
    alone = "these statistics hold mean and covariance alone"
    assert left_out(tmp_path, caplog, found, Means()) == {
        "nearest.png": "statistics hold no images", "map.png": alone, "precision_recall.png": alone,
    }  # fmt: skip


def test_features_that_say_nothing(data, tmp_path, caplog):
    dataset, _ = data
    images = random_images(50, 7)
    reasons = left_out(tmp_path, caplog, evidence_of(dataset, images, NoFeatures()), NoFeatures(), dataset)
    assert reasons == dict.fromkeys(NAMES[1:], "all images have the same features")  # nearest is by pixels
    found = evidence_of(dataset, images)
    found.sample.kept[3, 1] = np.nan
    found._features[0][3, 1] = np.nan
    reasons = left_out(tmp_path, caplog, found, Means(), dataset, tmp_path)
    assert reasons == dict.fromkeys(NAMES[1:], "the features are not all finite")
    larger = evidence_of(dataset, images, NoFeatures())
    larger._images = [random_images(50, 7, 16)]
    reasons = left_out(tmp_path, caplog, larger, NoFeatures(), dataset)
    assert reasons["nearest.png"] == "all images have the same features, and images are of two shapes"


def test_figures_have_titles_axes_and_legends(monkeypatch):
    """Every one is drawn on white and says what its axes are."""
    seen = []
    monkeypatch.setattr(
        evaluation_figures.figure_style, "pixels", lambda figure: seen.append(figure) or np.zeros((1, 1, 3))
    )
    counts = np.array([500, 5000, 7500, 10000])
    values = 10.0 + 5000.0 / counts
    line = frechet.infinity_line(counts[1:], values[1:])
    evaluation_figures.frechet_by_size(counts, values, line, 3, "inception")
    evaluation_figures.precision_recall(*prd.curve_of_shares(*np.full((2, 4), 0.25)), (0.5, 0.75), "a title")
    side = np.random.default_rng(0).normal(size=(20, 2))
    evaluation_figures.feature_map(
        [("PCA", side, side, ("a", "b")), ("t-SNE", side, side, None)], "inception"
    )
    for figure in seen:
        assert isinstance(figure, Figure) and figure.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
        assert all(axes.get_xlabel() and axes.get_title("left") for axes in figure.axes)
    (fid,), (curve,), (pca, _) = (figure.axes for figure in seen)
    assert fid.get_title("left") == "FID 10.5 at 10,000 samples, 10 ± " + fid.get_title("left").split("± ")[1]
    assert fid.get_ylabel().endswith("features: inception") and len(fid.get_legend().get_texts()) == 5
    assert fid.get_lines()[0].get_xdata().tolist() == [500] and fid.get_lines()[1].get_xdata().tolist() == [
        5000, 7500, 10000,
    ]  # fmt: skip
    assert "0.50" in curve.texts[1].get_text() and "0.75" in curve.texts[1].get_text()
    assert (pca.get_xlabel(), pca.get_ylabel()) == ("a", "b")
