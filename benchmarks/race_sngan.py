"""SNGAN in PyTorch, for `race_torch.py` (Miyato et al., 2018): residual networks, spectral norm, hinge loss."""

from race_parts import HINGE, ResidualDiscriminator, Rival, ToImages, UpBlock, first_maps
from torch import nn


class Generator(nn.Module):
    """Dense to 4x4, three blocks that double the map; norm, ReLU, convolution, tanh."""

    def __init__(self, width=256, latent_dim=128):
        super().__init__()
        self.width, self.dense = width, nn.Linear(latent_dim, 16 * width)
        self.blocks = nn.Sequential(*(UpBlock(width, width) for _ in range(3)))
        self.to_images = ToImages(width)

    def forward(self, latents):
        return self.to_images(self.blocks(first_maps(self.dense(latents), self.width, 4)))


def make(batch_size, precision):
    networks = Generator(), ResidualDiscriminator(128, head_bias=True)
    return Rival(networks, batch_size, (3, 32, 32), HINGE, (2e-4, (0.0, 0.9)), precision)
