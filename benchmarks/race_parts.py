"""What the PyTorch side of `race_torch.py` has in common: layers of residual networks, and a GAN's updates."""

import contextlib
import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

LAST = torch.channels_last


def plain(layer):
    return layer


class UpBlock(nn.Module):
    """SNGAN's block of a generator: twice norm, ReLU, convolution, the map doubled between, and a shortcut."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        y = self.conv1(F.interpolate(F.relu(self.norm1(x)), scale_factor=2))
        y = self.conv2(F.relu(self.norm2(y)))
        return y + self.shortcut(F.interpolate(x, scale_factor=2))


class DownBlock(nn.Module):
    """SNGAN's block of a discriminator, spectrally normalised; the first has no ReLU before it and pools early."""

    def __init__(self, inputs, outputs, halves=True, first=False):
        super().__init__()
        middle = outputs if first else inputs
        self.halves, self.first = halves, first
        self.conv1 = spectral_norm(nn.Conv2d(inputs, middle, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(middle, outputs, 3, padding=1))
        self.shortcut = spectral_norm(nn.Conv2d(inputs, outputs, 1)) if halves or inputs != outputs else plain

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.first:
            return F.avg_pool2d(y, 2) + self.shortcut(F.avg_pool2d(x, 2))
        x = self.shortcut(x)
        return F.avg_pool2d(y, 2) + F.avg_pool2d(x, 2) if self.halves else y + x


class ResidualDiscriminator(nn.Module):
    """Four blocks, of which two halve the map; ReLU, sum over the map, dense."""

    def __init__(self, width, head_bias):
        super().__init__()
        self.blocks = nn.Sequential(
            DownBlock(3, width, first=True),
            DownBlock(width, width),
            DownBlock(width, width, halves=False),
            DownBlock(width, width, halves=False),
        )
        self.head = spectral_norm(nn.Linear(width, 1, bias=head_bias))

    def forward(self, images):
        return self.head(F.relu(self.blocks(images)).float().sum((2, 3)))


class ToImages(nn.Module):
    """Batch norm, ReLU, 3x3 convolution, tanh."""

    def __init__(self, width, channels=3):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(width), nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x):
        return torch.tanh(self.conv(F.relu(self.norm(x))).float())


def first_maps(features, channels, size):
    """[N, channels * size^2] -> [N, channels, size, size], channels last in memory."""
    return features.view(-1, channels, size, size).contiguous(memory_format=LAST)


class Rival:
    """A GAN that trains as one writes it in PyTorch: each update of D, one of G; gradients of what is updated alone.

    Args:
        networks: (generator, discriminator), modules.
        batch_size, image_shape: of the real images, (channels, side, side), uniform noise.
        losses: (of real and fake logits, of fake logits).
        adam: (learning rate, (beta 1, beta 2)), for both, or a pair of such.
        precision: `float32`, `tf32` or `bfloat16`, which is autocast.
        decay: of the moving average of the generator; None keeps none.
    """

    latent_dim = 128

    def __init__(self, networks, batch_size, image_shape, losses, adam, precision, decay=None):
        self.generator, self.discriminator = (n.to(memory_format=LAST).train() for n in networks)
        self.batch_size, self.losses, self.precision, self.decay = batch_size, losses, precision, decay
        self.real = torch.rand(batch_size, *image_shape).mul(2).sub(1).contiguous(memory_format=LAST)
        adam = adam if isinstance(adam[0], tuple) else (adam, adam)
        self.optimizers = [optimizer(n, a) for n, a in zip(networks, adam, strict=True)]
        self.average = None if decay is None else copy.deepcopy(self.generator)

    def cast(self):
        """Autocast, or nothing in float32."""
        device = self.real.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.precision == "bfloat16")

    def latents(self, count):
        return torch.randn(count, self.latent_dim)

    def images(self, latents):
        return self.generator(latents)

    def update(self):
        """One update of D, one of G, and of the average."""
        self.discriminator_step()
        self.generator_step()
        if self.average is not None:
            self.move_average()

    def discriminator_step(self):
        with self.cast():
            with torch.no_grad():
                fake = self.images(self.latents(self.batch_size))
            loss = self.losses[0](self.discriminator(self.real), self.discriminator(fake))
        self.move(1, loss)

    def generator_step(self):
        with self.cast():
            loss = self.losses[1](self.discriminator(self.images(self.latents(self.batch_size))))
        self.move(0, loss)

    def move(self, which, loss):
        """A step of an optimizer, 0 of G and 1 of D, by the gradients of what it moves."""
        descend(self.optimizers[which], loss)

    @torch.no_grad()
    def move_average(self):
        for old, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            old.lerp_(new, 1.0 - self.decay)
        for old, new in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            old.copy_(new)


def optimizer(network, adam):
    """PyTorch's fastest Adam."""
    return torch.optim.Adam(network.parameters(), lr=adam[0], betas=adam[1], fused=True)


def descend(own, loss):
    """A step of an optimizer by the gradients of a loss by what the optimizer moves."""
    weights = own.param_groups[0]["params"]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        if weight.is_cuda and gradient is not None and gradient.stride() != weight.stride():
            # As `backward` does it: the fused Adam of GPUs refuses another order in memory.
            gradient = torch.empty_like(weight).copy_(gradient)
        weight.grad = gradient
    own.step()


@contextlib.contextmanager
def frozen(network):
    """Inside it spectral vectors stay as they are; the networks that it is for have no batch norms."""
    network.eval()
    try:
        yield
    finally:
        network.train()


def hinge_discriminator(real, fake):
    return F.relu(1.0 - real.float()).mean() + F.relu(1.0 + fake.float()).mean()


def hinge_generator(fake):
    return -fake.float().mean()


def non_saturating_discriminator(real, fake):
    return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


def non_saturating_generator(fake):
    return F.softplus(-fake.float()).mean()


HINGE = hinge_discriminator, hinge_generator
NON_SATURATING = non_saturating_discriminator, non_saturating_generator
