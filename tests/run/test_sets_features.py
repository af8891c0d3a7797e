"""Which features `launch/fid.py` takes: by name, of a file, of a configuration."""

import pathlib

import gin
import pytest
from PIL import Image
from two_sets import between

from tfgans.config import ConfigError
from tfgans.evaluate import classifier
from tfgans.run import build, sets

ROOT = pathlib.Path(__file__).parent.parent.parent
ABOUT = {"name": "letters", "class_names": ["a", "b"], "accuracy": 0.5, "class_accuracy": [0.5, 0.5]}


def test_bindings_that_flags_make_are_refused():
    for binding, instead in (
        ("Evaluator.num_samples=50", "all images of both sets are taken"),
        ("tfgans.evaluate.evaluator.Evaluator.metrics = ['kid']", "--metrics names them"),
        ("Evaluator.features=@GlyphsFeatures()", "--features names them"),
    ):
        with pytest.raises(ConfigError) as error:
            sets.extractor("digits", gin_params=[binding])
        assert str(error.value) == f"--gin_param={binding} would be ignored: {instead}"


def test_bad_images_are_left_out_as_the_line_about_them_says(tmp_path):
    """Of the first set 3 of 4 images are left, of the second all 2."""
    for name, count in (("first", 4), ("second", 2)):
        (tmp_path / name).mkdir()
        for k in range(count):
            Image.new("L", (8, 8), 40 * k).save(tmp_path / name / f"{k}.png")
    (tmp_path / "first" / "3.png").write_bytes(b"none")
    sides = tmp_path / "first", tmp_path / "second"
    with pytest.raises(ConfigError, match="Dataset.on_bad_image = 'skip' leaves them out"):
        between(*sides)
    sets.extractor("digits", gin_params=["Dataset.on_bad_image = 'skip'"])
    found = between(*sides)
    assert (found["num_reference"], found["num_samples"]) == (3, 2)
    for binding in ("Dataset.fraction=0.5", "Dataset.evaluation_source='digits'"):
        with pytest.raises(
            ConfigError, match=f"--gin_param={binding} would be ignored: of Dataset two sets have"
        ):
            sets.extractor("digits", gin_params=[binding])


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
