"""AlphaGAN's generators of a genotype: published sizes exactly, the authors' outputs, starting values."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.methods.alphagan.spaces.autogan import operations, space
from tfgans.methods.alphagan.spaces.autogan.genotype import GENOTYPES
from tfgans.methods.alphagan.spaces.autogan.networks import alphagan_generator, thop_flops
from tfgans.networks.autogan import autogan_discriminator, autogan_generator

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "alphagan_gen_s.npz")
close = dict(rtol=1e-5, atol=5e-6)  # float32 in training mode differs by 3e-6 between processors
CALLS = {"eval": False, "train": True}

# genotype, resolution, channels: parameters, multiply-accumulates, the paper's FLOPs
SIZES = {
    ("alphaGAN_s", 32, 256): (2_952_707, 744_914_944, 1_316_441_088),
    ("alphaGAN_l", 32, 256): (8_618_499, 2_718_466_048, 2_783_857_664),
    ("alphaGAN_s", 48, 256): (3_613_187, 1_676_058_624, 2_961_992_448),
    ("alphaGAN_l", 48, 256): (9_278_979, 6_116_548_608, 6_263_679_744),
    ("alphaGAN_s", 32, 128): (886_531, 195_248_128, 339_454_976),
    ("alphaGAN_s", 32, 64): (295_811, 53_321_728, 90_037_248),
    ("alphaGAN_s", 32, 32): (111_043, 15_585_280, 25_097_216),
}


@pytest.mark.parametrize(("genotype", "resolution", "channels"), SIZES)
def test_published_sizes(genotype, resolution, channels):
    generator = alphagan_generator(genotype, resolution, base_channels=channels)
    found = cost.parameters(generator), cost.macs(generator), thop_flops(generator)
    assert found == SIZES[genotype, resolution, channels]


@pytest.mark.parametrize(("resolution", "flops"), [(32, 272_498_816), (48, 613_122_176)])
def test_papers_flops_of_the_discriminator(resolution, flops):
    assert thop_flops(autogan_discriminator(resolution)) == flops


@pytest.mark.parametrize(("architecture", "flops"), [("A", 1_766_902_784), ("C", 1_766_943_744)])
def test_papers_flops_of_autogan(architecture, flops):
    assert thop_flops(autogan_generator(architecture=architecture)) == flops


def test_the_generator_tells_the_papers_flops():
    generator = alphagan_generator(resolution=8, channels=1, latent_dim=4, base_channels=4)
    assert generator.own_facts() == {"thop_flops": thop_flops(generator)}


def test_flops_rule_by_hand():
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.Conv2D(5, 3, 2, padding="same")(inputs)  # 2*2*5 outputs, each 27 + 1
    x = keras.layers.Conv2DTranspose(2, 2, 2, use_bias=False)(x)  # 4*4*2 outputs, each 4*5
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)  # 4*4*2 outputs, each 9 + 1
    x = keras.layers.Dense(7)(keras.layers.Flatten()(x))  # 7 outputs, each 32
    model = keras.Model(inputs, x)
    assert thop_flops(model) == 20 * 28 + 32 * 20 + 32 * 10 + 7 * 32
    assert thop_flops(keras.Sequential([model]), tf.TensorSpec((None, 4, 4, 3))) == thop_flops(model)


def load(network, prefix):
    """Gives the layers of a generator or cell the authors' weights; returns how many."""
    layers = {**network_layers(network)}
    count = 0
    for name in GOLDEN:
        if name.startswith(f"{prefix}/w/"):
            path = name.removeprefix(f"{prefix}/w/")
            variable, transpose = target(layers, path)
            value = GOLDEN[name]
            variable.assign(value.transpose(transpose) if transpose else value)
            count += 1
    return count


def network_layers(network):
    """The layers of the skeleton by the authors' names: cell1._up_ops.0 ..."""
    names = {}
    for edge in space.EDGES:
        cell = edge.target[0]
        kind = {"u": "_up_ops", "n": "_normal_ops", "s": "_mixed_ops_prev"}[edge.group[0]]
        names[f"cell{cell}.{kind}.{edge.row}"] = network.get_layer(edge.name)
    names["l1"] = network.get_layer("latent_maps").dense
    images = network.get_layer("images")
    return names | {"to_rgb.0": images.normalization, "to_rgb.2": images.convolution}


