"""Re-GAN (Saxena, Cao, Xu, Kulshrestha 2023): masks, phases and the model that prunes and grows while it trains."""
