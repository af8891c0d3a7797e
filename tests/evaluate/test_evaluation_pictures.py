"""The pictures of an evaluation: what is searched and computed for them, what is drawn, what is left out."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import evaluation_figures, evaluation_pictures, frechet, nearest_images, prd, principal
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.evidence import Evidence
from tfgans.evaluate.features import NoFeatures
from tfgans.evaluate.frechet import Moments, frechet_distance
from tfgans.evaluate.statistics import Statistics, collect, kept_items

NAMES = ("nearest.png", "map.png", "precision_recall.png", "fid_by_samples.png")


class Means:
    """Features that one can follow: the means of rows and columns of images, 8 x 8."""

    name = "means"

    def __call__(self, images):
        images = np.asarray(images, np.float32)[..., 0] / 255.0
        return {"features": np.concatenate([images.mean(axis=1), images.mean(axis=2)], axis=1)}

    def check(self):
        pass

    def fingerprint(self):
        return self.name


def random_images(count, seed, size=8):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 1), np.uint8)


@pytest.fixture
def data(tmp_path):
    """A data set of 60 images of which it trains on half, and those images in its order."""
    np.savez(tmp_path / "images.npz", images=random_images(60, 0))
    dataset = Dataset(f"npz:{tmp_path / 'images.npz'}", fraction=0.5)
    return dataset, np.concatenate([batch for batch, _ in dataset.examples()])


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


def brute_force(points, others):
    """`(index, distances)` in float64, pair by pair."""
    pairs = np.array([[np.sqrt(np.sum((p - o) ** 2)) for o in others] for p in points.astype(np.float64)])
    return pairs.argmin(axis=1), pairs.min(axis=1)


def typical(points):
    points = points.astype(np.float64)
    pairs = np.array([[np.sqrt(np.sum((p - o) ** 2)) for o in points] for p in points])
    np.fill_diagonal(pairs, np.inf)
    return np.median(pairs.min(axis=1))


def test_nearest_in_features_and_in_pixels_by_brute_force(data):
    dataset, trained = data
    images = random_images(9, 1)
    images[4] = trained[7]
    features, theirs = Means()(images)["features"], Means()(trained)["features"]
    found = nearest_images.in_features(features, theirs)
    index, distances = brute_force(features, theirs)
    np.testing.assert_array_equal(found.items, index)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-6)
    assert found.typical == pytest.approx(typical(theirs), rel=1e-5)
    found = nearest_images.in_pixels(images, dataset.trained_on())
    flat = [array.reshape(len(array), -1) / 255.0 for array in (images, trained)]
    index, distances = brute_force(*flat)
    np.testing.assert_array_equal(found.items, index)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-6)
    assert found.typical == pytest.approx(typical(flat[1]), rel=1e-5)
    assert (found.items[4], found.distances[4]) == (7, pytest.approx(0.0, abs=1e-6))
    np.testing.assert_allclose(found.ratios(), found.distances / found.typical)


def test_pixels_are_searched_over_many_batches_and_without_the_image_itself(tmp_path):
    """One image of 600 has a twin: the others' distances to themselves must not count."""
    images = random_images(600, 2)
    np.savez(tmp_path / "many.npz", images=images)
    training = Dataset(f"npz:{tmp_path / 'many.npz'}").trained_on()
    found = nearest_images.in_pixels(images[[599, 0, 256, 255]], training)
    assert found.items.tolist() == [599, 0, 256, 255] and found.typical > 1.0
    part = training.part(np.array([599, 3, 256]))
    assert nearest_images.in_pixels(images[[256, 599]], part).items.tolist() == [2, 0]


def test_large_images_are_averaged_down():
    images = np.zeros((1, 130, 100, 2), np.uint8)
    images[0, :3, :3, 1] = 255
    small = nearest_images.averaged_down(images).reshape(1, 43, 33, 2)  # squares of 3 x 3, the rest is cut
    assert small[0, 0, 0].tolist() == [0.0, 1.0] and small.sum() == 1.0
    np.testing.assert_allclose(
        nearest_images.averaged_down(images[:, :64, :64]), images[:, :64, :64].reshape(1, -1) / 255.0
    )


def test_twins_have_no_scale():
    assert np.isnan(nearest_images.Neighbours(np.zeros(2, int), np.ones(2), 0.0).ratios()).all()
    one = nearest_images.in_features(np.ones((2, 3)), np.zeros((1, 3)))
    assert one.items.tolist() == [0, 0] and np.isnan(one.ratios()).all()


def test_curve_of_shares_by_hand():
    """At 22.5, 45 and 67.5 degrees."""
    slopes = np.array([np.sqrt(2) - 1, 1.0, np.sqrt(2) + 1])
    half, first = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    precision, recall = prd.curve_of_shares(half, half, 3)
    np.testing.assert_allclose(precision, np.minimum(slopes, 1.0))
    np.testing.assert_allclose(recall, np.minimum(1.0, 1.0 / slopes))
    precision, recall = prd.curve_of_shares(half, first, 3)  # all precise, half of the variety
    np.testing.assert_allclose(precision, np.minimum(slopes / 2, 1.0))
    np.testing.assert_allclose(recall, np.minimum(0.5, 1.0 / slopes))
    assert np.all(prd.curve_of_shares(first, first[::-1], 3) == np.zeros((2, 3)))


