"""What a run leaves in its folder: rows, checkpoints, pictures, curves, the generator."""

import contextlib
import pathlib
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from short_runs import RING, STEPS, kill_and_resume, rows, run

from tfgans import checkpoint, pictures
from tfgans.data import Dataset, to_uint8
from tfgans.run import after, build, folder


def test_what_a_run_leaves(whole):
    names = {p.name for p in whole.iterdir()}
    assert names == {
        "operative.gin", "metrics.jsonl", "checkpoints", "samples", "train", "eval", "generator.keras", "export",
        "generator_raw.keras", "train.lock", "fixed_samples.npz", "data.json", "classes.json",
    }  # fmt: skip
    page = (pathlib.Path(__file__).parents[2] / "docs/runs.md").read_text()
    named = {each.rstrip("/*") for text in re.findall(r"`([^`\n]+)`", page) for each in text.split("/")}
    assert names <= named
    assert [row["step"] for row in rows(whole)] == [0, 4, 8, 12]
    for row in rows(whole):
        assert row["features"] == "digits_classifier" and row["num_samples"] == 64
        assert row["label_distribution"] == "data"
        assert row["fid"] > 0 and 1 <= row["inception_score"] <= 10
        assert {"kid", "train_seconds", "compile_seconds", "eval_seconds"} <= row.keys()
    assert rows(whole)[0]["train_seconds"] == 0.0 < rows(whole)[-1]["train_seconds"]
    both = [row["step"] for row in rows(whole) if row["average_difference"] > 0.1]
    assert sorted(p.name for p in (whole / "samples").iterdir()) == [
        *(f"raw_step_{s:08d}.png" for s in both), "real.png", *(f"step_{s:08d}.png" for s in (0, 4, 8, 12))
    ]  # fmt: skip
    with Image.open(whole / "samples" / "step_00000012.png") as image:  # 2 rows of 10 classes
        assert image.size == ((10 * 10 + 2) * 6, (2 * 10 + 2) * 6)


def test_the_generator_taken_away_is_the_averaged_one(whole, gin_file):
    model, step = build.load(whole)
    assert step == STEPS
    latents = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    labels = np.arange(5, dtype="int32")
    expected = model.render(latents, labels)
    assert (expected != model.render(latents, labels, weights="raw")).any()
    for name, weights in (("generator", None), ("generator_raw", "raw")):
        generator = keras.models.load_model(whole / f"{name}.keras")
        plain = generator([latents, labels], training=False).numpy()
        shown = model.render(latents, labels, weights=weights)
        np.testing.assert_allclose((plain + 1) * 127.5, shown, atol=0.51)
    archive = tf.saved_model.load(str(whole / "export"))
    exported = archive.serve(latents, labels).numpy()
    assert exported.dtype == np.uint8
    np.testing.assert_allclose(exported.astype(int), expected.astype(int), atol=1)


def test_both_weights_are_seen_while_they_differ_much(whole):
    model, _ = build.load(whole, step=4)
    first, *later = rows(whole)
    assert (first["weights"], first["average_difference"], "fid_raw" in first) == ("average", 0.0, False)
    for row in later:
        assert (row["average_difference"] > 0.1) == ("fid_raw" in row)
    assert later[0]["average_difference"] == model.average_difference() > 0.1
    evaluator, dataset = build.build_evaluator(), Dataset()
    raw = evaluator(model.stream_of(model.seed, weights="raw"), dataset)
    assert later[0]["fid_raw"] == pytest.approx(raw["fid"], rel=1e-6) and later[0]["fid_raw_samples"] == 64
    assert abs(later[0]["fid"] - raw["fid"]) > 1e-3 * raw["fid"]
    with Image.open(whole / "samples/raw_step_00000004.png") as image:
        labels = [label for label in range(10)]
        expected = pictures.page(model.generate(20, labels=labels, seed=model.seed, weights="raw"), 10, None)
        np.testing.assert_array_equal(np.asarray(image), expected[..., 0])
    shown = kill_and_resume.curves(whole / "eval")
    assert 0 not in dict(shown["fid_raw"]) and 4 in dict(shown["fid_raw"])
    assert [step for step, _ in shown["raw_samples"]] == [
        s for s in (4, 8, 12) if s in dict(shown["fid_raw"])
    ]


def test_tensorboard_shows_curves_and_images(whole):
    shown = kill_and_resume.curves(whole / "train")
    assert set(shown) == {
        "d/adversarial", "g/adversarial", "d/gradient_norm", "g/gradient_norm", "learning_rate/generator",
        "learning_rate/discriminator", "images_per_second",
    }  # fmt: skip
    for tag, points in shown.items():
        assert [step for step, _ in points] == [2, 4, 6, 8, 10, 12], tag
        assert all(np.isfinite(value) and value > 0 for _, value in points), tag
    assert {value for _, value in shown["learning_rate/generator"]} == {np.float32(2e-4)}
    shown = kill_and_resume.curves(whole / "eval")
    for name in ("fid", "kid", "inception_score"):
        assert [step for step, _ in shown[name]] == [row["step"] for row in rows(whole)]
        np.testing.assert_allclose(
            [value for _, value in shown[name]], [row[name] for row in rows(whole)], rtol=1e-6
        )
    for step, (width, height, png) in shown["samples"]:
        assert png == tf.io.encode_png(
            np.asarray(Image.open(whole / f"samples/step_{step:08d}.png"))[..., None]
        )
        assert (int(width), int(height)) == (612, 132)
    assert not any(tag.endswith("seconds") for tag in shown)


