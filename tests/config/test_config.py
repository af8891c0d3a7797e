"""gin with Keras classes: bindings reach constructors, and nothing misspelt passes."""

import importlib
import pathlib

import keras
import pytest

from tfgans import config, distribute
from tfgans.config import ConfigError, Count, Function, Several, configurable


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


@configurable
def config_needs(steps: Count, first, last: Count = 2, *rest, **others):
    return steps


def test_what_is_not_set_is_named(tmp_path):
    assert config_needs(1, 2) == config_needs(1, first=2, other=3) == config_needs(first=2, steps=1) == 1
    for arguments, line in (
        ({"first": 1}, "config_needs.steps has to be set: it is an integer of at least 1"),
        ({"steps": 1}, "config_needs.first has to be set"),
        ({"last": 0}, "config_needs.last is an integer of at least 1. Received: 0"),
    ):
        with pytest.raises(ConfigError, match=f"^{line}$"):
            config_needs(**arguments)
    config.parse([written(tmp_path, "config_needs.steps = 3")])
    assert config_needs(first=1) == 3


def test_an_object_without_bindings(tmp_path):
    config.parse([written(tmp_path, "ConfigBase.depth = 5\nConfigChild.height = 7\nConfigChild.depth = 9")])
    child = config.unbound(ConfigChild, size=3, name="child")
    assert (child.size, child.depth, child.height, child.name) == (3, 1, 1, "child")
    assert config.unbound(ConfigChild, size=3, height=2).height == 2
    assert "ConfigChild.height" in config.unused_bindings()  # it is no use of them
    assert (ConfigChild(3).depth, ConfigChild(3).height) == (9, 7)


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


def test_unused_bindings_of_the_command_line_are_named_alone(tmp_path):
    flags = ["config_function.value=2", "scope/ConfigBase.depth=3", "ConfigChild:\n  height = 2\n  depth = 3"]
    config.parse([written(tmp_path, "ConfigBase.depth = 3")], flags)
    config_function()
    config.refuse_unused(only=flags[:1])
    with pytest.raises(ConfigError, match="these bindings: scope/ConfigBase.depth$"):
        config.refuse_unused(only=flags[:2])
    with pytest.raises(ConfigError, match="these bindings: ConfigChild.height, ConfigChild.depth$"):
        config.refuse_unused(only=flags[2:])


def test_a_binding_the_caller_overrides_counts_as_unused(tmp_path):
    config.parse([written(tmp_path, "config_function.value = 2")])
    config_function(7)
    assert config.unused_bindings() == ["config_function.value"]


@configurable
def config_builder(methods: Several(Function("@ConfigChild")) = (), layer=None):
    return [method(1) for method in methods], layer


CHILD = "config_builder.methods = [@ConfigChild]\nConfigChild.height = 7\n"


def let_go(caplog):
    """What `refuse_unused` lets go, as its one line in the log says."""
    caplog.clear()
    with caplog.at_level("INFO", "tfgans"):
        config.refuse_unused()
    assert len(caplog.messages) <= 1
    return caplog.messages[0].partition(": ")[2].split(", ") if caplog.messages else []


def test_bindings_of_what_a_later_line_replaced_are_let_go(tmp_path, caplog):
    file = written(tmp_path, CHILD + "ConfigBase.depth = 5\n")  # of its base: still used by the other
    config.parse([file], ["config_builder.methods=[@ConfigBase]"])
    config_builder()
    assert let_go(caplog) == ["ConfigChild.height"]
    config.parse([written(tmp_path, CHILD + "ConfigBase.depth = 5\nconfig_builder.methods = []", "b.gin")])
    config_builder()
    assert let_go(caplog) == ["ConfigChild.height", "ConfigBase.depth"]
    config.parse([file])
    config_builder()
    assert let_go(caplog) == []


def test_so_are_those_of_what_these_referred_to(tmp_path, caplog):
    text = """
config_builder.layer = @small/ConfigBase()
small/ConfigBase.size = %width
width = %half
half = 4
other = 5
"""
    config.parse([written(tmp_path, text)], ["config_builder.layer=None"])
    config_builder()
    with pytest.raises(ConfigError, match="these bindings: other$"):
        config.refuse_unused()
    config.parse([written(tmp_path, text.replace("other = 5", ""))], ["config_builder.layer=None"])
    config_builder()
    assert let_go(caplog) == ["small/ConfigBase.size", "width", "half"]


def test_bindings_of_included_and_earlier_files_are_let_go(tmp_path, caplog):
    part = written(tmp_path, "ConfigChild.height = 7\nwidth = 3\n", "part.gin")
    own = written(tmp_path, "config_function.value = 2\n", "own.gin")
    including = written(tmp_path, 'include "part.gin"\nconfig_function.value = 2\n', "including.gin")
    for files, flags in (
        ([part, own], []),
        ([including], []),
        ([own], [f"include '{part}'"]),
        ([part, part, own], []),
    ):
        config.parse(files, flags)
        config_function()
        assert let_go(caplog) == ["ConfigChild.height", "width"]
    once = config.operative()
    assert "ConfigChild" not in once
    config.parse([written(tmp_path, once, "operative.gin")])  # a file of its own, with nothing to let go
    config_function()
    assert let_go(caplog) == []


