"""A step of progressive growing: its images, latents and losses, in company, on replicas, compiled by XLA."""

import numpy as np
import pytest
import replicas
import tensorflow as tf
import toys
from growing import IMAGES, PUBLISHED_LOSSES, SCHEDULE, Recorder, fit, make

from tfgans import losses
from tfgans.augment.pipe import AugmentPipe
from tfgans.config import ConfigError
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN
from tfgans.networks.progan_parts import at_stage


def test_real_images_are_means():
    model = make(resolution=16, stage_steps=1)
    images = np.random.default_rng(1).integers(0, 256, (1, 3, 16, 16, 1)).astype("uint8")
    expected = images.reshape(1, 3, 4, 4, 4, 4, 1).mean((3, 5)) / 127.5 - 1.0
    found = model.at_stage_size({"images": tf.constant(images), "labels": None})
    np.testing.assert_allclose(found["images"], expected, atol=1e-6)
    floats = tf.constant(images[0], tf.float32) / 127.5 - 1.0
    np.testing.assert_allclose(model.at_stage_size(floats), expected[0], atol=1e-6)
    smaller, label = model.at_stage_size((floats, 7))
    np.testing.assert_allclose(smaller, expected[0], atol=1e-6)
    assert label == 7
    model.choose_step(2)
    assert model.at_stage_size(floats) is floats
    with pytest.raises(
        ConfigError, match=r"the data's items are \(8, 8, 1\), the generator makes \(16, 16, 1\)"
    ):
        model.at_stage_size(tf.zeros((2, 8, 8, 1)))


@pytest.mark.parametrize("same", [True, False])
def test_both_steps_take_the_same_latents(same, monkeypatch):
    model = make(compiling={"run_eagerly": True}, same_latents=same, **SCHEDULE)
    drawn, draw = [], ProgressiveGAN.draw_latents

    def noted(self, count, again=False):
        drawn.append(draw(self, count, again))
        return drawn[-1]

    monkeypatch.setattr(ProgressiveGAN, "draw_latents", noted)
    fit(model, IMAGES[:8])
    first, second, third, fourth = (latents["latents"].numpy() for latents in drawn)
    assert np.array_equal(first, second) == np.array_equal(third, fourth) == same
    assert np.any(first != third)


def test_what_is_not_for_the_first_stages_images_is_refused_before_training():
    method, pipe = compose(ADAGAN, ProgressiveGAN), {"ada_pipe": AugmentPipe("filter")}
    with pytest.raises(ConfigError, match=r"22 pixels a side or more. Received: \(8, 8\)"):
        make(method, 32, stage_steps=(0, 1, 1, 1), **pipe)
    assert make(method, 32, stage_steps=(0, 0, 0, 1), **pipe).first_shape() == (32, 32, 1)


def test_loss_with_drift_by_hand():
    real, fake = tf.constant([[3.0], [-1.0]]), tf.constant([[0.5], [1.5]])
    assert float(losses.drift_wasserstein_discriminator(real, fake, 0.01)) == pytest.approx(1.0 - 1.0 + 0.05)
    assert float(losses.drift_wasserstein_discriminator(real, fake)) == pytest.approx(0.005, abs=1e-7)


def test_penalties_are_of_the_stage_s_images():
    """R1 of a step at 4x4 is that of the 4x4 critic."""
    model = make(compose(R1GAN, ProgressiveGAN), r1_weight=2.0, **SCHEDULE)
    images = tf.constant(IMAGES[:4])
    small = model.at_stage_size(images)
    with at_stage(0):
        (real,) = model.split_batch({"images": small[None]})
        terms = model.discriminator_losses(real, model.sample(4))
    with tf.GradientTape() as tape:
        tape.watch(small)
        logits = model.discriminator(small)["adversarial"]
    square = tf.reduce_mean(tf.reduce_sum(tape.gradient(logits, small) ** 2, (1, 2, 3)))
    assert float(terms["d/r1"]) == pytest.approx(float(square), rel=1e-5)


