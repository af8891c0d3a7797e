"""NVIDIA's pickles of StyleGAN2: the same images and logits, and what is refused.

`nvidia.pkl` was written by PyTorch, with images that PyTorch made (`golden/nvidia_pickle.py`); the weights and images
of `regan_d_pl_r1.npz` are of the authors' function as rosinality's code has it, here under NVIDIA's names.
"""

import pathlib

import numpy as np
import nvidia_files as nvidia
import pytest
import tensorflow as tf
from stylegan2_weights import channels_last, golden_noise

from tfgans.config import ConfigError
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator
from tfgans.networks.stylegan2_pickles import read_stylegan2
from tfgans.weight_names import named_weights

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
TAPS = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype("float32") / 64


def network(published, make, part):
    """The network that the bindings make, with the weights of a part."""
    name = f"{make.__name__}."
    made = make(**{k.removeprefix(name): v for k, v in published.bindings.items() if k.startswith(name)})
    named, weights = named_weights(made), published.weights[part]
    assert named.keys() == weights.keys()
    for key, variable in named.items():
        variable.assign(weights[key])
    return made


def test_images_and_logits_are_the_originals(golden):
    expected = golden("nvidia")
    published = read_stylegan2(GOLDEN / "nvidia.pkl")
    assert published.weights.keys() == {"generator", "ema_generator", "discriminator"}
    for part, key in (("generator", "raw"), ("ema_generator", "images")):
        generator = network(published, stylegan2_generator, part)
        images = generator(expected["z"]).numpy()
        np.testing.assert_allclose(images, channels_last(expected[key]), rtol=0, atol=1e-5)
    mapping, synthesis = generator.get_layer("mapping"), generator.get_layer("synthesis")
    images = synthesis(mapping(expected["z"], truncation=0.6)).numpy()
    np.testing.assert_allclose(images, channels_last(expected["truncated"]), rtol=0, atol=1e-5)
    discriminator = network(published, stylegan2_discriminator, "discriminator")
    logits = discriminator(channels_last(expected["images"]))["adversarial"]
    np.testing.assert_allclose(logits, expected["logits"], rtol=0, atol=1e-5)


def test_the_bindings_are_those_of_the_networks():
    generator = {"resolution": 16, "channels": 3, "latent_dim": 6, "style_dim": 5, "mapping_layers": 3}
    generator |= {
        "mean_decay": 0.995,
        "channel_multiplier": 64 / 16384,
        "max_channels": 8,
        "stored_noise": True,
    }
    discriminator = {"resolution": 16, "channels": 3, "channel_multiplier": 64 / 16384, "max_channels": 8}
    discriminator |= {"residual": True, "minibatch_group": 2, "minibatch_features": 1}
    expected = {f"stylegan2_generator.{k}": v for k, v in generator.items()}
    expected |= {f"stylegan2_discriminator.{k}": v for k, v in discriminator.items()}
    assert read_stylegan2(GOLDEN / "nvidia.pkl").bindings == expected


def test_means_of_the_other_dense_layers_are_those_of_drawn_latents(golden):
    published = read_stylegan2(GOLDEN / "nvidia.pkl")
    generator = network(published, stylegan2_generator, "ema_generator")
    drawn = np.random.default_rng(5).normal(size=(20_000, 6)).astype("float32")
    layers = generator.get_layer("mapping").intermediates(tf.constant(drawn))
    means = generator.get_layer("mapping").mean_w.numpy()
    for found, w in zip(means[:-1], layers[:-1], strict=True):
        error = w.numpy().std(0) / np.sqrt(4096)
        assert np.all(np.abs(found - w.numpy().mean(0)) < 6 * error)


