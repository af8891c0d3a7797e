"""The evaluator on constructed sets: what it reports, what it caches, what it refuses."""

import io
import json
import pathlib

import numpy as np
import pytest
from streams import stream

from tfgans.config import ConfigError
from tfgans.data.digits import digits_split
from tfgans.evaluate import metrics, scores
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures, PointFeatures
from tfgans.evaluate.frechet import Moments, frechet_distance
from tfgans.evaluate.kernel_distances import kernel_distance_of_blocks


class Digits:
    """The held-out digits as a dataset, sorted by class: the worst order for a subset."""

    def __init__(self, name="digits", batch=100):
        self.images, self.labels = (array[:350] for array in digits_split()[2:])
        order = np.argsort(self.labels, kind="stable")
        self.images, self.labels = self.images[order][..., None], self.labels[order]
        self.name, self.batch, self.reads = name, batch, 0

    def reference(self):
        self.reads += 1
        for start in range(0, 350, self.batch):
            yield self.images[start : start + self.batch], self.labels[start : start + self.batch]

    def reference_size(self):
        return 350

    def fingerprint(self):
        return self.name


class Grid:
    """Four Gaussian modes of deviation 0.1 at the corners of a square."""

    modes = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    mode_std = 0.1

    def draw(self, count, seed, modes=4):
        random = np.random.RandomState(seed)
        noise = random.normal(size=(count, 2)) * self.mode_std
        return (self.modes[random.randint(modes, size=count)] + noise).astype(np.float32)

    def reference(self):
        yield self.draw(2000, 0), None

    def reference_size(self):
        return 2000

    def fingerprint(self):
        return "grid"


def test_training_digits_against_held_out_ones(tmp_path):
    train = digits_split()[0][:1000, ..., None]
    options = {"metrics": [*metrics.DEFAULT, "class_coverage", "sliced_wasserstein"], "batch_size": 64}
    evaluator = Evaluator(DigitsFeatures(), 1000, cache_dir=tmp_path, **options)
    evaluator.check()
    result = evaluator(stream(train), Digits())
    assert list(result) == [
        *("fid", "kid", "kid_std", "precision", "recall", "density", "coverage"),
        *("inception_score", "inception_score_std", "classes_covered", "class_kl", "sliced_wasserstein"),
        *("features", "num_samples", "num_reference"),
    ]
    assert (result["features"], result["num_samples"], result["num_reference"]) == (
        "digits_classifier",
        1000,
        350,
    )
    assert json.loads(json.dumps(result)) == {**result, "kid_std": None}  # a single block has no error
    extract = DigitsFeatures()
    real, fake = extract(Digits().images), extract(train)
    moments = [Moments(64).update(x["features"]) for x in (real, fake)]
    assert result["fid"] == pytest.approx(frechet_distance(*moments), rel=1e-5)
    assert result["inception_score"] == pytest.approx(scores.inception_score(fake["logits"])[0], rel=1e-5)
    kid = kernel_distance_of_blocks(real["features"], fake["features"])[0]
    assert result["kid"] == pytest.approx(kid, rel=1e-4, abs=1e-4)
    pair = scores.precision_recall(real["features"], fake["features"])
    assert (result["precision"], result["recall"]) == pytest.approx(pair, abs=1e-9)
    assert result["inception_score"] > 9 and result["classes_covered"] == 10 and result["class_kl"] < 0.01
    assert result["precision"] > 0.8 and result["recall"] > 0.8 and result["coverage"] > 0.8


def test_noise_and_collapse_are_worse(tmp_path):
    evaluator = Evaluator(
        DigitsFeatures(), 400, metrics=[*metrics.DEFAULT, "class_coverage"], cache_dir=tmp_path
    )
    train = digits_split()[0][..., None]
    noise = np.random.RandomState(0).randint(0, 256, (400, 8, 8, 1)).astype(np.uint8)
    good, bad, one = (evaluator(stream(images), Digits()) for images in (train, noise, train[:1]))
    assert good["fid"] * 10 < min(bad["fid"], one["fid"])
    assert good["kid"] < 0.1 * min(bad["kid"], one["kid"])
    assert one["inception_score"] == pytest.approx(1.0, abs=1e-6) and one["classes_covered"] == 1
    assert one["class_kl"] == pytest.approx(np.log(10)) and one["recall"] < 0.05
    assert bad["coverage"] < 0.2


