"""Which runs are one configuration, and what a comparison says of the others."""

import re

import pytest
from left_by_runs import compare, make_run, say_data
from opened import lock

from tfgans.compare import collect, comparison, plan
from tfgans.config import ConfigError


def sizes(result):
    return {each["label"]: len(each["runs"]) for each in result["configurations"]}


def test_runs_are_told_apart_by_their_data_not_by_its_place(tmp_path, monkeypatch):
    for seed, (data, place) in enumerate((("x", "here"), ("x", "moved"), ("y", "here"), ("y", "there"))):
        folder = make_run(tmp_path / data / f"seed_{seed}", seed, 0.9, [100.0, 20.0, 10.0 + seed])
        say_data(folder, data, f"folder:{place}")
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path])
    assert problems == [] == result["problems"]
    assert [(each["label"], len(each["runs"])) for each in result["configurations"]] == [("x", 2), ("y", 2)]


def test_a_run_that_is_reached_twice_is_one(tmp_path, monkeypatch):
    runs = [make_run(tmp_path / "runs" / f"seed_{seed}", seed, 0.9, [100.0, 9.0]) for seed in range(2)]
    (tmp_path / "link").symlink_to(runs[0])
    paths = [runs[0], runs[0], tmp_path / "link", tmp_path / "runs"]
    result, problems = compare(tmp_path / "out", monkeypatch, paths)
    assert problems == [] and sizes(result) == {"runs": 2}
    result, _ = compare(tmp_path / "out", monkeypatch, [runs[0], runs[0]])
    assert result["problems"] == ["runs: one run shows no spread, so it has no interval"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"labels": ["x", ""]}, "--label is a name. Received: 'x', ''"),
        ({"labels": ["x", "x"]}, "two configurations are called 'x': give each a --label"),
        ({"primary_metric": ""}, "--metric is one of fid. Received: "),
    ],
)
def test_names_that_are_none_or_of_two_are_refused(options, told, tmp_path, monkeypatch):
    """`--label=$NAME` where NAME is not set is such; `--metric=` once ranked by another."""
    paths = [make_run(tmp_path / name, 0, decay, [100.0, 9.0]) for name, decay in (("a", 0.9), ("b", 0.8))]
    with pytest.raises(ConfigError) as error:
        compare(tmp_path / "out", monkeypatch, paths, **options)
    assert str(error.value) == told
    if "labels" in options:
        with pytest.raises(ConfigError, match=re.escape(told)):
            plan.labels_of(["a.gin", "b.gin"], options["labels"])


def test_runs_of_other_lengths_are_other_configurations_and_one_killed_early_is_not(tmp_path, monkeypatch):
    make_run(tmp_path / "whole", 0, 0.9, [100.0, 20.0, 9.0])
    make_run(tmp_path / "killed", 1, 0.9, [100.0, 20.0], finished=False)
    short = make_run(tmp_path / "short", 2, 0.9, [100.0, 20.0])
    text = (short / "operative.gin").read_text()
    (short / "operative.gin").write_text(
        text.replace("train.steps = 20", "updates = 10\ntrain.steps = %updates")
    )
    for seed in (3, 4):
        timed = make_run(tmp_path / f"timed_{seed}", seed, 0.9, [100.0] + [20.0] * (seed - 2))
        with open(timed / "operative.gin", "a") as file:
            file.write("train.seconds = 30.0\n")
    paths = [tmp_path / name for name in ("whole", "killed", "short", "timed_3", "timed_4")]
    result, problems = compare(tmp_path / "out", monkeypatch, paths, labels=["whole", "short", "timed"])
    assert problems == [] and sizes(result) == {"whole": 2, "short": 1, "timed": 2}
    assert result["configurations"][0]["counts"]["unfinished"] == 1


