"""Trackers: what they are told, once each, over kills and failures; and the real ones where they are installed."""

import importlib.util
import json
import re
import struct
import sys

import pytest
from short_runs import RING, ROOT, Crash, crash_at, rows, run

from tfgans import checkpoint, config
from tfgans.config import ConfigError
from tfgans.run import trackers
from tfgans.run.signals import Interrupted

CONFIG = RING.replace("train.steps = 4", "train.steps = 6") + "\ntrain.log_every = 1\n"


@config.configurable
class NotedTracker(trackers.Tracker):
    """Notes what it is told in a class attribute: each process of a run has a tracker of its own."""

    noted, broken = [], False

    def start(self, folder, known, configuration):
        assert folder.is_dir() and configuration["train.log_every"] == "1"
        self.noted.append(("start", known))
        return known or "number 1"

    def numbers(self, step, values):
        if NotedTracker.broken:
            raise OSError("the network is down")
        self.noted.append((sorted(values)[0].split("/")[0], step, dict(values)))

    def picture(self, step, name, path):
        self.noted.append((name, step, path.read_bytes()))

    def finish(self, outcome):
        self.noted.append(("finish", outcome))


@pytest.fixture
def noted(eagerly, monkeypatch):
    monkeypatch.setattr(NotedTracker, "noted", [])
    monkeypatch.setattr(NotedTracker, "broken", False)
    monkeypatch.setattr(trackers, "_RETRY_SECONDS", 0.0)
    return lambda kind: [each[1:] for each in NotedTracker.noted if each[0] == kind]


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / "run.gin"
    path.write_text(CONFIG)
    return path


BOUND = "train.trackers = [@NotedTracker()]"


def check_all(folder, noted):
    """Every row, every point and every picture of a finished run was told, once, as it lies in the folder."""
    told = noted("eval")
    assert [step for step, _ in told] == [0, 2, 4, 6]
    for (_, values), row in zip(told, rows(folder), strict=True):
        assert values == {f"eval/{k}": v for k, v in row.items() if isinstance(v, (int, float)) and k != "step"
                          and not isinstance(v, bool)}  # fmt: skip
        assert "eval/fid" in values
    curves = noted("train")
    assert [step for step, _ in curves] == [1, 2, 3, 4, 5, 6]
    assert {"train/d/adversarial", "train/g/adversarial", "train/images_per_second"} < curves[0][1].keys()
    assert all(
        len(values) == len(curves[0][1]) and values["train/images_per_second"] > 0 for _, values in curves
    )
    pictures = dict(noted("samples"))
    assert [step for step, _ in noted("samples")] == [0, 2, 4, 6]
    assert all(
        data == (folder / f"samples/step_{step:08d}.png").read_bytes() for step, data in pictures.items()
    )
    assert noted("real") == [(0, (folder / "samples/real.png").read_bytes())]


@pytest.mark.slow
def test_a_tracker_is_told_everything(noted, gin_file, tmp_path):
    run(gin_file, tmp_path / "run", BOUND)
    assert (noted("start"), noted("finish")) == ([(None,)], [("finished",)])
    check_all(tmp_path / "run", noted)
    kept = json.loads((tmp_path / "run/trackers.json").read_text())["NotedTracker"]
    assert kept == {"id": "number 1", "told": {"curves": 6, "rows": 6, "samples": 6, "real": 0}}
    before = len(NotedTracker.noted)
    run(gin_file, tmp_path / "run", BOUND)  # finished: nothing is left to tell
    assert len(NotedTracker.noted) == before


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 4, 5])
def test_after_a_kill_it_is_the_same_run_and_nothing_comes_twice(
    noted, gin_file, tmp_path, monkeypatch, step
):
    with monkeypatch.context() as patch:
        if step == 4:  # in the middle of saving: the curve's point of step 4 was told, its row was not
            crash_at(patch, checkpoint.Checkpoints, "save", lambda self, model, step, *_: step == 4)
        else:
            crash_at(patch, NotedTracker, "numbers", lambda _, at, values: at == step, before=False)
        with pytest.raises(Crash):
            run(gin_file, tmp_path / "run", BOUND)
    NotedTracker.noted.pop()  # `finish`, which a kill leaves no time for
    if step != 4:
        NotedTracker.noted.pop()  # told, but this was not written down any more: the one that may come twice
    run(gin_file, tmp_path / "run", BOUND)
    assert noted("start") == [(None,), ("number 1",)]
    check_all(tmp_path / "run", noted)


@pytest.mark.slow
def test_a_tracker_that_comes_later_is_told_what_lies_there(noted, gin_file, tmp_path):
    run(gin_file, tmp_path / "run", "train.steps = 6", "train.seconds = 1e-9")
    assert noted("start") == [] and [row["step"] for row in rows(tmp_path / "run")] == [0, 2]
    run(gin_file, tmp_path / "run", BOUND)
    assert [step for step, _ in noted("eval")] == [0, 2, 4, 6] == [step for step, _ in noted("samples")]
    assert noted("real") == [(0, (tmp_path / "run/samples/real.png").read_bytes())]


