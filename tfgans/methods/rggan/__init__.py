"""RG-GAN (AAAI 2024): weights below learned thresholds are masked, and come back as they were."""
