"""Metrics between two sets of images, as `launch/fid.py` prints them."""

import json
import pathlib
import shutil
import zipfile

import gin
import numpy as np
import pytest
from PIL import Image

from tfgans.config import ConfigError
from tfgans.data import Dataset, to_uint8
from tfgans.evaluate import classifier, kernel_distances
from tfgans.evaluate.features import DigitsFeatures
from tfgans.run import build, sets

ROOT = pathlib.Path(__file__).parent.parent.parent
COUNTS = {"real": 40, "fake": 30}
ABOUT = {"name": "letters", "class_names": ["a", "b"], "accuracy": 0.5, "class_accuracy": [0.5, 0.5]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of blurred random images, 9x9 RGB, and their arrays."""
    root, arrays = tmp_path_factory.mktemp("sets"), {}
    draws = np.random.default_rng(0)
    for name, count in COUNTS.items():
        (root / name).mkdir()
        coarse = draws.integers(0, 256 if name == "real" else 128, (count, 3, 3, 3)).astype(np.uint8)
        arrays[name] = coarse.repeat(3, axis=1).repeat(3, axis=2)
        for number, image in enumerate(arrays[name]):
            Image.fromarray(image).save(root / name / f"{number:03d}.png")
    return root, arrays


def by_hand(real, fake):
    """The Frechet distance of the same features by the textbook's formula."""
    from scipy.linalg import sqrtm

    x, y = (DigitsFeatures()(images)["features"].astype(np.float64) for images in (real, fake))
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.trace(sqrtm(first @ second).real)
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(first) + np.trace(second) - 2 * root


def between(first, second, metrics=("fid",), **options):
    return sets.between(
        str(first), None if second is None else str(second), DigitsFeatures(), metrics, **options
    )


def test_two_folders_are_what_numpy_says(folders):
    root, arrays = folders
    found = between(root / "real", root / "fake", ("fid", "cmmd", "kid"))
    assert found["fid"] == pytest.approx(
        by_hand(arrays["real"], arrays["fake"]), rel=1e-4
    )  # 64 features, 40 images
    x, y = (DigitsFeatures()(arrays[name])["features"] for name in ("real", "fake"))
    assert found["cmmd"] == pytest.approx(kernel_distances.cmmd(x, y), rel=1e-6)
    assert (found["num_reference"], found["num_samples"], found["features"]) == (40, 30, "digits_classifier")
    assert found["first"].endswith("real") and found["second"].endswith("fake")
    json.dumps(found, allow_nan=False)


def test_the_same_images_are_at_no_distance_and_no_new_ones(folders):
    root, _ = folders
    found = between(root / "real", root / "real", ("fid", "mind", "cmmd", "memorization", "precision_recall"))
    assert found["fid"] == pytest.approx(0.0, abs=1e-3) and found["mind"] == pytest.approx(0.0, abs=1e-6)
    assert found["auth_pct"] == 0.0 and found["precision"] == found["recall"] == 1.0


def odd_pictures(folder):
    """Writes pictures of 9x9 in modes that are not plain RGB; returns their pixels as training has them, by hand."""
    folder.mkdir()
    draws, expected = np.random.default_rng(3), []
    for number in range(12):
        plain = draws.integers(0, 256, (3, 3, 3)).astype(np.uint8).repeat(3, axis=0).repeat(3, axis=1)
        path = folder / f"{number:02d}.png"
        if number % 4 == 0:  # 16 bits
            Image.fromarray(plain[..., 0].astype(np.uint16) * 257).save(path)
            plain = plain[..., :1].repeat(3, axis=-1)
        elif number % 4 == 1:  # a palette of its 9 colours
            colours, index = np.unique(plain.reshape(-1, 3), axis=0, return_inverse=True)
            image = Image.fromarray(index.reshape(9, 9).astype(np.uint8), "P")
            image.putpalette(colours.ravel().tolist())
            image.save(path)
        elif number % 4 == 2:  # half transparent at the left, on white
            alpha = np.full((9, 9, 1), 255, np.uint8)
            alpha[:, :3] = 51
            Image.fromarray(np.concatenate([plain, alpha], axis=-1)).save(path)
            share = alpha / 255.0
            plain = np.rint(plain * share + 255.0 * (1.0 - share))
        else:
            ink = np.concatenate([255 - plain, np.zeros((9, 9, 1), np.uint8)], axis=-1)
            Image.fromarray(ink, "CMYK").save(path.with_suffix(".jpg"), quality=100)
        expected.append(plain)
    return np.array(expected, np.uint8)


def test_pictures_of_all_modes_are_as_in_training(folders, tmp_path):
    root, _ = folders
    expected = odd_pictures(tmp_path / "odd")
    data = Dataset(f"folder:{tmp_path / 'odd'}", batch_size=12)
    trained_on = to_uint8(next(iter(data.batches(1, 0)))["images"][0].numpy())
    order = np.lexsort(trained_on.reshape(12, -1).T)
    (compared,) = (images for images, _ in data.examples(12))
    np.testing.assert_array_equal(trained_on[order], compared[np.lexsort(compared.reshape(12, -1).T)])
    np.testing.assert_allclose(
        compared.astype(int), expected, atol=4
    )  # JPEG's colours of few pixels; others 1
    np.savez(tmp_path / "odd.npz", images=compared)
    names = ("fid", "kid", "memorization")
    found = between(root / "real", tmp_path / "odd", names)
    assert found == between(root / "real", tmp_path / "odd.npz", names) | {"second": found["second"]}
    same = between(tmp_path / "odd", tmp_path / "odd.npz", names)
    assert same["fid"] == pytest.approx(0.0, abs=1e-3) and same["auth_pct"] == 0.0


def test_bad_files_of_either_side_are_all_named(folders, tmp_path):
    root, _ = folders
    shutil.copytree(root / "fake", tmp_path / "cut")
    whole = (tmp_path / "cut" / "007.png").read_bytes()
    (tmp_path / "cut" / "007.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut" / "x.jpg").write_text("no picture")
    for pair in ((tmp_path / "cut", root / "real"), (root / "real", tmp_path / "cut")):
        with pytest.raises(
            ConfigError, match=r"cut: 2 of 31 images .*007\.png.*, x\.jpg \(not a jpg"
        ) as error:
            between(*pair)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["zip", "npz", "folder:", "zip in a folder"])
