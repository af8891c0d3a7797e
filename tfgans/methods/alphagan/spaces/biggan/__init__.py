"""AlphaGAN's space of BigGAN's blocks."""