def test_points(tmp_path):
    grid = Grid()
    evaluator = Evaluator(PointFeatures(), 2000, cache_dir=tmp_path)
    good = evaluator(stream(grid.draw(2000, 1)), grid)
    assert good["modes_covered"] == 4 and good["features"] == "points" and "inception_score" not in good
    assert good["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.01)  # within 3 deviations in 2-D
    assert good["mode_kl"] < 0.005 and good["fid"] < 0.02
    half = evaluator(stream(grid.draw(2000, 1, modes=2)), grid)
    assert half["modes_covered"] == 2 and half["mode_kl"] == pytest.approx(np.log(2), abs=0.01)
    assert half["fid"] > 1 and half["precision"] > 0.9 and half["recall"] < 0.7


def test_diverged_generator_gives_null(tmp_path):
    points = np.full((100, 2), np.nan, np.float32)
    result = Evaluator(PointFeatures(), 100, cache_dir=tmp_path)(stream(points), Grid())
    for name in ("fid", "kid", "precision", "recall", "density", "coverage", "mode_kl"):
        assert result[name] is None
    assert result["modes_covered"] == 0 and result["high_quality"] == 0.0
    json.dumps(result, allow_nan=False)


def test_only_the_metrics_asked_for(tmp_path):
    evaluator = Evaluator(
        DigitsFeatures(),
        50,
        metrics=["fid"],
        cache_dir=tmp_path,
    )
    result = evaluator(stream(digits_split()[0][..., None]), Digits())
    assert list(result) == ["fid", "features", "num_samples", "num_reference"]


def test_kept_features_are_a_random_subset_of_a_sorted_set(tmp_path):
    """100 of 350 digits in class order, kept at random: the distance to all of them stays near zero."""
    dataset = Digits()
    limits = {"kernel_samples": 100, "neighbour_samples": 100}
    evaluator = Evaluator(DigitsFeatures(), 350, cache_dir=tmp_path, **limits)
    result = evaluator(stream(dataset.images), dataset)
    first = evaluator.features(dataset.images[:100])["features"]
    whole = evaluator.features(dataset.images)["features"]
    sorted_kid = kernel_distance_of_blocks(first, whole)[0]
    assert abs(result["kid"]) < 0.1 * sorted_kid
    assert {
        name: result.get(name) for name in metrics.COUNTS if name in result
    } == limits  # said, as it is not as usual
    alone = Evaluator(DigitsFeatures(), 350, metrics=["fid"], cache_dir=tmp_path, **limits)
    assert not metrics.COUNTS.keys() & alone(stream(dataset.images), dataset).keys()  # nor is FID of so many


def test_more_samples_than_the_reference_can_pair(tmp_path):
    class Few(Digits):
        def reference(self):
            yield self.images[::70], None

        def reference_size(self):
            return 5

    train = digits_split()[0][..., None]
    result = Evaluator(DigitsFeatures(), 4000, cache_dir=tmp_path)(stream(train), Few())
    assert np.isfinite(result["kid"]) and "precision" in result and "density" not in result


def test_reference_is_cached_by_content(tmp_path):
    generate = stream(digits_split()[0][..., None])
    dataset = Digits()

    def evaluate(dataset, **options):
        return Evaluator(DigitsFeatures(), 100, cache_dir=tmp_path, **options)(generate, dataset)

    evaluate(dataset)
    evaluate(dataset)
    assert dataset.reads == 1 and len(list(tmp_path.iterdir())) == 1
    evaluate(Digits(batch=7))
    assert len(list(tmp_path.iterdir())) == 1
    evaluate(Digits(name="others"))
    evaluate(dataset, kernel_samples=50, neighbour_samples=50)
    assert dataset.reads == 2 and len(list(tmp_path.iterdir())) == 3
    assert not list(tmp_path.glob("*.tmp"))


def test_cached_reference_gives_the_same_numbers(tmp_path):
    images = digits_split()[0][:200, ..., None]
    results = [
        Evaluator(DigitsFeatures(), 200, cache_dir=tmp_path)(stream(images), Digits()) for _ in range(2)
    ]
    assert results[0] == results[1]


def archive(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "empty", "other", "narrow", "huge"])
def test_damaged_cache_is_computed_again(tmp_path, damage, caplog):
    generate, dataset = stream(digits_split()[0][..., None]), Digits()
    evaluator = Evaluator(DigitsFeatures(), 100, cache_dir=tmp_path)
    evaluator(generate, dataset)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    changes = {"truncated": whole[:middle], "flipped": flipped, "text": b"not an archive", "empty": b""}
    with np.load(io.BytesIO(whole)) as stored:
        arrays = dict(stored)
    changes["other"] = archive(**{name: arrays[name] for name in ("mean", "count")})
    changes["narrow"] = archive(**arrays | {"scatter": np.zeros((2, 2))})
    changes["huge"] = archive(**arrays).replace(
        b"'shape': (64,), }" + b" " * 10, b"'shape': (640000000000,)}  "
    )
    assert changes["huge"] != archive(**arrays)
    path.write_bytes(changes[damage])
    evaluator(generate, dataset)
    assert dataset.reads == 2 and path.read_bytes() == whole
    (line,) = caplog.messages
    assert line.startswith(f"cached statistics are computed again: {path} cannot be read as statistics: ")