def test_curve_of_a_half_of_the_modes():
    draws = np.random.default_rng(0)
    modes = 100.0 * draws.normal(size=(4, 70))

    def points(count, modes):
        return (modes[draws.integers(len(modes), size=count)] + draws.normal(size=(count, 70))).astype("f4")

    real = points(600, modes)
    precision, recall = prd.curve(real, points(500, modes[:2]))
    share = np.mean(brute_force(real[:500], modes)[0] < 2)
    assert precision.max() == pytest.approx(1.0, abs=0.02) and recall.max() == pytest.approx(share, abs=0.02)
    assert prd.largest_f(precision, recall, 8.0) < 0.6 and prd.largest_f(precision, recall, 1 / 8) > 0.9
    precision, recall = prd.curve(real, real)
    np.testing.assert_allclose(np.maximum(precision, recall), 1.0)  # the corner
    again = prd.curve(real, points(500, modes[:1]))
    assert again[1].max() < share and np.all(prd.curve(real, real) == np.array([precision, recall]))
    with pytest.raises(ConfigError, match="of 20 clusters needs more samples: 20 a side"):
        prd.curve(real, real[:20])


def test_f_by_hand():
    """F_1 of (1/2, 1/2) is 1/2, of (1, 1/4) 2/5; F_2 = 5 p r / (4 p + r) of the latter 5/17."""
    precision, recall = np.array([0.5, 1.0, 0.0]), np.array([0.5, 0.25, 0.0])
    assert prd.largest_f(precision, recall, 1.0) == pytest.approx(0.5)
    assert prd.largest_f(precision[1:], recall[1:], 1.0) == pytest.approx(0.4)
    assert prd.largest_f(precision[1:], recall[1:], 2.0) == pytest.approx(5 / 17)


def test_principal_components_are_those_of_the_singular_value_decomposition():
    features = (np.random.default_rng(0).normal(size=(40, 6)) * [9, 5, 3, 1, 1, 1]).astype(np.float32) + 100
    scores, shares = principal.principal_components(features, 2)
    u, s, _ = np.linalg.svd(features.astype(np.float64) - features.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(np.abs(scores), np.abs(u[:, :2] * s[:2]), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(shares, (s**2 / np.sum(s**2))[:2], rtol=1e-4)
    assert principal.principal_components(features[:3], 50)[0].shape == (3, 3)


def test_two_clusters_are_apart_in_the_map_of_neighbours():
    draws = np.random.default_rng(0)
    features = np.concatenate([draws.normal(size=(30, 5)), 50 + draws.normal(size=(30, 5))])
    found = principal.neighbour_map(features)
    index, _ = brute_force(found, np.array([found[:30].mean(axis=0), found[30:].mean(axis=0)]))
    assert index.tolist() == [0] * 30 + [1] * 30


def test_distances_by_the_number_of_samples():
    draws = np.random.default_rng(0)
    real, fake = draws.normal(size=(200, 3)), draws.normal(size=(120, 3)) + 0.5
    moments = Moments(3).update(real)
    orders = [np.arange(120), np.arange(120)[::-1]]
    found = frechet.frechet_by_size(moments, fake, [50, 120], orders=orders)
    expected = [frechet_distance(moments, Moments(3).update(part)) for part in (fake[:50], fake)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    line = frechet.infinity_line(np.array([10, 20, 40]), 3.0 + 5.0 / np.array([10, 20, 40]))
    assert line["fid_infinity"] == pytest.approx(3.0) and line["fid_infinity_slope"] == pytest.approx(5.0)


def test_rows_of_what_is_kept_are_known_items():
    items = np.arange(50, dtype=np.float32)[:, None]
    found = collect(lambda x: {"features": x}, [items[:20], items[20:]], 50, 30)
    np.testing.assert_array_equal(found.kept[:, 0], kept_items(50, 30))


def test_what_is_trained_on(data):
    dataset, trained = data
    training = dataset.trained_on()
    assert training.reference_size() == 30 and training.fingerprint() != dataset.fingerprint()
    np.testing.assert_array_equal(np.concatenate([images for images, _ in training.reference()]), trained)
    np.testing.assert_array_equal(next(training.part([5, 1]).reference([1, 0]))[0], trained[[1, 5]])
    some = dataset.trained_on(12)
    assert (
        some.reference_size() == 12 and len({dataset.trained_on(12).fingerprint(), some.fingerprint()}) == 1
    )
    assert training.fingerprint() != some.fingerprint()
    whole = Dataset(dataset.source)
    assert whole.trained_on().fingerprint() == whole.fingerprint()


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
