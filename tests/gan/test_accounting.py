"""What training is said to cost: passes against the products in the traced step, and sums by hand."""

import keras
import numpy as np
import pytest
import short_runs
import tensorflow as tf
import toys
from graphs import needed
from slow import some

from tfgans import losses
from tfgans.evaluate import cost
from tfgans.gan import GAN
from tfgans.gan.accounting import planned_cost
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.progressive import ProgressiveGAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN
from tfgans.methods.robgan import RobGAN
from tfgans.networks.progan import progan_discriminator, progan_generator

FAST = {"perturbation_radius": 0.0, "adversarial_steps": 2}
CASES = [
    ((), {}),
    ((), {"discriminator_steps": 3}),
    ((), {"generator_batch_ratio": 2}),
    ((FastGAN,), FAST),
    ((FastGAN,), FAST | {"separate_updates": True}),
    ((RobGAN,), {"attack_steps": 3, "discriminator_steps": 2}),
    ((GradientPenaltyGAN,), {}),
    ((R1GAN,), {}),
    ((R1GAN,), {"r2_weight": 1.0}),
    ((R1GAN,), {"r1_interval": 4, "discriminator_steps": 3}),
    ((AdvAsGAN,), {}),
    ((AdvAsGAN,), {"advas_weight": 0.1, "advas_norms": False}),
    ((AdvAsGAN, GradientPenaltyGAN), {}),
    ((AdvAsGAN, GradientPenaltyGAN), {"detach_penalties": True}),
    ((AdvAsGAN, R1GAN), {}),
]


def stacks(layers):
    """Networks of as many 3x3 convolutions in the middle, of maps of sizes that tell the two apart."""

    def stack(x, channels):
        for _ in range(layers):
            x = keras.layers.Conv2D(channels, 3, padding="same", activation="softplus")(x)
        return x

    latents, images = keras.Input((4,)), keras.Input((8, 8, 1))
    x = keras.layers.Reshape((8, 8, 5))(keras.layers.Dense(320)(latents))
    x = keras.layers.Conv2D(1, 1, activation="tanh")(stack(x, 5))
    y = stack(keras.layers.Conv2D(3, 1)(images), 3)
    return keras.Model(latents, x), keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(y)))


