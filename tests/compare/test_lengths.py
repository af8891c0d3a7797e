"""How long a comparison has its runs train, and when it has them evaluated, by flags and bindings."""

import gin
import pytest
from PIL import Image

from tfgans.compare import plan
from tfgans.config import ConfigError
from tfgans.run import build


def given_to_train(gin_params, steps, seconds, every, file="gin_configs/compare/grid.gin"):
    """The flags that a run of a configuration gets besides its file, folder and seed."""
    found = plan.Configuration("a", file, gin_params, steps, seconds)
    found.set_length(seconds, every)
    return [flag.removeprefix("--gin_param=") for flag in found.flags(0, "m")[3:]]


def test_steps_are_those_of_train():
    """A schedule of the macro that says how long a run is gets all of it; `updates` is 1000 in the file."""
    files = ["gin_configs/octave/digits.gin", "gin_configs/octave/combi.gin"]
    text = " ".join(f"--gin_file={file}" for file in files)
    assert given_to_train([], 100, None, None, text)[1:] == ["--steps=100", "train.evaluate_every=20"]
    of_train = gin_of(files, {"steps": 100})
    assert "updates = 100\n" in of_train and "train.steps = %updates" in of_train
    found = plan.Configuration("a", text, [], 100, None)
    assert found.text == of_train
    assert found.digest() != plan.Configuration("a", text, [], 99, None).digest()


def gin_of(files, flags):
    build.prepare(files, [], flags)
    return gin.config_str()


def test_steps_that_a_macro_says_are_known():
    found = plan.Configuration("a", "gin_configs/octave/digits.gin", [], None, None)
    found.set_length(None, None)
    assert (found.steps, found.length, found.bindings) == (1000, [], ["train.evaluate_every=200"])


NO_LIMIT = "train.steps=1000000000"


@pytest.mark.parametrize(
    ("gin_params", "steps", "seconds", "every", "flags"),
    [
        (["train.evaluate_every=7"], 20, None, None, ["--steps=20", "train.evaluate_every=7"]),
        (["train.steps=20"], 20, None, 5, ["--steps=20", "train.steps=20", "train.evaluate_every=5"]),
        (["train.evaluate_every = 5"], 20, None, 5, ["--steps=20", "train.evaluate_every = 5"]),
        (
            ["train.seconds=3", "train.evaluate_every=7", "train.evaluate_every_seconds=1"], None, 3.0, None,
            ["train.seconds=3", "train.evaluate_every=7", "train.evaluate_every_seconds=1", NO_LIMIT],
        ),
    ],
)  # fmt: skip
def test_what_the_command_line_binds_holds(gin_params, steps, seconds, every, flags):
    assert given_to_train(gin_params, steps, seconds, every) == flags


@pytest.mark.parametrize(
    ("gin_params", "steps", "seconds", "every", "told"),
    [
        (["train.steps=20"], 10, None, None, "--steps says 10, --gin_param=train.steps=20"),
        (["train.evaluate_every=7"], 10, None, 5, "--evaluate_every says 5, --gin_param=train.evaluate_every=7"),
        (["train.steps=20"], None, 3.0, None, "--seconds says 3.0, --gin_param=train.steps=20"),
        (["train.seconds=4"], None, 3.0, None, "--seconds says 3.0, --gin_param=train.seconds=4"),
        (
            ["train.evaluate_every_seconds=2"], None, 3.0, 1.0,
            "--evaluate_every says 1.0, --gin_param=train.evaluate_every_seconds=2",
        ),
    ],
)  # fmt: skip
def test_a_binding_that_contradicts_a_flag_is_refused(gin_params, steps, seconds, every, told):
    with pytest.raises(ConfigError) as error:
        given_to_train(gin_params, steps, seconds, every)
    assert str(error.value) == f"{told} something else: leave one of them out"


def test_flags_that_say_of_which_images_are_those_of_train(tmp_path):
    for number in range(12):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / f"{number:02}.png")
    images = {"data": str(tmp_path), "resolution": (8, 16), "num_classes": 0, "batch_size": 4}
    file = "gin_configs/folder/dcgan.gin"
    found = plan.Configuration("a", file, [], 100, None, images)
    found.set_length(None, None)
    written = [f"--data={tmp_path}", "--resolution=8x16", "--num_classes=0", "--batch_size=4"]
    assert found.flags(0, "m")[3:8] == ["--steps=100", *written]
    assert found.text == gin_of([file], images | {"steps": 100}) and "resolution = (8, 16)" in found.text
    assert found.digest() != plan.Configuration("a", file, [], 100, None, images | {"batch_size": 5}).digest()
    with pytest.raises(ConfigError, match="--batch_size says 4, --gin_param=batch_size=5 something else"):
        plan.Configuration("a", file, ["batch_size=5"], 100, None, images)


def test_flags_of_compare_itself_are_named():
    with pytest.raises(ConfigError, match="Received: '--data=x'; compare itself takes --data, for all conf"):
        plan.parts("--gin_file=a.gin --data=x")
    with pytest.raises(ConfigError, match="Received: '--seed=3'$"):
        plan.parts("--gin_file=a.gin --seed=3")
