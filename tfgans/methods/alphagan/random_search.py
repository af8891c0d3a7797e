"""Random search: a supernet trained with architectures drawn at random, of which the best of many is kept."""

import math

import tensorflow as tf

from tfgans import philox
from tfgans.config import ConfigError, Count, Seed, configurable
from tfgans.gan import GAN


@configurable
class RandomSearchGAN(GAN):
    """Trains a supernet, one architecture drawn uniformly for each of its batches (AlphaGAN's baseline).

    At the end of a search `num_candidates` architectures are drawn and evaluated with the supernet's weights, and
    the best is kept (`final_genotype`). The authors' script for it does not run; it means to weigh operations by
    softmax(one-hot), 0.35 for the chosen one of six: here it has all the weight.

    Cost: that of training the supernet, all of whose operations are computed.

    Args:
        num_candidates: architectures that are evaluated at the end.
        candidate_seed: of their drawing.
    Raises: ConfigError if the number is below 1 or the generator is no supernet.
    """

    shown_mixing = None  # of the candidate that images outside training are of

    def __init__(
        self, generator, discriminator, num_candidates: Count = 200, candidate_seed: Seed = 0, **kwargs
    ):
        if not hasattr(generator, "architecture_variables"):
            raise ConfigError(
                "RandomSearchGAN needs a generator that is a supernet: include "
                "'gin_configs/networks/alphagan_supernet.gin'"
            )
        super().__init__(generator, discriminator, **kwargs)
        self.num_candidates, self.candidate_seed = num_candidates, candidate_seed

    def draw_latents(self, count, again=False):
        latents = super().draw_latents(count, again)
        for index, variable in enumerate(self.generator.architecture_variables):
            edges, operations = variable.shape
            chosen = philox.uniform([edges], self.stream(f"random_search/{index}"), operations, tf.int32)
            latents[f"random_architecture/{index}"] = tf.one_hot(chosen, operations)
        return latents

    def shared_entries(self):
        return (*super().shared_entries(), "random_architecture")

    def call_options(self, network, batch):
        options = super().call_options(network, batch)
        if network is self.discriminator:
            return options
        names = [f"random_architecture/{i}" for i in range(len(self.generator.architecture_variables))]
        mixing = [batch[name] for name in names] if names[0] in batch else self.shown_mixing
        return options if mixing is None else options | {"mixing": mixing}

    def candidates(self):
        """The genotypes that `final_genotype` chooses from, always the same."""
        seeds = [(self.candidate_seed, index) for index in range(self.num_candidates)]
        return [self.generator.random_genotype(seed) for seed in seeds]

    def final_genotype(self, score):
        """The best of the candidates, the first of equals, and the scores of all.

        Args:
            score: function of `generate(count)` -> number, of which less is better; nan or infinity if it has none.
        Raises: ConfigError if none of them has a finite score.
        """
        candidates, scores = self.candidates(), []
        try:
            for candidate in candidates:
                self.shown_mixing, self._renderers = self.generator.mixing_of(candidate), {}
                scores.append(score(self.stream_of(self.seed)))
        finally:
            self.shown_mixing, self._renderers = None, {}
        known = [index for index in range(len(scores)) if math.isfinite(scores[index])]
        if not known:
            raise ConfigError(
                f"RandomSearchGAN: none of the {len(scores)} candidates has a finite score (a search scores by "
                "train.best_metric), so none is the best"
            )
        best = min(known, key=lambda index: scores[index])
        return candidates[best], scores