def products(methods, options, layers):
    """Multiply-accumulates of 3x3 convolutions in a step of 2 images a batch, by network."""
    model = compose(*methods)(
        *stacks(layers),
        discriminator_loss=losses.wasserstein_discriminator,
        generator_loss=losses.wasserstein_generator,
        joint_batch=False,
        **options,
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    model.choose_step(0)
    data = tf.TensorSpec((2 * model.batches_per_step, 8, 8, 1))
    graph = tf.function(model.train_step, autograph=False).get_concrete_function(data).graph
    found = {5: 0, 3: 0}
    for operation in needed(graph):
        if not operation.type.startswith("Conv2D"):
            continue
        maps = [t for t in (*operation.inputs, *operation.outputs) if t.shape.rank == 4]
        images = [t for t in maps if t.shape[1:3] == (8, 8)]
        kernel = 3 if any(t.shape[:2] == (3, 3) for t in maps) or operation.type.endswith("Filter") else 1
        channels = {t.shape[3] for t in images}
        if len(channels) == 1 and kernel == 3:
            (channels,) = channels
            found[channels] += images[0].shape[0] * 64 * 9 * channels**2
    return {"generator": found[5], "discriminator": found[3]}, model


@pytest.mark.parametrize(
    "methods, options",
    some(CASES, every=3, unpack=True),
    ids=lambda value: str([getattr(m, "__name__", m) for m in value] or "base"),
)
def test_passes_are_those_of_the_traced_step(methods, options):
    few, model = products(methods, options, 3)
    many, _ = products(methods, options, 5)  # the difference is two layers in the middle, without the ends
    one = {"generator": 2 * 64 * 9 * 25, "discriminator": 2 * 64 * 9 * 9}  # a layer's MACs for a batch
    passes = model.training_passes()
    for name in one:
        assert (many[name] - few[name]) / (2 * one[name]) == passes[name], name


def test_weights_share_a_networks_products():
    generator, discriminator = stacks(2)
    for network in (generator, discriminator):
        shares = cost.weight_macs(network)
        assert sum(shares) == cost.macs(network) and shares[-1] == 0
        assert all(
            (share > 0) == (len(v.shape) > 1)
            for share, v in zip(shares[:-1], network.trainable_variables, strict=True)
        )
    by_path = {
        v.path: share
        for v, share in zip(
            discriminator.trainable_variables, cost.weight_macs(discriminator)[:-1], strict=True
        )
    }
    assert sorted(by_path.values()) == [0, 0, 0, 0, 3 * 64, 3 * 64, 9 * 9 * 64, 9 * 9 * 64]


def test_the_cost_of_a_step_by_hand():
    model = GAN(*stacks(1), discriminator_steps=2)
    macs = (
        64 * (9 * 25 + 5) + 4 * 320,
        64 * (3 + 9 * 9 + 3),
    )  # as many for the dense layer as for its 1x1 convolution
    assert cost.macs(model.generator) == macs[0] and cost.macs(model.discriminator) == macs[1]
    assert model.step_cost(16, 0) == {
        "real_images": 32,
        "generator_flops": 2 * macs[0] * 32,
        "training_flops": 2 * 16 * (5 * macs[0] + 14 * macs[1]),
    }
    assert planned_cost(model, 16, 10) == {name: 10 * value for name, value in model.step_cost(16, 0).items()}


def test_frozen_layers_cost_what_others_do():
    """A network costs as much whether its last layer trains or not."""
    networks = stacks(1)
    whole = GAN(*networks).step_cost(16, 0)
    for network in networks:
        network.layers[-1].trainable = False
    frozen = cost.weight_macs(networks[0])
    assert frozen[-1] > 0 and sum(frozen) == cost.macs(networks[0])
    assert len(frozen) == len(networks[0].trainable_variables) + 1
    assert GAN(*networks).step_cost(16, 0) == whole


@pytest.mark.slow
def test_sparse_steps_cost_what_is_left():
    model = ReGAN(*stacks(1), sparsity=0.5, warm_up_length=2, sparse_length=3, pruned_tensors="kernels")
    sizes = {320 * 4: 640, 9 * 25: 112, 5: 2}  # weights of each kernel, and those that are pruned of them
    pruned = 4 * 320 * sizes[1280] / 1280 + 64 * 9 * 25 * sizes[225] / 225 + 64 * 5 * sizes[5] / 5
    kept = 1 - pruned / cost.macs(model.generator)
    assert [model.kept_share("generator", s) for s in (1, 2, 4, 5)] == pytest.approx([1, kept, kept, 1])
    model.choose_step(2)
    assert model.step_cost(8, 2)["generator_flops"] == round(16 * cost.macs(model.generator) * kept)
    model.compile(keras.optimizers.Adam(0.0, beta_1=0.0), keras.optimizers.SGD(0.0))
    seen = toys.fitted(model, toys.images(24), batch_size=8)
    assert model.kept_share("generator", 2, seen[2]) == pytest.approx(kept, rel=1e-6)
    assert "regan/generator_macs_kept" not in seen[1]


def test_each_stage_of_a_growing_network_costs_its_own():
    shape = dict(resolution=16, max_channels=8, channels=1)
    networks = progan_generator(latent_dim=4, **shape), progan_discriminator(**shape)
    model = ProgressiveGAN(*networks, stage_steps=(2, 1, 2))
    spent = []
    for step in range(5):
        model.choose_step(step)
        spent.append(model.step_cost(4, step)["training_flops"])
    assert spent[0] == spent[1] < spent[2] / 2 and spent[2] < spent[3] / 2 and spent[3] == spent[4]
    assert planned_cost(model, 4, 5)["training_flops"] == sum(spent)
    small = dict(resolution=4, max_channels=8, channels=1)
    alone = GAN(progan_generator(latent_dim=4, **small), progan_discriminator(**small))
    assert alone.step_cost(4, 0)["training_flops"] == spent[0]


@pytest.mark.slow
def test_a_run_says_what_it_has_cost(tmp_path, eagerly):
    gin_file = tmp_path / "run.gin"
    gin_file.write_text(
        short_runs.CONFIG + "build.methods = [@ReGAN]\nReGAN.warm_up_length = 2\nReGAN.sparse_length = 3\n"
    )
    short_runs.run(str(gin_file), tmp_path / "half", "train.steps = 8")
    short_runs.run(str(gin_file), tmp_path / "half")  # resumed
    short_runs.run(str(gin_file), tmp_path / "whole")
    halves, whole = short_runs.rows(tmp_path / "half"), short_runs.rows(tmp_path / "whole")
    names = "real_images", "generator_flops", "training_flops"
    assert [[row[n] for n in names] for row in halves] == [[row[n] for n in names] for row in whole]
    assert [row["real_images"] for row in whole] == [0, 64, 128, 192]
    flops = np.diff([row["generator_flops"] for row in whole])
    assert (
        flops[0] < flops[1] > flops[2] and flops[0] > 0.85 * flops[1]
    )  # sparse steps: 2 of 4, 1 of 4, 2 of 4
    assert [("stability_mse" in row) for row in whole] == [False, True, True, True]
