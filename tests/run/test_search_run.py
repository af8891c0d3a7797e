"""A search in its folder: what it leaves, that it goes on exactly, and what it refuses."""

import json
import types

import keras
import numpy as np
import pytest
import short_runs
from short_runs import history, search

from tfgans import config
from tfgans.checkpoint import Checkpoints
from tfgans.commands import actions
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate.evaluator import Evaluator
from tfgans.gan import generation
from tfgans.methods.alphagan.spaces.autogan.genotype import Genotype, load_genotype
from tfgans.methods.alphagan.spaces.autogan.supernet import GeneratorSupernet, Supernet
from tfgans.run import build, callbacks, searching, training
from tfgans.run.plan import Plan

CONFIG = """
include "gin_configs/data/digits.gin"
include "gin_configs/networks/alphagan_supernet.gin"
num_classes = None
batch_size = 8
alphagan_supernet.base_channels = 2
alphagan_supernet.latent_dim = 4
alphagan_supernet.normal_operations = ("conv_1x1", "conv_3x3")
alphagan_supernet.up_operations = ("deconv", "nearest")
autogan_discriminator.base_channels = 2
build.generator_optimizer = @SGD
build.discriminator_optimizer = @SGD
SGD.learning_rate = 0.01
AlphaGAN.weight_steps = 2
AlphaGAN.test_steps = 1
AlphaGAN.architecture_steps = 2
AlphaGAN.architecture_learning_rate = 0.1
AlphaGAN.warm_up_steps = 1
Evaluator.features = @DigitsFeatures()
Evaluator.num_samples = 64
train.steps = 3
train.save_every = 1
train.evaluate_every = 1
train.sample_every = 1
train.log_every = 1
search.retrain_gin_file = ("gin_configs/alphagan/digits32_retrain.gin", "gin_configs/data/digits.gin")
search.retrain_gin_params = ("train.steps=5",)
"""

PICTURES = "genotype.png", "architecture.png", "duality_gap.png"


pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / "search.gin"
    path.write_text(CONFIG)
    return str(path)


