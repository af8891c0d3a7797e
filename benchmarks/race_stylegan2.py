"""StyleGAN2 in PyTorch, for `race_torch.py` (Karras et al., 2020): style mixing, lazy R1 and path length, average."""

import math
import random

import torch
from race_parts import NON_SATURATING, Rival
from race_stylegan2_parts import (
    DownBlock,
    EqualizedConv,
    EqualizedLinear,
    MinibatchDeviation,
    StyledConv,
    ToRGB,
    doubled,
    scaled_leaky_relu,
)
from torch import nn

STYLE = 512
R1_WEIGHT, R1_INTERVAL = 10.0, 16
PATH_WEIGHT, PATH_INTERVAL, PATH_DECAY, PATH_SHRINK = 2.0, 4, 0.01, 2


class Mapping(nn.Module):
    """Latents to styles, in float32; the mean of styles moves with each of its forwards that count."""

    def __init__(self, layers=8):
        super().__init__()
        options = {"multiplier": 0.01, "activation": scaled_leaky_relu}
        self.layers = nn.Sequential(*(EqualizedLinear(STYLE, STYLE, **options) for _ in range(layers)))
        self.register_buffer("mean", torch.zeros(STYLE))

    def forward(self, latents, moves=False):
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents * torch.rsqrt(latents.square().mean(1, keepdim=True) + 1e-8)
            styles = self.layers(latents)
            if moves:
                self.mean.lerp_(styles.detach().mean(0), 1.0 - 0.995)
        return styles


class Synthesis(nn.Module):
    """Styles [N, slots, D] to images: a learned map, then two convolutions at each size, and the sum of images."""

    def __init__(self, widths):
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.convs, self.images = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            if level:
                self.convs.append(StyledConv(widths[level - 1], width, STYLE, doubles=True))
            self.convs.append(StyledConv(width, width, STYLE))
            self.images.append(ToRGB(width, STYLE))

    def noise(self, count):
        """Of every convolution: 4x4, then two of each size."""
        sizes = [4 * 2 ** ((index + 1) // 2) for index in range(len(self.convs))]
        return [torch.randn(count, 1, size, size) for size in sizes]

    def forward(self, styles, noise):
        styles = styles.unbind(1)
        x = self.constant.expand(len(styles[0]), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        total = None
        for level, to_rgb in enumerate(self.images):
            for index in range(max(0, 2 * level - 1), 2 * level + 1):
                x = self.convs[index](x, styles[index], noise[index])
            image = to_rgb(x, styles[2 * level + 1])
            total = image if total is None else image + doubled(total)
        return total


class Generator(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.mapping, self.synthesis = Mapping(), Synthesis(widths)
        self.slots = 2 * len(widths)

    def styles(self, first, second):
        """Styles [N, slots, D], those of the second latents from a slot on, with a probability of 0.9."""
        first, second = (w[:, None].expand(-1, self.slots, -1) for w in (first, second))
        crossover = random.randrange(1, self.slots) if random.random() < 0.9 else self.slots
        return torch.where(torch.arange(self.slots)[:, None] < crossover, first, second)


class Discriminator(nn.Module):
    """From RGB, blocks down to 4x4, minibatch deviation, convolution, two dense layers."""

    def __init__(self, widths):
        super().__init__()
        self.from_rgb = EqualizedConv(3, widths[-1], 1, activation=scaled_leaky_relu)
        downs = [DownBlock(widths[n], widths[n - 1]) for n in range(len(widths) - 1, 0, -1)]
        self.blocks, self.deviation = nn.Sequential(*downs), MinibatchDeviation()
        self.conv = EqualizedConv(widths[0] + 1, widths[0], 3, activation=scaled_leaky_relu)
        self.dense = EqualizedLinear(16 * widths[0], widths[0], activation=scaled_leaky_relu)
        self.head = EqualizedLinear(widths[0], 1)

    def forward(self, images):
        x = self.conv(self.deviation(self.blocks(self.from_rgb(images))))
        x = self.dense(x.flatten(1))
        with torch.autocast(x.device.type, enabled=False):
            return self.head(x.float())


class StyleGAN2(Rival):
    latent_dim = STYLE

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.step, self.path_mean = 0, torch.zeros(())

    def codes(self, latents):
        """(styles, noise) of latents, mixed with as many others."""
        first = self.generator.mapping(latents, moves=True)
        second = self.generator.mapping(self.latents(len(latents)))
        return self.generator.styles(first, second), self.generator.synthesis.noise(len(latents))

    def images(self, latents):
        return self.generator.synthesis(*self.codes(latents))

    def update(self):
        self.discriminator_step()
        if self.step % R1_INTERVAL == 0:
            self.r1_step()
        self.generator_step()
        if self.step % PATH_INTERVAL == 0:
            self.path_step()
        self.move_average()
        self.step += 1

    def r1_step(self):
        images = self.real.detach().requires_grad_()
        with self.cast():
            logits = self.discriminator(images).sum()
        (slope,) = torch.autograd.grad(logits, images, create_graph=True)
        penalty = slope.float().square().sum((1, 2, 3)).mean()
        self.move(1, R1_INTERVAL * R1_WEIGHT / 2 * penalty)

    def path_step(self):
        with self.cast():
            styles, noise = self.codes(self.latents(self.batch_size // PATH_SHRINK))
            images = self.generator.synthesis(styles, noise)
        directions = torch.randn_like(images) / math.sqrt(images.shape[2] * images.shape[3])
        (slope,) = torch.autograd.grad((images * directions).sum(), styles, create_graph=True)
        lengths = slope.float().square().sum(2).mean(1).sqrt()
        mean = self.path_mean + PATH_DECAY * (lengths.mean() - self.path_mean)
        self.path_mean = mean.detach()
        self.move(0, PATH_WEIGHT * PATH_INTERVAL * (lengths - mean).square().mean())


def lazy_adam(interval):
    share = interval / (interval + 1)
    return 2e-3 * share, (0.0, 0.99**share)


def make(batch_size, precision):
    widths = (128,) * 5  # of 4x4 to 64x64
    adam = lazy_adam(PATH_INTERVAL), lazy_adam(R1_INTERVAL)
    networks = Generator(widths), Discriminator(widths)
    return StyleGAN2(networks, batch_size, (3, 64, 64), NON_SATURATING, adam, precision, decay=0.997784)
