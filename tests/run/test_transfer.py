"""Fine-tuning: what a run takes over from another, from a checkpoint, from a Keras file; what it refuses."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from short_runs import CONFIG, RING, run

from tfgans.checkpoint import Checkpoints
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.keras_files import save_network
from tfgans.layers.state import scheduled_state
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.octave.networks import octave_discriminator, octave_generator
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfgans.networks.progan import progan_discriminator, progan_generator
from tfgans.run import transfer
from tfgans.weight_names import named_weights

FEW = (
    "train.steps=2",
    "train.save_every=1",
    "train.evaluate_every=2",
    "train.sample_every=2",
    "train.log_every=1",
)
RATE = "default_optimizer.learning_rate"
pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "run.gin"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture(scope="module")
def other(gin_file, tmp_path_factory):
    """The run that others begin with."""
    folder = tmp_path_factory.mktemp("other") / "run"
    tf.config.run_functions_eagerly(True)
    run(gin_file, folder, *FEW, "numerics.seed=1")
    tf.config.run_functions_eagerly(False)
    return folder


def arrays(folder, step):
    """`{network: {name: array}}` of a checkpoint, and what it holds besides."""
    checkpoints = Checkpoints(folder / "checkpoints")
    state, names = checkpoints.load(step)[0], checkpoints.names(step)
    named = {net: {name: state.pop(key) for name, key in of.items()} for net, of in names.items()}
    return named, state


def report(folder):
    return json.loads((folder / "initialized_from.json").read_text())


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_weights_are_named_alike_whatever_was_made_before():
    names = [list(named_weights(dcgan_generator(resolution=16, base_channels=4))) for _ in range(2)]
    assert names[0] == names[1]
    assert names[0][:2] == ["dense/kernel", "batch_normalization/gamma"]
    assert "conv2d_transpose/kernel" in names[0] and "conv2d_transpose_1/kernel" in names[0]
    block = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(2)], name="block_3")
    network = keras.Sequential([keras.Input((2,)), block, keras.layers.Dense(1, name="head")])
    found = [
        "block/dense/kernel",
        "block/dense/bias",
        "block/dense_1/kernel",
        "block/dense_1/bias",
        "head/kernel",
    ]
    assert list(named_weights(network))[:5] == found


def test_what_a_schedule_sets_is_the_new_runs_own(tmp_path):
    """A run of whole images begins with one of 4x4 pixels, one without betas with one that has some."""
    sizes, betas = dict(resolution=16, channels=1), lambda t: (0.7, 0.3)
    cases = (
        (
            ProgressiveGAN,
            (progan_generator, progan_discriminator),
            {"max_channels": 4},
            {"stage_steps": (1, 9, 9)},
        ),
        (OctaveGAN, (octave_generator, octave_discriminator), {"base_channels": 2}, {"beta_schedule": betas}),
    )
    for method, (generator, discriminator), widths, options in cases:
        make = lambda: (generator(latent_dim=4, **sizes, **widths), discriminator(**sizes, **widths))  # noqa: B023, E731
        before, model = method(*make(), ema_decay=0.9, **options), GAN(*make(), ema_decay=0.9)
        for each in (before, model):
            each.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)))
        for variable in before.generator.trainable_variables:
            variable.assign_add(tf.ones_like(variable))
        Checkpoints(tmp_path / method.__name__ / "checkpoints").save(before, 1, {})
        file = tmp_path / f"{method.__name__}.keras"
        save_network(before.generator, file)
        for source in (file, tmp_path / method.__name__):
            taken = transfer.initialize(model, source)["generator"]
            assert taken["left"] == taken["left_out"] == []
        pairs = zip(before.generator.trainable_variables, model.generator.trainable_variables, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
        for network in (model.generator, model.discriminator, model.ema_generator):
            state = scheduled_state(network)
            assert state and all(
                v.numpy().min() == (2 if v.dtype == "int64" else 1) for v in state
            )  # the last stage


def test_a_folder_may_be_called_like_a_file_and_numbers_that_are_none_are_refused(tmp_path):
    sizes = dict(resolution=16, channels=1, base_channels=4)
    source, model = (
        GAN(dcgan_generator(latent_dim=4, **sizes), dcgan_discriminator(**sizes)) for _ in range(2)
    )
    for each in (source, model):
        each.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)))
    Checkpoints(tmp_path / "run.keras" / "checkpoints").save(source, 1, {})
    assert transfer.initialize(model, tmp_path / "run.keras")["generator"]["left"] == []
    gamma = source.generator.trainable_variables[1]
    gamma.assign(tf.fill(gamma.shape, np.inf))
    save_network(source.generator, tmp_path / "file.keras")
    with pytest.raises(
        ConfigError, match="gamma of the generator in .*file.keras holds numbers .* not finite"
    ):
        transfer.initialize(model, tmp_path / "file.keras")


def test_a_run_that_begins_by_itself_has_no_report_of_an_earlier_beginning(tmp_path):
    """Its first process, which took weights, died before a checkpoint; a process that resumes leaves the report."""
    config = tmp_path / "ring.gin"
    config.write_text(RING)
    folder, path = tmp_path / "run", tmp_path / "run/initialized_from.json"
    folder.mkdir()
    for steps, there in ((2, False), (4, True)):
        path.write_text('{"source": "runs/other"}')
        run(config, folder, f"train.steps={steps}")
        assert path.exists() == there


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["run", "checkpoint"])
def test_a_run_takes_over_both_networks_and_the_average(gin_file, other, tmp_path, kind):
    source, step = (other, 2) if kind == "run" else (other / "checkpoints/step_00000001.npz", 1)
    run(gin_file, tmp_path / "run", *FEW, f"train.initialize_from={str(source)!r}")
    (before, _), (after, rest) = arrays(other, step), arrays(tmp_path / "run", 0)
    for name in ("generator", "discriminator", "ema_generator", "average"):
        assert_equal(after[name], before[name])
    assert after["average"]["updates"] == step
    moments = [value for key, value in rest.items() if key.startswith("optimizer/") and value.ndim]
    assert moments and not any(value.any() for value in moments)
    told = report(tmp_path / "run")
    assert (told["source"], told["step"]) == (str(source), step)
    assert told["generator"]["left"] == []
    assert told["generator"]["taken"] == told["generator"]["arrays"] == len(before["generator"])


@pytest.mark.slow
def test_a_keras_file_gives_the_generator_and_the_average(gin_file, other, tmp_path):
    run(gin_file, tmp_path / "plain", *FEW)
    run(gin_file, tmp_path / "run", *FEW, f"train.initialize_from={str(other / 'generator.keras')!r}")
    (before, _), (after, _) = arrays(other, 2), arrays(tmp_path / "run", 0)
    drawn, _ = arrays(tmp_path / "plain", 0)
    for name in before["ema_generator"]:  # statistics are handed over as they fit the average
        same = after["generator"][name]
        np.testing.assert_array_equal(same, after["ema_generator"][name])
        assert "moving" in name or np.array_equal(same, before["ema_generator"][name])
    assert_equal(after["discriminator"], drawn["discriminator"])
    assert after["average"]["updates"] == 0
    assert report(tmp_path / "run")["discriminator"]["taken"] == 0


@pytest.mark.slow
def test_of_other_networks_what_fits_is_taken(gin_file, other, tmp_path, caplog):
    """With half as long latents, all but the first kernel fits."""
    caplog.set_level("INFO", "tfgans")
    run(
        gin_file,
        tmp_path / "run",
        *FEW,
        "dcgan_generator.latent_dim=4",
        f"train.initialize_from={str(other)!r}",
    )
    (before, _), (after, _) = arrays(other, 2), arrays(tmp_path / "run", 0)
    taken = report(tmp_path / "run")
    assert taken["generator"]["left"] == taken["ema_generator"]["left"] == ["dense/kernel"]
    assert after["generator"].pop("dense/kernel").shape == (4, 128)
    assert before["generator"].pop("dense/kernel").shape == (8, 128)
    assert_equal(after["generator"], before["generator"])
    assert_equal(after["discriminator"], before["discriminator"])
    count = taken["generator"]["arrays"]
    assert f"{count - 1} of {count} arrays" in caplog.text and "drawn: dense/kernel" in caplog.text


@pytest.mark.slow
def test_a_fine_tuned_run_goes_on_without_its_source(gin_file, other, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(other, source)
    start = f"train.initialize_from={str(source)!r}"
    run(gin_file, tmp_path / "whole", *FEW, start)
    run(gin_file, tmp_path / "split", *FEW, "train.steps=1", "train.evaluate_every=1", start)
    shutil.rmtree(source)
    run(gin_file, tmp_path / "split", *FEW, start)
    for step in (1, 2):
        (first, rest), (second, other_rest) = (arrays(tmp_path / name, step) for name in ("whole", "split"))
        for name in first:
            assert_equal(first[name], second[name])
        assert_equal(rest, other_rest)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing", "which is not there"),
        ("empty", "there is no checkpoint in"),
        ("run.gin", "a .keras file. Received: .*, which is none"),
        ("damaged.keras", "damaged.keras cannot be read as a Keras file"),
        ("checkpoints/step_00000007.npz", "damaged|cannot be read as a checkpoint"),
    ],
)
def test_what_is_no_source_is_refused_before_anything_is_written(gin_file, tmp_path, source, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "run.gin").touch()
    (tmp_path / "damaged.keras").write_bytes(b"PK and more")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/step_00000007.npz").write_bytes(b"PK and more")
    with pytest.raises(ConfigError, match=said):
        run(gin_file, tmp_path / "new", *FEW, f"train.initialize_from={str(tmp_path / source)!r}")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_source_of_which_nothing_fits_is_refused(gin_file, other, tmp_path):
    with pytest.raises(
        ConfigError, match=r"nothing in .* fits the generator: dense/kernel is \[8, 128\] there"
    ):
        run(gin_file, tmp_path / "new", *FEW, "dcgan_generator.base_channels=4",
            f"train.initialize_from={str(other)!r}")  # fmt: skip
    assert not (tmp_path / "new").exists()
