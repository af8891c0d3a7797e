"""AlphaGAN: architectures of generators found by the duality gap (Tian et al., 2021)."""
