"""The duality gap, by hand on scalar networks; that nothing of the model changes; and in runs."""

import json
import random
import shutil

import forks
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from short_runs import POINTS, rows, run

from tfgans import losses, schedules
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import metrics
from tfgans.evaluate.duality import DualityGap
from tfgans.gan import GAN
from tfgans.layers.spectral import SpectralConv2D
from tfgans.methods.augmented import APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regularized import GradientPenaltyGAN, WeightClippedGAN
from tfgans.methods.tickets import TicketGAN
from tfgans.run import after

RATE = 0.1
KEYS = ["duality_gap", "duality_minmax", "duality_maxmin"]
HINGE = dict(discriminator_loss=losses.hinge_discriminator, generator_loss=losses.hinge_generator)
WASSERSTEIN = dict(
    discriminator_loss=losses.wasserstein_discriminator, generator_loss=losses.wasserstein_generator
)


class Data:
    """Items to learn from and items held out; the same array twice stands for one split. Notes what was read."""

    split = "train"

    def __init__(self, train, test, labels=None):
        self.parts = {"train": train, None: test}
        self.labels = labels

    def reference_size(self, split=None):
        return len(self.parts[split])

    def reference(self, split=None, limit=None, batch_size=256):
        items = self.parts[split][:limit]
        for start in range(0, len(items), batch_size):
            part = slice(start, start + batch_size)
            yield items[part], None if self.labels is None else self.labels[: len(items)][part]


