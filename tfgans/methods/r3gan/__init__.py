"""R3GAN (Huang, Gokaslan, Kuleshov, Tompkin 2024): penalties at real images and fakes, and settings that move."""
