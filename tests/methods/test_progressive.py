import keras
import numpy as np
import pytest
import replicas
import tensorflow as tf
import toys

from tfgans import checkpoint, losses
from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.augmented import APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN
from tfgans.networks.progan import progan_discriminator, progan_generator
from tfgans.networks.progan_parts import at_stage, growing_layers
from tfgans.optimizers import TorchAdam

PUBLISHED_LOSSES = dict(
    discriminator_loss=losses.drift_wasserstein_discriminator, generator_loss=losses.wasserstein_generator
)
SCHEDULE = dict(stage_steps=(2, 8), fade_share=(0.5, 0.75))  # of 8x8 images
IMAGES = np.random.default_rng(0).uniform(-1, 1, (24, 8, 8, 1)).astype("float32")


def networks(resolution=8, width=4):
    keras.utils.set_random_seed(0)
    sizes = dict(channels=1, max_channels=width)
    return progan_generator(resolution, latent_dim=6, **sizes), progan_discriminator(resolution, **sizes)


def make(method=ProgressiveGAN, resolution=8, compiling=None, **options):
    model = method(*networks(resolution), **options)
    adam = lambda: TorchAdam(1e-3, beta_1=0.0, beta_2=0.99)  # noqa: E731
    model.compile(adam(), adam(), **(compiling or {}))
    return model


