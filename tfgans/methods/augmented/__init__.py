"""Augmentations of the discriminator's input for small data sets: DiffAugment, ADA and APA."""

from tfgans.methods.augmented.ada import ADAGAN
from tfgans.methods.augmented.apa import APAGAN
from tfgans.methods.augmented.diffaugment import DiffAugmentGAN

__all__ = ["ADAGAN", "APAGAN", "DiffAugmentGAN"]
