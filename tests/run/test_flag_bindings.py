"""Plain flags beside gin's: what they set in files of every sort, and that nothing contradicts them unheard."""

import gin
import pytest

from tfgans.config import ConfigError
from tfgans.run import build, flag_bindings

MACRO = "batch_size = 64\nDataset.batch_size = %batch_size\nAPAGAN.pseudo_batch_size = %batch_size"
NUMBER = "Dataset.batch_size = 64"
OTHER_NAME = "size = %n\nn = 64\nDataset.batch_size = %size"
BOTH = "batch_size = 64\nDataset.batch_size = 32\nAPAGAN.pseudo_batch_size = %batch_size"
NEITHER = "Dataset.source = 'digits'"
UNDEFINED = "Dataset.batch_size = 8\nAPAGAN.pseudo_batch_size = %batch_size"  # for the flag to define


@pytest.fixture
def prepare(tmp_path):
    def prepare(text, flags, *params):
        (tmp_path / "a.gin").write_text(text + "\n")
        build.prepare([str(tmp_path / "a.gin")], params, flags)

    return prepare


def bound(name):
    """What a parameter is bound to, with macros followed."""
    value = gin.query_parameter(name)
    while isinstance(value, gin.config.ConfigurableReference):
        value = gin.query_parameter(str(value))
    return value


@pytest.mark.parametrize("text", [MACRO, NUMBER, OTHER_NAME, BOTH, NEITHER, UNDEFINED])
def test_a_flag_has_the_last_word_in_every_sort_of_file(prepare, text):
    prepare(text, {"batch_size": 16})
    assert bound("Dataset.batch_size") == 16
    if "APAGAN" in text:
        assert bound("APAGAN.pseudo_batch_size") == 16


def test_what_no_flag_names_stays(prepare):
    prepare(MACRO + "\nDataset.resolution = 32", {"batch_size": 16})
    assert bound("Dataset.resolution") == 32
    prepare(MACRO, {})
    assert bound("Dataset.batch_size") == 64
    prepare(
        "data = 'mine'\nDataset.image_key = %data", {"data": "digits"}
    )  # a macro that means something else
    assert (bound("Dataset.source"), bound("Dataset.image_key")) == ("digits", "mine")


def test_every_flag_sets_its_parameter(prepare):
    given = {
        "steps": 7,
        "initialize_from": "runs/other",
        "seed": 3,
        "data": "ring",
        "resolution": 16,
        "channels": 1,
        "num_classes": 0,
        "batch_size": 4,
    }
    assert given.keys() == flag_bindings.PARAMETERS.keys()
    prepare('include "gin_configs/data/cifar10.gin"', given)
    found = {flag: bound(parameter) for flag, parameter in flag_bindings.PARAMETERS.items()}
    assert found == given | {"num_classes": None}
    assert gin.query_parameter("%resolution") == 16  # which networks take


@pytest.mark.parametrize(
    ("text", "params", "flags"),
    [
        (MACRO, ["batch_size=32"], {"batch_size": 16}),
        (MACRO, ["Dataset.batch_size = 32"], {"batch_size": 16}),
        (NUMBER, ["Dataset.batch_size=32"], {"batch_size": 16}),
        (OTHER_NAME, ["n=32"], {"batch_size": 16}),
        (BOTH, ["batch_size=32"], {"batch_size": 16}),
        (NEITHER, ["train.steps=5"], {"steps": 6}),
        (NEITHER, ["numerics.seed=5"], {"seed": 6}),
        (NEITHER, ["Dataset.source='photos'"], {"data": "digits"}),
        (NEITHER, ["Dataset.num_classes=3"], {"num_classes": 0}),
    ],
)
def test_a_binding_of_the_command_line_that_says_something_else_is_refused(prepare, text, params, flags):
    ((flag, value),) = flags.items()
    with pytest.raises(ConfigError) as caught:
        prepare(text, flags, *params)
    value = None if flag == "num_classes" else value
    assert str(caught.value) == (
        f"--{flag} says {value!r}, --gin_param={params[0]} something else: leave one of them out"
    )


def test_bindings_that_agree_or_do_not_matter_are_not(prepare):
    prepare(MACRO, {"batch_size": 16}, "batch_size=16")
    assert bound("Dataset.batch_size") == 16
    prepare(NUMBER, {"batch_size": 16}, "Dataset.batch_size=%mine", "mine=16")
    prepare(NUMBER, {"batch_size": 16}, "Dataset.resolution=8")
    assert (bound("Dataset.batch_size"), bound("Dataset.resolution")) == (16, 8)


def test_what_data_may_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("digits", "my images", "it's"):
        (tmp_path / name).mkdir()
    for name in ("a.npz", "B.NPZ", "c.Zip"):
        (tmp_path / name).touch()
    home = str(tmp_path)
    expected = {
        "digits": "digits",
        "./digits": "folder:./digits",
        "my images": "folder:my images",
        "it's": "folder:it's",
        f"{home}/digits/": f"folder:{home}/digits/",
        "a.npz": "npz:a.npz",
        "B.NPZ": "npz:B.NPZ",
        "c.Zip": "zip:c.Zip",
        "zip:~/x": f"zip:{home}/x",
        "~/digits": f"folder:{home}/digits",
        "folder:~/digits": f"folder:{home}/digits",
        "npz:~/a.npz": f"npz:{home}/a.npz",
        "folder:not/there": "folder:not/there",  # the source says so itself
        "tfds:cifar10": "tfds:cifar10",
        "ring": "ring",
    }
    assert {text: flag_bindings.source_of(text) for text in expected} == expected


@pytest.mark.parametrize(
    "text", ["", "missing", "tfds:", "npz:", "no.npz", "~nobody_here/x", "a" * 5000, "a\0b"]
)
def test_what_data_may_not_be(text):
    with pytest.raises(ConfigError, match="--data") as caught:
        flag_bindings.source_of(text)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_named(tmp_path):
    (tmp_path / "images.tar").write_text("")
    with pytest.raises(
        ConfigError, match=r"--data is a folder, a .zip or .npz file, or a source: digits, .*another kind"
    ):
        flag_bindings.source_of(str(tmp_path / "images.tar"))


def test_a_name_with_quotes_arrives(prepare, tmp_path):
    folder = tmp_path / """it's "odd" \\ %x"""
    folder.mkdir()
    prepare(NEITHER, {"data": str(folder)})
    assert bound("Dataset.source") == f"folder:{folder}"