def test_cache_folder_out_of_reach_is_not_fatal(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    evaluator = Evaluator(DigitsFeatures(), 100, cache_dir=tmp_path / "file" / "cache")
    assert evaluator(stream(digits_split()[0][..., None]), Digits())["fid"] > 0
    (record,) = caplog.records
    assert record.getMessage().startswith("the cache of reference statistics could not be written: ")


def test_a_user_without_a_home_has_no_cache(monkeypatch, caplog):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(pathlib.Path, "home", nowhere)
    assert Evaluator(PointFeatures(), 100)(stream(Grid().draw(100, 1)), Grid())["fid"] > 0
    (record,) = caplog.records
    assert (
        "no folder for caches: Could not determine home directory.; set XDG_CACHE_HOME" in record.getMessage()
    )


def test_default_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    Evaluator(PointFeatures(), 100)(stream(Grid().draw(100, 1)), Grid())
    assert len(list((tmp_path / "tfgans").glob("reference-points-*.npz"))) == 1


def test_generate_is_asked_in_batches_for_the_next_images(tmp_path):
    asked = []
    inner = stream(digits_split()[0][..., None])

    def generate(count):
        asked.append(count)
        return inner(count)

    Evaluator(DigitsFeatures(), 100, batch_size=40, cache_dir=tmp_path)(generate, Digits())
    assert asked == [40, 40, 20]


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((3, 8, 8, 1), np.uint8), np.zeros((100, 8, 8, 1), np.float32), np.zeros((100, 8, 8), np.uint8)],
    ids=["count", "type", "rank"],
)
def test_wrong_samples_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match=r"generate\(100\) must return uint8 \[100, H, W, C\]"):
        Evaluator(DigitsFeatures(), 100, cache_dir=tmp_path)(lambda count: wrong, Digits())


def test_reference_of_another_length_is_refused(tmp_path):
    class Liar(Digits):
        def reference_size(self):
            return 360

    with pytest.raises(ConfigError, match="350 images came of the 360"):
        Evaluator(DigitsFeatures(), 100, cache_dir=tmp_path)(stream(Digits().images), Liar())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_samples": 9}, "num_samples is an integer of at least 10. Received: 9"),
        ({"num_samples": 1, "metrics": ["fid"]}, "at least 2"),
        ({"num_samples": 10**8 + 1}, "num_samples is at most 100,000,000. Received: 100000001"),
        ({"batch_size": 0}, "batch_size is an integer of at least 1"),
        ({"neighbour_samples": 5}, "neighbour_samples is an integer of at least 6"),
        ({"inception_splits": 0}, "inception_splits is an integer of at least 1"),
    ],
)
def test_counts_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=f"Evaluator.{message}" if message[0] != "a" else message):
        Evaluator(PointFeatures(), **options)


def test_gin_builds_it(tmp_path):
    import gin

    gin.parse_config(
        "Evaluator.features = @DigitsFeatures()\nEvaluator.num_samples = 20\nDigitsFeatures.batch_size = 7"
    )
    evaluator = Evaluator()
    assert (evaluator.num_samples, evaluator.features.batch_size) == (20, 7)


@pytest.mark.parametrize(
    "names, message",
    [
        (
            ["fid", "kidd"],
            "Evaluator.metrics: no metric is called 'kidd': did you mean kid.* Allowed: fid, sfid, fid_infinity, ",
        ),
        (["fid", "kid", "fid"], "Evaluator.metrics names 'fid' twice"),
        ("fid", r"Evaluator.metrics is a list \(each a metric's name or a function"),
        ([7], r"Evaluator.metrics is a list"),
    ],
)
def test_metrics_that_there_are_not_are_named(names, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        Evaluator(PointFeatures(), metrics=names)


def test_every_metric_gives_its_numbers(tmp_path):
    """All at once, of digits against digits that were held out: the values that the table of `metrics` promises."""
    names = [name for name in metrics.NAMES if name != "sfid"]  # of which there are none in these features
    evaluator = Evaluator(DigitsFeatures(), 200, metrics=names, cache_dir=tmp_path)
    result = evaluator(stream(digits_split()[0][..., None]), Digits())
    expected = (
        "fid fid_infinity fid_infinity_slope fid_infinity_error inception_score inception_score_std kid "
    )
    expected += (
        "kid_subsets kid_subsets_std cmmd mind precision recall density coverage auth_pct classes_covered "
    )
    expected += "class_kl sliced_wasserstein spectrum_distance spectrum_distance_high spectrum_distance_all"
    assert {*expected.split()} <= {name for name, value in result.items() if isinstance(value, float | int)}
    alone = Evaluator(DigitsFeatures(), 200, metrics=["mind"], cache_dir=tmp_path)
    found = alone(stream(digits_split()[0][..., None]), Digits())
    assert found["mind"] == pytest.approx(result["mind"], rel=1e-4) and "fid" not in found


def test_the_docstring_names_every_metric():
    named = [line.split("`")[1] for line in metrics.__doc__.splitlines() if line.startswith("- `")]
    assert sorted(named) == sorted(metrics.NAMES)