class PlusMinus(GAN):
    """Latents +1, -1, +1, ...: their mean is 0."""

    def draw_latents(self, count):
        return {"latents": tf.tile([[1.0], [-1.0]], (count // 2, 1)), "labels": None}


def constant(value, count=8):
    return np.full((count, 1), value, np.float32)


def scalar_model(optimizer=lambda: keras.optimizers.SGD(RATE), cls=PlusMinus, schedule=None, **options):
    model = cls(*toys.scalar_networks(), **(WASSERSTEIN | options))
    model.compile(optimizer(), optimizer(), learning_rate_schedule=schedule)
    return model


def closed_form(steps, learnt, held_out, a=3.0, c=0.5):
    """G(z) = 2 z + c has mean c and D(x) = a x. M = a (mean x - c); dM/da = mean x - c, dM/dc = -a."""
    minmax = (a + RATE * steps * (learnt - c)) * (held_out - c)
    maxmin = a * (held_out - (c + RATE * steps * a))
    return [minmax - maxmin, minmax, maxmin]


@pytest.mark.parametrize(("steps", "learnt", "held_out"), [(1, 2.0, 2.0), (5, 2.0, 1.5), (3, -1.0, 0.25)])
def test_scalar_networks_by_hand(steps, learnt, held_out):
    found = DualityGap(steps, 4, 8)(scalar_model(), Data(constant(learnt), constant(held_out, 9)))
    assert list(found) == KEYS
    assert list(found.values()) == pytest.approx(closed_form(steps, learnt, held_out), abs=1e-5)


def test_it_is_zero_at_an_equilibrium_and_only_there():
    model = scalar_model()
    model.discriminator.set_weights([np.zeros((1, 1)), np.zeros(1)])
    gap = DualityGap(10, 4, 8)
    # mean G = mean x and D = 0: no gradient for either
    equal = gap(model, Data(constant(0.5), constant(0.5, 9)))
    assert list(equal.values()) == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    # D = 0 cannot tell apart what a slope can: only D's side of the gap opens, by rate * steps * (1 - 0.5)^2
    found = gap(model, Data(constant(1.0), constant(1.0, 9)))
    assert list(found.values()) == pytest.approx([0.25, 0.25, 0.0], abs=1e-6)


def test_hinge_is_the_gap_of_alphagan():
    """M is minus the sum of both hinge terms; with a rate of 0 the copies stay what they are."""
    found = DualityGap(1, 4, 8)(
        scalar_model(lambda: keras.optimizers.SGD(0.0), **HINGE), Data(*[constant(0.2)] * 2)
    )
    # D(x) = 0.6; D(G(z)) = 3 (0.5 + 2) = 7.5 and 3 (0.5 - 2) = -4.5
    assert found["duality_minmax"] == found["duality_maxmin"] == pytest.approx(-(0.4 + 8.5 / 2))
    assert found["duality_gap"] == 0.0


def test_optimizers_start_afresh_with_the_rates_of_the_beginning():
    """Adam moves by its rate where gradients stay the same, whatever it has been through in the run."""
    adam = lambda: keras.optimizers.Adam(RATE, epsilon=1e-12)  # noqa: E731
    model = scalar_model(adam, schedule=schedules.LinearDecay(end=4))
    for optimizer in model.optimizers().values():
        for variable in optimizer.variables:
            variable.assign(tf.fill(variable.shape, tf.cast(7, variable.dtype)))
        optimizer.learning_rate.assign(0.0)
    found = DualityGap(5, 4, 8)(model, Data(constant(2.0), constant(1.5, 9)))
    minmax, maxmin = (3.0 + 5 * RATE) * (1.5 - 0.5), 3.0 * (1.5 - (0.5 + 5 * RATE))
    assert list(found.values()) == pytest.approx([minmax - maxmin, minmax, maxmin], abs=1e-4)


def test_limits_of_a_method_hold_for_the_copies():
    found = DualityGap(5, 4, 8)(
        scalar_model(cls=type("Clipped", (WeightClippedGAN, PlusMinus), {}), clip_limit=0.5),
        Data(constant(2.0), constant(1.5, 9)),
    )
    assert found["duality_minmax"] == pytest.approx(0.5 * (1.5 - 0.5), abs=1e-5)  # a is cut from 3 to 0.5


def test_a_gap_that_is_no_number_is_none():
    found = DualityGap(1, 4, 8)(scalar_model(), Data(constant(np.inf), constant(1.5, 9)))
    assert found["duality_gap"] is None and found["duality_maxmin"] == pytest.approx(3.0 * (1.5 - 0.8))


def test_what_is_learnt_from_is_not_measured_with():
    gap = DualityGap(steps=2, batch_size=4, num_samples=6)
    items = np.arange(20, dtype=np.float32)[:, None]
    (learn, _), (held_out, _) = gap._images(Data(items, items))
    assert (len(learn), len(held_out)) == (8, 6) and not set(learn.ravel()) & set(held_out.ravel())
    (learn, labels), (held_out, others) = gap._images(Data(items[:11], items[:11], np.arange(11)))
    assert (len(learn), len(held_out)) == (6, 5) and set(learn.ravel()) | set(held_out.ravel()) == set(
        range(11)
    )
    np.testing.assert_array_equal(learn.ravel(), labels)
    np.testing.assert_array_equal(held_out.ravel(), others)
    (learn, _), (held_out, _) = gap._images(Data(items[:9], items[9:]))
    assert learn.ravel().tolist() == list(range(8)) and held_out.ravel().tolist() == list(range(9, 15))


def test_nor_are_mirror_images_of_it():
    """Where the data to compare with are those trained on, and their mirror images."""
    gap = DualityGap(steps=40, batch_size=16, num_samples=640)
    (learn, labels), (held_out, _) = gap._images(
        Dataset("digits", batch_size=8, evaluation_split="train", evaluation_flip=True)
    )
    seen = {image.tobytes() for part in (learn, learn[:, :, ::-1]) for image in part}
    assert len(learn) == len(held_out) == 640 and len(labels) == 640
    assert not any(image.tobytes() in seen for image in held_out)


METHODS = [
    (GAN, {}),
    (FastGAN, {"perturbation_batch_size": 4}),
    (GradientPenaltyGAN, {}),
    (DiffAugmentGAN, {"diffaugment_policy": "color"}),
    (APAGAN, {"pseudo_batch_size": 4}),
    (ReGAN, {"warm_up_length": 0, "sparse_length": 9, "mask_after_update": True, "sparse_rate": 0.5}),
    (TicketGAN, {"ticket_rounds": 1, "round_length": 1}),
]


@pytest.mark.parametrize(("method", "options"), METHODS, ids=lambda each: getattr(each, "__name__", ""))
def test_nothing_of_a_trained_model_changes(method, options, request):
    """The first has a classifier; the others, by name, each something that losses, draws or updates go through."""
    if method is not GAN:
        request.getfixturevalue("eagerly")
    networks, more = toys.image_networks(num_classes=3), {"num_classes": 3} | HINGE
    if method is GAN:
        networks, more = toys.classifier_networks(), toys.FASTGAN_LOSSES
    model = method(*networks, ema_decay=0.9, **(more | options))
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3), run_eagerly=True)
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 256, (24, *model.sample_shape)).astype("uint8")
    labels = drawn.integers(0, 3, 24).astype("int32")
    model.fit(images[:4], labels[:4], batch_size=4, verbose=0, shuffle=False)
    before, streams = toys.values(model), (random.getstate(), np.random.get_state()[1].tolist())
    names = [variable.path for variable in model.variables]
    gap, data = DualityGap(steps=2, batch_size=4, num_samples=8), Data(images, images[::-1], labels)
    first = gap(model, data)
    toys.assert_same(before, toys.values(model))
    assert streams == (random.getstate(), np.random.get_state()[1].tolist())
    assert names == [variable.path for variable in model.variables]
    assert first["duality_gap"] == first["duality_minmax"] - first["duality_maxmin"]


