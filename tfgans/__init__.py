"""Training GANs better, with TensorFlow and Keras 3.

The names below are imported when first used: importing `tfgans` alone does not load TensorFlow. Keras then finds
every layer of tfgans in the files it opens.
"""

import importlib

from tfgans import keras_lookup

_HOMES = {
    "ADAGAN": "tfgans.methods.augmented",
    "AdaptGAN": "tfgans.methods.adapt.model",
    "AdversarialNASGAN": "tfgans.methods.adversarialnas",
    "AdvAsGAN": "tfgans.methods.advas",
    "AlphaGAN": "tfgans.methods.alphagan.model",
    "APAGAN": "tfgans.methods.augmented",
    "AugmentPipe": "tfgans.augment.pipe",
    "BEGAN": "tfgans.methods.began",
    "ConfigError": "tfgans.config",
    "configurable": "tfgans.config",
    "ConsistencyGAN": "tfgans.methods.consistency",
    "ContrastiveGAN": "tfgans.methods.contrastive",
    "Dataset": "tfgans.data",
    "Evaluator": "tfgans.evaluate.evaluator",
    "GAN": "tfgans.gan",
    "compose": "tfgans.methods",
    "DiffAugmentGAN": "tfgans.methods.augmented",
    "FastGAN": "tfgans.methods.fastgan",
    "FreezeDGAN": "tfgans.methods.freezed",
    "GradientPenaltyGAN": "tfgans.methods.regularized",
    "LatentConsistencyGAN": "tfgans.methods.latent_consistency",
    "LeCamPenaltyGAN": "tfgans.methods.lecam_penalty",
    "MultiHingeGAN": "tfgans.methods.multi_hinge",
    "OctaveGAN": "tfgans.methods.octave.model",
    "OrthogonalGAN": "tfgans.methods.orthogonal",
    "PathLengthGAN": "tfgans.methods.style",
    "ProgressiveGAN": "tfgans.methods.progressive",
    "R1GAN": "tfgans.methods.regularized",
    "R3GAN": "tfgans.methods.r3gan.model",
    "RandomSearchGAN": "tfgans.methods.alphagan.random_search",
    "ReGAN": "tfgans.methods.regan.model",
    "RGGAN": "tfgans.methods.rggan.model",
    "RobGAN": "tfgans.methods.robgan",
    "SelfSupervisedGAN": "tfgans.methods.self_supervised",
    "StyleMixingGAN": "tfgans.methods.style",
    "TicketGAN": "tfgans.methods.tickets",
    "TopKGAN": "tfgans.methods.top_k",
    "to_octave": "tfgans.methods.octave.convert",
    "WeightClippedGAN": "tfgans.methods.regularized",
    "losses": "tfgans",
    "penalties": "tfgans",
    "layers": "tfgans",
    "networks": "tfgans",
    "schedules": "tfgans",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'tfgans' has no attribute '{name}'")
    from tfgans import environment

    environment.check()  # before Keras is imported
    home = _HOMES[name]
    if home == "tfgans":
        return importlib.import_module(f"tfgans.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__():
    return __all__


keras_lookup.install()