def test_other_forms_of_a_set_give_the_same(folders, tmp_path, kind):
    root, arrays = folders
    expected = between(root / "real", root / "fake")
    path = tmp_path / f"fake.{kind[:3]}"
    if kind.startswith("zip"):
        within = "inside/" if "folder" in kind else ""
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((root / "fake").iterdir()):
                archive.write(file, within + file.name)
    elif kind == "npz":
        np.savez(path, images=arrays["fake"])
    else:
        path = f"folder:{root / 'fake'}"
    found = between(root / "real", path)
    assert found["fid"] == pytest.approx(expected["fid"], rel=1e-6)


def test_statistics_are_saved_and_taken(folders, tmp_path):
    root, arrays = folders
    expected = between(root / "real", root / "fake", ("fid", "precision_recall"))
    assert between(root / "real", None, save=str(tmp_path / "real.npz")) is None
    found = between(tmp_path / "real.npz", root / "fake", ("fid", "precision_recall"))
    names = ("fid", "precision", "recall", "num_samples", "num_reference")
    assert [found[n] for n in names] == [pytest.approx(expected[n], rel=1e-6) for n in names]
    stored = np.load(tmp_path / "real.npz")
    features = DigitsFeatures()(arrays["real"])["features"].astype(np.float64)
    np.testing.assert_allclose(stored["sigma"], np.cov(features, rowvar=False), rtol=1e-6, atol=1e-9)