@pytest.mark.slow
def test_statistics_power_iterations_and_dropout_stay_and_repeat():
    """Networks with all that moves in a forward."""
    keras.utils.set_random_seed(0)
    generator, _ = toys.image_networks()
    images = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization()(SpectralConv2D(4, 3)(images))
    discriminator = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    model = GAN(generator, keras.Model(images, discriminator(x)), **HINGE)
    model.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    state = lambda: [np.array(v) for v in model.generator.variables + model.discriminator.variables]  # noqa: E731
    before, python = state(), random.getstate()
    gap, data = DualityGap(steps=2, batch_size=4, num_samples=8), Data(toys.images(16), toys.images(16, 1))
    first = gap(model, data)
    for old, new in zip(before, state(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert python == random.getstate()
    assert gap(model, data) == first


def test_refusals(monkeypatch):
    model, data = scalar_model(), Data(constant(1.0, 5), constant(2.0, 9))
    for options, words in (
        ({"steps": 0}, "DualityGap.steps"),
        ({"batch_size": 0}, "DualityGap.batch_size"),
        ({"num_samples": 63}, "DualityGap.num_samples is an integer of at least 64"),
        ({"seed": -1}, "DualityGap.seed"),
    ):
        with pytest.raises(ConfigError, match=words):
            DualityGap(**options)
    with pytest.raises(ConfigError, match="batch_size = 6 is more than the 5 images to learn from or the 8"):
        DualityGap(2, 6, 8).check(model, data)
    DualityGap(2, 5, 8).check(model, data)
    many = scalar_model()
    monkeypatch.setattr(many, "optimizers", lambda: model.optimizers() | {"generator_8": model.optimizer})
    with pytest.raises(ConfigError, match="PlusMinus has discriminator, generator, generator_8"):
        DualityGap(2, 4, 8).check(many, data)


def test_replicas_are_refused_before_training(monkeypatch):
    class Two:
        num_replicas_in_sync = 2

    model = scalar_model()
    monkeypatch.setattr(type(model), "distribute_strategy", Two, raising=False)
    for call in (DualityGap().check, DualityGap()):
        with pytest.raises(
            ConfigError, match="one device, not 2 replicas: measure it after training, with evaluate"
        ):
            call(model, Data(constant(1.0), constant(2.0)))


SHORT = (
    "train.steps = 4",
    "train.save_every = 2",
    "train.evaluate_every = 2",
    "train.sample_every = 4",
    "GAN.ema_decay = 0.9",
)
MEASURED = (
    *SHORT,
    "train.duality_gap = @DualityGap()",
    "DualityGap.steps = 3",
    "DualityGap.batch_size = 8",
    "DualityGap.num_samples = 16",
)


@pytest.fixture(scope="module")
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("gap") / "ring.gin"
    path.write_text(POINTS)
    return str(path)


@pytest.fixture(scope="module")
def measured(gin_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gap") / "run"
    tf.config.run_functions_eagerly(True)
    run(gin_file, folder, *MEASURED)
    tf.config.run_functions_eagerly(False)
    return folder


@pytest.mark.slow
def test_a_run_with_it_is_the_run_without(gin_file, measured, tmp_path, eagerly):
    run(gin_file, tmp_path / "plain", *SHORT)
    assert [row["step"] for row in rows(measured)] == [0, 2, 4]
    counts = {"duality_steps": 3, "duality_batch_size": 8, "duality_samples": 16}
    for row, plain in zip(rows(measured), rows(tmp_path / "plain"), strict=True):
        assert all(np.isfinite(row[key]) for key in KEYS) and row | counts == row
        seconds = [key for key in row if key.endswith("_seconds")]
        assert {k: v for k, v in row.items() if k not in (*KEYS, *counts, *seconds)} == {
            k: v for k, v in plain.items() if k not in seconds
        }
    with (
        np.load(measured / "checkpoints/step_00000004.npz") as first,
        np.load(tmp_path / "plain/checkpoints/step_00000004.npz") as second,
    ):
        assert set(first.files) == set(second.files)
        for name in set(first.files) - {"about"}:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_tensorboard_and_the_comparison_page_have_it(measured):
    from short_runs import kill_and_resume

    from tfgans.compare.collect import ordered_metrics

    shown = kill_and_resume.curves(measured / "eval")
    assert [step for step, _ in shown["duality_gap"]] == [0, 2, 4]
    metrics = [{"runs": [{"evaluations": [{"metrics": {"duality_gap": rows(measured)[0]["duality_gap"]}}]}]}]
    assert ordered_metrics(metrics, "fid") == {"duality_gap": {"higher_is_better": False}}


def test_the_command_measures_the_same_later(measured, tmp_path, eagerly):
    folder = tmp_path / "run"
    shutil.copytree(measured, folder)
    row = after.evaluate(folder, step="2", duality_gap=True)
    assert [row[key] for key in KEYS] == [rows(measured)[1][key] for key in KEYS]
    assert rows(folder)[-1] == row
    flags = [f"--model_dir={folder}", "--step=2", "--duality_gap", "--gin_param=DualityGap.seed=1"]
    code, out, err = forks.command("evaluate", *flags).finish()
    assert code == 0, err
    printed = json.loads(out)
    assert printed["duality_gap"] != row["duality_gap"] and printed["fid"] == row["fid"]


def test_settings_without_effect_are_refused(gin_file, measured, tmp_path):
    with pytest.raises(ConfigError, match="nothing used these bindings: DualityGap.seed"):
        after.evaluate(measured, gin_params=["DualityGap.seed=1", "train.duality_gap=None"])
    with pytest.raises(
        ConfigError, match="train.duality_gap is an object .such as @DualityGap..* Received: True"
    ):
        run(gin_file, tmp_path / "a", *SHORT, "train.duality_gap = True")
    with pytest.raises(ConfigError, match="DualityGap.batch_size = 99999 is more than the"):
        run(gin_file, tmp_path / "a", *SHORT, *MEASURED[5:6], "DualityGap.batch_size = 99999",
            "DualityGap.num_samples = 99999")  # fmt: skip
    without = tmp_path / "without.gin"
    without.write_text("\n".join(line for line in POINTS.splitlines() if not line.startswith("Evaluator")))
    with pytest.raises(ConfigError, match="bind Evaluator.features"):
        run(str(without), tmp_path / "a", *SHORT, "train.duality_gap = @DualityGap()")
    assert not (tmp_path / "a").exists()


def test_it_says_of_how_much_it_is_where_that_is_not_the_usual():
    assert DualityGap().counts() == DualityGap(seed=4).counts() == {}
    assert DualityGap(steps=3).counts() == {"duality_steps": 3}
    assert DualityGap(200, 8, 16).counts() == {"duality_batch_size": 8, "duality_samples": 16}
    assert not any(metrics.is_value(name, 3) for name in metrics.GAP_COUNTS)
    row = {"features": "a", "step": 1}
    assert metrics.measured_alike(row, row) and not metrics.measured_alike(row, row | {"duality_steps": 3})


def test_it_can_be_interrupted():
    def interrupt():
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    model, calls = scalar_model(), []
    before = toys.values(model)
    with pytest.raises(KeyboardInterrupt):
        DualityGap(5, 4, 8)(model, Data(constant(2.0), constant(1.5, 9)), interrupt)
    assert len(calls) == 3
    toys.assert_same(before, toys.values(model))


def test_labels_that_the_model_does_not_have_are_refused():
    """Such as -1, which a split without labels has in TensorFlow Datasets."""
    model = GAN(*toys.image_networks(num_classes=2), num_classes=2)
    model.compile()
    images = toys.images(8)
    DualityGap(1, 4, 4).check(model, Data(images, images + 1, np.arange(8) % 2))
    for labels in (np.full(8, -1), np.arange(8) % 3):
        with pytest.raises(ConfigError, match=r"labels are integers in \[0, 2\)"):
            DualityGap(1, 4, 4).check(model, Data(images, images + 1, labels))
