"""AutoGAN-A with AdvAs in PyTorch, for `race_torch.py` (Gong et al., 2019; Munk et al., 2020)."""

import torch
from race_parts import HINGE, ResidualDiscriminator, Rival, ToImages, first_maps, frozen
from torch import nn
from torch.nn import functional as F

ADVAS_WEIGHT = 0.01


class Cell(nn.Module):
    """ReLU, doubling, convolution, plus what earlier cells hand on; ReLU, convolution, plus a shortcut.

    Args: taps: how many earlier cells hand on.
    """

    def __init__(self, width, taps, mode, has_shortcut):
        super().__init__()
        self.mode = mode
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.skips = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(taps))
        self.shortcut = nn.Conv2d(width, width, 1) if has_shortcut else None

    def forward(self, x, taps):
        y = self.conv1(self.doubled(F.relu(x), 2 * x.shape[2]))
        for skip, tap in zip(self.skips, taps, strict=True):
            y = y + skip(self.doubled(tap, y.shape[2]))
        taps = [*taps, y]
        y = self.conv2(F.relu(y))
        return (y if self.shortcut is None else y + self.shortcut(self.doubled(x, y.shape[2]))), taps

    def doubled(self, x, side):
        options = {"align_corners": False} if self.mode == "bilinear" else {}
        return F.interpolate(x, size=(side, side), mode=self.mode, **options)


class Generator(nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.width, self.dense = width, nn.Linear(128, 16 * width)
        kinds = [("nearest", True), ("bilinear", True), ("nearest", False)]
        self.cells = nn.ModuleList(Cell(width, taps, *kind) for taps, kind in enumerate(kinds))
        self.to_images = ToImages(width)

    def forward(self, latents):
        x, taps = first_maps(self.dense(latents), self.width, 4), []
        for cell in self.cells:
            x, taps = cell(x, taps)
        return self.to_images(x)


class AdvAs(Rival):
    """The generator's loss has the squared norm of the gradient of D's loss, without the hinge's truncation."""

    def generator_step(self):
        with self.cast():
            fake = self.discriminator(self.images(self.latents(self.batch_size)))
            with frozen(self.discriminator):
                real = self.discriminator(self.real)
            loss = (1.0 - real).mean() + (1.0 + fake).mean()
        gradients = torch.autograd.grad(loss, list(self.discriminator.parameters()), create_graph=True)
        r = sum(gradient.square().sum() for gradient in gradients)
        self.move(0, self.losses[1](fake) + ADVAS_WEIGHT * r)


def make(batch_size, precision):
    networks = Generator(), ResidualDiscriminator(128, head_bias=False)
    adam = 2e-4, (0.0, 0.9)
    return AdvAs(networks, batch_size, (3, 32, 32), HINGE, adam, precision, decay=0.999)
