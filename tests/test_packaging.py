"""What an installation is made from: versions that were tested together, commands that are there, all data files."""

import importlib
import pathlib
import re
import tomllib

import pytest
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
EXTRAS = [line for group in PROJECT["optional-dependencies"].values() for line in group]
REQUIREMENTS = [Requirement(line) for line in [*PROJECT["dependencies"], *EXTRAS]]
PINNED = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text().lower(), re.MULTILINE))


def next_after(version, places):
    """The first version past the tested one, of which so many numbers count: past 3.15.1 to 2 places is 3.16."""
    numbers = [int(part) for part in version.split(".")[:places]]
    return ".".join(map(str, [*numbers[:-1], numbers[-1] + 1]))


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_bounds_hold_the_tested_version_and_end_after_it(requirement):
    assert requirement.specifier, "no upper bound"
    if requirement.name == "setuptools":  # for its pkg_resources, not as it was tested
        assert not requirement.specifier.contains("81")
        return
    tested = PINNED[requirement.name.lower()]
    assert requirement.specifier.contains(tested)
    assert not requirement.specifier.contains(next_after(tested, 1))
    if requirement.name in ("gin-config", "keras", "tensorflow", "tensorflow-gan"):  # known from inside
        assert not requirement.specifier.contains(next_after(tested, 2))


@pytest.mark.parametrize("command", PROJECT["scripts"].values())
def test_installed_commands_are_there(command):
    module, name = command.split(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_every_file_that_is_no_module_is_packaged():
    patterns = dict(SETTINGS["tool"]["setuptools"]["package-data"])
    configs = patterns.pop("tfgans.gin_configs")
    assert {p for each in configs for p in (ROOT / "gin_configs").glob(each)} == {
        *(ROOT / "gin_configs").rglob("*.gin")
    }
    packaged = {
        path
        for package, globs in patterns.items()
        for each in globs
        for path in ROOT.joinpath(*package.split(".")).glob(each)
    }
    files = {p for p in (ROOT / "tfgans").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert {p for p in files if p.suffix != ".py"} == packaged != set()


def test_every_folder_of_modules_is_a_package():
    """`find_packages` leaves out folders without `__init__.py`."""
    folders = {path.parent for path in (ROOT / "tfgans").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
