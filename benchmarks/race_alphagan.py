"""AlphaGAN's search in PyTorch, for `race_torch.py` (Tian et al., 2021): the supernet, one outer step of Algorithm 1.

The arithmetic is that of ours: operations share their ReLU, and plain convolutions are run as one with the weighted
sum of their kernels.
"""

import torch
from race_parts import HINGE, ResidualDiscriminator, Rival, ToImages, descend, first_maps, frozen, optimizer
from torch import nn
from torch.nn import functional as F

WIDTH, STEPS = 64, 2
ARCHITECTURE = {"rate": 3e-4, "betas": (0.5, 0.999), "decay": 1e-3}
# (group, its row, from, to, factor) of every edge; a place is (cell, node), and (cell - 1, 4) a cell's input.
EDGES = [
    edge
    for cell in (1, 2, 3)
    for edge in (
        (f"up_{cell}", 0, (cell - 1, 4), (cell, 1), 2),
        (f"normal_{cell}", 0, (cell, 1), (cell, 2), 1),
        (f"normal_{cell}", 1, (cell, 2), (cell, 4), 1),
        (f"up_{cell}", 1, (cell - 1, 4), (cell, 3), 2),
        (f"normal_{cell}", 2, (cell, 3), (cell, 4), 1),
        *((f"skip_{cell}", row, (row + 1, 1), (cell, 4), 2 ** (cell - row - 1)) for row in range(cell - 1)),
    )
]


class Separable(nn.Module):
    """Twice ReLU (the first one is done), depthwise and 1x1 convolution, norm without weights."""

    def __init__(self, width, side):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, side, padding=side // 2, groups=width, bias=False),
                nn.Conv2d(width, width, 1, bias=False),
                nn.BatchNorm2d(width, affine=False),
            )
            for _ in range(2)
        )

    def forward(self, activated):
        return self.stages[1](F.relu(self.stages[0](activated)))


class NormalEdge(nn.Module):
    """The weighted sum of convolutions of 1, 3 and 5 and of separable ones of 3, 5 and 7 pixels a side."""

    def __init__(self, width):
        super().__init__()
        self.plain = nn.ModuleList(nn.Conv2d(width, width, k, padding=k // 2) for k in (1, 3, 5))
        self.separable = nn.ModuleList(Separable(width, k) for k in (3, 5, 7))

    def forward(self, x, weights):
        activated, weights = F.relu(x), weights.unbind()
        pairs = list(zip(weights[:3], self.plain, strict=True))
        kernel = sum(w * F.pad(c.weight, 4 * [2 - c.padding[0]]) for w, c in pairs)
        total = F.conv2d(activated, kernel, sum(w * c.bias for w, c in pairs), padding=2).float()
        for weight, operation in zip(weights[3:], self.separable, strict=True):
            total = total + weight * operation(activated)
        return total


class UpEdge(nn.Module):
    """The weighted sum of a transposed convolution, repeated pixels and bilinear interpolation, by 2 or 4."""

    def __init__(self, width, factor):
        super().__init__()
        self.factor, self.deconv = factor, nn.ConvTranspose2d(width, width, 2, stride=2)

    def forward(self, x, weights):
        deconv = bilinear = x
        for _ in range(self.factor // 2):
            deconv = self.deconv(deconv)
            bilinear = F.interpolate(bilinear, scale_factor=2, mode="bilinear", align_corners=False)
        nearest = F.interpolate(x, scale_factor=self.factor)
        return weights[0] * deconv + weights[1] * nearest + weights[2] * bilinear


class Supernet(nn.Module):
    """The generator, whose edges mix all operations by the softmax of `architecture`, which is no parameter of it."""

    def __init__(self, width=WIDTH):
        super().__init__()
        self.width, self.dense, self.to_images = width, nn.Linear(128, 16 * width), ToImages(width)
        self.edges = nn.ModuleList(
            NormalEdge(width) if edge[4] == 1 else UpEdge(width, edge[4]) for edge in EDGES
        )
        rows = {}
        for group, row, *_, factor in EDGES:
            rows[group] = row + 1, 6 if factor == 1 else 3
        starts = {name: 1e-3 * torch.randn(*shape) for name, shape in rows.items()}
        self.architecture = {name: start.requires_grad_() for name, start in starts.items()}

    def forward(self, latents):
        mixing = {name: alpha.softmax(1) for name, alpha in self.architecture.items()}
        nodes = {(0, 4): first_maps(self.dense(latents), self.width, 4)}
        for (group, row, source, target, _), edge in zip(EDGES, self.edges, strict=True):
            value = edge(nodes[source], mixing[group][row])
            nodes[target] = nodes[target] + value if target in nodes else value
        return self.to_images(nodes[3, 4])


class AlphaGAN(Rival):
    """An update is an outer step: weights of both, test weights of both, architecture, the gap measured once."""

    def __init__(self, networks, *arguments, **options):
        super().__init__(networks, *arguments, **options)
        self.test = Supernet().to(memory_format=torch.channels_last).train()
        self.test_discriminator = make_discriminator().to(memory_format=torch.channels_last).train()
        self.alpha = torch.optim.Adam(
            self.generator.architecture.values(),
            lr=ARCHITECTURE["rate"],
            betas=ARCHITECTURE["betas"],
            weight_decay=ARCHITECTURE["decay"],
            fused=True,
        )

    def update(self):
        for _ in range(STEPS):
            self.discriminator_step()
            self.weights_step(self.generator, self.discriminator, self.optimizers[0])
        test_optimizers = self.copy()
        for _ in range(STEPS):
            descend(test_optimizers[1], self.adversarial(self.generator, self.test_discriminator))
        for _ in range(STEPS):
            self.weights_step(self.test, self.discriminator, test_optimizers[0])
        for _ in range(STEPS):
            self.architecture_step()
        self.measure()

    def copy(self):
        """The test networks become the others; returns new optimizers of them."""
        self.test.load_state_dict(self.generator.state_dict())
        self.test_discriminator.load_state_dict(self.discriminator.state_dict())
        for name, alpha in self.generator.architecture.items():
            self.test.architecture[name] = alpha.detach().clone()
        return [optimizer(n, (2e-4, (0.0, 0.999))) for n in (self.test, self.test_discriminator)]

    def fakes(self, generator):
        with torch.no_grad():
            return generator(self.latents(self.batch_size))

    def adversarial(self, generator, discriminator):
        """A discriminator's loss on real images and those of a generator."""
        with self.cast():
            fake = self.fakes(generator)
            return self.losses[0](discriminator(self.real), discriminator(fake))

    def weights_step(self, generator, discriminator, own):
        """One update of a generator's weights; the discriminator's spectral vectors stay."""
        with self.cast(), frozen(discriminator):
            loss = self.losses[1](discriminator(generator(self.latents(self.batch_size))))
        descend(own, loss)

    def architecture_step(self):
        with self.cast():
            logits = self.test_discriminator(self.generator(self.latents(self.batch_size)))
        descend(self.alpha, -F.relu(1.0 + logits.float()).mean())

    @torch.no_grad()
    def measure(self):
        """The duality gap on one batch."""
        with frozen(self.discriminator), frozen(self.test_discriminator):
            own = self.adversarial(self.generator, self.test_discriminator)
            return self.adversarial(self.test, self.discriminator) - own


def make_discriminator():
    return ResidualDiscriminator(WIDTH, head_bias=False)


def make(batch_size, precision):
    networks = Supernet(), make_discriminator()
    return AlphaGAN(networks, batch_size, (3, 32, 32), HINGE, (2e-4, (0.0, 0.999)), precision)