def test_statistics_are_of_one_size(folders, tmp_path, caplog):
    root, arrays = folders
    path, fake = str(tmp_path / "real.npz"), root / "fake"
    between(root / "real", None, save=path, resolution=(6, 8))
    assert between(path, fake, resolution=(6, 8))["fid"] > 0
    with pytest.raises(ConfigError, match="real.npz has statistics of images of 6x8. .* --resolution=16"):
        between(path, fake, resolution=16)
    between(root / "real", None, save=path)
    assert between(path, fake, resolution=9) == between(path, fake) and "which size" not in caplog.text
    features = DigitsFeatures()(arrays["real"])["features"].astype(np.float64)
    np.savez(path, mu=features.mean(axis=0), sigma=np.cov(features, rowvar=False))
    between(path, fake)
    assert "which size" not in caplog.text
    between(path, fake, resolution=9)
    assert "real.npz does not say of which size its images were" in caplog.text


def test_bindings_that_flags_make_are_refused():
    for binding, instead in (
        ("Evaluator.num_samples=50", "all images of both sets are taken"),
        ("tfgans.evaluate.evaluator.Evaluator.metrics = ['kid']", "--metrics names them"),
        ("Evaluator.features=@GlyphsFeatures()", "--features names them"),
    ):
        with pytest.raises(ConfigError) as error:
            sets.extractor("digits", gin_params=[binding])
        assert str(error.value) == f"--gin_param={binding} would be ignored: {instead}"


def test_statistics_of_pytorch_fid(folders, tmp_path):
    root, arrays = folders
    features = DigitsFeatures()(arrays["real"])["features"].astype(np.float64)
    path = tmp_path / "stats.npz"
    np.savez(path, mu=features.mean(axis=0), sigma=np.cov(features, rowvar=False))
    found = between(path, root / "fake")
    assert found["fid"] == pytest.approx(between(root / "real", root / "fake")["fid"], rel=1e-6)
    assert found["num_reference"] is None and found["num_samples"] == 30
    with pytest.raises(
        ConfigError, match="^kid needs features: these statistics hold mean and covariance alone"
    ):
        between(path, root / "fake", ("fid", "kid"))


def test_statistics_that_do_not_say_of_which_features_they_are(folders, tmp_path, caplog):
    """They may be of another preprocessing: it is said for what they are taken."""
    root, _ = folders
    np.savez(tmp_path / "foreign.npz", mu=np.zeros(64), sigma=np.eye(64))
    between(root / "real", None, save=tmp_path / "own.npz")
    between(tmp_path / "own.npz", root / "fake")
    assert "which features" not in caplog.text
    between(tmp_path / "foreign.npz", root / "fake")
    line = f"{tmp_path / 'foreign.npz'} does not say of which features it is: taken for digits_classifier"
    assert caplog.messages.count(line) == 1


def test_a_value_that_is_no_number_is_null(folders, tmp_path):
    """One block of samples gives a kid without an error, of statistics as of images."""
    root, _ = folders
    between(root / "real", None, save=tmp_path / "real.npz")
    found = between(tmp_path / "real.npz", root / "fake", ("fid", "kid"))
    assert found["kid_std"] is None and json.loads(build.to_json(found)) == found
    images = between(root / "real", root / "fake", ("fid", "kid"))
    assert [found[name] for name in ("fid", "kid")] == pytest.approx([images["fid"], images["kid"]], rel=1e-6)


def test_how_many_samples_a_metric_takes_is_the_evaluators(folders, tmp_path):
    """Of statistics as of images: the first seven that are kept."""
    root, _ = folders
    between(root / "real", None, save=tmp_path / "real.npz")
    between(root / "fake", None, save=tmp_path / "fake.npz")
    real, fake = (np.load(tmp_path / f"{name}.npz")["kept"].astype(float) for name in ("real", "fake"))
    assert real.shape[0] == 40 and fake.shape[0] == 30
    gin.bind_parameter("Evaluator.neighbour_samples", 7)
    gin.bind_parameter("Evaluator.kernel_samples", 5)
    found = between(tmp_path / "real.npz", tmp_path / "fake.npz", ("kid", "memorization"))
    distances = np.linalg.norm(real[:7, None] - np.concatenate([real[:7], fake[:7]]), axis=2)
    own = np.where(np.eye(7, 14, dtype=bool), np.inf, distances)[:, :7].min(1)
    nearest = distances[:, 7:].argmin(0)
    authentic = np.mean(own[nearest] < distances[nearest, 7 + np.arange(7)])
    assert found["auth_pct"] == pytest.approx(100 * authentic)
    assert found["kid"] == pytest.approx(kernel_distances.squared_discrepancy(real[:5], fake[:5]))


