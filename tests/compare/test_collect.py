"""Runs that exist only as their files: what is read of them, and what is made of it."""

import json
from types import SimpleNamespace

import pytest
import tensorflow as tf
from left_by_runs import compare, make_run

from tfgans.compare import collect, comparison, plan, processes, run
from tfgans.config import ConfigError


def test_a_run_is_read(tmp_path):
    folder = make_run(tmp_path / "a" / "seed_3", 3, 0.9, [100.0, 7.0, 9.0])
    writer = tf.summary.create_file_writer(str(folder / "train"))
    with writer.as_default():
        for step, value in ((5, 1.5), (10, float("nan"))):
            tf.summary.scalar("d/adversarial", value, step=step)
            tf.summary.scalar("images_per_second", value, step=step)
    writer.close()
    found = collect.read_run(folder, tmp_path)
    assert (found["seed"], found["folder"], found["outcome"]) == (3, "a/seed_3", "finished")
    assert (found["step"], found["train_seconds"], found["compile_seconds"]) == (20, 4.0, 5.0)
    assert found["eval_seconds"] == 1.5
    assert found["evaluations"][1] == {
        "step": 10,
        "train_seconds": 2.0,
        "metrics": {"fid": 7.0},
        "comparable": True,
    }
    assert len(found["evaluations"]) == 3
    assert found["curves"] == {"d/adversarial": [[5, 1.5], [10, None]]}
    assert found["samples"] == "a/seed_3/samples/step_00000020.png"
    assert collect.read_run(folder, tmp_path / "elsewhere")["folder"] == str(folder)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"fid": 9.0}, {"fid": 8.0}], None),
        ([{"fid": 9.0}, {"fid": 9.0}], "fid 9, untrained 9"),
        ([{"fid": 9.0}, {"fid": 8.0, "recall": 0.009}], "recall 0.009"),
        ([{"fid": 9.0}, {"fid": 8.0, "recall": 0.01, "coverage": 0.0}], "coverage 0"),
        ([{"modes_covered": 8}, {"modes_covered": 1}], "1 modes, 8 before"),
        ([{"modes_covered": 8}, {"modes_covered": 2}], None),
        ([{"fid": None}, {"fid": 2.0, "recall": None}], None),
        ([], None),
    ],
)
def test_suspicion(rows, message):
    rows = [row | {"step": 10 * i} for i, row in enumerate(rows)]
    assert collect.suspicion(rows) == message


def test_a_run_that_goes_on_after_its_end_is_unfinished(tmp_path):
    folder = make_run(tmp_path / "run", 0, 0.9, [100.0, 7.0, 9.0])
    (folder / "export" / "assets.extra").mkdir()
    for exported, outcome in (
        (20, ("finished", None)),
        (10, ("unfinished", "last evaluated at step 20 of 20")),
    ):
        (folder / "export" / "assets.extra" / "step.txt").write_text(f"{exported}\n")
        found = collect.read_run(folder, tmp_path)
        assert (found["outcome"], found["message"]) == outcome


def test_a_run_whose_last_evaluation_was_cut_off_has_no_last_value(tmp_path):
    """It once finished with that of step 10, beside those of step 20 of others."""
    folder = make_run(tmp_path / "run", 0, 0.9, [100.0, 7.0, 9.0])
    (folder / "export" / "assets.extra").mkdir()
    (folder / "export" / "assets.extra" / "step.txt").write_text("20\n")
    lines = (folder / "metrics.jsonl").read_text().splitlines()[:3]
    (folder / "metrics.jsonl").write_text("\n".join(lines)[:-5])
    found = collect.read_run(folder, tmp_path)
    assert (found["outcome"], found["message"]) == ("unfinished", "last evaluated at step 10 of 20")
    assert comparison.value_of(found, "fid", "last", higher_is_better=False) is None
    assert not collect.has_finished(folder)