@pytest.mark.slow
def test_what_fails_costs_the_run_nothing_and_is_told_later(noted, gin_file, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(NotedTracker, "broken", True)
    monkeypatch.setattr(trackers, "_RETRY_SECONDS", 1e9)
    run(gin_file, tmp_path / "run", BOUND)
    assert len(rows(tmp_path / "run")) == 4 and noted("eval") == []
    lines = [r.getMessage() for r in caplog.records if "NotedTracker" in r.getMessage()]
    assert lines[0] == "NotedTracker: the network is down; what it misses is sent later"
    assert lines[-1] == "NotedTracker was not told of 14 points and pictures" and len(lines) == 3
    assert noted("finish") == [("finished",)]
    monkeypatch.setattr(NotedTracker, "broken", False)
    run(gin_file, tmp_path / "run", BOUND, "train.steps = 8")
    assert [step for step, _ in noted("eval")] == [0, 2, 4, 6, 8] == [step for step, _ in noted("samples")]
    assert [step for step, _ in noted("real")] == [0]


@pytest.mark.slow
def test_a_failure_that_passes_loses_nothing(noted, gin_file, tmp_path, monkeypatch, caplog):
    def fails_at_first(self, step, values, original=NotedTracker.numbers):
        NotedTracker.broken = len([r for r in caplog.records if "the network is down" in r.getMessage()]) < 3
        original(self, step, values)

    monkeypatch.setattr(NotedTracker, "numbers", fails_at_first)
    run(gin_file, tmp_path / "run", BOUND)
    check_all(tmp_path / "run", noted)


@pytest.mark.slow
@pytest.mark.parametrize(("error", "outcome"), [(Interrupted(15), "stopped"), (ValueError("x"), "failed")])
def test_it_learns_how_the_training_ended(noted, gin_file, tmp_path, monkeypatch, error, outcome):
    def end(self, step, values):
        raise error

    monkeypatch.setattr("tfgans.run.folder.Output.append", lambda self, row: end(self, 0, row))
    with pytest.raises(type(error)):
        run(gin_file, tmp_path / "run", BOUND)
    assert noted("finish") == [(outcome,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ("[@NotedTracker]", r"train.trackers is a list \(each an object \(such as @WandbTracker\(\)\)\)"),
        ("[@NotedTracker(), @NotedTracker()]", "train.trackers holds NotedTracker more than once"),
        ("[@PointFeatures()]", "train.trackers holds trackers, such as @WandbTracker\\(\\). Received: <"),
    ],
)
def test_what_is_no_list_of_trackers_is_refused(noted, gin_file, tmp_path, bound, message):
    with pytest.raises(ConfigError, match=message):
        run(gin_file, tmp_path / "run", f"train.trackers = {bound}")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("library", ["wandb", "mlflow"])
def test_a_library_that_is_missing_is_one_line_before_training(gin_file, tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    name = {"wandb": "WandbTracker", "mlflow": "MLflowTracker"}[library]
    with pytest.raises(ConfigError, match=f"^{name} needs {library}: pip install 'tfgans\\[{library}\\]'$"):
        run(gin_file, tmp_path / "run", f"train.trackers = [@{name}()]")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_tracker_that_cannot_start_ends_the_run_before_training(noted, gin_file, tmp_path, monkeypatch):
    monkeypatch.setattr(NotedTracker, "start", lambda *_: 1 / 0)
    with pytest.raises(ConfigError, match="^NotedTracker cannot start: division by zero$"):
        run(gin_file, tmp_path / "run", BOUND)
    assert not (tmp_path / "run/checkpoints").exists() and noted("finish") == []


@pytest.mark.slow
def test_a_damaged_record_is_one_line(noted, gin_file, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/trackers.json").write_text('{"NotedTracker": {"id": 3}}')
    with pytest.raises(ConfigError, match="trackers.json cannot be read as what trackers were told"):
        run(gin_file, tmp_path / "run", BOUND)


@pytest.mark.slow
def test_the_tracker_of_the_documentation(eagerly, gin_file, tmp_path, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/watch.md").read_text(), re.DOTALL)
    exec(compile(block, "docs/watch.md", "exec"), {"__name__": "documentation"})
    run(gin_file, tmp_path / "run", "train.trackers = [@PrintTracker()]", "train.steps = 2")
    said = capsys.readouterr().out
    assert re.search(r"^2 \{'eval/fid': ", said, re.MULTILINE) and "0 samples " in said
    assert json.loads((tmp_path / "run/trackers.json").read_text())["PrintTracker"]["id"] == "mine"


# The real ones, offline, wherever `pip install 'tfgans[wandb,mlflow]'` was done.
INSTALLED = [name for name in ("wandb", "mlflow") if importlib.util.find_spec(name)]


def records_of(data):
    """The records of a file in LevelDB's log format: blocks of 32 kB of chunks (sum, length, kind, bytes)."""
    place, record = 7, b""  # behind the file's own header
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def name_of(item):
    return "/".join(filter(None, [item.key, *item.nested_key]))


def in_wandb(folder):
    """`(ids, configuration, history)` of the parts of an offline run, each line of history a dictionary."""
    from wandb.proto import wandb_internal_pb2

    ids, configuration, history = [], {}, []
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        for data in records_of(path.read_bytes()):
            record = wandb_internal_pb2.Record.FromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                ids.append(record.run.run_id)
            updates = {"run": record.run.config, "config": record.config}.get(kind)
            for item in updates.update if updates else ():
                configuration[name_of(item)] = json.loads(item.value_json)
            if kind == "history":
                history.append({name_of(item): json.loads(item.value_json) for item in record.history.item})
    return ids, configuration, history


@pytest.mark.parametrize("library", [name for name in INSTALLED if name == "wandb"])
def test_an_offline_run_of_wandb_goes_on_after_a_kill(
    eagerly, gin_file, tmp_path, monkeypatch, capfd, library
):
    monkeypatch.chdir(tmp_path)
    bound = [
        "train.trackers = [@WandbTracker()]",
        "WandbTracker.mode = 'offline'",
        "WandbTracker.tags = ['a']",
    ]
    with monkeypatch.context() as patch:
        crash_at(patch, checkpoint.Checkpoints, "save", lambda self, model, step, *_: step == 4)
        with pytest.raises(Crash):
            run(gin_file, tmp_path / "run", *bound)
    run(gin_file, tmp_path / "run", *bound)
    ids, configuration, history = in_wandb(tmp_path / "run")
    kept = json.loads((tmp_path / "run/trackers.json").read_text())["WandbTracker"]
    assert set(ids) == {kept["id"]} and len(list(tmp_path.glob("run/wandb/offline-run-*"))) == 2
    assert configuration["train.steps"] == "6" and configuration["Dataset.source"] == "'ring'"

    def steps_with(name):
        return [line["generator_updates"] for line in history if name in line]

    assert steps_with("eval/fid") == [0, 2, 4, 6] and steps_with("train/d/adversarial") == [1, 2, 3, 4, 5, 6]
    found = [line["eval/fid"] for line in history if "eval/fid" in line]
    assert found == [row["fid"] for row in rows(tmp_path / "run")]
    pictures = [line for line in history if any(key.startswith("samples") for key in line)]
    assert [line["generator_updates"] for line in pictures] == [0, 2, 4, 6]
    stored = [
        path.read_bytes() for path in tmp_path.glob("run/wandb/offline-run-*/files/media/images/samples_*")
    ]
    assert sorted(stored) == sorted(path.read_bytes() for path in tmp_path.glob("run/samples/step_*.png"))
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("run", "run.gin")] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("library", [name for name in INSTALLED if name == "mlflow"])
def test_a_run_of_mlflow_goes_on_after_a_kill(eagerly, gin_file, tmp_path, monkeypatch, library):
    import mlflow

    monkeypatch.chdir(tmp_path)
    bound = ["train.trackers = [@MLflowTracker()]", f"MLflowTracker.uri = 'sqlite:///{tmp_path}/runs.db'"]
    with monkeypatch.context() as patch:
        crash_at(patch, checkpoint.Checkpoints, "save", lambda self, model, step, *_: step == 4)
        with pytest.raises(Crash):
            run(gin_file, tmp_path / "run", *bound)
    run(gin_file, tmp_path / "run", *bound)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/runs.db")
    (found,) = client.search_runs([client.get_experiment_by_name("tfgans").experiment_id])
    name = found.info.run_id
    kept = json.loads((tmp_path / "run/trackers.json").read_text())["MLflowTracker"]
    assert (name, found.info.run_name, found.info.status) == (kept["id"], "run", "FINISHED")
    assert found.data.params["train.steps"] == "6" and found.data.params["Dataset.source"] == "'ring'"
    values = {m.step: m.value for m in client.get_metric_history(name, "eval/fid")}
    assert values == {row["step"]: pytest.approx(row["fid"], rel=1e-12) for row in rows(tmp_path / "run")}
    assert len(client.get_metric_history(name, "eval/fid")) == 4
    assert [m.step for m in client.get_metric_history(name, "train/d/adversarial")] == [1, 2, 3, 4, 5, 6]
    stored = {item.path for item in client.list_artifacts(name, "samples")}
    assert stored == {f"samples/step_{step:08d}.png" for step in (0, 2, 4, 6)}
    assert {item.path for item in client.list_artifacts(name)} == {"operative.gin", "real", "samples"}
