"""The octave DCGAN in PyTorch, for `race_torch.py` (Durall et al., 2019), with the arithmetic of ours.

Maps are one tensor or [high, low], low ones of half the resolution. Three convolutions do what the four paths ask
for: what leads to the low maps is convolved together. Betas are 1, and multiply the kernel, as ours do.
"""

import torch
from race_parts import NON_SATURATING, Rival, first_maps
from torch import nn
from torch.nn import functional as F

SIDE, WIDTH, LATENT, ALPHA = 64, 64, 100, 0.5


class OctaveConv(nn.Module):
    """A 3x3 octave convolution without bias.

    Args:
        inputs: channels of the high and of the low maps; 0 low ones for one tensor. outputs: the same.
        doubles: pixels are repeated before.
        low_resolution: one tensor of the low maps' resolution comes out, the high ones pooled.
    """

    def __init__(self, inputs, outputs, doubles=False, low_resolution=False):
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.doubles, self.low_resolution = doubles, low_resolution
        self.weight = nn.Parameter(torch.empty(sum(outputs), sum(inputs), 3, 3))
        nn.init.kaiming_uniform_(self.weight, 5**0.5)
        self.register_buffer("betas", torch.ones(2))
        self.register_buffer("paths", torch.tensor([0] * inputs[0] + [1] * inputs[1]))

    def forward(self, maps):
        high, low = maps if self.inputs[1] else (maps, None)
        pooled = None
        if self.outputs[1]:
            pooled = high if self.doubles else F.avg_pool2d(high, 2)
        if self.doubles:
            high, low = (x if x is None else F.interpolate(x, scale_factor=2) for x in (high, low))
        to_high, to_low = self.kernel().split(self.outputs)
        if low is None:
            outputs = F.conv2d(high, to_high, padding=1)
        else:
            outputs = self.merged(high, low, *to_high.split(self.inputs, 1))
        if pooled is None:
            return outputs
        return [outputs, F.conv2d(pooled if low is None else torch.cat((pooled, low), 1), to_low, padding=1)]

    def kernel(self):
        if not self.inputs[1]:
            return self.weight
        return self.weight * self.betas[self.paths][:, None, None]

    def merged(self, high, low, from_high, from_low):
        high, low = F.conv2d(high, from_high, padding=1), F.conv2d(low, from_low, padding=1)
        if self.low_resolution:
            return F.avg_pool2d(high, 2) + low
        return high + F.interpolate(low, scale_factor=2)


class OctaveBlock(nn.Module):
    """Octave convolution, norm and activation; a discriminator's pools before."""

    def __init__(self, inputs, outputs, activation, doubles=False):
        super().__init__()
        self.conv = OctaveConv(inputs, outputs, doubles)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in outputs)
        self.activation, self.doubles = activation, doubles

    def forward(self, maps):
        maps = self.conv(maps if self.doubles else pooled(maps))
        return [self.activation(norm(x)) for norm, x in zip(self.norms, maps, strict=True)]


def pooled(maps):
    return [F.avg_pool2d(x, 2) for x in maps] if isinstance(maps, list) else F.avg_pool2d(maps, 2)


def parts(width):
    """(high, low) channels."""
    return width - int(ALPHA * width), int(ALPHA * width)


class Generator(nn.Module):
    """Dense to 4x4, norm, ReLU; blocks that double the map; a last convolution, tanh."""

    def __init__(self, widths):
        super().__init__()
        self.width, self.dense = widths[0], nn.Linear(LATENT, 16 * widths[0], bias=False)
        self.norm = nn.BatchNorm1d(16 * widths[0])
        channels = [(widths[0], 0), *map(parts, widths[1:])]
        pairs = zip(channels[:-1], channels[1:], strict=True)
        self.blocks = nn.Sequential(*(OctaveBlock(*pair, F.relu, doubles=True) for pair in pairs))
        self.last = OctaveConv(channels[-1], (3, 0), doubles=True)

    def forward(self, latents):
        x = first_maps(F.relu(self.norm(self.dense(latents))), self.width, 4)
        return torch.tanh(self.last(self.blocks(x)).float())


class Discriminator(nn.Module):
    """Blocks down to 4x4, whose low maps are 2x2; a last convolution to a logit."""

    def __init__(self, widths):
        super().__init__()
        channels = [(3, 0), *map(parts, widths)]
        pairs = zip(channels[:-1], channels[1:], strict=True)
        self.blocks = nn.Sequential(*(OctaveBlock(*pair, lambda x: F.leaky_relu(x, 0.2)) for pair in pairs))
        self.last = OctaveConv(channels[-1], (1, 0), low_resolution=True)

    def forward(self, images):
        return self.last(pooled(self.blocks(images))).float().flatten(1)


class OctaveRival(Rival):
    latent_dim = LATENT


def make(batch_size, precision):
    widths = [WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH]  # from the images' half down to 4x4
    networks = Generator(widths[::-1]), Discriminator(widths)
    adam = 2e-4, (0.5, 0.999)
    return OctaveRival(networks, batch_size, (3, SIDE, SIDE), NON_SATURATING, adam, precision)
