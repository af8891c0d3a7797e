"""What a run refuses: other configurations, a second trainer, numbers that are none."""

import os
import re
import shutil

import keras
import numpy as np
import pytest
from short_runs import contents, rows, run

from tfgans import checkpoint, config
from tfgans.compare import run as compare
from tfgans.config import ConfigError
from tfgans.run import after, build, callbacks, exporting

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bindings", "name"),
    [
        (["GAN.ema_decay=0.5"], "GAN.ema_decay = 0.9 there, 0.5 here"),
        (["numerics.seed=1"], "numerics.seed"),
        (["batch_size=32"], "Dataset.batch_size = 16 there, 32 here"),
        (["build.methods=[@R1GAN]", "R1GAN.r1_weight=0.5"], "R1GAN|build.methods"),
    ],
)
def test_a_run_of_another_configuration_is_refused(whole, gin_file, bindings, name):
    before = contents(whole)
    with pytest.raises(ConfigError, match=f"another configuration: .*({name})"):
        run(gin_file, whole, *bindings)
    assert contents(whole) == before


def test_a_parameter_that_came_later_decides_nothing_at_its_default(whole, gin_file, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "older")
    text = (folder / "operative.gin").read_text()
    line = "Dataset.background = 'white'\n"
    assert line in text
    (folder / "operative.gin").write_text(text.replace(line, ""))
    with pytest.raises(ConfigError, match="Dataset.background = None there, 'black' here"):
        run(gin_file, folder, "Dataset.background = 'black'")
    assert run(gin_file, folder) == rows(whole)[-1]


def test_a_generator_that_could_not_be_handed_over_is_refused_before_training(
    gin_file, tmp_path, monkeypatch
):
    def get_config(layer):
        raise ValueError("it does not say how it is made")

    monkeypatch.setattr(keras.layers.Dense, "get_config", get_config)
    said = r"cannot be written to .*generator\.keras: .*it does not say how it is made"
    with pytest.raises(ConfigError, match=said):
        run(gin_file, tmp_path / "run", "GAN.ema_decay = 0.0")
    assert not (tmp_path / "run").exists()


def test_a_second_trainer_is_refused(whole, gin_file):
    before = contents(whole)
    with checkpoint.Lock(whole), pytest.raises(ConfigError, match=f"another process .number {os.getpid()}"):
        run(gin_file, whole)
    assert contents(whole) == before


def test_a_folder_whose_name_is_no_unicode_is_refused_before_anything_is_written(gin_file, tmp_path):
    """Linux takes any bytes for names, TensorFlow's files and figures UTF-8 alone."""
    odd = tmp_path / "run\udcff"
    for write in (
        lambda: run(gin_file, odd),
        lambda: exporting.export(tmp_path / "none", odd, ["saved_model"]),
        lambda: compare.compare_configurations(odd, [gin_file], seeds=2, steps=1),
    ):
        with pytest.raises(ConfigError) as caught:
            write()
        told = str(caught.value).splitlines()[0]
        assert told == f"{tmp_path}/run\\udcff has bytes in its name that are no UTF-8: give it another name"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("bindings", "received"),
    [
        (["train.best_metric='fdi'"], "fdi"),
        (["train.best_metric='classes_covered'"], "classes_covered"),
        (["Evaluator.metrics=['kid']"], "fid"),  # the default
    ],
)
def test_a_metric_that_is_not_measured_cannot_choose_the_best(bindings, received, gin_file, tmp_path):
    measured = (
        "kid" if "kid" in bindings[0] else "fid, inception_score, kid, precision, recall, density, coverage"
    )
    said = f"^train.best_metric is one of {measured}, which are measured. Received: {received}$"
    with pytest.raises(ConfigError, match=said):
        run(gin_file, tmp_path / "run", *bindings)
    assert not (tmp_path / "run").exists()


def test_what_too_few_images_do_not_allow_is_refused_after_the_first_evaluation(gin_file, tmp_path):
    bindings = ["Evaluator.num_samples=3", "Evaluator.metrics=['precision_recall', 'kid']"]
    with pytest.raises(ConfigError, match="^train.best_metric is one of kid, which .* Received: recall$"):
        run(gin_file, tmp_path / "run", "train.best_metric='recall'", *bindings)


def test_a_number_of_samples_is_said_once(tmp_path):
    binding = "Evaluator.num_samples = 77"
    with pytest.raises(
        ConfigError, match=f"--gin_param={binding} would be ignored: --num_samples=32 says how many"
    ):
        after.evaluate(tmp_path, 32, gin_params=(binding,))


