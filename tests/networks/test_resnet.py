import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.networks.resnet import resnet_discriminator, resnet_generator

FASTGAN = {
    "base_channels": 128,
    "num_classes": 10,
    "residual_gain": 1.0,
    "bias_initializer": "fan_in_uniform",
}
HALVES = (True, True, True, True)


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


@pytest.mark.parametrize(
    ("network", "arguments", "count"),
    [
        (resnet_generator, {}, 4_276_739),
        (resnet_discriminator, {"head_bias": False}, 1_053_824),
        (resnet_discriminator, {}, 1_053_825),
        (resnet_generator, {"resolution": 48}, 4_878_083),
        (resnet_discriminator, {"resolution": 48}, 10_141_441),
        (resnet_generator, {"num_classes": 10}, 4_304_387),
        (resnet_discriminator, {"num_classes": 10}, 1_055_105),
        (resnet_discriminator, {"num_classes": 10, "attention_resolutions": (8,)}, 1_075_586),
        (resnet_generator, FASTGAN, 1_218_307),
        (resnet_discriminator, FASTGAN | {"downsample": HALVES, "conditioning": "class"}, 1_088_139),
        (resnet_discriminator, FASTGAN | {"downsample": HALVES}, 1_088_129),
        (resnet_generator, FASTGAN | {"attention_resolutions": (16,)}, 1_238_788),
        (resnet_discriminator, FASTGAN | {"downsample": HALVES, "attention_resolutions": (16,)}, 1_108_610),
        (
            resnet_generator,
            FASTGAN | {"resolution": 64, "num_classes": 143, "block_channels": (1024, 512, 256, 128, 64)},
            13_038_595,
        ),
        (
            resnet_discriminator,
            FASTGAN
            | {
                "resolution": 64,
                "num_classes": 143,
                "conditioning": "class",
                "block_channels": (64, 128, 256, 512, 1024),
            },
            10_288_016,
        ),
    ],
)
def test_parameter_counts_of_the_papers(network, arguments, count):
    assert parameters(network(**arguments)) == count


@pytest.mark.parametrize(("resolution", "last"), [(8, 4), (16, 8), (32, 8), (64, 8)])
def test_default_discriminator_ends_at_this_size(resolution, last):
    network = resnet_discriminator(resolution=resolution, base_channels=8)
    assert network.get_layer("features").input.shape[1:] == (last, last, 8)


def load_torch(layer, data, name):
    weight = data[f"w/{name}.weight_orig"]
    layer.kernel.assign(weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T)
    layer.u.assign(data[f"w/{name}.weight_u"])
    v = data[f"w/{name}.weight_v"]
    if weight.ndim == 4:  # torch flattens [in, height, width], we flatten [height, width, in]
        v = v.reshape(weight.shape[1:]).transpose(1, 2, 0).reshape(-1)
    layer.v.assign(v)
    if f"w/{name}.bias" in data:
        layer.bias.assign(data[f"w/{name}.bias"])


def test_golden_discriminator(golden):
    """The authors' network in evaluation, then over two training calls (two power iterations)."""
    data = golden("alphagan_disc")
    network = resnet_discriminator(resolution=32, base_channels=8, head_bias=False)
    layers = {"l5": network.get_layer("adversarial_head")}
    for i, block in enumerate([x for x in network.layers if x.name.startswith("residual")], 1):
        layers |= {f"block{i}.c1": block.convolution1, f"block{i}.c2": block.convolution2}
        if block.shortcut is not None:
            layers[f"block{i}.c_sc"] = block.shortcut
    assert len(layers) == 11
    for name, layer in layers.items():
        load_torch(layer, data, name)
    images = data["x"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(network(images)["adversarial"], data["eval/y"], rtol=1e-5, atol=1e-5)
    for step in ("train1", "train2"):
        logits = network(images, training=True)["adversarial"]
        np.testing.assert_allclose(logits, data[f"{step}/y"], rtol=1e-5, atol=1e-5)
        for name, layer in layers.items():
            np.testing.assert_allclose(layer.u, data[f"{step}/state/{name}.weight_u"], atol=1e-5)


def test_last_norm_and_block_norms_have_their_epsilon():
    network = resnet_generator(base_channels=8, epsilon=2e-5)
    norms = [layer for layer in network._flatten_layers() if hasattr(layer, "moving_mean")]
    assert sorted(norm.epsilon for norm in norms) == [1e-5] + [2e-5] * 6


@pytest.mark.parametrize(
    ("network", "arguments", "words"),
    [
        (resnet_generator, {"resolution": 40}, "48 or a power of two of at least 8"),
        (resnet_generator, {"resolution": 4}, "Received: 4"),
        (resnet_generator, {"resolution": 30, "block_channels": (8, 8, 8)}, "multiple of 2^blocks"),
        (resnet_generator, {"block_channels": (8,)}, "Received: (8,), resolution 32"),
        (resnet_generator, {"block_channels": (8, 0)}, "block_channels is a whole number"),
        (
            resnet_generator,
            {"base_channels": 0},
            "base_channels is a whole number of at least 1. Received: 0",
        ),
        (resnet_generator, {"resolution": 48, "base_channels": 6}, "a multiple of 4. Received: 6"),
        (resnet_generator, {"latent_dim": 2.5}, "latent_dim is a whole number of at least 1. Received: 2.5"),
        (resnet_generator, {"num_classes": 0}, "num_classes is a whole number of at least 1. Received: 0"),
        (resnet_generator, {"attention_resolutions": (4,)}, "among 8, 16, 32. Received: 4"),
        (resnet_generator, {"bias_initializer": "ones"}, "zeros, fan_in_uniform. Received: ones"),
        (resnet_generator, {"upsampling": "cubic"}, "nearest or bilinear. Received: cubic"),
        (resnet_discriminator, {"resolution": 20}, "Received: 20"),
        (resnet_discriminator, {"downsample": (False, True)}, "the first true"),
        (resnet_discriminator, {"downsample": (True,) * 6}, "multiple of 2^halvings"),
        (resnet_discriminator, {"downsample": (True,), "block_channels": (8, 8)}, "one entry a block"),
        (resnet_discriminator, {"downsample": ()}, "the first true"),
        (resnet_discriminator, {"pooling": "max"}, "sum or mean. Received: max"),
        (resnet_discriminator, {"conditioning": "none"}, "projection, class, both. Received: none"),
        (resnet_discriminator, {"attention_resolutions": (32,)}, "among 8, 16. Received: 32"),
        (resnet_discriminator, {"num_classes": -1}, "num_classes is a whole number"),
    ],
)
def test_refusals(network, arguments, words):
    with pytest.raises(ConfigError) as refusal:
        network(**arguments)
    assert words in str(refusal.value)
