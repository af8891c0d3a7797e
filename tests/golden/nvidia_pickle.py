"""Makes `nvidia.pkl` and `nvidia.npz`, with PyTorch, which no test needs: python tests/golden/nvidia_pickle.py.

The pickle is laid out as NVIDIA's StyleGAN2-ADA lays out its own: modules whose `__reduce__` calls
`torch_utils.persistence._reconstruct_persistent_obj`, named and held as there. Weights are random. The images and
logits beside it are of plain PyTorch: one kernel for each sample, as the paper writes it (Karras et al. 2020,
section 2.2), in float64, with the layers' `noise_const`.
"""

import pathlib
import pickle
import sys
import types

import numpy as np
import torch
from torch.nn import functional

FOLDER = pathlib.Path(__file__).parent
WIDTHS, LATENT, STYLE, LAYERS, CHANNELS = {4: 8, 8: 8, 16: 4}, 6, 5, 3, 3
FIR = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def _fake(name, **members):
    module = sys.modules[name] = types.ModuleType(name)
    for key, member in members.items():
        member.__module__, member.__qualname__, member.__name__ = name, key, key
        setattr(module, key, member)


def _reconstruct(meta):
    raise AssertionError("nothing reads the file here")


class EasyDict(dict):
    pass


_fake("dnnlib")
_fake("dnnlib.util", EasyDict=EasyDict)
_fake("torch_utils")
_fake("torch_utils.persistence", _reconstruct_persistent_obj=_reconstruct)


class Persistent(torch.nn.Module):
    kind = "Module"

    def __init__(self, kind, **attributes):
        super().__init__()
        self.kind = kind
        self._init_args, self._init_kwargs = (), EasyDict()
        for name, value in attributes.items():
            setattr(self, name, value)

    def __reduce__(self):
        state = {key: value for key, value in self.__dict__.items() if key != "kind"}
        source = "raise SystemExit('this text is not to be run')"
        meta = dict(type="class", version=6, module_src=source, class_name=self.kind, state=state)
        return _reconstruct, (EasyDict(meta),)


def dense(inputs, outputs, multiplier=1.0, start=0.0):
    layer = Persistent("FullyConnectedLayer", activation="lrelu", bias_gain=multiplier)
    layer.weight = torch.nn.Parameter(torch.randn(outputs, inputs) / multiplier)
    layer.bias = torch.nn.Parameter(start + torch.randn(outputs) * 0.3)
    layer.weight_gain = multiplier / np.sqrt(inputs)
    return layer


def convolution(inputs, outputs, size, bias=True):
    layer = Persistent("Conv2dLayer", weight_gain=1 / np.sqrt(inputs * size**2))
    layer.register_buffer("resample_filter", FIR.clone())
    layer.weight = torch.nn.Parameter(
        torch.randn(outputs, inputs, size, size).to(memory_format=torch.channels_last)
    )
    layer.bias = torch.nn.Parameter(torch.randn(outputs) * 0.3) if bias else None
    return layer


def styled(inputs, outputs, side):
    layer = convolution(inputs, outputs, 3)
    layer.kind, layer.affine = "SynthesisLayer", dense(STYLE, inputs, start=1.0)
    layer.register_buffer("noise_const", torch.randn(side, side))
    layer.noise_strength = torch.nn.Parameter(torch.randn([]) * 0.3)
    return layer


def generator():
    side = max(WIDTHS)
    mapping = Persistent(
        "MappingNetwork", z_dim=LATENT, c_dim=0, w_dim=STYLE, num_layers=LAYERS, w_avg_beta=0.995
    )
    for number in range(LAYERS):
        setattr(mapping, f"fc{number}", dense(STYLE if number else LATENT, STYLE, 0.01))
    mapping.register_buffer("w_avg", torch.randn(STYLE) * 0.1)
    synthesis = Persistent("SynthesisNetwork", w_dim=STYLE, img_resolution=side, num_ws=2 * len(WIDTHS))
    before = None
    for size, width in WIDTHS.items():
        block = Persistent("SynthesisBlock", resolution=size, architecture="skip", is_last=size == side)
        block.register_buffer("resample_filter", FIR.clone())
        if before is None:
            block.const = torch.nn.Parameter(torch.randn(width, size, size))
        else:
            block.conv0 = styled(before, width, size)
        block.conv1 = styled(width, width, size)
        block.torgb = convolution(width, CHANNELS, 1)
        del block.torgb.resample_filter
        block.torgb.kind, block.torgb.affine = "ToRGBLayer", dense(STYLE, width, start=1.0)
        setattr(synthesis, f"b{size}", block)
        before = width
    network = Persistent(
        "Generator", z_dim=LATENT, c_dim=0, w_dim=STYLE, img_resolution=side, img_channels=CHANNELS
    )
    network.synthesis, network.mapping = synthesis, mapping
    options = EasyDict(channel_base=64, channel_max=8, num_fp16_res=0, conv_clamp=None)
    network._init_kwargs = EasyDict(z_dim=LATENT, c_dim=0, synthesis_kwargs=options)
    return network


