"""AlphaGAN's space of AutoGAN's cells (Tian et al., 2021, section 4)."""