@pytest.mark.slow
def test_a_search_goes_on_exactly_and_hands_over_a_genotype(gin_file, tmp_path, monkeypatch):
    """It stops within the evaluation of step 2, whose row, with the measured gap, is written by then."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = search(gin_file, whole)
    stopped = lambda self, *given: self.features and run_steps(parts) >= 2  # noqa: E731
    with monkeypatch.context() as context:
        short_runs.crash_at(context, Evaluator, "__call__", stopped)
        with pytest.raises(short_runs.Crash):
            search(gin_file, parts)
    assert [row["step"] for row in history(parts)] == [0, 1, 2] and "duality_gap" in history(parts)[2]
    search(gin_file, parts)
    assert history(parts) == history(whole)
    short_runs.assert_same_run(whole, parts)
    rows = history(whole)
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert (
        rows[0]["mixing"] == rows[1]["mixing"] != rows[2]["mixing"] != rows[3]["mixing"]
    )  # a warm-up of one
    assert "duality_gap" not in rows[1]
    gap = rows[3]["minmax"] - rows[3]["maxmin"]
    assert rows[3]["duality_gap"] == pytest.approx(gap, abs=1e-5)
    for row in rows:
        shares = [np.array(values) for values in row["mixing"].values()]
        np.testing.assert_allclose(np.concatenate([s.sum(1) for s in shares]), 1.0, atol=1e-5)
        entropy = np.concatenate([-(s * np.log(s)).sum(1) for s in shares]).mean()
        assert row["entropy"] == pytest.approx(entropy, abs=1e-4)
    found = load_genotype(str(whole / "genotype.json"))
    assert json.loads(found.text()) == rows[3]["genotype"]
    best = [np.argmax(v, 1) for v in rows[3]["mixing"].values()]
    assert found.normal[0] == tuple(("conv_1x1", "conv_3x3")[i] for i in best[0])
    kept = sorted(p.name for p in (whole / "genotypes").iterdir())
    assert kept == [f"step_{step:08d}.json" for step in range(4)]
    assert all((whole / name).stat().st_size > 1000 for name in PICTURES)
    assert flags == [
        "--gin_file=gin_configs/alphagan/digits32_retrain.gin",
        "--gin_file=gin_configs/data/digits.gin",
        f"--model_dir={whole}-retrained",
        "--gin_param=train.steps=5",
        f"--gin_param=alphagan_generator.genotype='{whole}/genotype.json'",
    ]
    row = short_runs.rows(whole)[-1]
    assert row["real_images"] == 8 * (3 * 2 + 2 * (1 + 2 + 1))


@pytest.mark.parametrize("name", ["my runs/s", "my runs/s/"])
def test_what_trains_the_genotype_is_told_as_flags(monkeypatch, name):
    class Done:
        model = type("Model", (), {"generator": type("Net", (), {"retrained_by": "g.genotype"})})
        model.discriminator = object()
        train = staticmethod(lambda: None)

    monkeypatch.setattr(searching, "SearchRun", lambda *_: Done)
    monkeypatch.setattr(searching, "Plan", lambda: None)
    flags = searching.search(name, "retrain.gin", ['Dataset.source="digits"'])
    assert flags == [
        "--gin_file=retrain.gin",
        "--model_dir=my runs/s-retrained",
        '--gin_param=Dataset.source="digits"',
        "--gin_param=g.genotype='my runs/s/genotype.json'",
    ]


def test_the_command_hands_on_what_the_data_are(monkeypatch):
    given = {"steps": 3, "data": "my images", "resolution": (64, 128), "num_classes": 0}
    monkeypatch.setattr(actions, "_plain_flags", lambda: given)
    assert actions._flags_of_data() == ["--data=my images", "--resolution=64x128", "--num_classes=0"]


@pytest.mark.parametrize("name", ["train", "search"])
@pytest.mark.parametrize(
    ("row", "named"),
    [
        (
            {"d/adversarial": 1.0},
            True,
        ),  # an evaluator whose features say nothing about the images, and no metric else
        ({"duality_gap": 0.1, "duality_minmax": 0.1, "duality_maxmin": 0.0, "features": "none"}, True),
        ({"spectrum_distance": 0.1, "duality_gap": 0.1, "features": "none"}, False),
        ({"fid": None, "features": "digits_classifier"}, False),
    ],
)
def test_the_command_that_a_search_ends_with_names_features_as_that_of_a_run(
    name, row, named, tmp_path, monkeypatch, capsys
):
    written = [{"step": 3} | row, {"step": 3, "command": "evaluate", "kid": 0.1, "features": "points"}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in written))
    monkeypatch.setattr(
        actions, "_prepare_training", lambda: build.prepare([], ["Evaluator.features = @DigitsFeatures()"])
    )
    monkeypatch.setattr(actions, "FLAGS", types.SimpleNamespace(model_dir=str(tmp_path)))
    monkeypatch.setattr(searching, "search", lambda _: None)
    monkeypatch.setattr(training, "train", lambda _: row)
    getattr(actions, f"_{name}")()
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(" --gin_param='Evaluator.features=@InceptionFeatures()'") == named


def run_steps(folder):
    """The step of the newest checkpoint."""
    return max(int(path.stem.split("_")[1]) for path in (folder / "checkpoints").iterdir())


def test_the_halves_are_disjoint_and_used_in_turn(gin_file, tmp_path, monkeypatch):
    build.prepare([gin_file], ())
    data = Dataset()
    halves = data.halves()
    sizes = [half.num_examples for half in halves]
    assert sum(sizes) == data.num_examples and abs(sizes[0] - sizes[1]) <= 1
    assert not set(halves[0]._indices) & set(halves[1]._indices)
    monkeypatch.setattr(config, "refuse_unused", lambda: None)  # `search` itself is not called
    run = searching.SearchRun(tmp_path / "run", Plan(3))
    parts = [run.model.batches_of(step) for step in range(3)]
    assert parts == [(2, 0), (2, 5), (2, 5)]
    pools = [{image.tobytes() for image in half._store.reference(half._indices)[0]} for half in run.halves]

    def source(batch):
        seen = {image.tobytes() for image in np.uint8(np.round((batch["images"][0].numpy() + 1) * 127.5))}
        return [index for index, pool in enumerate(pools) if seen <= pool and not seen & pools[1 - index]]

    def taken(start, count):
        return [(source(batch), batch["images"].numpy()) for batch in run.batches(start).take(count)]

    whole = taken(0, 16)
    assert [sources for sources, _ in whole] == [[0]] * 4 + [[1]] * 5 + [[0]] * 2 + [[1]] * 5
    for (_, first), (_, again) in zip(whole[9:], taken(2, 7), strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.slow
def test_refusals(gin_file, tmp_path):
    build.prepare([gin_file], ())
    with pytest.raises(ConfigError, match="AlphaGAN is for launch/search.py"):
        training.train(str(tmp_path / "run"))
    keras.backend.clear_session()
    build.prepare([gin_file], ("Dataset.half = 0",))
    with pytest.raises(ConfigError, match="Dataset.half must be None: both halves are needed. Received: 0"):
        searching.search(str(tmp_path / "run"))
    plain = tmp_path / "plain.gin"
    plain.write_text(short_runs.CONFIG)
    keras.backend.clear_session()
    build.prepare([str(plain)], ())
    with pytest.raises(ConfigError, match="a search needs a generator that is a supernet"):
        searching.search(str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("lacking", "bindings", "said"),
    [
        (
            (GeneratorSupernet, "draw"),
            (),
            "needs more of alphagan_supernet, .*Supernet tells: it has no draw$",
        ),
        ((Supernet, "mixing_of"), ("build.methods = [@RandomSearchGAN]",), "it has no mixing_of$"),
        ((Genotype, "line"), (), "what alphagan_supernet.genotype gives, .*Record tells: it has no line$"),
    ],
)
def test_a_supernet_of_ones_own_that_lacks_what_a_search_needs_is_refused_before_it(
    lacking, bindings, said, gin_file, tmp_path, monkeypatch
):
    """It ended in a traceback, of random search after all its steps."""
    monkeypatch.delattr(*lacking)
    build.prepare([gin_file], bindings)
    with pytest.raises(ConfigError, match=said):
        searching.search(str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_search_that_chooses_nothing_at_its_end_needs_no_candidates(gin_file, monkeypatch):
    monkeypatch.delattr(Supernet, "mixing_of")
    build.prepare([gin_file], ())
    searching._check_supernets(build.build_model()[0])


@pytest.mark.slow
def test_a_row_noted_after_a_kill_has_the_gap_of_its_step(gin_file, tmp_path, monkeypatch):
    """A step that is evaluated and falls between two rows is noted after its evaluation, which may be long."""
    folder = tmp_path / "run"
    bindings = "search.note_every = 2", "train.evaluate_every = 3"
    monkeypatch.setattr(generation, "_export", short_runs.export_nothing)
    with monkeypatch.context() as context:
        late = lambda self, *given: self.features and run_steps(folder) == 3  # noqa: E731
        short_runs.crash_at(context, Evaluator, "__call__", late)
        with pytest.raises(short_runs.Crash):
            search(gin_file, folder, *bindings)
    assert [row["step"] for row in history(folder)] == [0, 2]
    search(gin_file, folder, *bindings)
    logs = Checkpoints(folder / "checkpoints").load(3)[1]["logs"]
    assert [row["step"] for row in history(folder)] == [0, 2, 3]
    assert history(folder)[-1]["duality_gap"] == logs["search/duality_gap"]


@pytest.mark.slow
def test_what_was_found_after_the_last_checkpoint_is_told_again(tmp_path, monkeypatch):
    """Without an evaluator an evaluation saves nothing."""
    monkeypatch.setattr(generation, "_export", short_runs.export_nothing)
    path, folder = tmp_path / "search.gin", tmp_path / "run"
    path.write_text("\n".join(line for line in CONFIG.splitlines() if not line.startswith("Evaluator")))
    bindings = [f"train.{name} = 4" for name in ("steps", "save_every", "sample_every")]
    bindings += ["train.evaluate_every = 3", "search.note_every = 2"]
    with monkeypatch.context() as context:
        short_runs.crash_at(context, callbacks.StopOnSignal, "after", lambda _, step: step == 3)
        with pytest.raises(short_runs.Crash):
            search(path, folder, *bindings)
    assert [row["step"] for row in history(folder)] == [0, 2, 3] and run_steps(folder) == 0
    search(path, folder, *bindings)
    assert [row["step"] for row in history(folder)] == [0, 2, 3, 4]


def test_rows_fall_on_ends_of_executions_of_several_steps(gin_file, tmp_path, monkeypatch):
    monkeypatch.setattr(generation, "_export", short_runs.export_nothing)
    bindings = ["build.steps_per_execution = 2"]
    bindings += [f"train.{name} = 2" for name in ("steps", "save_every", "evaluate_every", "sample_every")]
    bindings += ["train.log_every = 2"]
    with pytest.raises(
        ConfigError, match="search.note_every = 3 is not a multiple of build.steps_per_execution = 2"
    ):
        search(gin_file, tmp_path / "run", *bindings, "search.note_every = 3")
    assert not (tmp_path / "run").exists()
    search(gin_file, tmp_path / "run", *bindings, "AlphaGAN.warm_up_steps = 0")
    rows = history(tmp_path / "run")
    assert [row["step"] for row in rows] == [0, 2]
    shares = [
        np.array(values) for values in rows[1]["mixing"].values()
    ]  # not a mean over both steps, as it was
    entropy = np.concatenate([-(s * np.log(s)).sum(1) for s in shares]).mean()
    assert rows[1]["entropy"] == pytest.approx(entropy, abs=2e-6) and "duality_gap" in rows[1]


@pytest.mark.slow
def test_a_longer_search_that_was_killed_at_its_end_still_finds_its_own_genotype(
    gin_file, tmp_path, monkeypatch
):
    """What the shorter one found lies there until then."""
    monkeypatch.setattr(generation, "_export", short_runs.export_nothing)
    folder, steps = tmp_path / "run", "train.steps = {}".format
    search(gin_file, folder, steps(1))
    (folder / "genotype.json").write_text("the first one's")
    with monkeypatch.context() as context:
        short_runs.crash_at(context, searching.SearchRun, "_final_genotype", lambda run: True)
        with pytest.raises(short_runs.Crash):
            search(gin_file, folder, steps(2))
    assert (folder / "genotype.json").read_text() == "the first one's"
    search(gin_file, folder, steps(2))
    assert json.loads((folder / "genotype.json").read_text()) == history(folder)[-1]["genotype"]


@pytest.mark.slow
def test_random_search_hands_over_the_best_candidate(gin_file, tmp_path):
    bindings = (
        "build.methods = [@RandomSearchGAN]", "RandomSearchGAN.num_candidates = 3", "AlphaGAN.warm_up_steps = 1",
        "train.steps = 1", "train.evaluate_every = 1", "train.sample_every = 1",
    )  # fmt: skip
    text = "\n".join(line for line in CONFIG.splitlines() if not line.startswith(("AlphaGAN", "train.")))
    plain = tmp_path / "random.gin"
    plain.write_text(text)
    search(str(plain), tmp_path / "run", *(b for b in bindings if not b.startswith("AlphaGAN")))
    told = json.loads((tmp_path / "run" / "candidates.json").read_text())
    assert (told["chosen_by"], told["higher_is_better"]) == ("fid", False)
    scores = [row["fid"] for row in told["candidates"]]
    assert len(scores) == 3 and all(score > 0 for score in scores)
    assert all(row["features"] and row["num_samples"] for row in told["candidates"])
    found = load_genotype(str(tmp_path / "run" / "genotype.json"))
    pools = ("conv_1x1", "conv_3x3"), ("deconv", "nearest")
    from tfgans.methods.alphagan.spaces.autogan.genotype import random_genotype

    assert found == random_genotype((0, int(np.argmin(scores))), *pools)
    for index, row in enumerate(told["candidates"]):
        assert json.loads(random_genotype((0, index), *pools).text()) == row["genotype"]


RANDOM = ("build.methods = [@RandomSearchGAN]", "RandomSearchGAN.num_candidates = 2", "train.steps = 1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("", "nothing is measured: bind Evaluator.features"),
        ("train.duality_gap = @DualityGap()\ntrain.best_metric = 'duality_gap'", "Received: duality_gap"),
        ("Evaluator.metrics = ['fid']\ntrain.best_metric = 'fidd'", "train.best_metric"),
        (
            "Evaluator.metrics = ['spectrum']\nEvaluator.features = @NoFeatures()",
            "spectrum_distance_all, .* Received: fid",
        ),
    ],
)
def test_what_candidates_cannot_be_chosen_by_is_refused_before_the_search(change, said, gin_file, tmp_path):
    kept = [line for line in CONFIG.splitlines() if not line.startswith("AlphaGAN")]
    kept = kept if change else [line for line in kept if not line.startswith("Evaluator")]
    path = tmp_path / "random.gin"
    path.write_text("\n".join([*kept, change]))
    with pytest.raises(ConfigError, match=said):
        search(str(path), tmp_path / "run", *RANDOM)
    assert not (tmp_path / "run").exists()


def test_candidates_are_told_with_what_they_were_chosen_by_and_null_where_that_is_not_known(tmp_path):
    model = types.SimpleNamespace(num_candidates=3, seed=0, paths=lambda seed: None)
    model.streams_of_classes, scores = lambda seed: None, []
    model.candidates = lambda: [types.SimpleNamespace(text=lambda i=i: f'["up {i}"]') for i in range(3)]
    model.final_genotype = lambda score: ("the second", scores.extend(score(None) for _ in range(3)))
    values = iter([None, 2.0, 3.0])
    run = types.SimpleNamespace(model=model, dataset=None, folder=tmp_path)
    run.evaluator = lambda *_: {"inception_score": next(values), "features": "points"}
    run.plan = Plan(1, best_metric="inception_score")
    assert searching.SearchRun._final_genotype(run) == "the second"
    assert scores == [float("inf"), -2.0, -3.0]  # less is better for the model
    told = json.loads((tmp_path / "candidates.json").read_text(), parse_constant=pytest.fail)
    rows = [
        {"genotype": [f"up {i}"], "inception_score": value, "features": "points"}
        for i, value in enumerate([None, 2.0, 3.0])
    ]
    assert told == {"chosen_by": "inception_score", "higher_is_better": True, "candidates": rows}
