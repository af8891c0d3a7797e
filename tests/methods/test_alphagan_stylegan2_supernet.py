"""AlphaGAN on StyleGAN2: supernets, what they choose, their gradients, and what they refuse."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from stylegan2_searches import MIXED, SMALL, WIDTHS, shake, tiny, tiny_discriminator
from supernets import architecture_gradient, assert_slopes, batch, output

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.average import clone
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.methods.alphagan.spaces.stylegan2.genotype import from_architecture, micro_genotype
from tfgans.methods.alphagan.spaces.stylegan2.networks import (
    alphagan_stylegan2_discriminator,
    alphagan_stylegan2_generator,
)
from tfgans.methods.alphagan.spaces.stylegan2.search_discriminator import (
    alphagan_stylegan2_search_discriminator,
)
from tfgans.networks.stylegan2 import stylegan2_discriminator

NETWORKS = {
    "macro_w": (tiny, (3,)),
    "micro_w": (lambda: tiny("micro_w"), (3,)),
    "separable": (lambda: tiny("macro", normal_operations=("conv_1x1", "sep_conv_3x3")), (3,)),
    "discriminator": (lambda: tiny_discriminator(8), (8, 8, 3)),
}
every = pytest.mark.parametrize(("make", "shape"), NETWORKS.values(), ids=NETWORKS)


def take_weights(network, generator, genotype):
    """Gives a generator what the supernet has for its genotype."""
    generator.get_layer("mapping").set_weights(network.mapping.get_weights())
    synthesis = generator.get_layer("synthesis")
    synthesis.constant.assign(network.synthesis.constant)
    layers = zip(synthesis.convolutions, network.synthesis.convolutions, genotype.operations, strict=True)
    for layer, mixed, operation in layers:
        layer.set_weights(mixed.candidates[mixed.operations.index(operation)].get_weights())
    for mine, theirs in zip(synthesis.images, network.synthesis.images, strict=True):
        mine.set_weights(theirs.get_weights())


@pytest.mark.parametrize("paradigm", space.PARADIGMS)
def test_one_hot_supernet_is_the_genotypes_generator(paradigm):
    pools = {"normal_operations": ("conv_1x1", "sep_conv_5x5", "conv_5x5")}
    network = shake(tiny(paradigm, 16, **pools))
    for seed in (0, 1):
        genotype = network.random_genotype(seed)
        mixing = network.mixing_of(genotype)
        assert from_architecture(mixing, space.architecture_rows(16, paradigm, **pools), 16) == genotype
        generator = alphagan_stylegan2_generator(genotype, **SMALL)
        take_weights(network, generator, genotype)
        latents, noise = batch((3,)), [batch(s) for s in network.synthesis.noise_shapes]
        np.testing.assert_allclose(network(latents, mixing=mixing), generator(latents), rtol=1e-5, atol=1e-6)
        synthesis = generator.get_layer("synthesis")(generator.get_layer("mapping")(latents), noise)
        found = network(latents, mixing=mixing, noise=noise)
        np.testing.assert_allclose(found, synthesis, rtol=1e-5, atol=1e-6)


def test_random_genotypes_are_spread():
    network = tiny("micro_w", 16)
    drawn = [network.random_genotype(seed) for seed in range(20)]
    assert drawn[0] == network.random_genotype(0)
    assert {g.normal for g in drawn} == {(name,) * 3 for name in space.NORMAL_OPERATIONS}
    assert {number for g in drawn for number in g.latents} == set(range(1, 9))


def test_the_genotype_is_of_the_largest_weights():
    network = tiny("micro_w", 16)
    for variable in network.architecture_variables:
        variable.assign(tf.zeros(variable.shape))
    assert network.genotype() == micro_genotype("conv_1x1", "deconv", 16, (1,) * 6)
    assert network.architecture_names == ("normal", "up", "latents")
    assert [tuple(v.shape) for v in network.architecture_variables] == [(1, 3), (1, 3), (6, 8)]
    assert network.architecture_operations["up"] == ("deconv", "nearest_conv", "bilinear_conv")
    normal, up, latents = network.architecture_variables
    normal.assign([[0.0, 0.1, 0.2]])
    up.assign([[-1.0, 0.0, -2.0]])
    latents.assign(np.eye(8)[[4, 0, 7, 1, 1, 2]])
    assert network.genotype() == micro_genotype("conv_5x5", "nearest_conv", 16, (5, 1, 8, 2, 2, 3))


def test_genotypes_of_other_spaces_are_refused():
    for network, genotype, message in [
        (
            tiny("micro_w"),
            MIXED,
            "normal takes 1 of conv_1x1, conv_3x3, conv_5x5. Received: conv_5x5, sep_co",
        ),
        (tiny(), micro_genotype("conv_1x1", "deconv", 16), "is for 8. Received: 16"),
        (tiny("macro"), replace(MIXED, normal=("conv_1x1",) * 2), "has no latents to choose"),
        (tiny("macro"), micro_genotype("sep_conv_3x3", "deconv", 8), "normal takes 2 of conv_1x1"),
    ]:
        with pytest.raises(ConfigError, match=message):
            network.mixing_of(genotype)
    with pytest.raises(ConfigError, match=r"have shapes \[\(1, 3\), \(1, 3\)\]. Received: \[\(1, 3\)\]"):
        from_architecture([np.zeros((1, 3))], space.architecture_rows(8, "micro"), 8)


def test_styles_and_outputs_mix_in_proportion():
    network, latents = shake(tiny()), batch((3,))
    weights = tf.nn.softmax(batch((8,), 4))
    stacked = np.stack(network.mapping.intermediates(latents), 1)
    styles = np.einsum("sl,nld->nsd", weights, stacked)
    np.testing.assert_allclose(network.mapping(latents, weights), styles, rtol=1e-5, atol=1e-6)
    mixed, maps, shares = network.synthesis.convolutions[1], batch((4, 4, 4)), [0.5, 0.2, 0.3]
    outputs = [candidate(maps, styles[:, 1]) for candidate in mixed.candidates]
    expected = sum(share * y.numpy() for share, y in zip(shares, outputs, strict=True))
    found = mixed(maps, styles[:, 1], weights=tf.constant(shares))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_micro_supernet_shares_its_rows():
    """It is the macro supernet with the same row for every layer."""
    micro, macro, latents = shake(tiny("micro", 16)), tiny("macro", 16), batch((3,))
    for mine, theirs in zip(macro.trainable_variables, micro.trainable_variables, strict=True):
        mine.assign(theirs)
    rows = micro.mixing()
    repeated = [tf.repeat(row, n, axis=0) for row, n in zip(rows, (3, 2), strict=True)]
    np.testing.assert_array_equal(macro(latents, mixing=repeated), micro(latents))


@every
def test_own_mixing_is_the_softmax_of_the_weights(make, shape):
    network, inputs = shake(make()), batch(shape)
    mixing = [tf.nn.softmax(v.numpy()) for v in network.architecture_variables]
    np.testing.assert_allclose(
        output(network, inputs), output(network, inputs, mixing=mixing), rtol=1e-4, atol=1e-5
    )
    for index in range(len(mixing)):
        other = [tf.reverse(m, [1]) if i == index else m for i, m in enumerate(mixing)]
        assert np.abs(output(network, inputs, mixing=other) - output(network, inputs)).max() > 1e-4


@every
def test_architecture_gradient_against_finite_differences(make, shape):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    network, inputs = shake(make()), batch(shape)
    weights = batch(tuple(output(network, inputs).shape[1:]), seed=2)
    loss = lambda: tf.reduce_sum(output(network, inputs, training=True) * weights)  # noqa: E731
    found = architecture_gradient(network, loss)
    assert (np.abs(found) > 1e-9).all()
    assert_slopes(network, found, loss)


@every
def test_every_weight_learns_but_the_architecture(make, shape):
    network, inputs = shake(make()), batch(shape)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(output(network, inputs, training=True) ** 2)
    variables = network.trainable_variables
    ids = {id(v) for v in variables}
    assert not any(id(v) in ids for v in network.architecture_variables)
    gradients = tape.gradient(loss, [v.value for v in variables])
    still = [v.path for v, g in zip(variables, gradients, strict=True) if g is None or not np.any(g)]
    assert still == []


@every
def test_copies_and_files(make, shape, tmp_path):
    network, inputs = shake(make()), batch(shape)
    network.save(tmp_path / "network.keras")
    for other in (clone(network), keras.saving.load_model(tmp_path / "network.keras")):
        np.testing.assert_array_equal(output(other, inputs), output(network, inputs))
        assert len(other.weights) == len(network.weights)
        assert other.get_config() == network.get_config() | {"name": other.name}
        shake(other, seed=5)
        assert np.abs(output(other, inputs) - output(network, inputs)).max() > 1e-5


def test_copies_and_files_of_a_generator(tmp_path):
    network, latents = shake(alphagan_stylegan2_generator(MIXED, modulated="pointwise", **SMALL)), batch((3,))
    network.save(tmp_path / "network.keras")
    for other in (clone(network), keras.saving.load_model(tmp_path / "network.keras")):
        np.testing.assert_array_equal(other(latents), network(latents))
        config = other.get_layer("synthesis").get_config()
        assert config["operations"] == MIXED.operations and config["modulated"] == "pointwise"


@every
def test_mixed_precision(make, shape):
    keras.config.set_dtype_policy("mixed_bfloat16")
    network, inputs = shake(make()), batch(shape)
    assert {v.dtype for v in network.weights} == {"float32"}
    keras.config.set_dtype_policy("float32")
    wide = make()
    wide.set_weights(network.get_weights())
    expected = output(wide, inputs)
    assert output(network, inputs).dtype == tf.float32
    spread = float(tf.reduce_max(tf.abs(expected)))
    np.testing.assert_allclose(output(network, inputs), expected, atol=0.06 * spread)


def test_one_hot_discriminator_is_the_genotypes():
    network = shake(tiny_discriminator())
    chosen = network.chosen()
    genotype = replace(micro_genotype("conv_1x1", "deconv", 16), **chosen)
    assert len(set(chosen.values())) == 2  # the two rows differ
    discriminator = alphagan_stylegan2_discriminator(genotype, **WIDTHS)
    for index, side in enumerate((16, 8)):
        block = discriminator.get_layer(f"block{side}")
        normal, down = network.convolutions[index], network.halvings[index]
        for layer, mixed, names in (
            (block.convolution1, normal, chosen["discriminator_normal"]),
            (block.convolution2, down, chosen["discriminator_down"]),
        ):
            operation = names[-1 - index]
            layer.set_weights(mixed.candidates[mixed.operations.index(operation)].get_weights())
        block.shortcut.set_weights(network.shortcuts[index].get_weights())
    for name in ("from_rgb", "last_convolution", "dense"):
        discriminator.get_layer(name).set_weights(getattr(network, name).get_weights())
    discriminator.get_layer("adversarial_head").set_weights(network.head.get_weights())
    mixing = [
        tf.one_hot([space.NORMAL_OPERATIONS.index(n) for n in chosen[name]], 3)
        for name in network.architecture_names
    ]
    images = batch((16, 16, 3))
    found = network(images, mixing=mixing)["adversarial"]
    np.testing.assert_allclose(found, discriminator(images)["adversarial"], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_alphagan_and_gan_take_the_supernet():
    model = AlphaGAN(tiny(), stylegan2_discriminator(8, **WIDTHS))
    assert model.latent_dim == 3 and model.sample_shape == (8, 8, 3) and model.style_slots == 0
    model.compile("sgd", "sgd")
    shake(model.generator), shake(model.test_discriminator)
    latents = {"latents": tf.constant(batch((3,))), "labels": None}
    _, gradients = model.architecture_gradients(None, latents)
    assert all(np.any(g) for g in gradients)
    pair = GAN(tiny(), tiny_discriminator(8))
    pair.compile("sgd", "sgd")
    before = [v.numpy() for n in (pair.generator, pair.discriminator) for v in n.architecture_variables]
    kernel = pair.generator.synthesis.images[0].kernel
    moved, mean = kernel.numpy(), pair.generator.mapping.mean_w.numpy()
    pair.train_step({"images": tf.constant(batch((2, 8, 8, 3), 1))})
    after = [v.numpy() for n in (pair.generator, pair.discriminator) for v in n.architecture_variables]
    assert all((a == b).all() for a, b in zip(after, before, strict=True))
    assert (kernel.numpy() != moved).any() and (pair.generator.mapping.mean_w.numpy() != mean).any()


def test_compiled_is_the_same():
    network, latents = shake(tiny(normal_operations=("conv_3x3", "sep_conv_3x3"))), tf.constant(batch((3,)))
    run = tf.function(network, jit_compile=True, autograph=False)
    np.testing.assert_allclose(run(latents), network(latents), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tiny(resolution=12), "supernet: resolution is a power of two of at least 8. Received: 12"),
        (lambda: tiny("micro+w"), "paradigm is one of micro, micro_w, macro, macro_w. Received: 'micro.w'"),
        (lambda: tiny(normal_operations=()), "normal operations are different ones of conv_1x1"),
        (lambda: tiny(up_operations=("nearest",)), "up operations are different ones of deconv"),
        (lambda: tiny(modulated="both"), "modulated is depthwise or pointwise. Received: 'both'"),
        (lambda: tiny_discriminator(4), "resolution is a power of two of at least 8. Received: 4"),
        (
            lambda: alphagan_stylegan2_search_discriminator(8, operations=("sep_conv_3x3",)),
            "discriminator operations are different ones of conv_1x1, conv_3x3, conv_5x5",
        ),
        (lambda: alphagan_stylegan2_generator(MIXED, channels=0), "channels is an integer of at least 1"),
        (lambda: alphagan_stylegan2_generator("ffhq_micro", 6), "genotype: resolution is a power of two"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
