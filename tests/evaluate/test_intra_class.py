"""Diversity within classes: each class alone against its real images, beside metrics that stay as they are."""

import json
import logging
import types
from unittest import mock

import keras
import numpy as np
import pytest
import scipy.linalg
from PIL import Image
from short_runs import CONFIG, rows, run
from streams import stream
from toys import image_networks

from tfgans import GAN
from tfgans.compare import collect
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.digits import digits_split
from tfgans.evaluate import metrics
from tfgans.evaluate.duality import WithDualityGap
from tfgans.evaluate.evaluator import HIGHER_IS_BETTER, Evaluator
from tfgans.evaluate.features import DigitsFeatures, PointFeatures
from tfgans.evaluate.frechet import Moments, frechet_distance, frechet_distance_of
from tfgans.run import after
from tfgans.run.plan import Plan
from tfgans.run.searching import SearchRun

NAMES = ("intra_fid", "intra_fid_worst", "intra_recall", "intra_recall_worst")
COUNTED = ("intra_samples", "intra_left_out")
LISTS = ("intra_fid_by_class", "intra_recall_by_class")


class Points:
    """Real points with labels, in mixed order."""

    class_names = None

    def __init__(self, points, labels, num_classes=None):
        order = np.random.RandomState(5).permutation(len(points))
        self.points, self.labels = points[order].astype(np.float32), np.asarray(labels)[order]
        self.num_classes = num_classes or int(self.labels.max()) + 1

    def reference(self, indices=None):
        indices = np.arange(len(self.points)) if indices is None else indices
        for start in range(0, len(indices), 7):
            part = indices[start : start + 7]
            yield self.points[part], self.labels[part]

    def reference_labels(self):
        return self.labels

    def reference_size(self):
        return len(self.points)

    def fingerprint(self):
        return f"{self.points.sum()} {len(self.points)}"