def test_a_run_that_nothing_evaluated_has_losses_and_is_left_out(tmp_path, monkeypatch):
    for name in ("evaluated", "not"):
        make_run(tmp_path / name, 0, 0.9 if name == "not" else 0.8, [100.0, 9.0])
    rows = [
        {"step": step, "d/adversarial": 0.5, "stability_mse": 0.1, "train_seconds": 1.0} for step in (0, 10)
    ]
    (tmp_path / "not" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = collect.read_run(tmp_path / "not", tmp_path)
    assert (found["evaluations"], found["step"], found["outcome"]) == ([], 10, "finished")
    paths = [tmp_path / "evaluated", tmp_path / "not"]
    result, problems = compare(tmp_path / "out", monkeypatch, paths)
    assert problems == [f"{tmp_path / 'not'}: nothing evaluated it"]
    assert [each["label"] for each in result["configurations"]] == ["evaluated"]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        (
            "operative.gin",
            b"\xff\xfe",
            "operative.gin cannot be read as a configuration: it is not a text file",
        ),
        ("operative.gin", b"numerics.seed = abc\n", "cannot be read as a run: invalid literal for int"),
        (
            "metrics.jsonl",
            b'{"step": 0, "fid": "low"}\n{"step": 9, "fid": 1.0}\n',
            "cannot be read as a run: ",
        ),
        ("metrics.jsonl", b'{"step": 9, "features": ["a"]}\n', "the row of step 9 has features = ['a']"),
        (
            "metrics.jsonl",
            b'{"step": 9, "train_seconds": "1"}\n',
            "the row of step 9 has train_seconds = '1'",
        ),
    ],
)
def test_a_damaged_run_has_failed_and_the_others_are_compared(tmp_path, monkeypatch, name, data, reason):
    for seed in range(3):
        make_run(tmp_path / "runs" / f"seed_{seed}", seed, 0.9, [100.0, 4.0])
    (tmp_path / "runs" / "seed_1" / name).write_bytes(data)
    found = collect.read_run(tmp_path / "runs" / "seed_1", tmp_path)
    assert found["outcome"] == "failed" and reason in found["message"] and "\n" not in found["message"]
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path / "runs"])
    assert len(problems) == 1 and reason in problems[0]
    assert result["configurations"][0]["summary"]["fid"]["last"]["values"] == [4.0, 4.0]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"\xff", b'{"frequency": [0.0], "real": {}}', b"[" * 10**5]
)
def test_damaged_spectra_and_curves_are_left_out(tmp_path, caplog, data):
    folder = make_run(tmp_path / "a", 0, 0.9, [100.0, 4.0])
    path = folder / "spectra" / "step_00000010.json"
    path.parent.mkdir()
    path.write_bytes(data)
    (folder / "train").mkdir()
    (folder / "train" / "events.out.tfevents.1.host").write_bytes(data + b"\0" * 100)
    found = collect.read_run(folder, tmp_path)
    assert (found["outcome"], found["spectrum"], found["curves"]) == ("finished", None, {})
    assert f"{path} cannot be read as spectra: " in caplog.text


ODD_END = b'{"configuration": "abc", "outcome": "diverge", "message": "m"}'  # once in no count at all


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"\xff", b"[" * 10**5, b'{"configuration": "abc"}', ODD_END]
)
def test_a_run_whose_stamp_is_damaged_is_not_done(tmp_path, caplog, data):
    one = processes.Run(tmp_path, SimpleNamespace(label="a", digest=lambda: "abc", contents={}), 0)
    assert not one.is_done() and caplog.messages == []
    one.folder.mkdir(parents=True)
    (one.folder / "operative.gin").write_text("")
    one.stamp.write_text('{"configuration": "abc", "outcome": "diverged", "message": "m"}')
    assert one.is_done() and (one.outcome, one.message) == ("diverged", "m")
    one.stamp.write_bytes(data)
    assert not one.is_done()
    assert "seed_0.json cannot be read as how a run ended: " in caplog.text and "it runs again" in caplog.text


LOG = """tfgans: step 2: fid 9.1
training:  50%|#####     | 2/4 [00:01<00:01,  1.34step/s, d 0.1]
"""


