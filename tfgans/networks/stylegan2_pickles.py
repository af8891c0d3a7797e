"""StyleGAN2's networks out of NVIDIA's pickles (StyleGAN2-ADA and StyleGAN3, for PyTorch), as weights of ours.

The functions are the same to rounding, with one exception: theirs may clamp activations (`conv_clamp`, 256 where they
train in half precision), which those of a trained network do not reach; ours do not.
"""

import dataclasses

import numpy as np

from tfgans import readers, torch_pickles
from tfgans.networks.stylegan2 import map_widths

NOISE = "/noise/own_noise"  # how the names of those weights end that `stored_noise` adds
_LARGEST = 2**14  # pixels a side
_DRAWN = 4096  # latents for the means of all but the last dense layer, which the pickles do not have


@dataclasses.dataclass(frozen=True)
class Published:
    """What a pickle holds.

    Attributes:
        weights: {"generator", "ema_generator" and "discriminator", if it has them: {name of our weight: array}}.
        bindings: {"stylegan2_generator.resolution": 256, ...} that make networks of these weights.
    """

    weights: dict
    bindings: dict


def is_pickle(path):
    """Whether a path names a pickle; a folder of that name is none."""
    return path.suffix == ".pkl" and not path.is_dir()


def read_stylegan2(path):
    """The networks of a pickle, read without running any of its code.

    Returns: `Published`. A pickle without G has its average as the generator, too.
    Raises: ConfigError naming the file and the reason, also for networks of another kind.
    """
    with readers.reading(path, "a pickle of StyleGAN2's networks"):
        networks = torch_pickles.read_networks(path, ("G", "D", "G_ema"))
        averaged = networks.get("G_ema", networks.get("G"))
        if averaged is None:
            raise ValueError("it has neither G nor G_ema")
        weights = {"ema_generator": _generator(averaged)}
        weights["generator"] = _generator(networks["G"]) if "G" in networks else weights["ema_generator"]
        bindings = _generator_bindings(averaged, weights["ema_generator"])
        if "D" in networks:
            weights["discriminator"] = _discriminator(networks["D"])
        about = networks.get("D", averaged)
        bindings |= _discriminator_bindings(about, weights.get("discriminator"))
        for name, value in bindings.items():
            if not isinstance(value, bool | int | float | None):
                raise ValueError(f"{name} would be {value!r}")
        return Published(weights, bindings)


class _Arrays:
    """The arrays of a network of theirs, each of which is taken once."""

    def __init__(self, network):
        self.left = network.arrays()

    def has(self, name):
        return name in self.left

    def take(self, name):
        return self.left.pop(name)

    def dense(self, name, to):
        return {f"{to}/kernel": self.take(f"{name}.weight").T, f"{to}/bias": self.take(f"{name}.bias")}

    def convolution(self, name, to, up=False):
        """A kernel [out, in, k, k], as ours are: for what doubles the map [k, k, out, in], else [k, k, in, out]."""
        kernel = self.take(f"{name}.weight").transpose(2, 3, *((0, 1) if up else (1, 0)))
        bias = {f"{to}/bias": self.take(f"{name}.bias")} if self.has(f"{name}.bias") else {}
        return {f"{to}/kernel": kernel} | bias

    def end(self):
        """Raises: ValueError unless all that is left are low-pass filters, StyleGAN2's."""
        taps = np.array([1, 3, 3, 1]) / 8
        for name, array in self.left.items():
            if not name.endswith("resample_filter"):
                raise ValueError(
                    f"{name} is of no network that stylegan2_generator and its discriminator are"
                )
            if array.shape != (4, 4) or not np.allclose(array, np.outer(taps, taps), atol=1e-6):
                raise ValueError(f"{name} is not StyleGAN2's, 1, 3, 3, 1")


def _generator(network):
    arrays = _Arrays(network)
    found, layers = _mapping(arrays, network, "mapping")
    found["mapping/mean_w"] = _means(found, layers, arrays.take("mapping.w_avg"))
    found["synthesis/constant"] = arrays.take("synthesis.b4.const").transpose(1, 2, 0)
    side = 4
    while arrays.has(f"synthesis.b{side}.conv1.weight"):
        if side > 4:
            found |= _styled(arrays, f"synthesis.b{side}.conv0", f"synthesis/up{side}", up=True)
        found |= _styled(arrays, f"synthesis.b{side}.conv1", f"synthesis/convolution{side}")
        name, to = f"synthesis.b{side}.torgb", f"synthesis/to_rgb{side}"
        found |= arrays.convolution(name, to) | arrays.dense(f"{name}.affine", f"{to}/modulation")
        side *= 2
    arrays.end()
    return found


def _mapping(arrays, network, to):
    """`(weights, number of dense layers)` of a mapping, of classes, too, if the network has some."""
    found, layers = {}, 0
    if network.state["c_dim"]:
        found |= arrays.dense("mapping.embed", f"{to}/label_embedding")
    while arrays.has(f"mapping.fc{layers}.weight"):
        found |= arrays.dense(f"mapping.fc{layers}", f"{to}/dense{layers + 1}")
        layers += 1
    return found, layers


def _styled(arrays, name, to, up=False):
    noise = arrays.take(f"{name}.noise_const")
    return {
        f"{to}/bias": arrays.take(f"{name}.bias"),
        f"{to}/noise/strength": arrays.take(f"{name}.noise_strength"),
        f"{to}{NOISE}": noise[None, :, :, None],
        **arrays.convolution(name, f"{to}/convolution", up),
        **arrays.dense(f"{name}.affine", f"{to}/convolution/modulation"),
    }


