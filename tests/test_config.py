"""gin with Keras classes: bindings reach constructors, and nothing misspelt passes."""

import importlib
import pathlib

import keras
import pytest

from tfgans import config, distribute
from tfgans.config import ConfigError, configurable


@configurable
class ConfigBase(keras.layers.Layer):
    def __init__(self, size, depth=1, **kwargs):
        super().__init__(**kwargs)
        self.size, self.depth = size, depth


@configurable
class ConfigChild(ConfigBase):
    def __init__(self, size, height=1, **kwargs):
        super().__init__(size, **kwargs)
        self.height = height


@configurable
def config_function(value=1, layer=None):
    return value, layer


def written(tmp_path, text, name="a.gin"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_bindings_reach_a_keras_layer_called_positionally(tmp_path):
    config.parse([written(tmp_path, "ConfigBase.depth = 5")])
    layer = ConfigBase(3)
    assert (layer.size, layer.depth) == (3, 5)


def test_a_base_class_keeps_its_bindings_in_a_subclass(tmp_path):
    config.parse([written(tmp_path, "ConfigBase.depth = 5\nConfigChild.height = 7")])
    child = ConfigChild(3)
    assert (child.size, child.depth, child.height) == (3, 5, 7)
    config.refuse_unused()


def test_command_line_bindings_override_files_and_later_files_earlier_ones(tmp_path):
    files = [
        written(tmp_path, "config_function.value = 1"),
        written(tmp_path, "config_function.value = 2", "b.gin"),
    ]
    config.parse(files)
    assert config_function()[0] == 2
    config.parse(files, ["config_function.value = 3"])
    assert config_function()[0] == 3


def test_parsing_starts_from_a_clean_slate(tmp_path):
    config.parse([written(tmp_path, "config_function.value = 9")])
    config.parse([])
    assert config_function()[0] == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("ConfigBase.no_such = 1", "ConfigBase has no parameter 'no_such'. Allowed: size, depth"),
        ("ConfigChild.no_such = 1", "ConfigChild has no parameter 'no_such'. Allowed: size, height, depth"),
        ("no_such_function.value = 1", "No configurable matching 'no_such_function'"),
        ("config_function.value = ", "a.gin"),
        ("config_function.no_such = 1", "no_such"),
        ("include 'not_there.gin'", "not_there.gin"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError) as raised:
        config.parse([written(tmp_path, text)])
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_unused_bindings_are_named(tmp_path):
    text = "config_function.value = 2\nConfigBase.depth = 3\nwidth = 4\nscope/config_function.value = 5"
    config.parse([written(tmp_path, text)])
    config_function()
    assert sorted(config.unused_bindings()) == ["ConfigBase.depth", "scope/config_function.value", "width"]
    with pytest.raises(ConfigError, match="nothing used these bindings"):
        config.refuse_unused()
    config.refuse_unused(only=["config_function.value=2"])
    with pytest.raises(ConfigError, match="ConfigBase.depth$"):
        config.refuse_unused(only=["ConfigBase.depth=3"])


def test_a_binding_the_caller_overrides_counts_as_unused(tmp_path):
    config.parse([written(tmp_path, "config_function.value = 2")])
    config_function(7)
    assert config.unused_bindings() == ["config_function.value"]


def test_macros_and_scopes_count_as_used(tmp_path):
    text = "width = 4\nconfig_function.layer = @small/ConfigBase()\nsmall/ConfigBase.size = %width"
    config.parse([written(tmp_path, text)])
    assert config_function()[1].size == 4
    assert config.unused_bindings() == []


def test_operative_configuration_parses_to_itself(tmp_path):
    text = "width = 4\nconfig_function.layer = @small/ConfigBase()\nsmall/ConfigBase.size = %width"
    config.parse([written(tmp_path, text)])
    config_function()
    once = config.operative()
    config.parse([written(tmp_path, once, "operative.gin")])
    config_function()
    assert config.operative() == once
    assert "config_function.value = 1" in once


def test_the_operative_configuration_says_defaults(tmp_path):
    """Those of functions and classes whose parameters have kinds, too: a later version may have others."""
    from tfgans.data import Dataset

    config.parse([written(tmp_path, "Dataset.source = 'ring'\nstrategy.kind = 'one_device'")])
    Dataset()
    distribute.strategy()
    said = config.bindings_of(config.operative())
    assert (said["Dataset.source"], said["Dataset.fraction"], said["Dataset.flip"]) == (
        "'ring'",
        "1.0",
        "False",
    )
    assert (said["strategy.kind"], said["strategy.virtual_devices"]) == ("'one_device'", "None")


def test_is_bound(tmp_path):
    config.parse([written(tmp_path, "ConfigBase.depth = 5")])
    assert config.is_bound("ConfigBase") and config.is_bound("ConfigBase", "depth")
    assert not config.is_bound("ConfigBase", "size") and not config.is_bound("ConfigChild")


def test_a_decorated_layer_survives_a_keras_round_trip():
    layer = ConfigChild(3, height=2, depth=4)
    assert ConfigChild.from_config({"size": 3, "height": 2, "depth": 4}).height == layer.height


def test_files_are_found_from_any_working_directory(tmp_path, monkeypatch):
    root = str(pathlib.Path(__file__).parent.parent)
    monkeypatch.syspath_prepend(
        root
    )  # as the launch scripts do: gin_configs is then a package without __init__.py
    monkeypatch.chdir(tmp_path)
    config.import_rooms()
    importlib.import_module("tfgans.training")
    config.parse(["gin_configs/base/folder.gin"], ["Dataset.source='folder:mine'"])
    assert config.is_bound("Dataset", "crop") and config.is_bound("train", "steps")
    (tmp_path / "gin_configs/base").mkdir(parents=True)
    (tmp_path / "gin_configs/base/folder.gin").write_text("train.steps = 3\n")
    config.parse(["gin_configs/base/folder.gin"])  # the working directory's comes first
    assert not config.is_bound("Dataset", "crop")