@pytest.mark.parametrize(
    ("code", "log", "outcome", "message"),
    [
        (0, LOG, None, None),
        (-9, LOG, "failed", "killed by signal 9 (SIGKILL; the system does that when memory runs out)"),
        (-11, LOG + "a line\n", "failed", "killed by signal 11 (SIGSEGV)"),
        (-50, LOG, "failed", "killed by signal 50 (of no name here)"),
        (1, LOG, "failed", "step 2: fid 9.1"),
        (1, "training: 2step [00:01,  1.34step/s]\r", "failed", "ended with 1"),
        (1, "compiling the first step ... 12 s\n", "failed", "ended with 1"),
        (1, "", "failed", "ended with 1"),
        (2, "tfgans: GAN.x is 50%|a|: no\n" + LOG[23:], "failed", "GAN.x is 50%|a|: no"),
        (3, LOG + "tfgans: training diverged: why\n\n", "diverged", "training diverged: why"),
    ],
)
def test_why_a_run_ended(tmp_path, code, log, outcome, message):
    one = processes.Run(tmp_path, SimpleNamespace(label="a", digest=lambda: "abc", contents={}), 0)
    drawing = processes.Drawing(one)
    one.folder.mkdir(parents=True)
    for each in (one, drawing):
        each.log.write_text(log)
        each.ended(code)
        assert each.message == message
    assert one.outcome == outcome


def test_runs_of_different_features_are_refused(tmp_path, monkeypatch):
    make_run(tmp_path / "slow", 0, 0.9, [100.0, 20.0])
    make_run(tmp_path / "fast", 0, 0.5, [100.0, 4.0], features="inception_clean")
    told = "^different features, whose numbers do not compare: slow points, fast inception_clean$"
    with pytest.raises(ConfigError, match=told):
        compare(tmp_path / "out", monkeypatch, [tmp_path / "slow", tmp_path / "fast"])


def test_runs_are_grouped_and_set_against_each_other(tmp_path, monkeypatch):
    for seed, fid in enumerate((10.0, 12.0)):
        make_run(tmp_path / "slow" / f"seed_{seed}", seed, 0.9, [100.0, 20.0, fid])
    for seed, fid in enumerate((5.0, 5.5)):
        make_run(tmp_path / "fast" / f"seed_{seed}", seed, 0.5, [100.0, 4.0, fid])
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path / "slow", tmp_path / "fast"])
    assert problems == [] == result["problems"]
    slow, fast = result["configurations"]
    assert [slow["label"], fast["label"]] == ["slow", "fast"]
    assert slow["differences"] == {"GAN.ema_decay": "0.9"} and fast["differences"] == {"GAN.ema_decay": "0.5"}
    assert slow["summary"]["fid"]["last"]["values"] == [10.0, 12.0]
    assert fast["summary"]["fid"]["best"]["values"] == [4.0, 4.0]  # the untrained generator's does not count
    assert slow["milliseconds_per_step"] == 1000 * 4.0 / 20
    assert slow["counts"] == {"finished": 2, "diverged": 0, "unfinished": 0, "failed": 0}
    assert slow["suspicious"] == 0
    assert slow["macs"] == {"generator": 4, "discriminator": 4}
    assert (result["features"], result["num_samples"]) == (["points"], [100])
    assert result["metrics"] == {"fid": {"higher_is_better": False}}
    last, best = result["pairs"]
    assert (last["first"], last["second"], last["at"]) == ("slow", "fast", "last")
    assert last["difference"] == 5.75 and last["probability_of_superiority"] == 0.0
    assert last["p_value"] == last["smallest_p_value"] == pytest.approx(1 / 3)
    assert best["at"] == "best" and best["difference"] == 7.0
    ranked = comparison.ranking(result)
    assert [each["label"] for each in ranked] == ["fast", "slow"]
    first = comparison.table(result).splitlines()[1]
    assert first.split()[:2] == ["fast", "5.25"] and first.endswith("2 finished")


def test_a_table_of_runs_that_nothing_measured_has_dashes():
    """It ended in a traceback once all were trained."""
    nothing = {"label": "mine", "summary": {}, "counts": {"finished": 2, "failed": 0}, "suspicious": 0}
    result = {"settings": {"primary_metric": "fid"}, "metrics": {}, "configurations": [nothing]}
    assert comparison.table(result).splitlines()[1].split() == ["mine", "-", "-", "-", "2", "finished"]