def fit(model, images, callbacks=()):
    model.fit(images, batch_size=4, shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


class Recorder(keras.callbacks.Callback):
    """The logs and the whole state after each update, and four images."""

    def __init__(self):
        super().__init__()
        self.logs, self.states, self.images = [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(dict(self.model.step_logs))
        self.states.append(checkpoint.read_state(self.model))
        self.images.append(self.model.generate(4, seed=1))


def published(**options):
    options = SCHEDULE | PUBLISHED_LOSSES | {"ema_decay": 0.5} | options
    return make(compose(ProgressiveGAN, GradientPenaltyGAN), **options)


@pytest.fixture(scope="module")
def run():
    """Six updates: two at 4x4, four of the six in which the 8x8 layers fade in."""
    recorder = Recorder()
    model = fit(published(), IMAGES, [recorder])
    return model, recorder


# The schedule


def test_schedule_is_the_published_formula():
    """alpha = (batch + epoch * L) / (E * L) with epochs from 1, at most 1; L = 5 batches, E = 2 and 4 epochs."""
    model = make(stage_steps=(10, 20), fade_share=(1 - 1 / 2, 1 - 1 / 4))
    expected = []
    for stage, epochs in enumerate((2, 4)):
        expected += [
            (stage, min((batch + epoch * 5) / (epochs * 5), 1.0))
            for epoch in range(1, epochs + 1)
            for batch in range(5)
        ]
    expected += [(1, 1.0)] * 3  # the last stage goes on
    for step, (stage, alpha) in enumerate(expected):
        model.step.assign(step)
        assert model.stage_at(step) == stage
        assert float(model.alpha_at(stage)) == pytest.approx(alpha, abs=1e-6)


def test_schedule_of_the_paper():
    model = make(stage_steps=100, fade_share=0.5, fade_start=0.0)
    for step, alpha in ((100, 0.0), (125, 0.5), (150, 1.0), (199, 1.0)):
        model.step.assign(step)
        assert float(model.alpha_at(1)) == pytest.approx(alpha, abs=1e-6)
    assert [model.stage_at(step) for step in (0, 99, 100, 500)] == [0, 0, 1, 1]
    assert make(stage_steps=(0, 0, 7), resolution=16).stage == 2


@pytest.mark.slow
def test_logs_and_state_of_a_run(run):
    model, recorder = run
    assert [log["progressive/resolution"] for log in recorder.logs] == [4, 4, 8, 8, 8, 8]
    expected = [0.5, 1.0, 0.25, 0.375, 0.5, 0.625]
    np.testing.assert_allclose([log["progressive/alpha"] for log in recorder.logs], expected, atol=1e-6)
    for network in (model.generator, model.discriminator, model.ema_generator):
        assert float(growing_layers(network)[0].alpha.numpy()) == pytest.approx(0.625)
    for network in (model.generator, model.ema_generator):
        assert int(growing_layers(network)[0].stage.numpy()) == 1


def test_images_have_the_last_size_at_every_stage(run):
    _, recorder = run
    assert all(images.shape == (4, 8, 8, 1) for images in recorder.images)
    for images in recorder.images[:2]:
        np.testing.assert_array_equal(images, images[:, ::2, ::2].repeat(2, 1).repeat(2, 2))
    assert np.any(recorder.images[2] != recorder.images[2][:, ::2, ::2].repeat(2, 1).repeat(2, 2))
    assert make(**SCHEDULE).sample_shape == (8, 8, 1)


@pytest.mark.slow
def test_resume_in_the_middle_of_a_fade_is_exact(run):
    """After update 4 of 6, by a new model, which here does two updates in one execution."""
    _, recorder = run
    model = published(compiling={"steps_per_execution": 2})
    checkpoint.write_state(model, recorder.states[3])
    np.testing.assert_array_equal(model.generate(4, seed=1), recorder.images[3])
    fit(model, IMAGES[16:])
    toys.assert_same(toys.values(model), recorder.states[5])


# What a stage trains


def test_only_the_stages_so_far_are_trained(run):
    model, recorder = run
    names = {id(v): name for name, v in checkpoint.variables_of(model).items()}
    states = recorder.states
    for name in ("generator", "discriminator"):
        for stage, still in ((0, 0), (1, 1)):  # what is noted first is the state after one update
            for variable in model.variables_of(name, stage):
                key = names[id(variable)]
                moved = [np.any(states[i][key] != states[i + 1][key]) for i in range(5)]
                assert moved == [False] * still + [True] * (5 - still), variable.path
    iterations = {name: int(o.iterations.numpy()) for name, o in model.optimizers().items()}
    assert iterations == {"generator": 6, "discriminator": 6, "generator_8": 4, "discriminator_8": 4}


def test_moments_of_new_layers_count_from_their_first_update(run):
    """Adam's first update is the learning rate; 1.7 times that if it had counted those of the stage before."""
    model, recorder = run
    names = {id(v): name for name, v in checkpoint.variables_of(model).items()}
    for name in ("generator", "discriminator"):
        kernel = names[id(model.variables_of(name, 1)[0])]
        change = np.abs(recorder.states[2][kernel] - recorder.states[1][kernel])
        assert np.median(change) == pytest.approx(1e-3, rel=2e-2)
        assert change.max() <= 1.001e-3


def test_optimizers_of_all_stages_follow_one_learning_rate():
    model = make(**SCHEDULE)
    model.optimizer.learning_rate.assign(0.25)
    rates = {name: float(o.learning_rate) for name, o in model.optimizers().items()}
    assert rates == {
        "generator": 0.25, "generator_8": 0.25, "discriminator": pytest.approx(1e-3),
        "discriminator_8": pytest.approx(1e-3),
    }  # fmt: skip
    model = make(**SCHEDULE, compiling={"learning_rate_schedule": lambda step: 0.5})
    model.set_learning_rates()
    assert [float(o.learning_rate) for o in model.optimizers().values()] == [pytest.approx(5e-4)] * 4


def products(graph):
    """Multiply-accumulates of all convolutions, their gradients and matrix products that a run of a graph does."""
    waiting = [t.op for t in graph.outputs] + [o for o in graph.get_operations() if o.op_def.is_stateful]
    needed = {}
    while waiting:
        operation = waiting.pop()
        if operation.name not in needed:
            needed[operation.name] = operation
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return sum(map(products_of, needed.values()))


def products_of(operation):
    kind, inputs = operation.type, operation.inputs
    if kind.startswith("Conv2D"):
        grid = operation.outputs[0] if kind == "Conv2D" else inputs[2]
        kernel = operation.outputs[0] if kind == "Conv2DBackpropFilter" else inputs[1]
        return np.prod(grid.shape[:3]) * np.prod(kernel.shape)
    if kind == "MatMul":
        inner = inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
        return np.prod(operation.outputs[0].shape) * inner
    return 0


@pytest.mark.slow
def test_a_step_costs_what_its_stage_needs():
    """In forwards: D's step 1 of G and 3 each on real and fake images, G's step 3 of G and 2 of D: 4 G + 8 D.

    Less where nothing differentiates by latents and images of the first layers.
    """
    model, count = ProgressiveGAN(*networks(16, 32), stage_steps=4), 2
    model.compile("sgd", "sgd")
    amounts = []
    for stage in range(3):
        model.choose_step(4 * stage)
        step = tf.function(lambda images: model.train_step({"images": images}), autograph=False)
        graph = step.get_concrete_function(tf.TensorSpec((1, count, 16, 16, 1))).graph
        with at_stage(stage):
            generator = cost.macs(model.generator)
            discriminator = cost.macs(model.discriminator, tf.TensorSpec((1, *model.sample_shape)))
        amounts.append(products(graph))
        assert 0.93 < amounts[-1] / count / (4 * generator + 8 * discriminator) <= 1.0
    assert amounts[2] > 20 * amounts[0]


@pytest.mark.slow
def test_off_is_the_base_bit_for_bit():
    """The last stage from the first update on, without a fade, on its own latents."""
    off = dict(stage_steps=(0, 5), fade_share=0.0, same_latents=False)
    states = []
    for method, options in ((GAN, {}), (ProgressiveGAN, off)):
        model = fit(make(method, compiling={"run_eagerly": True}, **options), IMAGES[:8])
        states.append([v.numpy() for v in model.variables])
    assert len(states[0]) == len(states[1]) > 20
    for first, second in zip(*states, strict=True):
        np.testing.assert_array_equal(first, second)


# The step


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