def discriminator():
    side = max(WIDTHS)
    network = Persistent("Discriminator", c_dim=0, img_resolution=side, img_channels=CHANNELS)
    for size in sorted(WIDTHS, reverse=True)[:-1]:
        width, narrow = WIDTHS[size], WIDTHS[size // 2]
        block = Persistent("DiscriminatorBlock", resolution=size, architecture="resnet")
        block.register_buffer("resample_filter", FIR.clone())
        if size == side:
            block.fromrgb = convolution(CHANNELS, width, 1)
        block.conv0, block.conv1 = convolution(width, width, 3), convolution(width, narrow, 3)
        block.skip = convolution(width, narrow, 1, bias=False)
        setattr(network, f"b{size}", block)
    width = WIDTHS[4]
    network.b4 = Persistent("DiscriminatorEpilogue", resolution=4)
    network.b4.conv = convolution(width + 1, width, 3)
    network.b4.fc, network.b4.out = dense(width * 16, width), dense(width, 1)
    epilogue = EasyDict(mbstd_group_size=2)
    network._init_kwargs = EasyDict(c_dim=0, channel_base=64, channel_max=8, epilogue_kwargs=epilogue)
    return network


# What the networks do


def lrelu(x):
    return functional.leaky_relu(x, 0.2) * 2**0.5


def connected(layer, x):
    return x @ layer.weight.T * layer.weight_gain + layer.bias * layer.bias_gain


def blurred(x, around, gain=1.0):
    kernel = (FIR.to(x) * gain).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(functional.pad(x, around), kernel, groups=x.shape[1])


def modulated(layer, x, w, up=False, demodulate=True):
    """One sample after the other, each with a kernel of its own."""
    outputs = []
    for image, scales in zip(x, connected(layer.affine, w), strict=True):
        kernel = layer.weight * layer.weight_gain * scales[None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            image = functional.conv_transpose2d(image[None], kernel.transpose(0, 1), stride=2)
            outputs.append(blurred(image, (1, 1, 1, 1), 4.0))
        else:
            outputs.append(functional.conv2d(image[None], kernel, padding=kernel.shape[-1] // 2))
    return torch.cat(outputs)


def layer_of(layer, x, w, up=False):
    x = modulated(layer, x, w, up) + layer.noise_const * layer.noise_strength
    return lrelu(x + layer.bias[None, :, None, None])


def doubled(image):
    zeros = image.new_zeros(*image.shape[:2], 2 * image.shape[2], 2 * image.shape[3])
    zeros[:, :, ::2, ::2] = image
    return blurred(zeros, (2, 1, 2, 1), 4.0)


def images_of(network, z, psi=1.0):
    w = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for number in range(LAYERS):
        w = lrelu(connected(getattr(network.mapping, f"fc{number}"), w))
    w, x, image = network.mapping.w_avg + psi * (w - network.mapping.w_avg), None, None
    for size in WIDTHS:
        block = getattr(network.synthesis, f"b{size}")
        x = layer_of(block.conv0, x, w, up=True) if size > 4 else block.const.expand(len(z), -1, -1, -1)
        x = layer_of(block.conv1, x, w)
        new = modulated(block.torgb, x, w, demodulate=False) + block.torgb.bias[None, :, None, None]
        image = new if image is None else doubled(image) + new
    return image


def convolved(layer, x, down=False, activate=True):
    kernel = layer.weight * layer.weight_gain
    size = kernel.shape[-1]
    if down:
        x = functional.conv2d(blurred(x, (1, 1, 1, 1) if size == 1 else (2, 2, 2, 2)), kernel, stride=2)
    else:
        x = functional.conv2d(x, kernel, padding=size // 2)
    x = x if layer.bias is None else x + layer.bias[None, :, None, None]
    return lrelu(x) if activate else x


def logits_of(network, x):
    x = convolved(getattr(network, f"b{max(WIDTHS)}").fromrgb, x)
    for size in sorted(WIDTHS, reverse=True)[:-1]:
        block = getattr(network, f"b{size}")
        skip = convolved(block.skip, x, down=True, activate=False)
        x = (convolved(block.conv1, convolved(block.conv0, x), down=True) + skip) / 2**0.5
    groups = x.reshape(2, -1, *x.shape[1:])  # groups of two, half the batch apart
    deviation = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    x = torch.cat([x, deviation.repeat(2)[:, None, None, None].expand(-1, 1, 4, 4)], 1)
    x = convolved(network.b4.conv, x).flatten(1)
    return connected(network.b4.out, lrelu(connected(network.b4.fc, x)))


def main():
    torch.manual_seed(0)
    networks = {"G": generator(), "D": discriminator(), "G_ema": generator()}
    with open(FOLDER / "nvidia.pkl", "wb") as file:
        whole = (
            dict(training_set_kwargs=EasyDict(path="images.zip", resolution=16))
            | networks
            | {"augment_pipe": None}
        )
        pickle.dump(whole, file)
    for network in networks.values():
        network.double()
    with torch.no_grad():
        z = torch.randn(4, LATENT, dtype=torch.float64)
        found = {"z": z, "raw": images_of(networks["G"], z), "images": images_of(networks["G_ema"], z)}
        found["truncated"] = images_of(networks["G_ema"], z, psi=0.6)
        found["logits"] = logits_of(networks["D"], found["images"])
    np.savez_compressed(
        FOLDER / "nvidia.npz", **{name: array.float().numpy() for name, array in found.items()}
    )


if __name__ == "__main__":
    main()
