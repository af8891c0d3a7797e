"""The gin files and their pages: what they name is there, and what they show can be copied."""

import re

import gin
import pytest
from configurations import (
    CONFIGS,
    NOTES,
    PARTS,
    ROOT,
    ROWS,
    commands,
    given_for_auto,
    includes,
    prepare,
    used,
)  # fmt: skip

from tfgans.compare import plan
from tfgans.config import ConfigError
from tfgans.run import build

FEATURES = sorted(CONFIGS.glob("features/*.gin"))  # tried in tests/run/test_sets_features.py
FILES = sorted({*CONFIGS.rglob("*.gin")} - {*FEATURES})


def test_every_file_is_a_part_of_an_experiment_or_tried_with_others():
    tried = {path for path in FILES if path.parent.name in ("data", "networks", "losses")}
    assert set(FILES) - used() <= tried  # in test_configuration_parts.py


def test_the_files_are_as_many_as_their_page_says():
    """At most 140, but for `features/`, a file an extractor, and `folder/`, a file a method."""
    text = (ROOT / "docs/configurations.md").read_text()
    said = {
        folders: int(count) for folders, count in re.findall(r"^\| (.+?) \| (\d+) \| \w+", text, re.MULTILINE)
    }
    parts = sum(path.parent.name in PARTS for path in FILES)
    own = sum(path.parent.name == "folder" for path in FILES)
    others = len(FILES) - parts - own
    named = ", ".join(f"`{folder}/`" for folder in PARTS)
    assert said == {named: parts, "`features/`": len(FEATURES), "`folder/`": own, "all others": others}
    assert parts + others <= 140


def test_the_readmes_have_the_experiments_of_the_table():
    assert set(NOTES) == {name for name in ROWS if "/" in name}
    folders = {path.parent.name for path in FILES} - {*PARTS, CONFIGS.name}
    assert {name.split("/")[0] for name in NOTES} == folders


GIN_FILE = re.compile(
    r"(?<![\w/])(?!runs/)[A-Za-z0-9_/]{2,}(?<!operative)\.gin\b"
)  # not A.gin, nor those of runs
PAGES = [*sorted(CONFIGS.rglob("README.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*FILES, *PAGES]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_gin_files_that_are_named_are_there(path):
    """By their path, from gin_configs or from where they are named."""
    for name in GIN_FILE.findall(path.read_text()):
        assert any((place / name).exists() for place in (ROOT, CONFIGS, path.parent)), name


@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_pages_show_can_be_copied(path):
    shown = commands(path)
    assert shown or not re.search(r"(?m)^ *(\.venv/bin/)?python launch/", path.read_text())
    for script, *flags in shown:
        assert (ROOT / script).exists(), script
        given = [flag.partition("=")[::2] for flag in flags]
        texts = [value for name, value in given if name in ("--gin_file", "--configuration")]
        params = [value for name, value in given if name == "--gin_param"]
        if script == "launch/compare.py":
            for files, own in map(plan.parts, texts):
                build.prepare(files, [*own, *params, *given_for_auto(ROOT / file for file in files)])
        elif texts:
            build.prepare(texts, [*params, *given_for_auto(ROOT / text for text in texts)])


def test_experiments_that_notes_name_are_in_the_table():
    """Those with a folder, and what is written as a name of this folder's table would be found: see `obama256`."""
    folders = "|".join(sorted({name.split("/")[0] for name in NOTES}))
    named = {(name, found) for name, text in NOTES.items()
             for found in re.findall(rf"(?<![\w/])((?:{folders})/\w+)(?![\w/.])", text)}  # fmt: skip
    assert ("regan/obama256_progan", "progan/obama256") in named
    assert {found for _, found in named} <= set(ROWS)


def test_includes_are_at_most_two_deep():
    def depth(path):
        return 1 + max((depth(ROOT / name) for name in includes(path)), default=0)

    assert {path: depth(path) for path in FILES if depth(path) > 2} == {}


def test_the_order_of_the_issues_example_does_not_matter():
    """A few-shot file says nothing that its data do."""
    said = []
    for files in (ROWS["regan/obama256_stylegan2"][0], ROWS["regan/obama256_stylegan2"][0][::-1]):
        build.prepare(files, [])
        said.append(gin.config_str())
    assert said[0] == said[1] and len(ROWS["regan/obama256_stylegan2"][0]) == 2


def test_a_row_says_what_its_flags_say():
    of = prepare("regan/cifar10_tickets46")
    assert (of("TicketGAN.ticket_rounds"), of("train.steps")) == (6, 1_099_000)


def test_an_unknown_name_in_a_gin_file_is_refused(tmp_path):
    (tmp_path / "a.gin").write_text("no_such_network.width = 1\n")
    with pytest.raises(ConfigError, match="no_such_network"):
        build.prepare([str(tmp_path / "a.gin")], [])