def of_golden(golden, residual=True):
    """`(arrays, attributes)` of G and of D by NVIDIA's names, of the golden weights."""
    arrays = golden("regan_d_pl_r1")
    g = {"mapping.w_avg": np.arange(8, dtype="float32"), "synthesis.b4.const": arrays["G/input.input"][0]}
    for number in (1, 2):
        for what in ("weight", "bias"):
            g[f"mapping.fc{number - 1}.{what}"] = arrays[f"G/style.{number}.{what}"]
    for name, to, side in (("conv1", "b4.conv1", 4), ("convs.0", "b8.conv0", 8), ("convs.1", "b8.conv1", 8)):
        to = f"synthesis.{to}"
        g |= {
            f"{to}.weight": arrays[f"G/{name}.conv.weight"][0],
            f"{to}.bias": arrays[f"G/{name}.activate.bias"],
        }
        g |= {f"{to}.noise_strength": arrays[f"G/{name}.noise.weight"][0], f"{to}.resample_filter": TAPS}
        g |= {f"{to}.noise_const": np.full((side, side), 0.5, "float32")}
        g |= {f"{to}.affine.{w}": arrays[f"G/{name}.conv.modulation.{w}"] for w in ("weight", "bias")}
    for name, to in (("to_rgb1", "synthesis.b4.torgb"), ("to_rgbs.0", "synthesis.b8.torgb")):
        g |= {
            f"{to}.weight": arrays[f"G/{name}.conv.weight"][0],
            f"{to}.bias": arrays[f"G/{name}.bias"].ravel(),
        }
        g |= {f"{to}.affine.{w}": arrays[f"G/{name}.conv.modulation.{w}"] for w in ("weight", "bias")}
    d = {"b8.resample_filter": TAPS}
    layers = {"convs.0.0": "b8.fromrgb", "convs.1.conv1.0": "b8.conv0", "convs.1.conv2.1": "b8.conv1"}
    layers |= {"final_conv.0": "b4.conv", "final_linear.0": "b4.fc", "final_linear.1": "b4.out"}
    layers |= {"convs.1.skip.1": "b8.skip"} if residual else {}
    for name, to in layers.items():
        d[f"{to}.weight"] = arrays[f"D/{name}.weight"]
        before, number = name.rsplit(".", 1)
        linear = name.startswith("final_linear")
        bias = f"D/{name}.bias" if linear else f"D/{before}.{int(number) + 1}.bias"
        d |= {f"{to}.bias": arrays[bias]} if bias in arrays else {}
    kinds = {"c_dim": 0, "img_resolution": 8, "img_channels": 3, "z_dim": 8, "w_dim": 8}
    widths = {"channel_base": 48, "channel_max": 8}
    of_g = {"": kinds | {"_init_kwargs": {"synthesis_kwargs": widths}}}
    of_g |= {"mapping": {"num_layers": 2, "w_avg_beta": 0.99}}
    return (g, of_g), (d, {"": kinds | {"_init_kwargs": widths}})


def write(path, **networks):
    path.write_bytes(nvidia.dumps({name: nvidia.tree(*about) for name, about in networks.items()}))
    return path


def test_a_pickle_by_the_layout_gives_the_images_of_the_golden_file(golden, tmp_path):
    arrays = golden("regan_d_pl_r1")
    g, d = of_golden(golden)
    published = read_stylegan2(write(tmp_path / "net.pkl", G=g, D=d, G_ema=g))
    generator = network(published, stylegan2_generator, "generator")
    mapping, synthesis = generator.get_layer("mapping"), generator.get_layer("synthesis")
    np.testing.assert_array_equal(mapping.mean_w.numpy()[-1], np.arange(8))
    assert mapping.mean_decay == 0.99
    images = synthesis(mapping(arrays["z1"]), golden_noise(arrays))
    np.testing.assert_allclose(images, channels_last(arrays["fake_img"]), rtol=0, atol=1e-5)
    fixed = synthesis(mapping(arrays["z1"]), [tf.fill((1, side, side, 1), 0.5) for side in (4, 8, 8)])
    np.testing.assert_array_equal(generator(arrays["z1"]), fixed)
    discriminator = network(published, stylegan2_discriminator, "discriminator")
    logits = discriminator(channels_last(arrays["fake_img"]))["adversarial"]
    np.testing.assert_allclose(logits, arrays["fake_pred"], rtol=0, atol=1e-5)


def test_a_discriminator_without_shortcuts_and_an_average_alone(golden, tmp_path):
    g, d = of_golden(golden, residual=False)
    published = read_stylegan2(write(tmp_path / "net.pkl", G=g, D=d))
    assert published.bindings["stylegan2_discriminator.residual"] is False
    network(published, stylegan2_discriminator, "discriminator")
    published = read_stylegan2(write(tmp_path / "average.pkl", G_ema=g))
    assert published.weights.keys() == {"generator", "ema_generator"}
    assert published.weights["generator"] is published.weights["ema_generator"]
    stylegan2_discriminator(
        **{k.partition(".")[2]: v for k, v in published.bindings.items() if "discriminator" in k}
    )