def _means(found, layers, last):
    """The means of w_1 .. w_L [L, style_dim]: of the last as it was tracked, of the others over drawn latents."""
    kernels = [found[f"mapping/dense{number}/kernel"] for number in range(1, layers + 1)]
    table, means, random = found.get("mapping/label_embedding/kernel"), [], np.random.default_rng(0)
    size = len(kernels[0]) - (0 if table is None else table.shape[1])
    w = _normalized(random.normal(size=(_DRAWN, size)).astype("float32"))
    if table is not None:
        rows = table[random.integers(len(table), size=_DRAWN)] / np.sqrt(np.float32(len(table)))
        w = np.concatenate([w, _normalized(rows + found["mapping/label_embedding/bias"])], 1)
    for number, kernel in enumerate(kernels, 1):
        w = 0.01 * (w @ kernel / np.sqrt(np.float32(len(kernel))) + found[f"mapping/dense{number}/bias"])
        w = np.sqrt(np.float32(2)) * np.maximum(w, np.float32(0.2) * w)
        means.append(w.mean(0))
    return np.stack([*means[:-1], last]).astype("float32")


def _normalized(rows):
    return rows / np.sqrt(np.mean(np.square(rows), 1, keepdims=True) + 1e-8)


def _discriminator(network):
    arrays = _Arrays(network)
    side = _resolution(network)
    found, _ = _mapping(arrays, network, "label_projection")
    found |= arrays.convolution(f"b{side}.fromrgb", "from_rgb")
    while side > 4:
        names = {"conv0": f"convolution{side}", "conv1": f"down{side}"}
        if arrays.has(f"b{side}.skip.weight"):
            block = f"block{side}"
            names = {
                "conv0": f"{block}/convolution1",
                "conv1": f"{block}/convolution2",
                "skip": f"{block}/shortcut",
            }
        for name, to in names.items():
            found |= arrays.convolution(f"b{side}.{name}", to)
        side //= 2
    found |= arrays.convolution("b4.conv", "last_convolution")
    kernel = arrays.take("b4.fc.weight")  # its maps are flattened channels first
    kernel = kernel.reshape(len(kernel), -1, 4, 4).transpose(2, 3, 1, 0).reshape(-1, len(kernel))
    found |= {"dense/kernel": kernel, "dense/bias": arrays.take("b4.fc.bias")}
    found |= arrays.dense("b4.out", "adversarial_head")
    arrays.end()
    return found


def _generator_bindings(network, weights):
    state, mapping = network.state, network.state["_modules"]["mapping"].state
    resolution = _resolution(network)
    options = state["_init_kwargs"].get("synthesis_kwargs", {})
    sides = [4 * 2**level for level in range(resolution.bit_length() - 2)]
    widths = [weights[f"synthesis/convolution{side}/bias"].size for side in sides]
    return {
        "stylegan2_generator.resolution": resolution,
        "stylegan2_generator.channels": state["img_channels"],
        "stylegan2_generator.latent_dim": state["z_dim"],
        "stylegan2_generator.style_dim": state["w_dim"],
        "stylegan2_generator.mapping_layers": mapping["num_layers"],
        "stylegan2_generator.mean_decay": mapping["w_avg_beta"],
        **_widths("stylegan2_generator", resolution, options, widths),
        "stylegan2_generator.stored_noise": True,
        **_classes("stylegan2_generator", state),
    }


def _discriminator_bindings(network, weights):
    """Of the discriminator; without one, `network` is the generator, whose widths the discriminator's are, too."""
    name, state = "stylegan2_discriminator", network.state
    resolution, options = _resolution(network), state["_init_kwargs"]
    found = {f"{name}.resolution": resolution, f"{name}.channels": state["img_channels"]}
    found |= _classes(name, state)
    if weights is None:
        return found | _widths(name, resolution, options.get("synthesis_kwargs", {}), None)
    epilogue = options.get("epilogue_kwargs", {})
    residual = f"block{resolution}/shortcut/kernel" in weights
    first = "block{}/convolution1/bias" if residual else "convolution{}/bias"
    sides = [4 * 2**level for level in range(1, resolution.bit_length() - 2)]
    widths = [weights["last_convolution/bias"].size, *(weights[first.format(side)].size for side in sides)]
    layers = sum(key.startswith("label_projection/dense") for key in weights) // 2
    return found | {
        **({f"{name}.label_layers": layers} if state["c_dim"] else {}),
        **_widths(name, resolution, options, widths),
        f"{name}.residual": residual,
        f"{name}.minibatch_group": epilogue.get("mbstd_group_size", 4),
        f"{name}.minibatch_features": epilogue.get("mbstd_num_channels", 1),
    }


def _classes(name, state):
    return {f"{name}.num_classes": state["c_dim"]} if state["c_dim"] else {}


def _resolution(network):
    resolution = network.state["img_resolution"]
    if not (isinstance(resolution, int) and 4 <= resolution <= _LARGEST):
        raise ValueError(f"its images are of {resolution!r} pixels a side")
    return resolution


def _widths(name, resolution, options, widths):
    """The bindings of channels. Raises: ValueError if `widths`, unless None, are not those they give."""
    base, most = options.get("channel_base", 32768), options.get("channel_max", 512)
    multiplier = base // 16384 if base % 16384 == 0 else base / 16384
    if widths is not None and list(map_widths(name, resolution, multiplier, most, None)) != widths:
        raise ValueError(
            f"its maps have {widths} channels, which is not what channel_base and channel_max say"
        )
    return {f"{name}.channel_multiplier": multiplier, f"{name}.max_channels": most}