def test_runs_that_are_measured_otherwise_are_other_configurations(tmp_path, monkeypatch):
    make_run(tmp_path / "one", 0, 0.9, [100.0, 9.0])
    make_run(tmp_path / "fewer", 1, 0.9, [100.0, 9.0], num_samples=50)
    make_run(tmp_path / "of_fewer", 2, 0.9, [100.0, 9.0], num_reference=50)
    kernel = make_run(tmp_path / "kernel", 3, 0.9, [100.0, 9.0])
    with open(kernel / "operative.gin", "a") as file:
        file.write("Evaluator.kernel_samples = 50\n")
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path])
    assert sizes(result) == {"fewer": 1, "kernel": 1, "of_fewer": 1, "one": 1} and problems == []
    assert result["num_samples"] == [50, 100]


def test_runs_measured_by_another_classifier_of_the_same_name_are_another_configuration(
    tmp_path, monkeypatch
):
    for seed, features in enumerate(("points a", "points b")):
        folder = make_run(tmp_path / features[-1], seed, 0.9, [100.0, 9.0])
        say_data(folder, "x", "folder:here", features=features)
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path])
    assert sizes(result) == {"a": 1, "b": 1} and problems == []
    told = "the runs were evaluated in different features of one name: their numbers cannot be compared"
    assert told in result["problems"]


def test_runs_of_one_seed_are_told_if_their_values_count(tmp_path, monkeypatch):
    one = make_run(tmp_path / "one", 4, 0.9, [100.0, 9.0])
    two = make_run(tmp_path / "two", 4, 0.9, [100.0, 8.0])
    make_run(tmp_path / "other", 5, 0.9, [100.0, 8.0])
    make_run(tmp_path / "killed", 5, 0.9, [100.0, 8.0], finished=False)
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path], labels=["mine"])
    told = f"mine: {one}, {two} have one seed, 4: they are no independent runs, so the interval is too narrow"
    assert problems == [told] and told in result["problems"]
    assert sizes(result) == {"mine": 4}


def test_a_comparison_says_which_data_were_not_the_same(tmp_path):
    runs = [make_run(tmp_path / f"seed_{seed}", seed, 0.9, [100.0, 10.0]) for seed in range(3)]
    say_data(runs[0], "x", "folder:a")
    say_data(runs[1], "y", "folder:a", evaluated="other", changes=[30])
    (runs[2] / "data.json").write_text("damaged")
    runs = [collect.read_run(folder, tmp_path) for folder in runs]
    assert [run["data"] and run["data"]["trained_on"] for run in runs] == ["x", "y", None]
    settings = {"primary_metric": "fid"}
    assert list(comparison._problems([{"label": "mine", "runs": runs}], settings)) == [
        "mine: its runs were trained on different images",
        "mine, seed 1: its images were changed at step 30",
        "the runs were evaluated against different images: their numbers cannot be compared",
    ]


def test_data_known_by_digests_of_different_kinds_are_not_compared(tmp_path):
    runs = [make_run(tmp_path / f"seed_{seed}", seed, 0.9, [100.0, 10.0]) for seed in range(3)]
    for number, kind in enumerate(({}, {"digests": "ends"}, {"digests": "ends"})):
        say_data(runs[number], "xyz"[number], "folder:a", "uv"[number > 0], **kind)
    runs = [collect.read_run(folder, tmp_path) for folder in runs]
    assert [run["data"]["trained_on"] for run in runs] == ["x", "ends y", "ends z"]
    found = [{"label": "mine", "runs": runs}]
    settings = {"primary_metric": "fid"}
    assert list(comparison._problems(found, settings)) == ["mine: its runs were trained on different images"]
    found[0]["runs"] = runs[:2]
    assert list(comparison._problems(found, settings)) == []


def test_a_folder_among_runs_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    """Its runs would else be missing in a comparison without a word."""
    for name in ("one", "two/deep"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "operative.gin").write_text("")
    assert collect.run_folders(tmp_path) == [tmp_path / "one", tmp_path / "two" / "deep"]
    assert collect.run_folders(tmp_path / "none") == []
    lock(tmp_path / "two" / "deep", monkeypatch)
    with pytest.raises(ConfigError, match=f"^folder {tmp_path}/two/deep cannot be read: Permission denied$"):
        collect.run_folders(tmp_path)