def with_classes(arrays, attributes, kernels, biases):
    """Arrays of G or of D with a mapping of embedded labels: its kernels [out, in] by NVIDIA's names."""
    classes = {f"mapping.{n}.weight": k for n, k in kernels.items()}
    classes |= {f"mapping.{n}.bias": b for n, b in biases.items()}
    return arrays | classes, attributes | {"": attributes[""] | {"c_dim": 5}}


def test_networks_with_classes(golden, tmp_path):
    """Of the golden file of StyleGAN2-ADA's conditional mappings: 5 classes, w of 8, D's maps of 8 channels."""
    random = np.random.default_rng(0)
    draw = lambda *shape: random.normal(size=shape).astype("float32")  # noqa: E731
    (g, of_g), (d, of_d) = of_golden(golden)
    g["mapping.fc0.weight"] = draw(8, 16)
    g, of_g = with_classes(g, of_g, {"embed": draw(8, 5)}, {"embed": draw(8)})
    width = len(d["b4.conv.bias"])
    d |= {"b4.out.weight": draw(width, len(d["b4.fc.bias"])), "b4.out.bias": draw(width)}
    layers = {"embed": draw(width, 5), "fc0": draw(width, width), "fc1": draw(width, width)}
    d, of_d = with_classes(d, of_d, layers, {name: draw(width) for name in layers})
    published = read_stylegan2(write(tmp_path / "net.pkl", G=(g, of_g), D=(d, of_d)))
    assert published.bindings["stylegan2_generator.num_classes"] == 5
    assert published.bindings["stylegan2_discriminator.label_layers"] == 2
    generator = network(published, stylegan2_generator, "generator")
    discriminator = network(published, stylegan2_discriminator, "discriminator")
    labels, latents = np.array([3, 0]), draw(2, 8)
    mapping, normal = (
        generator.get_layer("mapping"),
        lambda x: x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-8),
    )
    row = g["mapping.embed.weight"].T[labels] / 5**0.5 + g["mapping.embed.bias"]
    x = np.concatenate([normal(latents), normal(row)], 1)
    x = 0.01 * (x @ g["mapping.fc0.weight"].T / 4 + g["mapping.fc0.bias"])  # of 16 numbers
    first = 2**0.5 * np.maximum(x, 0.2 * x)
    np.testing.assert_allclose(mapping.intermediates(latents, labels)[0], first, rtol=1e-4, atol=1e-7)
    row = d["mapping.embed.weight"].T[labels] / 5**0.5 + d["mapping.embed.bias"]
    found = discriminator.get_layer("label_projection").embedding(labels)
    np.testing.assert_allclose(found, normal(row), rtol=1e-5)
    assert generator([latents, labels]).shape == (2, 8, 8, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mapping.embed.weight": TAPS}, "mapping.embed.weight is of no network that"),
        (
            {"synthesis.b8.resample_filter": TAPS * 2},
            "synthesis.b8.resample_filter is not StyleGAN2's, 1, 3, 3, 1",
        ),
        ({"synthesis.b4.torgb.weight": None}, "it has no 'synthesis.b4.torgb.weight'"),
        ({"synthesis.b8.conv1.noise_strength": None}, "it has no 'synthesis.b8.conv1.noise_strength'"),
        ({"mapping.w_avg": None}, "it has no 'mapping.w_avg'"),
        ({"c_dim": 10}, "it has no 'mapping.embed.weight'"),
        ({"img_resolution": "8"}, "its images are of '8' pixels a side"),
        ({"img_resolution": 10**9}, "its images are of 1000000000 pixels a side"),
        ({"img_channels": "@open"}, "stylegan2_generator.channels would be '@open'"),
        (
            {"_init_kwargs": {}},
            "its maps have .8, 6. channels, which is not what channel_base and channel_max say",
        ),
    ],
)
def test_other_networks_are_refused_by_what_they_have(golden, tmp_path, change, said):
    (arrays, attributes), _ = of_golden(golden)
    for name, value in change.items():
        if name in attributes[""]:
            attributes[""][name] = value
        elif value is None:
            del arrays[name]
        else:
            arrays[name] = value
    with pytest.raises(ConfigError, match=f"net.pkl.*{said}") as caught:
        read_stylegan2(write(tmp_path / "net.pkl", G=(arrays, attributes)))
    assert "\n" not in str(caught.value)


def test_a_pickle_of_no_generator_is_refused(tmp_path):
    (tmp_path / "net.pkl").write_bytes(nvidia.dumps({"G": 1}))
    with pytest.raises(ConfigError, match="a pickle of StyleGAN2's networks: it has neither G nor G_ema"):
        read_stylegan2(tmp_path / "net.pkl")
