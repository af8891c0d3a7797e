"""Comparisons that train: processes, what they leave, and what a second call does again."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import forks
import pytest
import short_runs
from absl import flags
from defined_flags import defined

from tfgans import checkpoint
from tfgans.commands import actions
from tfgans.compare import processes, report, run
from tfgans.config import ConfigError

ROOT = pathlib.Path(__file__).parents[2]
POINTS = short_runs.POINTS + "train.steps = 20\ntrain.log_every = 5\n"


@pytest.fixture
def gin_files(tmp_path):
    """Two configurations, one that diverges, and one that is no gin."""
    bodies = {
        "plain": POINTS,
        "hinge": POINTS + "GAN.discriminator_loss = @hinge_discriminator\n",
        "wild": POINTS + "Adam.learning_rate = 1e30\n",
        "broken": "GAN.seed = = 1\n",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.gin").write_text(body)
    return {name: str(tmp_path / f"{name}.gin") for name in bodies}


def forked(command, stderr, **_):
    """A process of a comparison, but a fork of one that has loaded TensorFlow already."""
    assert command[:3] == [sys.executable, "-m", "tfgans"]
    return forks.tfgans(*command[3:], said=stderr.name)


def stamps(folder):
    return {p.parent.name + p.stem[-1]: p.stat().st_mtime_ns for p in folder.glob("*/seed_*.json")}


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_stopped_comparison_goes_on_and_reports_whatever_became_of_its_runs(
    gin_files, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    given = [gin_files[name] for name in ("plain", "hinge", "wild", "broken")]
    command = [
        sys.executable,
        str(ROOT / "launch/compare.py"),
        f"--output_dir={out}",
        "--seeds=2",
        "--jobs=2",
    ]
    command += [
        f"--gin_file={given[0]}",
        f"--configuration=--gin_file={given[1]}",
        "--label=plain",
        "--label=hinge",
    ]
    command += [*(f"--gin_file={path}" for path in given[2:]), "--label=wild", "--label=broken"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    end = time.monotonic() + 200
    while not stamps(out) and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert "the same command goes on from there" in said[1] and not (out / "compare.json").exists()
    done = stamps(out)
    assert 1 <= len(done) < 6

    with monkeypatch.context() as patch:
        patch.setattr(processes.subprocess, "Popen", forked)
        result, problems = run.compare_configurations(out, given, seeds=2, jobs=2)
    assert len(problems) == 1 and problems[0].startswith("broken: ") and "broken.gin" in problems[0]
    assert {name: when for name, when in stamps(out).items() if name in done} == done
    _check_result(result, out)
    monkeypatch.setattr(processes.subprocess, "Popen", lambda *_, **__: pytest.fail("nothing is missing"))
    again, _ = run.compare_configurations(out, given, seeds=2, jobs=2)
    assert again["configurations"] == result["configurations"]


def _check_result(result, out):
    assert json.loads((out / "compare.json").read_text()) == result
    assert all((out / name).stat().st_size > 1000 for name in ("report.html", "report.png", "report.md"))
    plain, hinge, wild = result["configurations"]
    for each in (plain, hinge):
        assert [run["seed"] for run in each["runs"]] == [0, 1]
        for found in each["runs"]:
            in_training = rows(out / found["folder"])
            assert [e["step"] for e in found["evaluations"]] == [0, 4, 8, 12, 16, 20]
            assert [e["metrics"]["fid"] for e in found["evaluations"]] == [row["fid"] for row in in_training]
            assert [step for step, _ in found["curves"]["d/adversarial"]] == [5, 10, 15, 20]
        values = [rows(out / found["folder"])[-1]["fid"] for found in each["runs"]]
        assert each["summary"]["fid"]["last"]["values"] == values and values[0] != values[1]
        assert each["parameters"]["generator"] > 0
    assert hinge["differences"]["GAN.discriminator_loss"] == "@hinge_discriminator"
    assert wild["counts"]["diverged"] == 2 and wild["summary"]["fid"]["last"]["values"] == [None, None]
    assert sum("diverged: training diverged" in line for line in result["problems"]) == 2
    assert {(pair["first"], pair["second"]) for pair in result["pairs"]} == {
        ("plain", "hinge"), ("plain", "wild"), ("hinge", "wild")
    }  # fmt: skip
    assert result["settings"]["seeds"] == [0, 1] and result["settings"]["steps"] == 20
    assert result["machine"]["cores"] == os.cpu_count() and "tensorflow" in result["versions"]


def test_the_metric_of_the_configurations_ranks_them(tmp_path):
    for seed, best in enumerate(["sliced_wasserstein", "sliced_wasserstein", "modes_covered"]):
        folder = tmp_path / f"runs/{seed}"
        folder.mkdir(parents=True)
        text = POINTS + f"numerics.seed = {seed}\ntrain.best_metric = '{best}'\n"
        (folder / "operative.gin").write_text(text)
        row = {"step": 20, "sliced_wasserstein": 3.0, "modes_covered": 8, "features": "none"}
        (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    two = [tmp_path / "runs/0", tmp_path / "runs/1"]
    result, _ = run.compare_runs(tmp_path / "two", two)
    assert result["settings"]["primary_metric"] == "sliced_wasserstein"
    result, _ = run.compare_runs(tmp_path / "named", two, primary_metric="modes_covered")
    assert result["settings"]["primary_metric"] == "modes_covered"
    with pytest.raises(
        ConfigError, match="--metric is one of modes_covered, sliced_wasserstein. Received: fid"
    ):
        run.compare_runs(tmp_path / "all", [tmp_path / "runs"])


@pytest.mark.parametrize("jobs, share", [(1, None), (2, "4"), (4, "4")])
def test_runs_at_a_time_share_the_processors(jobs, share, gin_files, tmp_path, monkeypatch):
    """Of two runs two are trained at a time, however many there might be."""
    seen = []

    class Refused:
        def __init__(self, command, stderr, env, **_):
            seen.append(env.get("TF_NUM_INTRAOP_THREADS"))

        def wait(self):
            return 2

    monkeypatch.setattr(report, "write", lambda *_: None)
    monkeypatch.setattr(processes.launchers, "processors", lambda: 8)
    monkeypatch.setattr(processes.subprocess, "Popen", Refused)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    run.compare_configurations(tmp_path, [gin_files["plain"]], seeds=2, steps=10, jobs=jobs)
    assert seen == [share] * 2


OWN = """import keras
from tfgans.config import configurable