@pytest.mark.parametrize(
    ("bindings", "message"),
    [
        (["build.steps_per_execution=3", "train.steps=10"], "train.steps = 10 is not a multiple of .* = 3"),
        (
            ["build.steps_per_execution=3", "train.log_every=3"],
            "train.save_every = 4 is not a multiple of .* = 3",
        ),
        (["train.save_every=0"], "train.save_every is an integer of at least 1. Received: 0"),
        (["train.evaluate_every=True"], "train.evaluate_every is an integer"),
        (["train.steps=2.5"], "train.steps is an integer of at least 1. Received: 2.5"),
        (["train.keep_checkpoints=0"], "train.keep_checkpoints is an integer of at least 1. Received: 0"),
        (["Dataset.num_classes=3"], "digits has 10 classes .0, 1, 2, .*: set num_classes = 10"),
        (["Dataset.fraction=0.012"], "digits has no image to train on of class"),
        (
            ["Dataset.classes=[3, 1]", "Dataset.num_classes=None"],
            r"GAN.num_classes is 10, the data has 2 classes \(3, 1\): set num_classes = 2 \(Dataset",
        ),
        (
            ["Dataset.use_labels=False", "Dataset.num_classes=None"],
            "no classes .Dataset.use_labels is False.",
        ),
        (["dcgan_generator.resolution=16"], r"\(16, 16, 1\)"),
        (["batch_size=2000"], "2000"),
        (["Evalutor.num_samples=3"], "Evalutor"),
        (["R1GAN.r1_weight=0.5"], "nothing used these bindings: R1GAN.r1_weight"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(gin_file, tmp_path, bindings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        run(gin_file, tmp_path / "run", *bindings)
    assert re.search(message, config.first_line(caught.value))
    assert not (tmp_path / "run").exists()


def test_bindings_of_reads_what_gin_writes(gin_file):
    build.prepare([gin_file], ["build.methods=[@R1GAN, @GradientPenaltyGAN]"])
    build.build_model()
    found = config.bindings_of(config.operative())
    assert found["build.methods"] == "[@R1GAN, @GradientPenaltyGAN]"
    assert found["dcgan_generator.base_channels"] == "8"
    assert config.bindings_of("# X.a = 1\nX.b = \\\n    ['a',\n     'b']\n\nX.c = 1\n") == {
        "X.b": "['a', 'b']",
        "X.c": "1",
    }


@pytest.mark.slow
def test_divergence_keeps_the_last_good_checkpoint(gin_file, tmp_path):
    with pytest.raises(callbacks.Diverged, match="is (nan|inf) at step .; the checkpoint of step 0 is kept"):
        run(gin_file, tmp_path / "run", "Adam.learning_rate=1e30")
    checkpoints = checkpoint.Checkpoints(tmp_path / "run/checkpoints")
    assert checkpoints.steps() == [0]
    checkpoint.check_finite(checkpoints.load(0)[0])


@pytest.mark.slow
def test_weights_that_are_not_finite_are_never_saved(gin_file, tmp_path, monkeypatch):
    def overflow(clock, step):  # in an update whose loss and gradients were still finite
        if step == 8:
            kernel = clock.model.discriminator.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.inf))

    monkeypatch.setattr(callbacks.TrainingClock, "after", overflow)
    with pytest.raises(
        callbacks.Diverged, match="weight .* not finite at step 8; the checkpoint of step 4 is kept"
    ):
        run(gin_file, tmp_path / "run")
    assert checkpoint.Checkpoints(tmp_path / "run/checkpoints").steps() == [0, 4]


def test_a_loss_that_is_not_a_number_stops_the_run(gin_file, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks.TrainingClock, "after", lambda clock, step: clock.model.step_logs.update(
        {"d/adversarial": float("nan")} if step == 6 else {}))  # fmt: skip
    with pytest.raises(
        callbacks.Diverged, match="d/adversarial is nan at step 6; the checkpoint of step 4 is kept"
    ):
        run(gin_file, tmp_path / "run", "train.save_every=2")
    steps = checkpoint.Checkpoints(tmp_path / "run/checkpoints")
    assert steps.steps()[-1] == 4
    checkpoint.check_finite(steps.load(4)[0])


@pytest.mark.slow
def test_parameters_of_losses_can_be_bound(gin_file, tmp_path):
    bindings = ["GAN.discriminator_loss=@robgan_discriminator", "train.steps=2"]
    run(gin_file, tmp_path / "run", *bindings, "robgan_discriminator.fake_weight=1.5")
    assert "robgan_discriminator.fake_weight = 1.5" in (tmp_path / "run/operative.gin").read_text()
    with pytest.raises(ConfigError, match="another configuration: .*fake_weight = 1.5 there, 1.0 here"):
        run(gin_file, tmp_path / "run", *bindings, "robgan_discriminator.fake_weight=1.0")
