"""The page of one run: what it holds of finished, half-finished, unevaluated, diverged and 2-D runs."""

import base64
import hashlib
import io
import json
import re
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from data_records import measured_anew
from pages import Page
from PIL import Image
from short_runs import CONFIG, RING, Crash, crash_at, run

from tfgans.compare import bands, collect, run_page, run_pictures
from tfgans.config import ConfigError
from tfgans.run.callbacks import Diverged
from tfgans.run.folder import Output

ROWS = [
    {"step": 0, "fid": 800.0, "precision": 0.0, "features": "digits_classifier", "num_samples": 64,
     "train_seconds": 0.0, "compile_seconds": 12.5, "eval_seconds": 2.0, "real_images": 0},
    {"step": 50, "fid": 90.0, "precision": 0.5, "features": "digits_classifier", "num_samples": 64,
     "train_seconds": 30.0, "compile_seconds": 12.5, "eval_seconds": 2.0, "real_images": 1600},
    {"step": 100, "fid": 120.0, "precision": 0.75, "features": "digits_classifier", "num_samples": 64,
     "train_seconds": 4000.0, "compile_seconds": 12.5, "eval_seconds": 3.0, "real_images": 3200},
    {"step": 100, "fid": 111.0, "command": "evaluate", "weights": "raw", "features": "digits_classifier"},
]  # fmt: skip