def test_two_configurations_are_joined(tmp_path, caplog):
    other = "config_builder.methods = [@ConfigBase]\nConfigBase.depth = 2\n"
    files = [written(tmp_path, CHILD), written(tmp_path, other, "b.gin")]
    config.parse(files)
    assert [type(made).__name__ for made in config_builder()[0]] == ["ConfigBase"]
    assert let_go(caplog) == ["ConfigChild.height"]
    config.parse(files[::-1])
    assert [type(made).__name__ for made in config_builder()[0]] == ["ConfigChild"]
    assert let_go(caplog) == []


@pytest.mark.parametrize(
    ("files", "flags", "named"),
    [
        (["ConfigChild.height = 7"], [], "ConfigChild.height"),  # of the last file, and nothing took it out
        (["config_function.value = 2", "ConfigChild.height = 7"], [], "ConfigChild.height"),
        ([CHILD], ["ConfigChild.height=8", "config_builder.methods=[]"], "ConfigChild.height"),
        ([""], ["config_builder.methods=[@ConfigChild]", "config_builder.methods=[]", "width=2"], "width"),
        (["width = 4\nconfig_builder.layer = %width"], ["widht=5"], "widht (did you mean width?)"),
        (["sacle = 4\nscale = 2\nconfig_builder.layer = %scale"], [], "sacle (did you mean scale?)"),
        (
            [
                "config_builder.layer = @small/ConfigBase()\nsmall/ConfigBase.size = 2\nsmal/ConfigBase.depth = 3"
            ],
            [],
            "smal/ConfigBase.depth (did you mean small/ConfigBase.depth?)",
        ),
        # What is called, but is handed the value by its caller: of a part, too.
        (["config_builder.methods = [@ConfigBase]\nConfigBase.size = 5", ""], [], "ConfigBase.size"),
    ],
)
def test_other_unused_bindings_are_mistakes(tmp_path, files, flags, named):
    config.parse([written(tmp_path, text, f"{n}.gin") for n, text in enumerate(files)], flags)
    config_builder()
    config_function()
    with pytest.raises(ConfigError) as raised:
        config.refuse_unused()
    assert str(raised.value) == f"nothing used these bindings: {named}"


def test_what_is_not_called_here_can_be_left_out_of_sight(tmp_path):
    text = "config_function.value = %size\nsize = 3\nconfig_function.layer = @ConfigBase()\nConfigBase.depth = 2\n"
    config.parse([written(tmp_path, text)])
    config.refuse_unused(apart_from=("config_function",))
    config.parse([written(tmp_path, text)], ["ConfigChild.height=3"])
    with pytest.raises(ConfigError, match="these bindings: ConfigChild.height$"):
        config.refuse_unused(apart_from=("config_function",))


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
    root = str(pathlib.Path(__file__).parents[2])
    monkeypatch.syspath_prepend(
        root
    )  # as the launch scripts do: gin_configs is then a package without __init__.py
    monkeypatch.chdir(tmp_path)
    config.import_rooms()
    importlib.import_module("tfgans.run.training")
    config.parse(["gin_configs/base/ring.gin"], ["Dataset.source='folder:mine'"])
    assert config.is_bound("GAN", "ema_decay") and config.is_bound("train", "steps")
    (tmp_path / "gin_configs/base").mkdir(parents=True)
    (tmp_path / "gin_configs/base/ring.gin").write_text("train.steps = 3\n")
    config.parse(["gin_configs/base/ring.gin"])  # the working directory's comes first
    assert not config.is_bound("GAN", "ema_decay")


@config.configurable(name="config_alias")
class Named:
    def __init__(self, size: config.Count = 1):
        self.size = size


def test_a_class_can_have_another_name_in_gin_files(tmp_path):
    config.parse([written(tmp_path, "config_alias.size = 3")])
    assert Named().size == 3 and "config_alias.size = 3" in config.operative()
    with pytest.raises(ConfigError, match="config_alias.size is an integer of at least 1. Received: 0"):
        Named(0)
    with pytest.raises(ConfigError, match="No configurable matching 'Named'"):
        config.parse([written(tmp_path, "Named.size = 3")])


def test_files_of_older_runs_are_read(tmp_path):
    """They have `train.run_class = None`, a parameter that is no more; other values of it are refused."""
    config.import_rooms(["tfgans.run.plan"])
    config.parse([written(tmp_path, "train.run_class = None\ntrain.steps = 3")])
    assert not config.is_bound("train", "run_class") and config.is_bound("train", "steps")
    with pytest.raises(ConfigError, match="line 1: train has no parameter 'run_class'"):
        config.parse([written(tmp_path, "train.run_class = 3")])