def test_real_images_stand_where_the_samples_of_their_class_do(whole, gin_file):
    build.prepare([gin_file], [])
    dataset = Dataset()
    found = {label: [] for label in range(10)}
    for batch in dataset.batches(1, seed=0).take(6):
        for image, label in zip(
            to_uint8(batch["images"][0]).numpy(), batch["labels"][0].numpy(), strict=True
        ):
            found[int(label)].append(image)
    expected = np.stack([found[label][row] for row in range(2) for label in range(10)])
    with Image.open(whole / "samples" / "real.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pictures.grid(expected, 10)[..., 0])
    ((step, (_, _, png)),) = kill_and_resume.curves(whole / "eval")["real"]
    assert step == 0 and png == tf.io.encode_png(pictures.grid(expected, 10))


@pytest.mark.slow
def test_the_picture_of_real_images_is_written_again_only_if_it_changes(whole, gin_file, tmp_path, eagerly):
    shutil.copytree(whole, tmp_path / "run")
    path, seen = tmp_path / "run" / "samples" / "real.png", kill_and_resume.curves(whole / "eval")["real"]
    before, right = path.stat().st_mtime_ns, path.read_bytes()
    run(gin_file, tmp_path / "run", "train.steps=13")
    assert path.stat().st_mtime_ns == before and kill_and_resume.curves(tmp_path / "run/eval")["real"] == seen
    path.write_bytes(right[:100])  # damaged
    run(gin_file, tmp_path / "run", "train.steps=14")
    assert path.read_bytes() == right


@pytest.mark.slow
def test_histograms_on_request(gin_file, tmp_path, eagerly):
    run(gin_file, tmp_path / "run", "train.histograms=True", "train.steps=2", "train.num_samples_shown=3")
    tags = set(kill_and_resume.curves(tmp_path / "run" / "train"))
    assert sum("kernel" in tag for tag in tags) >= 4
    with Image.open(tmp_path / "run/samples/step_00000002.png") as image:  # 3 images, too few for 10 classes
        assert image.size == ((2 * 10 + 2) * 6, (2 * 10 + 2) * 6)


def test_the_best_checkpoint_stays(gin_file, tmp_path, monkeypatch):
    from tfgans.evaluate.evaluator import Evaluator

    scores = iter([9.0, 5.0, 1.0, 7.0, 8.0, 6.0, 4.0])
    original = Evaluator.__call__
    monkeypatch.setattr(Evaluator, "__call__", lambda *args: original(*args) | {"fid": next(scores)})
    run(gin_file, tmp_path / "low", "train.evaluate_every=2", "train.keep_checkpoints=2")
    assert checkpoint.Checkpoints(tmp_path / "low/checkpoints").steps() == [4, 10, 12]
    assert build.load(tmp_path / "low", step="best")[1] == 4
    scores = iter([1.0, 5.0, 9.0, 7.0, 8.0, 6.0, 4.0])
    high = ["train.best_is_highest=True", "train.keep_checkpoints=1"]
    run(gin_file, tmp_path / "high", "train.evaluate_every=2", *high)
    assert checkpoint.Checkpoints(tmp_path / "high/checkpoints").steps() == [4, 12]
    assert build.load(tmp_path / "high", step="best")[1] == 4


@pytest.mark.slow
def test_points(tmp_path, eagerly):
    (tmp_path / "ring.gin").write_text(RING)
    metrics = run(str(tmp_path / "ring.gin"), tmp_path / "run")
    assert [row["step"] for row in rows(tmp_path / "run")] == [0, 2, 4]
    for row in rows(tmp_path / "run"):
        assert 0 <= row["modes_covered"] <= 8 and row["features"] == "points" and row["fid"] > 0
    assert metrics == rows(tmp_path / "run")[-1]
    for name in ("step_00000004.png", "real.png"):
        with Image.open(tmp_path / "run/samples" / name) as image:
            assert image.size == (480, 480) and image.mode == "RGB"
    paths = after.generate(tmp_path / "run", tmp_path / "out", 5)
    assert [p.name for p in paths] == ["latents.npz", "points.npy", "points.png"]
    assert np.load(paths[1]).shape == (5, 2)


def test_what_killed_processes_left_half_written_goes_wherever_it_lies(tmp_path):
    (tmp_path / "somebody's").mkdir()
    theirs = tmp_path / "somebody's" / ".a.json.part77"
    theirs.touch()
    for place in (".", "checkpoints", "genotypes", "spectra_evaluate", "code/mine"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        for name in (".a.json.part77", "a.json"):
            (tmp_path / place / name).touch()
    with contextlib.ExitStack() as stack:
        folder.take(stack, tmp_path)
        left = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert {path.name for path in left - {theirs}} == {"a.json", "train.lock"} and theirs in left