def target(layers, path):
    """The variable of a path in the authors' network, and how its array is transposed."""
    owner = max((name for name in layers if path.startswith(name + ".")), key=len)
    rest = path.removeprefix(owner + ".").split(".")
    layer = layers[owner]
    if isinstance(layer, operations.ActivatedSeparableConvolution):
        index = int(rest[1]) - 1
        layer = (layer.depthwise, layer.pointwise, layer.normalizations)[index % 4][index // 4]
    elif isinstance(layer, (operations.ActivatedConvolution, operations.Deconvolution)):
        layer = layer.convolution
    parameter = rest[-1]
    if hasattr(layer, "moving_mean"):
        names = {"running_mean": "moving_mean", "running_var": "moving_variance", "weight": "gamma"}
        return getattr(layer, names.get(parameter, "beta")), None
    if parameter == "bias":
        return layer.bias, None
    if isinstance(layer, keras.layers.Dense):
        return layer.kernel, (1, 0)
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return layer.kernel, (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)


def assert_statistics(network, prefix):
    layers, found = network_layers(network), 0
    for name in GOLDEN:
        if name.startswith(f"{prefix}/w_after_train/"):
            variable, _ = target(layers, name.removeprefix(f"{prefix}/w_after_train/"))
            np.testing.assert_allclose(variable, GOLDEN[name], err_msg=name, **close)
            found += 1
    assert found


def test_golden_generator():
    """The authors' alphaGAN(s), 8 channels: in evaluation, in training, and its statistics after that."""
    network = alphagan_generator("alphaGAN_s", 32, 3, 6, 8)
    assert load(network, "gen") == len(network.weights)
    for mode, training in CALLS.items():
        images = network(GOLDEN["gen/z"], training=training)
        np.testing.assert_allclose(images, GOLDEN[f"gen/{mode}/y"].transpose(0, 2, 3, 1), **close)
    assert_statistics(network, "gen")


def test_golden_third_cell():
    """The third cell alone with both its skips: node 1 and node 4."""
    network = alphagan_generator("alphaGAN_s", 24, 3, 2, 4)
    layers, count = network_layers(network), 0
    for name in GOLDEN:
        if name.startswith("cell3/w/"):
            variable, transpose = target(layers, "cell3." + name.removeprefix("cell3/w/"))
            variable.assign(GOLDEN[name].transpose(transpose) if transpose else GOLDEN[name])
            count += 1
    inputs = {
        node: GOLDEN[f"cell3/{name}"].transpose(0, 2, 3, 1)
        for node, name in {(2, 4): "x", (1, 1): "s1", (2, 1): "s2"}.items()
    }
    assert count == sum(len(network.get_layer(e.name).weights) for e in space.EDGES if e.target[0] == 3)
    for mode, training in CALLS.items():
        nodes = third_cell(network, inputs, training)
        for node, name in {(3, 1): "node1", (3, 4): "out"}.items():
            expected = GOLDEN[f"cell3/{mode}/{name}"].transpose(0, 2, 3, 1)
            np.testing.assert_allclose(nodes[node], expected, **close)


def third_cell(network, inputs, training):
    """`space.wire` with the values of earlier cells' nodes put in their places."""

    def apply(edge, x):
        if edge.target[0] < 3:
            return 0.0
        layer = network.get_layer(edge.name)
        x = inputs.get(edge.source, x)
        return layer(x, training=training) if layer._call_has_training_arg else layer(x)

    return space.wire(0.0, apply)


def test_starting_values():
    network = alphagan_generator("alphaGAN_s")
    dense, images = network.get_layer("latent_maps").dense, network.get_layer("images")
    skip = network.get_layer("skip_3_edge_0").convolution
    limits = [
        (dense.kernel, 128**-0.5),
        (dense.bias, 128**-0.5),
        (images.convolution.kernel, (6 / (9 * 256 + 9 * 3)) ** 0.5),
        (skip.kernel, 1024**-0.5),
        (network.get_layer("normal_1_edge_0").convolution.kernel, (6 / 512) ** 0.5),
    ]
    for variable, limit in limits:
        assert 0.9 * limit < np.abs(variable.numpy()).max() <= limit, variable.path
    gamma = images.normalization.gamma.numpy()
    assert gamma.mean() == pytest.approx(1.0, abs=0.01) and gamma.std() == pytest.approx(0.02, abs=0.004)


def test_outputs_cloning_and_saving(tmp_path):
    network = alphagan_generator("alphaGAN_l", 24, 1, 5, 4)
    latents = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    images = network(latents, training=True)
    assert images.shape == (3, 24, 24, 1) and np.abs(images).max() <= 1.0
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    network.save(tmp_path / "generator.keras")
    for other in (copy, keras.saving.load_model(tmp_path / "generator.keras")):
        np.testing.assert_array_equal(other(latents), network(latents))


@pytest.mark.slow
def test_a_file_gives_the_network_of_its_genotype(tmp_path):
    GENOTYPES["alphaGAN_l"].save(tmp_path / "genotype.json")
    named, read = (
        alphagan_generator(g, base_channels=4) for g in ("alphaGAN_l", str(tmp_path / "genotype.json"))
    )
    assert cost.macs(named) == cost.macs(read) != cost.macs(alphagan_generator(base_channels=4))


def test_mixed_precision_gives_float32_images():
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = alphagan_generator(base_channels=4, latent_dim=5)
    assert network(np.ones((2, 5), "float32")).dtype == tf.float32
    assert network.get_layer("normal_2_edge_0").compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 20}, "alphagan_generator: resolution is a multiple of 8. Received: 20"),
        ({"base_channels": 0}, "base_channels is an integer of at least 1. Received: 0"),
        ({"channels": 1.5}, "channels is an integer"),
        (
            {"genotype": "alphaGAN_m"},
            "alphaGAN_s, alphaGAN_l or a JSON file that exists. Received: alphaGAN_m",
        ),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        alphagan_generator(**options)