@configurable
def own_generator():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
"""


@pytest.fixture
def trained(monkeypatch):
    """Folders in which processes were started, which leave what `train` does; those in `wild` diverge."""
    found, wild = [], set()

    class Trained:
        def __init__(self, command, stderr, **_):
            flags = dict(each.split("=", 1) for each in command[4:])
            folder = pathlib.Path(flags["--model_dir"])
            self.name = f"{folder.parent.name}/{folder.name}"
            found.append(self.name)
            self.code = 3 if self.name in wild else 0
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "operative.gin").write_text("train.steps = 20\n")
            row = {"step": 20, "fid": 3.0, "features": "points", "num_samples": 64}
            (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
            if self.code == 0:
                (folder / "export" / "assets.extra").mkdir(parents=True, exist_ok=True)
                (folder / "export" / "assets.extra" / "step.txt").write_text("20\n")

        def wait(self):
            return self.code

    monkeypatch.setattr(processes.subprocess, "Popen", Trained)
    monkeypatch.setattr(report, "write", lambda *_: None)
    return found, wild


def counts(result):
    return [{kind: n for kind, n in each["counts"].items() if n} for each in result["configurations"]]


def test_a_run_that_a_killed_call_left_training_is_refused_before_others_begin(
    gin_files, tmp_path, monkeypatch
):
    """The comparison once had it as failed, for whatever that process had said last."""
    monkeypatch.setattr(processes.subprocess, "Popen", None)
    (tmp_path / "out" / "hinge" / "seed_1").mkdir(parents=True)
    told = r"hinge/seed_1 is being trained by another process \(number \d+\)"
    with checkpoint.Lock(tmp_path / "out" / "hinge" / "seed_1"), pytest.raises(ConfigError, match=told):
        run.compare_configurations(
            tmp_path / "out", [gin_files["plain"], gin_files["hinge"]], seeds=2, steps=5
        )
    assert not list((tmp_path / "out").rglob("*.log"))


def test_a_run_whose_folder_is_gone_is_trained_again(gin_files, tmp_path, trained):
    started, wild = trained
    wild.add("wild/seed_0")
    given, out = [gin_files["plain"], gin_files["wild"]], tmp_path / "out"
    result, _ = run.compare_configurations(out, given, seeds=2)
    every = ["plain/seed_0", "wild/seed_0", "plain/seed_1", "wild/seed_1"]
    assert started == every and counts(result) == [{"finished": 2}, {"finished": 1, "diverged": 1}]
    run.compare_configurations(out, given, seeds=2)
    assert started == every
    shutil.rmtree(out / "plain" / "seed_1")
    shutil.rmtree(out / "wild" / "seed_0")
    again, problems = run.compare_configurations(out, given, seeds=2)
    assert started[4:] == ["wild/seed_0", "plain/seed_1"] and problems == []
    assert counts(again) == counts(result)
    for gone in ("metrics.jsonl", "export/assets.extra/step.txt"):
        (out / "plain" / "seed_0" / gone).unlink()
        shutil.rmtree(out / "plain" / "seed_0" / "export", ignore_errors=gone != "metrics.jsonl")
        del started[:]
        run.compare_configurations(out, given, seeds=2)
        assert started == ["plain/seed_0"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_fails_beside_the_runs_ends_all(jobs, gin_files, tmp_path, trained, monkeypatch):
    """All others were trained, for hours and without a word, before a line told of the log of one of the first."""
    started, told = trained[0], threading.Event()

    class Long(processes.subprocess.Popen):
        def wait(self):
            """With two at a time the first trains until it is told to save, and the second's end is awaited."""
            if self.name == "plain/seed_0":
                assert jobs == 1 or told.wait(60)
            while "plain/seed_0" not in started:
                time.sleep(0.01)
            return self.code

        def send_signal(self, number):
            assert (self.name, number) == ("plain/seed_0", signal.SIGTERM)
            told.set()

    monkeypatch.setattr(processes.subprocess, "Popen", Long)
    (tmp_path / "out" / "plain" / "seed_1.log").mkdir(parents=True)
    given = [gin_files["plain"], gin_files["hinge"]]
    with pytest.raises(IsADirectoryError):
        run.compare_configurations(tmp_path / "out", given, seeds=4, steps=5, jobs=jobs)
    assert sorted(started) == ["hinge/seed_0", "plain/seed_0"] and told.is_set() == (jobs == 2)


