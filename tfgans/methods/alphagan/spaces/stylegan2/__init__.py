"""AlphaGAN on StyleGAN2: which convolutions it has, and which of the mapping's outputs feeds each."""