def test_a_page_that_cannot_be_written_loses_nothing(tmp_path, monkeypatch, capsys):
    for seed, fid in enumerate((10.0, 12.0)):
        make_run(tmp_path / "runs" / f"seed_{seed}", seed, 0.9, [100.0, 20.0, fid])
    nothing = {name: {"parameters": 3, "macs": 4} for name in ("generator", "discriminator")}
    monkeypatch.setattr(comparison.build, "describe", lambda *_: (nothing, None))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(comparison, "write", full)
    with pytest.raises(
        run.NotWritten, match="page of the comparison could not be written: .*No space"
    ) as caught:
        run.compare_runs(tmp_path / "out", [tmp_path / "runs"])
    assert comparison.table(caught.value.comparison).splitlines()[1].split()[:2] == ["runs", "11"]


def test_what_did_not_end_well_is_counted_and_named(tmp_path, monkeypatch):
    runs = tmp_path / "a"
    for seed in range(2):
        make_run(runs / f"seed_{seed}", seed, 0.9, [100.0, 20.0, 10.0 + seed])
    make_run(runs / "seed_2", 2, 0.9, [100.0, 20.0, 200.0])
    make_run(runs / "seed_3", 3, 0.9, [100.0, 20.0], finished=False)
    (make_run(tmp_path / "empty", 0, 0.9, [1.0]) / "metrics.jsonl").write_text("")
    (tmp_path / "nothing").mkdir()
    paths = [runs, tmp_path / "empty", tmp_path / "nothing"]
    result, problems = compare(tmp_path / "out", monkeypatch, paths, labels=["mine"])
    assert problems == [
        f"{tmp_path / 'empty'}: no evaluations in metrics.jsonl",
        f"{tmp_path / 'nothing'} holds no run: nothing there has an operative.gin",
    ]
    (mine,) = result["configurations"]
    assert mine["counts"] == {"finished": 3, "diverged": 0, "unfinished": 1, "failed": 0}
    assert mine["suspicious"] == 1
    assert comparison.table(result).splitlines()[1].endswith("3 finished, 1 unfinished; 1 suspicious")
    assert mine["summary"]["fid"]["last"]["values"] == [10.0, 11.0, 200.0, None]
    assert result["problems"] == [
        *problems,
        "mine, seed 2: suspicious: fid 200, untrained 100",
        "mine, seed 3: unfinished: last evaluated at step 10 of 20",
    ]
    with pytest.raises(ConfigError, match="--metric is one of fid. Received: fdi"):
        compare(tmp_path / "out", monkeypatch, paths, primary_metric="fdi")
    with pytest.raises(ConfigError, match="2 names for 1 configurations: .*seed_0"):
        compare(tmp_path / "out", monkeypatch, paths, labels=["a", "b"])
    with pytest.raises(ConfigError, match="no evaluations in metrics.jsonl"):
        compare(tmp_path / "out", monkeypatch, [tmp_path / "empty"])


def test_one_run_has_no_interval(tmp_path, monkeypatch):
    make_run(tmp_path / "alone", 0, 0.9, [9.0, 8.0])
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path / "alone"])
    assert problems == [] and result["problems"] == ["alone: one run shows no spread, so it has no interval"]
    assert result["configurations"][0]["summary"]["fid"]["last"]["t_interval"] is None


def test_names():
    assert plan.labels_of(["x/a.gin", "x/b.gin"], []) == ["a", "b"]
    assert plan.labels_of(["x/a.gin", "y/a.gin"], []) == ["x_a", "y_a"]
    assert plan.labels_of(["x/a.gin", "x/a.gin"], ["one", "two"]) == ["one", "two"]
    several = "--gin_file=x/a.gin --gin_file=y/b.gin --gin_param='GAN.ema_decay = 0.9'"
    assert plan.labels_of(["x/a.gin", several], []) == ["a", "a+b+GAN.ema_decay = 0.9"]
    assert plan.folder_name("a b/c") == "a_b_c" and plan.folder_name("../..") == "_"
    with pytest.raises(ConfigError, match="two configurations are called 'x_a'"):
        plan.labels_of(["x/a.gin", "x/a.gin"], [])
    with pytest.raises(ConfigError, match="1 names for 2 configurations"):
        plan.labels_of(["x/a.gin", "x/b.gin"], ["one"])
    long = f"--gin_file=x/a.gin --gin_param=classifier.path='{'c' * 200}'"
    with pytest.raises(
        ConfigError, match=r"^a\+classifier.path=c+\.\.\. is too long for the name of a folder"
    ):
        plan.labels_of([long, "x/b.gin"], [])
    assert plan.labels_of([long, "x/b.gin"], ["one", "two"]) == ["one", "two"]