@pytest.mark.parametrize(
    ("more", "code", "line"),
    [
        (None, 1, "1 run failed and has no value; the same command tries again"),
        ("hinge", 1, "2 runs failed and have no value; the same command tries again"),
        ("broken", 2, "broken: "),
    ],
)
def test_a_run_that_failed_is_in_the_exit_code(
    more, code, line, gin_files, tmp_path, trained, monkeypatch, capsys
):
    """A comparison on a full disk left with 0; 1 is what `train` leaves with there, and 2 after refused input."""

    class Full(processes.subprocess.Popen):
        def wait(self):
            return 1 if self.name.endswith("seed_1") else 0

    monkeypatch.setattr(processes.subprocess, "Popen", Full)
    given = [gin_files[name] for name in ("plain", more) if name is not None]
    with defined("compare") as known:
        for name, value in {"output_dir": str(tmp_path / "out"), "seeds": 2, "gin_file": given}.items():
            known[name].parse(value)
        flags.FLAGS.mark_as_parsed()
        assert actions._compare() == code
    told = capsys.readouterr()
    assert "1 finished, 1 failed" in told.out
    assert f": {line}" in told.err.splitlines()[-1]


def test_runs_of_files_that_were_edited_are_refused_until_their_folders_are_gone(
    gin_files, tmp_path, trained, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    started, _ = trained
    named, own, out = tmp_path / "g.json", tmp_path / "own_of_a_comparison.py", tmp_path / "out"
    named.write_text("{}")
    own.write_text(OWN)
    pathlib.Path("own.gin").write_text(
        f"import own_of_a_comparison\ninclude '{gin_files['plain']}'\nbuild.generator = @own_generator\n"
    )
    given = [gin_files["hinge"], """--gin_file=own.gin --gin_param="file='g.json'" """]
    call = dict(labels=["hinge", "own"], seeds=2)
    assert run.compare_configurations(out, given, **call)[1] == [] and len(started) == 4
    assert run.compare_configurations(out, given, **call)[1] == [] and len(started) == 4
    for path, name in ((named, "g.json"), (own, "own_of_a_comparison.py")):
        before = path.read_text()
        path.write_text(before + "\n")
        result, problems = run.compare_configurations(out, given, **call)
        assert problems == [
            f"own, seed {seed}: {name} says something else now than when {out / 'own' / f'seed_{seed}'} was trained: "
            "choose another --output_dir, or remove that folder"
            for seed in range(2)
        ]
        assert counts(result) == [{"finished": 2}, {"failed": 2}] and len(started) == 4
        path.write_text(before)
    named.write_text("[]")
    shutil.rmtree(out / "own")
    result, problems = run.compare_configurations(out, given, **call)
    assert started[4:] == ["own/seed_0", "own/seed_1"] and problems == []
    assert counts(result) == [{"finished": 2}, {"finished": 2}]


def test_a_change_of_the_configuration_is_not_mistaken_for_what_is_there(gin_files, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "write", lambda *_: None)
    out, asked = tmp_path / "out", []

    class Refused:
        """`train` in a folder that holds another configuration."""

        def __init__(self, command, stderr, **_):
            asked.append(command)
            stderr.write(b"tfgans: holds a run of another configuration\n")

        def wait(self):
            return 2

    monkeypatch.setattr(processes.subprocess, "Popen", Refused)
    result, problems = run.compare_configurations(out, [gin_files["plain"]], seeds=2, steps=10)
    assert problems == [f"plain, seed {i}: holds a run of another configuration" for i in range(2)]
    assert result["configurations"][0]["counts"]["failed"] == 2 and stamps(out) == {}
    assert [c[4:] for c in asked][0] == [
        f"--gin_file={gin_files['plain']}",
        f"--model_dir={out / 'plain' / 'seed_0'}",
        "--seed=0",
        "--steps=10",
        "--gin_param=train.evaluate_every=2",
    ]
    options = dict(seeds=2, seconds=30.0, evaluate_every=10.0, gin_params=["GAN.ema_decay=0.5"])
    run.compare_configurations(out, [gin_files["plain"]], **options)
    assert asked[-1][7:] == [
        "--gin_param=GAN.ema_decay=0.5",
        "--gin_param=train.steps=1000000000",
        "--gin_param=train.evaluate_every=1000000000",
        "--gin_param=train.seconds=30.0",
        "--gin_param=train.evaluate_every_seconds=10.0",
    ]
    longer = tmp_path / "longer.gin"
    longer.write_text(POINTS + "train.steps = 50\n")
    result, _ = run.compare_configurations(out, [gin_files["hinge"], str(longer)], seeds=2, own_steps=True)
    given = [command[-2:] for command in asked[-2:]]
    assert given == [
        ["--seed=1", "--gin_param=train.evaluate_every=4"],
        ["--seed=1", "--gin_param=train.evaluate_every=10"],
    ]
    assert result["settings"]["steps"] is None
