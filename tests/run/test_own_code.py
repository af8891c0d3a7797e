"""A user's own modules are found again from anywhere, or a line says what to do."""

import json
import logging
import sys

import pytest

from tfgans import config
from tfgans.config import ConfigError
from tfgans.run import build, own_code
from tfgans.run.free import free_names

NAMES = ("own_net", "own_parts", "own_room", "own_room.deep", "own_room.beside")


@pytest.fixture(scope="module", autouse=True)
def rooms():
    """gin takes no new names once a configuration is read."""
    config.import_rooms()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Every test starts as a process does that has imported none of the modules."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in NAMES:
        sys.modules.pop(name, None)


def restart(monkeypatch, folder):
    for name in NAMES:
        sys.modules.pop(name, None)
    sys.path[:] = [place for place in sys.path if "own" not in place]
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """(a folder with modules, a run's folder that notes them)."""
    home = tmp_path / "own_home"
    (home / "own_room").mkdir(parents=True)
    (home / "own_net.py").write_text("import json\n\nimport own_parts\n\nSIZE = own_parts.SIZE\n")
    (home / "own_parts.py").write_text("SIZE = 1\n")
    (home / "own_room" / "__init__.py").write_text("")
    (home / "own_room" / "deep.py").write_text("from . import beside\n")
    (home / "own_room" / "beside.py").write_text("")
    (home / "unused.py").write_text("")
    (home / "a.gin").write_text("import own_net\nimport own_room.deep\nimport json\n")
    restart(monkeypatch, home)
    config.parse(["a.gin"])
    own_code.write(tmp_path / "run")
    return home, tmp_path / "run"


def found_again(run, first=True):
    own_code.find_again(run, first)
    config.parse([], ["import own_net"])
    return sys.modules["own_net"]


def test_what_is_noted(trained):
    home, run = trained
    kept = json.loads((run / "code.json").read_text())
    assert [(entry["module"], entry["folder"]) for entry in kept] == [
        ("own_net", str(home)),
        ("own_room.deep", str(home)),
    ]
    assert list(kept[0]["files"]) == ["own_net.py", "own_parts.py"]
    assert list(kept[1]["files"]) == ["own_room/__init__.py", "own_room/beside.py", "own_room/deep.py"]
    for name in [*kept[0]["files"], *kept[1]["files"]]:
        assert (run / "code" / name).read_bytes() == (home / name).read_bytes()
    assert not (run / "code" / "unused.py").exists()


def test_nothing_is_written_without_imports(tmp_path):
    config.parse([])
    own_code.write(tmp_path)
    assert list(tmp_path.iterdir()) == [] and own_code.read(tmp_path) == []


def test_imports_are_no_bindings(trained):
    text = config.operative()
    assert "import own_room.deep" in text and config.bindings_of(text) == {}


def test_a_module_that_is_gone_does_not_hide_those_that_are_there(trained, monkeypatch, tmp_path):
    home, run = trained
    restart(monkeypatch, tmp_path / "elsewhere")
    (home / "own_room" / "deep.py").unlink()
    (home / "own_parts.py").write_text("SIZE = 24\n")
    assert found_again(run).SIZE == 24


def test_a_run_has_its_module_wherever_one_is(trained, monkeypatch, tmp_path, caplog):
    home, run = trained
    other = tmp_path / "own_other"
    restart(monkeypatch, other)
    (other / "own_net.py").write_text("SIZE = 5\n")
    assert found_again(run).__file__ == str(home / "own_net.py")
    own_code.tell_changes(run)
    assert caplog.text == ""
    restart(monkeypatch, other)  # one that trains on: what lies in the current folder goes before
    assert found_again(run, first=False).SIZE == 5
    own_code.tell_changes(run)
    assert caplog.messages == [f"{other / 'own_net.py'} has changed since {run} was trained with it"]


