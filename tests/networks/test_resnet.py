import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.networks.resnet import resnet_discriminator, resnet_generator


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
    network = resnet_generator(base_channels=8, epsilon=2e-5, last_epsilon=1e-4)
    norms = [layer for layer in network._flatten_layers() if hasattr(layer, "moving_mean")]
    assert sorted(norm.epsilon for norm in norms) == [2e-5] * 6 + [1e-4]


def columns(kernel):
    """W^T W, or W W^T if that is smaller, of a kernel as [in, out]."""
    matrix = np.reshape(kernel, (-1, kernel.shape[-1]))
    return matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T


def test_orthogonal_kernels_everywhere():
    options = {"base_channels": 8, "num_classes": 4, "kernel_initializer": "orthogonal"}
    options |= {"residual_gain": 2.0, "attention_resolutions": (16,)}
    found = 0
    for network in (resnet_generator(class_norms="projected", **options), resnet_discriminator(**options)):
        for weight in network.trainable_variables:
            if len(weight.shape) < 2:
                continue
            gain = 2.0 if "/convolution" in weight.path else 1.0
            gram = columns(weight.numpy())
            np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=2e-5, err_msg=weight.path)
            found += 1
    # G: dense, 3 blocks of 3 convolutions and 4 projections, 4 of attention, last; D: 4 blocks of 3 but for
    # two plain shortcuts, 4 of attention, head, embedding
    assert found == (1 + 3 * 7 + 4 + 1) + (12 - 2 + 4 + 2)


def test_projected_norms_see_the_class():
    """Gamma is 1 + the row of a class, beta the row."""
    network = resnet_generator(resolution=8, base_channels=8, num_classes=3, class_norms="projected")
    block = next(layer for layer in network.layers if layer.name.startswith("residual"))
    norm = block.normalization1
    assert norm.gain.kernel.shape == norm.offset.kernel.shape == (3, 8)
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype("float32")
    found = norm(maps, np.eye(3, dtype="float32")[[2, 0]])  # at first the moving statistics are 0 and 1
    gamma = 1.0 + norm.gain.kernel.numpy()[[2, 0], None, None]
    beta = norm.offset.kernel.numpy()[[2, 0], None, None]
    np.testing.assert_allclose(found, maps / np.sqrt(1.0 + 1e-5) * gamma + beta, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "arguments", "words"),
    [
        (resnet_generator, {"resolution": 40}, "48 or a power of two of at least 8"),
        (resnet_generator, {"resolution": 4}, "Received: 4"),
        (resnet_generator, {"resolution": 30, "block_channels": (8, 8, 8)}, "multiple of 2^blocks"),
        (resnet_generator, {"block_channels": (8,)}, "Received: (8,), resolution 32"),
        (
            resnet_generator,
            {"block_channels": (8, 0)},
            "block_channels is a list (each an integer of at least 1) or None",
        ),
        (
            resnet_generator,
            {"base_channels": 0},
            "base_channels is an integer of at least 1. Received: 0",
        ),
        (resnet_generator, {"resolution": 48, "base_channels": 6}, "a multiple of 4. Received: 6"),
        (resnet_generator, {"latent_dim": 2.5}, "latent_dim is an integer of at least 1. Received: 2.5"),
        (
            resnet_generator,
            {"num_classes": 0},
            "num_classes is an integer of at least 1 or None. Received: 0",
        ),
        (resnet_generator, {"attention_resolutions": (4,)}, "among 8, 16, 32. Received: 4"),
        (resnet_generator, {"bias_initializer": "ones"}, "zeros, fan_in_uniform. Received: ones"),
        (resnet_generator, {"kernel_initializer": "he"}, "glorot_uniform, orthogonal. Received: he"),
        (resnet_generator, {"class_norms": "rows"}, "class_norms is table or projected. Received: rows"),
        (resnet_generator, {"block_channels": ()}, "Received: (), resolution 32"),
        (resnet_generator, {"upsampling": "cubic"}, "nearest or bilinear. Received: cubic"),
        (resnet_discriminator, {"resolution": 20}, "Received: 20"),
        (resnet_discriminator, {"downsample": (False, True)}, "the first true"),
        (resnet_discriminator, {"downsample": (True,) * 6}, "multiple of 2^halvings"),
        (resnet_discriminator, {"downsample": (True,), "block_channels": (8, 8)}, "one entry a block"),
        (resnet_discriminator, {"downsample": ()}, "the first true"),
        (resnet_discriminator, {"pooling": "max"}, "sum or mean. Received: max"),
        (resnet_discriminator, {"conditioning": "none"}, "class_features, contrastive. Received: none"),
        (resnet_discriminator, {"attention_resolutions": (32,)}, "among 8, 16. Received: 32"),
        (resnet_discriminator, {"num_classes": -1}, "num_classes is an integer"),
    ],
)
def test_refusals(network, arguments, words):
    with pytest.raises(ConfigError) as refusal:
        network(**arguments)
    assert words in str(refusal.value)
