"""The base model: what every GAN does, and the hooks by which methods change it."""

from tfgans.gan.model import GAN, batch_size, takes_labels

__all__ = ["GAN", "batch_size", "takes_labels"]
