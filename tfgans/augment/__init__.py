"""Differentiable augmentations of what a discriminator sees: pure functions of images and of random numbers."""
