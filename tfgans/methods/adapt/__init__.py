"""ADAPT (NeurIPS 2023): sparse from the first step; masks move, and the discriminator's density keeps a balance."""