@pytest.mark.parametrize("stage_steps", [(1, 1), (0, 2)])
def test_composition(stage_steps):
    methods = (DiffAugmentGAN, R1GAN, ProgressiveGAN, AdvAsGAN, GradientPenaltyGAN)
    options = PUBLISHED_LOSSES | dict(stage_steps=stage_steps, ema_decay=0.9)
    recorder = Recorder()
    model = make(compose(*methods), compiling={"run_eagerly": True}, **options)
    before = [w.numpy() for w in model.generator.trainable_variables]
    fit(model, IMAGES[:4], [recorder])
    (log,) = recorder.logs
    assert {"d/r1", "d/gradient_penalty", "g/advas_r", "progressive/alpha"} <= log.keys()
    assert all(np.isfinite(value) for value in log.values()) and log["g/advas_r"] > 0
    assert log["progressive/resolution"] == (4 if stage_steps[0] else 8)
    moved = [np.any(w.numpy() != b) for w, b in zip(model.generator.trainable_variables, before, strict=True)]
    later = {id(v) for v in model.variables_of("generator", 1)}
    assert moved == [
        bool(not stage_steps[0] or id(v) not in later) for v in model.generator.trainable_variables
    ]


REPLICATED = """
include "gin_configs/data/digits.gin"
num_classes = None
Dataset.use_labels = False
batch_size = 8
build.generator = @progan_generator
build.discriminator = @progan_discriminator
build.methods = [@ProgressiveGAN]
progan_generator.resolution = %resolution
progan_generator.channels = %channels
progan_generator.latent_dim = 6
progan_generator.max_channels = 4
progan_discriminator.resolution = %resolution
progan_discriminator.channels = %channels
progan_discriminator.max_channels = 4
ProgressiveGAN.stage_steps = (1, 4)
GAN.num_classes = %num_classes
GAN.discriminator_loss = @drift_wasserstein_discriminator
GAN.generator_loss = @wasserstein_generator
GAN.ema_decay = 0.5
build.generator_optimizer = @SGD
build.discriminator_optimizer = @SGD
SGD.learning_rate = 1e-3
strategy.kind = "mirrored"
strategy.virtual_devices = 2
"""


@pytest.mark.slow
def test_replicas_agree_through_a_change_of_stage(tmp_path):
    (tmp_path / "run.gin").write_text(REPLICATED)
    arguments = [str(tmp_path / "run.gin"), str(tmp_path / "run"), "2", str(tmp_path / "state.npz")]
    code, said = replicas.run_alone(f"import worker\nworker.main(*{arguments})")
    assert code == 0, said[-3000:]
    state = dict(np.load(tmp_path / "state.npz"))
    names = [name for name in state if name.startswith("replica/0/")]
    assert (
        len(names) == 7 * 2 + 2
    )  # three convolutions a stage, the first kernel and bias, alpha and the stage
    for name in names:
        np.testing.assert_array_equal(state[name], state[name.replace("replica/0", "replica/1")])
    assert float(min(state[name] for name in names if state[name].dtype == "int64")) == 1


def test_xla_compiles_each_stage():
    model = make(compiling={"jit_compile": True}, **SCHEDULE)
    latents = {"latents": tf.constant(np.random.default_rng(0).normal(size=(2, 6)), tf.float32)}
    for step, side in ((0, 4), (2, 8), (1, 4)):
        model.choose_step(step)
        with at_stage(model.stage):
            images = model.xla(model.fake_images)(latents)["images"]
            expected = model.fake_images(latents)["images"]
        assert images.shape == (2, side, side, 1)
        np.testing.assert_allclose(images, expected, atol=1e-5)


def test_what_cannot_be_run_is_refused():
    with pytest.raises(ConfigError, match="stage_steps has one number for each of 2 stages"):
        make(stage_steps=(1, 2, 3))
    with pytest.raises(
        ConfigError, match="stage_steps is an integer of at least 0 or a list .* Received: -1"
    ):
        make(stage_steps=-1)
    for option in ({"fade_share": 1.5}, {"fade_start": -0.5}):
        with pytest.raises(ConfigError, match="is a number in \\[0, 1\\] or .* Received: (1.5|-0.5)"):
            make(**option)
    with pytest.raises(ConfigError, match="needs networks that grow"):
        ProgressiveGAN(*toys.image_networks())
    for other, options in (
        (FastGAN, {}),
        (FastGAN, {"perturbation_batch_size": 4}),
        (APAGAN, {}),
    ):
        with pytest.raises(ConfigError, match="keeps images between steps"):
            make(compose(ProgressiveGAN, other), **options)