def test_a_changed_module_is_told_and_noted_by_the_next_training(trained, monkeypatch, tmp_path, caplog):
    home, run = trained
    restart(monkeypatch, tmp_path / "elsewhere")
    (home / "own_parts.py").write_text("SIZE = 23\n")
    with caplog.at_level(logging.WARNING):
        assert found_again(run, first=False).SIZE == 23
        own_code.tell_changes(run)
        assert caplog.messages == [f"{home / 'own_net.py'} has changed since {run} was trained with it"]
        own_code.write(run)
        caplog.clear()
        own_code.tell_changes(run)
    assert caplog.messages == [] and (run / "code" / "own_parts.py").read_text() == "SIZE = 23\n"


def test_a_module_that_is_gone_is_taken_from_the_run(trained, monkeypatch, tmp_path, caplog):
    home, run = trained
    restart(monkeypatch, tmp_path / "elsewhere")
    home.rename(tmp_path / "away")
    (tmp_path / "elsewhere" / "own_net.py").write_text("")
    assert found_again(run).__file__ == str(run / "code" / "own_net.py")
    assert caplog.messages[0] == (
        f"gone, so that the copy in {run / 'code'} is taken: {home / 'own_net.py'}, {home / 'own_room' / 'deep.py'}"
    )
    own_code.write(run)
    assert json.loads((run / "code.json").read_text())[0]["folder"] == str(home)


def test_a_module_that_is_nowhere_is_named_with_its_places(trained, monkeypatch, tmp_path):
    home, run = trained
    here = tmp_path / "elsewhere"
    restart(monkeypatch, here)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (home / "own_net.py").unlink()
    (run / "code" / "own_net.py").unlink()
    with pytest.raises(ConfigError) as caught:
        found_again(run)
    assert str(caught.value) == (
        f"there is no module own_net in {here}, nor is one installed; the run had it from {home / 'own_net.py'}: "
        "put it back there, or name its folder in PYTHONPATH"
    )
    with pytest.raises(ConfigError, match="no module json.nothing in .*: start in the folder that has it"):
        config.parse([], ["import json.nothing"])


def test_a_damaged_note_is_one_line(trained):
    _, run = trained
    (run / "code.json").write_text('{"module": 1}')
    with pytest.raises(ConfigError, match="code.json cannot be read as where the run's own code came from"):
        own_code.find_again(run, first=True)


def test_what_only_watches_may_differ():
    bindings = {
        "Evaluator.features": "@eval/mine.MyFeatures()",
        "eval/MyFeatures.path": "'a'",
        "eval/MyFeatures.resize": "@bilinear",
        "bilinear.size": "3",
        "Dataset.evaluation_source": "@Shown()",
        "Shown.count": "2",
        "Dataset.source": "@Mine()",
        "Mine.count": "2",
        "Evaluator.score": "@own_score",
        "own_score.option": "1",
        "train.duality_gap": "@DualityGap()",
        "DualityGap.optimizer": "@Adam",
        "build.generator_optimizer": "@generator/Adam",
        "generator/Adam.learning_rate": "1.0",
        "GAN.seed": "0",
        "biggan_generator.recompute": "True",
    }
    decides = {"own_score.option", "build.generator_optimizer", "generator/Adam.learning_rate", "GAN.seed"}
    assert bindings.keys() - free_names(bindings, data_known=True) == decides
    data = {"Dataset.source", "Mine.count"}
    assert bindings.keys() - free_names(bindings, data_known=False) == decides | data
    compared = {"Dataset.evaluation_source", "Shown.count"}
    assert bindings.keys() - free_names(bindings, True, evaluated_alike=True) == decides | compared


def test_prepare_finds_the_modules_of_the_run_it_reads_or_takes_up(trained, monkeypatch, tmp_path):
    home, run = trained
    text = (home / "a.gin").read_text()
    restart(monkeypatch, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "own_net.py").write_text("SIZE = 5\n")
    (run / "operative.gin").write_text(text)
    build.prepare([str(run / "operative.gin")], [])
    assert sys.modules["own_net"].SIZE == 1
    restart(monkeypatch, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "own_net.py").unlink()
    (tmp_path / "elsewhere" / "a.gin").write_text(text)
    with pytest.raises(ConfigError, match="a.gin, line 1: there is no module own_net in"):
        build.prepare(["a.gin"], [])
    build.prepare(["a.gin"], [], run_folder=run)
    assert sys.modules["own_net"].SIZE == 1
