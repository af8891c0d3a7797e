"""Layers of StyleGAN2 in PyTorch (Karras et al., 2020), for `race_stylegan2.py`.

Styles scale a convolution's input and the demodulation its output, as in ours. Low-passes are depthwise convolutions,
which PyTorch has a fast kernel for, where ours are products with matrices.
"""

import functools
import math

import torch
from torch import nn
from torch.nn import functional as F

TAPS = (0.125, 0.375, 0.375, 0.125)


def scaled_leaky_relu(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2.0)


@functools.cache
def taps(channels, gain, dtype):
    """The kernel [channels, 1, 4, 4] of a depthwise low-pass."""
    line = gain * torch.tensor(TAPS)
    kernel = (line[:, None] * line).expand(channels, 1, -1, -1)
    return kernel.to(dtype).contiguous(memory_format=torch.channels_last)


def low_pass(x, down=1, gain=1.0, padding=1):
    """Of [N, C, H, W]; `gain` counts for each direction."""
    channels = x.shape[1]
    return F.conv2d(x, taps(channels, gain, x.dtype), stride=down, padding=padding, groups=channels)


def doubled(images):
    """Zero-insertion and the low-pass, which keeps the mean."""
    channels = images.shape[1]
    return F.conv_transpose2d(images, taps(channels, 2.0, images.dtype), stride=2, padding=1, groups=channels)


def beside(factors, x):
    """[N, C] for a product with maps."""
    return factors.to(x.dtype)[:, :, None, None]


class EqualizedLinear(nn.Module):
    """Dense layer with an equalized learning rate, a multiple of which its weights move with."""

    def __init__(self, inputs, outputs, multiplier=1.0, bias=0.0, activation=None):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.scale, self.multiplier, self.activation = multiplier * inputs**-0.5, multiplier, activation

    def forward(self, x):
        x = F.linear(x, self.weight * self.scale, self.bias * self.multiplier)
        return x if self.activation is None else self.activation(x)


class EqualizedConv(nn.Module):
    """Convolution with an equalized learning rate; if it halves, after the low-pass."""

    def __init__(self, inputs, outputs, side, halves=False, gain=1.0, bias=True, activation=None):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.side, self.halves = (gain / (inputs * side**2)) ** 0.5, side, halves
        self.activation = activation

    def forward(self, x):
        weight, padding, stride = self.weight * self.scale, self.side // 2, 1
        if self.halves and self.side == 1:
            x = low_pass(x, down=2)
        elif self.halves:
            x, padding, stride = low_pass(x, padding=2), 0, 2
        x = F.conv2d(x, weight, self.bias, stride, padding)
        return x if self.activation is None else self.activation(x)


class ModulatedConv(nn.Module):
    """Convolution whose input styles scale; demodulated unless it makes images, doubled before the low-pass."""

    def __init__(self, inputs, outputs, side, style_dim, doubles=False, demodulates=True):
        super().__init__()
        shape = (inputs, outputs) if doubles else (outputs, inputs)
        self.weight = nn.Parameter(torch.randn(*shape, side, side))
        self.affine = EqualizedLinear(style_dim, inputs, bias=1.0)
        self.scale, self.side = (inputs * side**2) ** -0.5, side
        self.doubles, self.demodulates = doubles, demodulates

    def forward(self, x, style):
        scales = self.affine(style).float() * self.scale
        x = x * beside(scales, x)
        if self.doubles:
            x = low_pass(F.conv_transpose2d(x, self.weight, stride=2), gain=2.0)
        else:
            x = F.conv2d(x, self.weight, padding=self.side // 2)
        return x * beside(self.demodulation(scales), x) if self.demodulates else x

    def demodulation(self, scales):
        power = self.weight.square().sum((2, 3))
        power = power if self.doubles else power.t()  # [inputs, outputs]
        return torch.rsqrt((scales.square()[:, :, None] * power).sum(1) + 1e-8)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, activation."""

    def __init__(self, inputs, outputs, style_dim, doubles=False):
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, style_dim, doubles)
        self.strength, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(outputs))

    def forward(self, x, style, noise):
        x = self.conv(x, style)
        x = x + (self.strength * noise).to(x.dtype)
        return scaled_leaky_relu(x + self.bias.to(x.dtype)[:, None, None])


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to images, with a bias."""

    def __init__(self, inputs, style_dim):
        super().__init__()
        self.conv = ModulatedConv(inputs, 3, 1, style_dim, demodulates=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x, style):
        return self.conv(x, style).float() + self.bias[:, None, None]


class DownBlock(nn.Module):
    """A discriminator's block, (two convolutions + shortcut) / sqrt(2), the root within gain and activation."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = EqualizedConv(inputs, inputs, 3, activation=scaled_leaky_relu)
        self.conv2 = EqualizedConv(inputs, outputs, 3, halves=True, activation=lambda x: F.leaky_relu(x, 0.2))
        self.shortcut = EqualizedConv(inputs, outputs, 1, halves=True, gain=0.5, bias=False)

    def forward(self, x):
        return self.conv2(self.conv1(x)) + self.shortcut(x)


class MinibatchDeviation(nn.Module):
    """One channel more, the deviation within groups of so many images."""

    def __init__(self, group=4):
        super().__init__()
        self.group = group

    def forward(self, x):
        count, channels, height, width = x.shape
        groups = x.float().reshape(min(self.group, count), -1, channels, height, width)
        deviation = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        feature = deviation.to(x.dtype).repeat(len(groups)).view(count, 1, 1, 1).expand(-1, 1, height, width)
        return torch.cat((x, feature), 1)