def test_a_configuration_of_several_files_and_bindings():
    files = [f"gin_configs/{name}.gin" for name in ("compare/grid", "losses/hinge")]
    text = " ".join(f"--gin_file={file}" for file in files) + " --gin_param='GAN.ema_decay = 0.5'"
    assert plan.parts(text) == (files, ["GAN.ema_decay = 0.5"])
    assert plan.parts(files[0]) == ([files[0]], [])
    found = plan.Configuration("hinge", text, ["numerics.seed=3"], 10, None)
    found.set_length(None, None)
    assert "GAN.discriminator_loss = @hinge_discriminator" in found.text
    assert "GAN.ema_decay = 0.5" in found.text and "numerics.seed = 3" in found.text
    bindings = ["GAN.ema_decay = 0.5", "numerics.seed=3", "train.evaluate_every=2"]
    assert found.flags(7, "runs/a") == [
        *(f"--gin_file={file}" for file in files), "--model_dir=runs/a", "--seed=7", "--steps=10",
        *(f"--gin_param={binding}" for binding in bindings),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "--gin_param=GAN.ema_decay=0.5",
            "--configuration names no --gin_file: --gin_param=GAN.ema_decay=0.5",
        ),
        ("--gin_file=a.gin --steps=3", "takes --gin_file=F and --gin_param=B. Received: '--steps=3'"),
        ("--gin_file=a.gin b.gin", "takes --gin_file=F and --gin_param=B. Received: 'b.gin'"),
        ("--gin_file=a.gin --gin_param='x", "--configuration: No closing quotation"),
    ],
)
def test_a_configuration_is_of_files_and_bindings(text, message):
    with pytest.raises(ConfigError, match=message):
        plan.parts(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 1}, "--seeds is at least 2: one run shows no spread. Received: 1"),
        ({"jobs": 0}, "--jobs is at least 1"),
        ({"steps": 10, "seconds": 2.0}, "--steps, --seconds and --own_steps exclude each other"),
        ({"steps": 10, "own_steps": True}, "--steps, --seconds and --own_steps exclude each other"),
        ({"steps": 0}, "--steps is above 0"),
        ({"seconds": -1.0}, "--seconds is above 0"),
        ({"evaluate_every": 0.0}, "--evaluate_every is above 0"),
        ({"steps": 10, "gin_params": ["train.steps=20"]},
         "^quickstart: --steps says 10, --gin_param=train.steps=20 something else: leave one of them out$"),
        ({"gin_files": []}, "--gin_file must have a value"),
        ({"gin_files": ["no/such.gin"]}, "such: no such gin file: no/such.gin"),
        ({"gin_files": ["gin_configs/compare/grid.gin", "gin_configs/quickstart.gin"]},
         "different numbers of steps: grid 2000, quickstart 1000. Give --steps"),
        ({"gin_files": ["gin_configs/data/digits.gin"]}, "digits: nothing evaluates: bind Evaluator.features"),
        ({"gin_params": ["Dataset.source='photos'", "num_classes=2"]},
         "^quickstart: nothing evaluates: the features of a digits classifier say nothing about photos; "),
        ({"gin_files": ["gin_configs/compare/grid.gin", "gin_configs/quickstart.gin"], "steps": 10},
         "^different features, whose numbers do not compare: grid points, quickstart digits_classifier$"),
        ({"gin_files": ["gin_configs/compare/digits.gin", "--gin_file=gin_configs/compare/digits.gin "
                        "--gin_param=Evaluator.features=@InceptionFeatures()",], "labels": ["a", "b"]},
         "^different features, whose numbers do not compare: a digits_classifier, b inception_legacy_tensorflow$"),
        ({"primary_metric": "fdi"}, r"^--metric is one of fid, .*, stability_mse, which .* Received: fdi$"),
        ({"gin_params": ["train.best_metric='fdi'"]}, "^quickstart: train.best_metric is one of .* Received: fdi"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_before_anything_is_written(tmp_path, options, message):
    arguments = {"gin_files": ["gin_configs/quickstart.gin"]} | options
    with pytest.raises(ConfigError, match=message):
        run.compare_configurations(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