def test_splits_of_a_source():
    found = between("digits@train", "digits@test")
    assert (found["num_reference"], found["num_samples"]) == (1438, 359)
    assert 0 < found["fid"] < 30


def test_what_cannot_be_is_one_line(folders, tmp_path):
    root, arrays = folders
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    np.savez(tmp_path / "odd.npz", mu=np.zeros(3), sigma=np.eye(4))
    np.savez(tmp_path / "wide.npz", mu=np.zeros(3), sigma=np.eye(3))
    other = dict(mu=np.zeros(64), sigma=np.eye(64), features="inception_clean", weights="x")
    np.savez(tmp_path / "other.npz", **other)
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        sigma = np.eye(64)
        sigma[0, 1] = sigma[1, 0] = value
        np.savez(tmp_path / f"{name}.npz", mu=np.zeros(64), sigma=sigma)
    np.savez(tmp_path / "mean.npz", mu=np.full(64, np.nan), sigma=np.eye(64))
    (tmp_path / "bad").mkdir()
    Image.fromarray(arrays["fake"][0]).save(tmp_path / "bad" / "a.png")
    (tmp_path / "bad" / "b.png").write_bytes(b"not a picture")
    for first, metrics, message in (
        (root / "nowhere", ("fid",), "a set of images is a folder, .*nowhere', which is not there"),
        (tmp_path / "broken.zip", ("fid",), "broken.zip cannot be read as a zip file"),
        (tmp_path / "odd.npz", ("fid",), "odd.npz cannot be read as statistics: mu and sigma"),
        (
            tmp_path / "nan.npz",
            ("fid",),
            "nan.npz cannot be read as statistics: mu and sigma are not all finite",
        ),
        (
            tmp_path / "inf.npz",
            ("fid",),
            "inf.npz cannot be read as statistics: mu and sigma are not all finite",
        ),
        (
            tmp_path / "mean.npz",
            ("fid",),
            "mean.npz cannot be read as statistics: mu and sigma are not all finite",
        ),
        (tmp_path / "wide.npz", ("fid",), "features of different width: 3 and 64"),
        (tmp_path / "other.npz", ("fid",), "has statistics of inception_clean, not of digits_classifier"),
        (tmp_path / "bad", ("fid",), "b.png"),
        (root / "real", ("fidd",), "no metric is called 'fidd': did you mean fid"),
        (root / "real", (), "--metrics names one or several of fid, .*. Received: none"),
        (
            root / "real",
            ("fid", "ppl_z"),
            "ppl_z needs a generator, not its images alone: evaluate measures it",
        ),
        (root / "real", ("intra_class",), "intra_class needs a generator"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            between(first, root / "fake", metrics)
        assert "\n" not in str(error.value)


def test_a_generated_set_with_too_few_images_is_named(folders, tmp_path):
    root, arrays = folders
    for count, metrics, message in (
        (1, ("kid",), "has 1 image, and at least 2 are needed"),
        (1, ("fid", "inception_score"), "has 1 image, and at least 10 are needed"),
        (
            9,
            ("fid", "inception_score"),
            "has 9 images, and at least 10 are needed: inception_score is over 10 parts",
        ),
    ):
        few = tmp_path / f"few_{count}"
        few.mkdir(exist_ok=True)
        for number in range(count):
            Image.fromarray(arrays["fake"][number]).save(few / f"{number}.png")
        with pytest.raises(ConfigError) as error:
            between(root / "real", few, metrics)
        assert str(error.value).startswith(f"{few} {message}")
    assert between(root / "real", tmp_path / "few_9", ("fid",))["num_samples"] == 9


@pytest.mark.parametrize(
    "path", sorted((ROOT / "gin_configs/features").glob("*.gin")), ids=lambda path: path.stem
)
def test_shipped_files_of_features(path, tmp_path):
    features = sets.extractor(str(path), gin_params=["KerasFeatures.model = 'preset:here'"])
    size = 336 if path.stem == "clip_large" else 224
    assert (features.model, features.size) == ("preset:here", size)
    assert path.stem.split("_")[0] in features.name


def test_short_names_of_features(tmp_path):
    found = {name: sets.extractor(name) for name in ("dinov2", "clip", "vgg16")}
    assert {name: (features.name, features.layer) for name, features in found.items()} == {
        "dinov2": ("dinov2_large", None),
        "clip": ("clip_large_336", "vision_projection"),
        "vgg16": ("vgg16_fc2", "fc2"),
    }
    classifier.save(classifier.network((8, 8, 1), 2), tmp_path / "x.keras", ABOUT)
    assert sets.extractor(str(tmp_path / "x.keras")).name.startswith("classifier_letters_")


def test_features_of_digits_are_said_to_be_so(folders, caplog):
    root, _ = folders
    between(root / "real", root / "fake")
    said = [record.message for record in caplog.records if "digits classifier" in record.message]
    about = "the features of a digits classifier say nothing about folder:"
    assert said == [f"{about}{root / 'real'}; {about}{root / 'fake'}"]
    caplog.clear()
    between("digits@test", "digits@test")
    assert "digits classifier" not in caplog.text


def test_extractors_by_name(tmp_path):
    assert sets.extractor("inception").name == "inception_legacy_tensorflow"
    assert sets.extractor("inception", "clean").name == "inception_clean"
    assert sets.extractor("digits").name == "digits_classifier"
    (tmp_path / "saved_model.pb").touch()
    found = sets.extractor(str(tmp_path), "legacy_pytorch", ["InceptionFeatures.batch_size = 7"])
    assert (found.path, found.name, found.batch_size) == (str(tmp_path), "inception_legacy_pytorch", 7)
    for features, resize, message in (
        (
            "resnet",
            None,
            "--features is inception, digits, glyphs, dinov2, clip, vgg16, a classifier's .keras file, .*'resnet'",
        ),
        ("digits", "clean", "InceptionFeatures.resize"),
    ):
        with pytest.raises(ConfigError, match=message):
            sets.extractor(features, resize)


def test_published_configurations_bind_their_papers_preprocessing():
    for experiment, resize in (
        ("fastgan/fastgan.gin", "legacy_pytorch"),
        ("regan/few_shot.gin", "legacy_pytorch"),
        ("alphagan/cifar10_retrain.gin", None),
    ):
        data = "obama256" if "few_shot" in experiment else "cifar10"
        networks = ["gin_configs/networks/fastgan_cifar.gin"] if "fastgan" in experiment else []
        build.prepare([f"gin_configs/data/{data}.gin", *networks, f"gin_configs/{experiment}"], [])
        assert gin.get_bindings("InceptionFeatures").get("resize") == resize


def test_statistics_that_cannot_be_saved_are_refused_before_images_are_looked_at(tmp_path):
    (tmp_path / "file").write_text("mine")
    below = tmp_path / "file" / "x.npz"
    for path, why in ((tmp_path, "it is a folder"), (below, f"{tmp_path}/file is not a folder")):
        with pytest.raises(ConfigError) as caught:
            sets.between("nowhere", None, None, save=path)
        assert str(caught.value) == f"--save={path} cannot be written: {why}"
    with pytest.raises(
        ConfigError, match="^--save is a file whose name ends in .npz, .* Received: .*/stats$"
    ):
        sets.between("nowhere", None, None, save=tmp_path / "stats")
