"""Discriminator-driven latent sampling: latents moved to where the discriminator finds their images real."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfgans import philox
from tfgans.config import ConfigError, Natural, Positive
from tfgans.gan.codes import BLOCK, rows_at
from tfgans.gan.generation import seed_of_class


def driven(gan, codes, steps, rate=0.01, seed=0, done=lambda: None):
    """Codes in z after steps of Langevin dynamics, without their seeds (DDLS; Che et al. 2020).

    The energy is E(z) = |z|^2 / 2 - D(G(z)), of the generator that is shown and of the discriminator's logit, both in
    inference mode; a step is z - rate / 2 * dE/dz + sqrt(rate) * n with standard normal n. It is a density of real
    over fake only where the logit is, that is with the non-saturating and minimax losses; with others, such as hinge,
    it still goes uphill. Noise is a function of (seed, picture's number, step), so a picture is the same alone, to
    rounding; a discriminator that mixes its samples sees 64 at a time.

    Cost of a step: a forward and a backward of both networks.

    Args:
        codes: `Codes` in z, with a class each, if any. steps: at least 0; 0 leaves them as they are.
        rate: above 0; the authors have 0.01 and 1000 steps on CIFAR-10.
        done: called after each step of each 64 pictures.
    Raises: ConfigError for codes in w or of mixed classes, for other steps and rates, and where no discriminator was
        trained.
    """
    Natural.check("langevin_steps", steps)
    Positive.check("langevin_rate", rate)
    if not steps:
        return codes
    if gan.discriminator_is_untrained:
        raise ConfigError("Langevin steps (--langevin_steps) ask a trained discriminator, and there is none")
    if codes.space != "z" or (codes.labels is not None and codes.labels.ndim != 1):
        raise ConfigError(
            "Langevin steps (--langevin_steps) move latents of one class each, and no styles (a psi, --style_layer)"
        )
    seeds = np.arange(len(codes)) if codes.seeds is None else codes.seeds
    parts = []
    with gan.shown() as generator:
        step = gan._compiled(_stepper, generator)
        for first in range(0, len(codes), BLOCK):
            index = np.minimum(first + np.arange(BLOCK), len(codes) - 1)  # of one size, the last filled up
            labels = None if codes.labels is None else tf.constant(codes.labels[index], tf.int32)
            latents = tf.constant(codes.values[index], tf.float32)
            for number in range(steps):
                noise = tf.constant(_noise(gan, seeds[index], number, seed))
                latents = step(latents, labels, noise, tf.constant(rate, tf.float32))
                done()
            parts.append(latents.numpy()[: len(codes) - first])
    return dataclasses.replace(codes, values=np.concatenate(parts), seeds=None)


def stream_of(gan, seed, steps, rate=0.01, labels=None, done=lambda: None):
    """`generate(count)` as `GAN.stream_of`, of the same latents, `driven`.

    They are moved 64 at a time, from the stream's beginning, however many are asked for at once, so that image k is
    that of `driven(gan, gan.codes_at([k], seed=seed), steps, rate, seed)`.
    """
    position, kept = 0, []

    def generate(count):
        nonlocal position, kept
        while len(kept) < count:
            codes = gan.codes_at(np.arange(position, position + BLOCK), labels, seed)
            images = gan.show(driven(gan, codes, steps, rate, seed, done), batch_size=BLOCK)
            kept, position = np.concatenate([kept, images]) if len(kept) else images, position + BLOCK
        images, kept = kept[:count], kept[count:]
        return images

    return generate


def streams_of_classes(gan, seed, steps, rate=0.01):
    """`of_class(label)` as `GAN.streams_of_classes`, of the same latents, `driven`; None without classes."""

    def of_class(label):
        return stream_of(gan, seed_of_class(seed, label), steps, rate, [label])

    return of_class if gan.num_classes else None


def _stepper(gan, generator):
    """A function (latents, labels, noise, rate) -> latents one step on."""

    def step(latents, labels, noise, rate):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(latents)
            fake = {"latents": latents, "labels": labels}
            images = gan.synthesize(fake, generator=generator)
            logits = tf.cast(gan.discriminate(fake | {"images": images})["adversarial"], tf.float32)
            energy = 0.5 * tf.reduce_sum(tf.square(latents)) - tf.reduce_sum(logits)
        return latents - 0.5 * rate * tape.gradient(energy, latents) + tf.sqrt(rate) * noise

    return step


def _noise(gan, seeds, number, seed):
    """Standard normal numbers [n, latent_dim] of pictures by their numbers, at one step."""
    draw = lambda key: philox.normal([BLOCK, gan.latent_dim], key)  # noqa: E731
    return rows_at(seeds, lambda start: gan._at(start, BLOCK, draw, seed, f"langevin/{number}"))
