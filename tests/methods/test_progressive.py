"""Progressive growing: the schedule of stages and fades, resumed runs, and what a stage trains and costs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys
from growing import IMAGES, PUBLISHED_LOSSES, SCHEDULE, Recorder, fit, make, networks

from tfgans import checkpoint
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.regularized import GradientPenaltyGAN
from tfgans.networks.progan_parts import at_stage, growing_layers


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


def test_a_run_that_ends_before_the_last_stage_is_told():
    model = make(stage_steps=(10, 20, 30), resolution=16)
    assert [len(model.unreached(steps)) for steps in (1, 10, 11, 30, 31, 90)] == [1, 1, 1, 1, 0, 0]
    for steps, side in ((10, "4x4"), (11, "8x8")):
        (line,) = model.unreached(steps)
        assert (
            f"from update 31 on, by ProgressiveGAN.stage_steps, and the run has {steps}: it ends with {side}"
            in line
        )


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


def test_weights_of_all_stages_follow_a_schedule_of_keras_at_once():
    """1 for the first update and 0 from then on: SGD moves every weight by its gradient once."""
    model = ProgressiveGAN(*networks(), stage_steps=(0, 8), fade_share=0.5)
    falling = lambda: keras.optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.0])  # noqa: E731
    model.compile(*(keras.optimizers.SGD(falling()) for _ in range(2)), run_eagerly=True)
    weights = model.generator.trainable_variables + model.discriminator.trainable_variables
    values = [[v.numpy() for v in weights]]
    for _ in range(2):
        fit(model, IMAGES[:4])
        values.append([v.numpy() for v in weights])
    moved = [
        [np.any(a != b) for a, b in zip(*pair, strict=True)] for pair in zip(values, values[1:], strict=False)
    ]
    assert all(moved[0]) and not any(moved[1])


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