def noise(path, side, seed=0):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a run of 100 of 200 updates has left, made up, with an evaluation in pictures."""
    folder = tmp_path_factory.mktemp("runs") / "mine <b>"
    folder.mkdir()
    (folder / "operative.gin").write_text(CONFIG + "train.steps = 200\n# </script><b>\n")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    for step in (0, 50, 100):
        noise(folder / f"samples/step_{step:08d}.png", 96, step)
    noise(folder / "samples/raw_step_00000050.png", 96, 7)
    noise(folder / "samples/real.png", 96, 8)
    noise(folder / "architecture.png", 40, 9)
    place = folder / "evaluation/step_00000050"
    place.mkdir(parents=True)
    noise(place / "nearest.png", 64, 10)
    (place / "curves.json").write_text(
        json.dumps({"precision_recall": {"precision": [0.9, 0.5], "recall": [0.2, 0.6]}})
    )
    with tf.summary.create_file_writer(str(folder / "train")).as_default():
        for step, value in ((10, 1.5), (20, np.nan), (30, 0.5)):
            tf.summary.scalar("d/adversarial", value, step)
    return folder


@pytest.fixture(scope="module")
def text(folder):
    return run_page.page(folder)


def frames_of(text):
    (found,) = re.findall(r'<script type="application/json" id="frames">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def data_of(picture):
    return base64.b64decode(picture["uri"].split(",")[1])


def test_one_file_that_needs_nothing_else(text):
    page = Page(text)
    assert (
        all(each.startswith(("data:image/", "data:,", "#")) for each in page.references) and page.references
    )
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", text.replace("http-equiv", ""))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text and "default-src 'none'" in text
    assert len(page.ids) == len(set(page.ids))


def test_texts_of_the_run_are_no_markup(text):
    assert "mine &lt;b&gt;" in text and "mine <b>" not in text
    assert "# &lt;/script&gt;&lt;b&gt;" in text and text.count("</script>") == 2


def test_all_pictures_are_in_the_slider(folder, text):
    frames = frames_of(text)
    assert [frame["step"] for frame in frames] == [0, 50, 100]
    for frame in frames:
        assert data_of(frame["samples"]) == (folder / f"samples/step_{frame['step']:08d}.png").read_bytes()
    assert [frame["raw"] is not None for frame in frames] == [False, True, False]
    assert data_of(frames[1]["raw"]) == (folder / "samples/raw_step_00000050.png").read_bytes()
    shown = base64.b64encode((folder / "samples/step_00000100.png").read_bytes()).decode()
    assert f'<img id="sample" alt="samples" src="data:image/png;base64,{shown}"' in text
    for name in ("samples/real.png", "architecture.png", "evaluation/step_00000050/nearest.png"):
        assert base64.b64encode((folder / name).read_bytes()).decode() in text


def test_tables(text):
    tables = Page(text).tables
    (summary, rows), (afterwards,) = tables["metrics"], tables["afterwards"]
    assert summary == [
        ["metric", "better", "first", "last", "best", "at step"],
        ["FID", "lower", "800", "120", "90", "50"],
        ["precision", "higher", "0", "0.7500", "0.7500", "100"],
    ]
    assert rows[0] == ["step", "fid", "precision", "train_seconds", "eval_seconds", "real_images"]
    assert rows[1] == ["100", "120", "0.7500", "4,000", "3", "3,200"] and rows[3][0] == "0"
    assert afterwards == [
        ["step", "fid", "weights", "features"],
        ["100", "111", "raw", "digits_classifier"],
    ]


def test_words(text):
    said = " ".join(Page(text).text.split())
    assert (
        "FID 120 at step 100, best 90 at step 50 (features: digits_classifier of 64 samples; lower is better)."
        in said
    )
    assert (
        "The run has unfinished" not in said
        and "The run is unfinished: last evaluated at step 100 of 200." in said
    )
    assert "The same in all rows: features digits_classifier, num_samples 64, compile_seconds 12.50." in said
    assert "training 1 h 07 min compiling 12.5 s evaluating 7.0 s real images seen 3,200" in said
    assert re.search(r"parameters of the generator [\d,]+ parameters of the discriminator", said)
    assert "an update 40,000 ms" in said


BEST_OF_IMAGES = 'train.best_metric = "sliced_wasserstein"\n'


@pytest.mark.parametrize(
    "bound, measured, expected",
    [
        (BEST_OF_IMAGES, {"sliced_wasserstein": (9.0, 4.0, 5.0)},
         "Sliced Wasserstein 5 at step 2, best 4 at step 1 (64 samples; lower is better)."),
        (BEST_OF_IMAGES, {"fid": (1.0, 2.0, 3.0), "sliced_wasserstein": (9.0, 5.0, 4.0)},
         "Sliced Wasserstein 4 at step 2, the best so far (64 samples; lower is better)."),
        ('train.best_metric = "inception_score"\n', {"fid": (3.0, 2.0, 1.0), "inception_score": (1.0, 3.0, 2.0)},
         "Inception score 2 at step 2, best 3 at step 1 (64 samples; higher is better)."),
        ("train.best_metric = 'own'\ntrain.best_is_highest = True\n", {"own": (1.0, 3.0, 2.0)},
         "Own 2 at step 2, best 3 at step 1 (64 samples; higher is better)."),
        ("", {"spectrum_distance": (3.0, None, 2.0)},
         "Spectrum distance 2 at step 2, the best so far (64 samples; lower is better)."),
    ],
    ids=["alone", "beside another", "higher", "of one's own", "another one"],
)  # fmt: skip
def test_the_headline_is_of_the_metric_that_the_run_is_chosen_by(tmp_path, bound, measured, expected):
    (tmp_path / "operative.gin").write_text(RING + bound)
    rows = [
        {"step": step, "num_samples": 64, "features": "none"}
        | {name: values[step] for name, values in measured.items()}
        for step in range(3)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = Page(run_page.page(tmp_path))
    assert expected in " ".join(page.text.split())
    (name, better, *_), *_ = page.tables["metrics"][0][1:]
    assert expected.startswith(name[0].upper() + name[1:]) and f"; {better} is better" in expected


def test_the_best_is_measured_like_the_last_and_a_metric_may_come_later(tmp_path):
    (tmp_path / "operative.gin").write_text(RING)
    common = {"num_samples": 64, "features": "b"}
    rows = [
        {"step": 0, "num_samples": 64, "features": "a", "fid": 1.0},
        {"step": 1, "fid": 5.0} | common,
        {"step": 2, "fid": 7.0, "kid_std": None} | common,
    ]
    later = [row | {"command": "evaluate"} for row in (rows[1], rows[2])]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, *later]))
    page = Page(run_page.page(tmp_path))
    assert "FID 7 at step 2, best 5 at step 1 (features: b of 64 samples;" in " ".join(page.text.split())
    assert page.tables["metrics"][0][1] == ["FID", "lower", "5", "7", "5", "1"]
    said = "evaluated up to step 0 in other features, against other images or of other numbers of them than at its"
    assert said in " ".join(page.text.split())
    run = collect.read_run(tmp_path, tmp_path, outcome="finished")
    assert run["suspicious"] is None  # FID 1, untrained, is of other features
    assert [list(each) for each in bands.run_points(run, "fid", "step")] == [[1.0, 2.0], [5.0, 7.0]]


def test_what_was_measured_against_other_images_does_not_count(tmp_path):
    """After step 1 the run went on with others in the place of what evaluations compare with, and as many."""
    (tmp_path / "operative.gin").write_text(RING)
    row = {"num_samples": 64, "features": "b", "num_reference": 9}
    rows = [{"step": step, "fid": fid} | row for step, fid in ((0, 2.0), (1, 1.0), (2, 5.0), (3, 7.0))]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    measured_anew(tmp_path, 1)
    page = Page(run_page.page(tmp_path))
    assert "FID 7 at step 3, best 5 at step 2" in " ".join(page.text.split())
    assert "evaluated up to step 1 in other features, against other images" in " ".join(page.text.split())


def test_figures(text):
    drawn = re.findall(r'role="img" aria-label="([^"]*)"', text)
    assert drawn == [
        "FID against generator updates",
        "precision against generator updates",
        "precision-recall curves of the configurations",
        "d/adversarial against generator updates",
    ]


def test_pictures_that_are_large_share_the_room(tmp_path, monkeypatch):
    (tmp_path / "samples").mkdir()
    names = [f"step_{step:08d}.png" for step in range(20)] + ["raw_step_00000003.png"]
    for number, name in enumerate(names):
        rough = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(rough).resize((300, 300), Image.Resampling.BICUBIC).save(tmp_path / "samples" / name)
    noise(tmp_path / "samples/step_00000003.png", 8)  # small: stays as it is
    monkeypatch.setattr(run_pictures, "BYTES", 21 * 7_500)  # those of 300 pixels are of 100,000
    frames, left_out = run_pictures.samples(tmp_path)
    assert [frame["step"] for frame in frames] == list(range(20)) and left_out == 0
    found = [data_of(frame["samples"]) for frame in frames] + [data_of(frames[3]["raw weights"])]
    assert max(map(len, found)) <= 7_500 and min(len(data) for data in found if data is not found[3]) > 5_000
    assert found[3] == (tmp_path / "samples/step_00000003.png").read_bytes()
    with Image.open(io.BytesIO(found[0])) as image:
        assert image.format == "WEBP" and image.size == (256, 256)
    monkeypatch.setattr(run_pictures, "BYTES", 21 * 300_000)
    with Image.open(io.BytesIO(data_of(run_pictures.samples(tmp_path)[0][0]["samples"]))) as image:
        assert image.format == "PNG" and image.size == (300, 300)


@pytest.mark.parametrize("size", [(20_000, 40), (40, 20_000)])
def test_pictures_longer_than_webp_can_have_are_made_smaller(tmp_path, monkeypatch, size):
    """Of 20 columns of 1024 pixels, say; they were left out."""
    (tmp_path / "samples").mkdir()
    rough = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(rough).save(tmp_path / "samples" / "step_00000001.png")
    monkeypatch.setattr(run_pictures, "BYTES", 2_000_000)
    ((frame,), left) = run_pictures.samples(tmp_path)
    with Image.open(io.BytesIO(data_of(frame["samples"]))) as image:
        assert (image.format, left) == ("WEBP", 0)
        assert 15_000 < max(image.size) <= 16_383 and 32 <= min(image.size) <= 33


def test_pictures_with_alpha_are_on_white_where_they_share_the_room(tmp_path, monkeypatch):
    (tmp_path / "samples").mkdir()
    rough = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
    rough[..., 3] = 0
    Image.fromarray(rough).save(tmp_path / "samples/step_00000001.png")
    monkeypatch.setattr(run_pictures, "BYTES", 3_000)
    ((frame,), _) = run_pictures.samples(tmp_path)
    with Image.open(io.BytesIO(data_of(frame["samples"]))) as image:
        assert image.format == "WEBP" and np.asarray(image.convert("RGB")).min() == 255


def test_of_very_many_steps_some_are_shown(tmp_path, monkeypatch):
    for step in range(0, 110, 10):
        noise(tmp_path / f"samples/step_{step:08d}.png", 8, step)
    monkeypatch.setattr(run_pictures, "STEPS", 5)
    frames, left_out = run_pictures.samples(tmp_path)
    assert [frame["step"] for frame in frames] == [0, 20, 50, 80, 100] and left_out == 6


def test_damaged_pictures_are_left_out(tmp_path, monkeypatch):
    for step in (1, 2, 3):
        noise(tmp_path / f"samples/step_{step:08d}.png", 64, step)
    (tmp_path / "samples/step_00000001.png").write_bytes(b"no picture")
    path = tmp_path / "samples/step_00000002.png"
    path.write_bytes(path.read_bytes()[:-600])
    (tmp_path / "samples/step_x.png").write_bytes(b"of no step")
    monkeypatch.setattr(run_pictures, "BYTES", 300)
    frames, _ = run_pictures.samples(tmp_path)
    assert [frame["step"] for frame in frames] == [3]


@pytest.mark.slow
def test_a_run_of_points(eagerly, tmp_path):
    (tmp_path / "ring.gin").write_text(RING)
    run(tmp_path / "ring.gin", tmp_path / "run")
    path = run_page.write(tmp_path / "run")
    assert path == tmp_path / "run/report.html"
    text = path.read_text()
    assert [frame["step"] for frame in frames_of(text)] == [0, 2, 4]
    said = " ".join(Page(text).text.split())
    assert "The run is finished after 4 updates." in said and "source ring examples 40,000" in said
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file() and p != path}
    assert run_page.write(tmp_path / "run", tmp_path / "other.html") == tmp_path / "other.html"
    assert before == {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file() and p != path}


def test_a_run_that_was_killed_before_its_first_evaluation(eagerly, tmp_path, monkeypatch):
    (tmp_path / "ring.gin").write_text(RING)
    crash_at(monkeypatch, Output, "append", lambda self, row: True)
    with pytest.raises(Crash):
        run(tmp_path / "ring.gin", tmp_path / "run")
    said = " ".join(Page(run_page.page(tmp_path / "run")).text.split())
    assert "The run is unfinished: nothing was evaluated or noted yet." in said
    assert "There are no pictures of samples yet." in said and "There are no curves yet." in said


def test_a_run_without_an_evaluator(eagerly, tmp_path):
    text = RING.replace("Evaluator.features = @PointFeatures()", "").replace("Evaluator.", "# Evaluator.")
    (tmp_path / "ring.gin").write_text(text + "\ntrain.log_every = 1\n")
    run(tmp_path / "ring.gin", tmp_path / "run")
    page = Page(run_page.page(tmp_path / "run"))
    said = " ".join(page.text.split())
    assert "The run was not evaluated: its rows hold losses alone, see below." in said
    (rows,) = page.tables["metrics"]
    assert {"step", "d/adversarial", "g/adversarial"} <= set(rows[0]) and len(rows) == 4


def test_a_run_that_diverged(eagerly, tmp_path):
    (tmp_path / "ring.gin").write_text(RING + "Adam.learning_rate = 1e30\n")
    with pytest.raises(Diverged):
        run(tmp_path / "ring.gin", tmp_path / "run")
    text = run_page.page(tmp_path / "run")
    said = " ".join(Page(text).text.split())
    assert "The run is unfinished: last evaluated at step 0 of 4." in said
    assert [frame["step"] for frame in frames_of(text)] == [0]


def test_a_place_that_cannot_be_written_to_is_refused_before_the_page_is_made(tmp_path, monkeypatch):
    def read_only(dir):
        raise OSError(30, "Read-only file system", str(dir))

    (tmp_path / "operative.gin").write_text(RING)
    monkeypatch.setattr(run_page, "page", None)
    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    with pytest.raises(ConfigError, match="report.html cannot be written: .*Read-only file system"):
        run_page.write(tmp_path)


def test_what_is_no_run_or_cannot_be_read_is_one_line_and_nothing_is_written(tmp_path):
    with pytest.raises(ConfigError, match="is not a run: it has no operative.gin"):
        run_page.write(tmp_path)
    (tmp_path / "operative.gin").write_text(RING)
    (tmp_path / "metrics.jsonl").write_text('{"step": 0, "features": 3}\n')
    with pytest.raises(ConfigError, match="the row of step 0 has features = 3"):
        run_page.write(tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    for wrong in (tmp_path, tmp_path / "no/such.html"):
        with pytest.raises(ConfigError, match="--output is a file in a folder that is there. Received: "):
            run_page.write(tmp_path, wrong)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["operative.gin"]


def test_a_page_takes_the_place_of_a_page_alone(tmp_path, monkeypatch):
    """`--output=runs/mine/operative.gin` left a page there, and a run that nothing could open."""
    monkeypatch.setattr(run_page, "page", lambda folder: "<!DOCTYPE html>new")
    (tmp_path / "operative.gin").write_text(RING)
    with pytest.raises(ConfigError, match="operative.gin is there already, and is not a page of report"):
        run_page.write(tmp_path, tmp_path / "operative.gin")
    assert (tmp_path / "operative.gin").read_text() == RING
    (tmp_path / "empty").touch()
    for name in (None, "empty", "report.html"):
        written = run_page.write(tmp_path, name and tmp_path / name)
        assert written.read_text() == "<!DOCTYPE html>new"