def clouds(counts, width=3, spread=1.0, seed=0, shift=0.0):
    """(points, labels): around 10 k for class k, each coordinate with its own deviation."""
    random = np.random.RandomState(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = random.normal(size=(len(labels), width)) * np.linspace(0.5, 1.5, width) * spread
    return (noise + 10.0 * labels[:, None] + shift).astype(np.float32), labels


def of_class_in(points, labels, asked=None):
    """of_class(label) over generated points with labels."""

    def of_class(label):
        if asked is not None:
            asked.append(label)
        return stream(points[labels == label])

    return of_class


def evaluator(folder, features=None, num_samples=60, **options):
    options = {"metrics": ["fid", "precision_recall", "intra_class"]} | options
    return Evaluator(features or PointFeatures(), num_samples, 13, cache_dir=folder, **options)


def distance_by_hand(real, fake):
    """Heusel's formula as it stands."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    first, second = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    means = np.sum((real.mean(0) - fake.mean(0)) ** 2)
    return means + np.trace(first + second - 2 * root)


def recall_by_hand(real, fake):
    """The share of real points within some generated point's distance to its third nearest other one."""
    inside = 0
    radii = [sorted(np.sum((a - b) ** 2) for b in np.delete(fake, i, 0))[2] for i, a in enumerate(fake)]
    for point in real:
        inside += any(np.sum((point - a) ** 2) <= radius for a, radius in zip(fake, radii, strict=True))
    return inside / len(real)


def test_values_are_those_of_a_brute_force(tmp_path):
    real, labels = clouds([20, 20, 20])
    fake, given = clouds([40, 40, 40], spread=0.6, seed=1, shift=0.5)
    fake[given == 1] += 1.0  # the worst class
    asked = []
    dataset = Points(real, labels)
    result = evaluator(tmp_path)(stream(fake), dataset, of_class_in(fake, given, asked))
    pairs = [(real[labels == k], fake[given == k][:20].astype(np.float64)) for k in range(3)]
    distances = [distance_by_hand(*pair) for pair in pairs]
    recalls = [recall_by_hand(*pair) for pair in pairs]
    assert np.argmax(distances) == 1 and 0 < min(recalls) < max(recalls) and asked == [0, 1, 2]
    assert result["intra_fid"] == pytest.approx(np.mean(distances), rel=1e-6)
    assert result["intra_fid_worst"] == pytest.approx(distances[1], rel=1e-6)
    assert result["intra_recall"] == pytest.approx(np.mean(recalls), abs=1e-12)
    assert result["intra_recall_worst"] == pytest.approx(min(recalls), abs=1e-12)
    assert result["intra_fid_by_class"] == pytest.approx(distances, rel=1e-6)
    assert result["intra_recall_by_class"] == pytest.approx(recalls, abs=1e-12)
    assert (result["intra_samples"], result["intra_left_out"]) == (20, 0)
    assert [name for name in result if name.startswith("intra")] == [*NAMES, *COUNTED, *LISTS]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_distance_of_few_vectors_is_that_of_their_moments():
    random = np.random.RandomState(0)
    real, fake = random.normal(size=(9, 30)), random.normal(size=(6, 30)) * 2 + 0.3
    moments = [Moments(30).update(x) for x in (real, fake)]
    assert frechet_distance_of(real, fake) == pytest.approx(frechet_distance(*moments), rel=1e-6)
    # Two points a side on different axes: the covariances, [[2, 0], [0, 0]] and [[0, 0], [0, 8]] padded with
    # zeros, do not overlap, so the distance is 2 + 8; on one axis it is (sqrt 8 - sqrt 2)^2 = 2.
    line, other = np.zeros((2, 5)), np.zeros((2, 5))
    line[:, 0], other[:, 1] = (-1, 1), (-2, 2)
    assert frechet_distance_of(line, other) == pytest.approx(10.0, rel=1e-12)
    assert frechet_distance_of(line, np.roll(other, -1, 1)) == pytest.approx(2.0, rel=1e-12)
    assert np.isnan(frechet_distance_of(real, np.full((6, 30), np.nan)))
    for wrong, message in ((real[:1], "two samples a side. Received: 9, 1"), (fake[:, :4], "30 and 4")):
        with pytest.raises(ConfigError, match=message):
            frechet_distance_of(real, wrong)


def test_a_generator_that_collapses_within_classes_is_seen(tmp_path):
    """One point a class: over all classes its recall is high, within each of them it is 0."""
    real, labels = clouds([8] * 30, spread=0.3)
    centres = (10.0 * np.arange(30)[:, None] + np.full((30, 3), 0.01)).astype(np.float32)
    collapsed = evaluator(tmp_path, num_samples=30)(
        stream(centres), Points(real, labels), of_class_in(centres, np.arange(30))
    )
    assert collapsed["recall"] > 0.9
    assert collapsed["intra_recall"] == collapsed["intra_recall_worst"] == 0.0
    spread, given = clouds([8] * 30, spread=0.3, seed=3)
    good = evaluator(tmp_path, num_samples=30)(
        stream(spread[::8]), Points(real, labels), of_class_in(spread, given)
    )
    assert collapsed["fid"] == pytest.approx(good["fid"], rel=0.1)  # which says nothing of it, either
    assert good["intra_recall"] > 0.6 and good["intra_fid"] < collapsed["intra_fid"]
    assert "intra_fid_by_class" not in good  # 30 classes are too many for a row


def test_one_number_of_images_for_all_classes(tmp_path, caplog):
    real, labels = clouds([12, 3, 30, 0, 9])
    fake, given = clouds([40] * 5, seed=1)
    dataset, of_class = Points(real, labels), of_class_in(fake, given)
    dataset.class_names = ("ant", "bee", "cat", "dog", "eel")
    result = evaluator(tmp_path)(stream(fake), dataset, of_class)
    assert (result["intra_samples"], result["intra_left_out"]) == (9, 2)
    for name in LISTS:
        assert [value is None for value in result[name]] == [False, True, False, True, False]
        kept = [value for value in result[name] if value is not None]
        assert np.mean(kept) == pytest.approx(result[name.removesuffix("_by_class")], rel=1e-12)
    last = real[labels == 4]
    assert result["intra_fid_by_class"][4] == pytest.approx(
        distance_by_hand(last, fake[given == 4][:9]), rel=1e-6
    )
    line = (
        "metrics within classes leave out classes 1 ('bee'), 3 ('dog'): fewer than 4 images to compare with"
    )
    assert caplog.messages == [line]
    caplog.clear()
    measure = evaluator(tmp_path, intra_samples=12)
    result = measure(stream(fake), dataset, of_class)
    assert (result["intra_samples"], result["intra_left_out"]) == (12, 3)
    assert measure(stream(fake), dataset, of_class)["intra_fid"] == result["intra_fid"]
    assert len(caplog.messages) == 1 and "1 ('bee'), 3 ('dog'), 4 ('eel'): fewer than 12" in caplog.text


def test_at_most_500_images_unless_more_are_asked_for(tmp_path):
    real, labels = clouds([520, 510], width=2)
    dataset, of_class = Points(real, labels), of_class_in(real, labels)
    assert evaluator(tmp_path)(stream(real), dataset, of_class)["intra_samples"] == 500
    result = evaluator(tmp_path, intra_samples=510)(stream(real), dataset, of_class)
    assert result["intra_samples"] == 510 and result["intra_recall"] > 0.99


def test_diverged_generator_gives_null(tmp_path):
    real, labels = clouds([8, 8])
    fake = real.copy()
    fake[labels == 1, 0] = np.nan
    result = evaluator(tmp_path)(stream(real), Points(real, labels), of_class_in(fake, labels))
    assert [result[name] for name in NAMES] == [None] * 4 and result["fid"] is not None
    assert result["intra_fid_by_class"] == [pytest.approx(0.0, abs=1e-6), None]
    json.dumps(result, allow_nan=False)


def test_without_classes_it_is_absent_and_said_once(tmp_path, caplog):
    real, labels = clouds([8, 8])
    dataset = Points(real, labels)
    plain = evaluator(tmp_path, metrics=["fid", "precision_recall"])(stream(real), dataset)
    measure = evaluator(tmp_path)
    assert measure(stream(real), dataset) == measure(stream(real), dataset) == plain
    dataset.reference_labels = lambda: None
    assert measure(stream(real), dataset, of_class_in(real, labels)) == plain
    nothing = "the metric intra_class: nothing is measured within classes: "
    reasons = ("the model has no classes", "the images to compare with have no labels")
    assert caplog.messages == [nothing + reason for reason in reasons]
    caplog.clear()
    evaluator(tmp_path, metrics=["fid", "precision_recall"])(stream(real), dataset, of_class_in(real, labels))
    assert not caplog.messages


@pytest.mark.parametrize(
    "counts, options, message",
    [
        ([3, 3], {}, "the metric intra_class needs 4 images of a class to compare with. The largest has 3"),
        (
            [9, 8],
            {"intra_samples": 10},
            "Evaluator.intra_samples = 10 needs 10 images of a class .* The largest has 9",
        ),
    ],
)
def test_classes_without_enough_images_are_refused(tmp_path, counts, options, message):
    real, labels = clouds(counts)
    measure = evaluator(tmp_path, **options)
    for call in (measure.check, lambda data: measure(stream(real), data, of_class_in(real, labels))):
        with pytest.raises(ConfigError, match=f"^{message}"):
            call(Points(real, labels))
    evaluator(tmp_path, metrics=["fid", "precision_recall"], **options).check(Points(real, labels))


def test_other_mistakes_are_refused(tmp_path):
    real, labels = clouds([8, 8])
    unknown = Points(real, labels - 1, num_classes=2)
    with pytest.raises(ConfigError, match=r"^the metric intra_class: labels are integers in \[0, 2\).*: -1"):
        evaluator(tmp_path).check(unknown)
    with pytest.raises(ConfigError, match="^Evaluator.intra_samples is an integer of at least 4 or None"):
        evaluator(tmp_path, intra_samples=3)
    with pytest.raises(ConfigError, match=r"generate\(8\) must return"):
        evaluator(tmp_path)(stream(real), Points(real, labels), lambda label: lambda count: real[:2])


def test_with_a_duality_gap_it_is_measured_too(tmp_path):
    real, labels = clouds([8, 8])
    dataset, of_class = Points(real, labels), of_class_in(real, labels)
    gap = mock.Mock(return_value={"duality_gap": 1.0}, **{"counts.return_value": {"duality_steps": 3}})
    both = WithDualityGap(evaluator(tmp_path), gap, None)
    alone = evaluator(tmp_path)(stream(real), dataset, of_class)
    found = both(stream(real), dataset, of_class)
    assert found == alone | {"duality_gap": 1.0, "duality_steps": 3} and "intra_fid" in alone
    assert both.cache_dir == tmp_path  # and all else of the evaluator, such as what pictures of it take


def test_random_search_can_choose_by_it(tmp_path):
    real, labels = clouds([8, 8])
    model = types.SimpleNamespace(num_candidates=2, seed=3)
    model.streams_of_classes = lambda seed: of_class_in(real + seed, labels)
    model.paths = lambda seed: None  # of points
    model.candidates = lambda: [types.SimpleNamespace(text=lambda: "{}")] * 2
    model.final_genotype = lambda score: (types.SimpleNamespace(), [score(stream(real)) for _ in range(2)])
    search = types.SimpleNamespace(model=model, evaluator=evaluator(tmp_path), dataset=Points(real, labels))
    search.plan, search.folder = Plan(1, best_metric="intra_fid", best_is_highest=False), tmp_path
    SearchRun._final_genotype(search)
    told = json.loads((tmp_path / "candidates.json").read_text())
    scores = [row[told["chosen_by"]] for row in told["candidates"]]
    assert scores == pytest.approx([27.0, 27.0], abs=1e-4)  # moved by 3 in each of 3 coordinates


def test_which_of_them_are_better_when_higher():
    assert [name in HIGHER_IS_BETTER for name in NAMES] == [False, False, True, True]


def test_streams_of_classes():
    generator, discriminator = image_networks(num_classes=3)
    model = GAN(generator, discriminator, num_classes=3, seed=4)
    asked, of_class = [], model.streams_of_classes(4, check=lambda: asked.append(0))
    parts = of_class(1)
    images = np.concatenate([parts(5), parts(70)])
    np.testing.assert_array_equal(images, of_class(1)(75))
    assert len(asked) == 3 and model._position == 0
    latents = [model.latents_at(0, 75, seed) for seed in (4, model_seed(model, 1), model_seed(model, 2))]
    np.testing.assert_array_equal(images, model.render(latents[1], np.full(75, 1)))
    assert all(np.abs(a - b).min() > 0 for a, b in zip(latents, latents[1:] + latents[:1], strict=True))
    raw = model.streams_of_classes(4, weights="raw")(1)(5)
    assert raw.shape == (5, 8, 8, 1)
    assert GAN(*image_networks(), seed=4).streams_of_classes(4) is None


def model_seed(model, label):
    """The seed of a class's stream, found as the model does."""
    found = []

    def generate(count, seed, **_):
        found.append(seed)

    plain, model.generate = model.generate, generate
    model.streams_of_classes(4)(label)(1)
    model.generate = plain
    return found[0]


def test_labels_of_images_to_compare_with_are_numbered_as_those_trained_on(tmp_path):
    def folder(name, classes):
        for k, each in enumerate(classes):
            (tmp_path / name / each).mkdir(parents=True)
            for i in range(4):
                pixels = np.full((8, 8), 40 * k + i, np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / each / f"{i}.png")
        return f"folder:{tmp_path / name}"

    train = folder("train", ("ant", "bee", "cat"))
    data = Dataset(train, resolution=8, evaluation_source=folder("two", ("cat", "bee")))
    assert data.reference_labels().tolist() == [1] * 4 + [2] * 4  # bee, cat
    chosen = np.array([6, 1])
    ((images, _),) = data.reference(indices=chosen)
    assert images[:, 0, 0, 0].tolist() == [2, 41]  # the third cat, the second bee
    assert Dataset(train, resolution=8).reference_labels().tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert Dataset(train, resolution=8, use_labels=False).reference_labels() is None
    other = Dataset(train, resolution=8, evaluation_source=folder("other", ("bee", "dog")))
    line = "the images to compare with are of dog, those trained on of ant, bee, cat"
    with pytest.raises(ConfigError, match=f"^the metric intra_class: {line}"):
        evaluator(tmp_path, DigitsFeatures()).check(other)


@pytest.mark.slow
def test_a_run_measures_it_and_nothing_else_changes(tmp_path, caplog, eagerly):
    gin_file = tmp_path / "run.gin"
    networks = "GAN.num_classes = %num_classes\ntrain.steps = 1\n"
    gin_file.write_text(CONFIG + networks)
    run(str(gin_file), tmp_path / "plain")
    with caplog.at_level(logging.WARNING):
        run(str(gin_file), tmp_path / "within", f"Evaluator.metrics = {[*metrics.DEFAULT, 'intra_class']}")
    assert "intra" not in caplog.text
    plain, within = rows(tmp_path / "plain"), rows(tmp_path / "within")
    fewest = np.bincount(digits_split()[3]).min()
    for before, row in zip(plain, within, strict=True):
        assert row["intra_samples"] == fewest and row["intra_left_out"] == 0
        assert row["intra_fid_worst"] >= row["intra_fid"] > 0 and len(row["intra_fid_by_class"]) == 10
        others = {k: v for k, v in row.items() if not k.startswith("intra") and not k.endswith("_seconds")}
        assert others == {k: v for k, v in before.items() if not k.endswith("_seconds")}
    shown = collect.read_run(tmp_path / "within", tmp_path)["evaluations"][-1]["metrics"]
    assert {name for name in shown if name.startswith("intra")} == set(NAMES)
    keras.backend.clear_session()
    again = after.evaluate(tmp_path / "within")
    assert {k: again[k] for k in (*NAMES, *LISTS)} == {k: within[-1][k] for k in (*NAMES, *LISTS)}


def test_a_run_that_cannot_measure_it_ends_before_it_trains(tmp_path):
    gin_file = tmp_path / "run.gin"
    gin_file.write_text(CONFIG + "GAN.num_classes = %num_classes\n")
    options = (f"Evaluator.metrics = {[*metrics.DEFAULT, 'intra_class']}", "Evaluator.intra_samples = 100")
    with pytest.raises(ConfigError, match="^Evaluator.intra_samples = 100 needs 100 images of a class"):
        run(str(gin_file), tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()
