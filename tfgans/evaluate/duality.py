"""The duality gap: how far the networks of a GAN are from an equilibrium.

Grnarova, Levy, Lucchi, Perraudin, Goodfellow, Hofmann, Krause, "A domain agnostic measure for monitoring and
evaluating GANs", 2019; with a GAN's own losses and a fixed number of updates, as AlphaGAN takes it (Tian et al.).
"""

import contextlib
import random

import keras
import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError, Count, Seed, check_count, configurable
from tfgans.data.labels import count_labels
from tfgans.evaluate.metrics import GAP_COUNTS, unusual
from tfgans.layers import copies

GAP_VALUES = ("duality_gap", "duality_minmax", "duality_maxmin")


@configurable
class DualityGap:
    """Measures the gap of a pair of networks (G, D); call it with a model and a dataset.

    gap = M(G, D_worst) - M(G_worst, D), where M(G, D) is minus the model's discriminator loss: the value of the game,
    which D makes large and G small. D_worst and G_worst are copies of D and G after `steps` updates against the other
    network of the pair, which stays as it is, by the losses the model trains with (penalties in them too), with new
    optimizers of the model's settings. The gap is 0 at an equilibrium and positive elsewhere, up to what a limited
    number of updates and of images leaves out. It needs no features, so it is there for any data.

    The copies learn from images of the training split, and M is a mean over images of the reference split that they
    have not learnt from. Where both splits are one (their first images are the same), half of it, at most
    `num_samples` images, is kept apart for M; mirror images (`Dataset.evaluation_flip`) are then left out. Both
    values of M are of the same images, latents and labels.

    It measures the pair that trains, not its average. Everything is done as the method trains: in training mode, that
    is with the batch's statistics, with the augmentations of its images, the limits on its weights and the masks of
    its last step. The learning rates are those the optimizers began with if `build.learning_rate_schedule` moves them
    (at its end they may be 0), else the present ones. Departures from Grnarova et al.: updates that a method makes
    besides those of its losses (adversarial training, AdvAs, lazy regularization) are left out; the last networks
    count, not the worst ones on the way. Nothing of the model or of any random stream changes. The same seed
    gives the same numbers.

    Cost: `steps` updates of each network, a pass of M's images through either pair, and memory for one more pair with
    its optimizers and for up to `steps * batch_size + num_samples` images as they are read.

    Args:
        steps: updates of each copy, at least 1.
        batch_size: images and latents of an update, and of a term of M's mean; at least 1.
        num_samples: images and latents in M, at least `batch_size`; rounded down to whole batches. Of a
            smaller reference split, all.
        seed: of latents and of the order of images, at least 0.
    Raises: ConfigError for values out of range.
    """

    def __init__(
        self,
        steps: Count = GAP_COUNTS["duality_steps"],
        batch_size: Count = GAP_COUNTS["duality_batch_size"],
        num_samples: Count = GAP_COUNTS["duality_samples"],
        seed: Seed = 0,
    ):
        check_count("DualityGap.num_samples", num_samples, least=batch_size)
        self.steps, self.batch_size, self.num_samples, self.seed = steps, batch_size, num_samples, seed

    def check(self, model, dataset):
        """Raises ConfigError, before any training, if the gap of this model on these data cannot be measured."""
        _check_model(model)
        self._counts(dataset)
        if model.num_classes and hasattr(dataset, "reference_labels"):
            dataset.reference_labels()  # names what is no class of those trained on
        for split in (dataset.split, None):
            _check_labels(model, next(iter(dataset.reference(split, batch_size=32)))[1])
        for network in (model.generator, model.discriminator):
            _copy_of(network)

    def __call__(self, model, dataset, interrupt=lambda: None):
        """Measures.

        Args:
            model: a compiled GAN, on one device, with one optimizer for each network.
            dataset: has `split`, `reference(split, limit, batch_size)` and `reference_size(split)`, see `Dataset`.
            interrupt: called before each update; what it raises ends the measurement.
        Returns: {"duality_gap", "duality_minmax": M(G, D_worst), "duality_maxmin": M(G_worst, D)}, floats, or None
            for those that are not finite.
        Raises: ConfigError as `check` does.
        """
        _check_model(model)
        learn, held_out = self._images(dataset)
        for _, labels in (learn, held_out):
            _check_labels(model, labels)
        # As in training: else reads of weights may overtake the updates before them (seen in TensorFlow 2.21).
        tf.config.optimizer.set_experimental_options({"dependency_optimization": False})
        values = [self._value(model, kind, learn, held_out, interrupt) for kind in (_learning_d, _learning_g)]
        found = zip(GAP_VALUES, (values[0] - values[1], *values), strict=True)
        return {name: value if np.isfinite(value) else None for name, value in found}

    def counts(self):
        """Of how many updates and samples the gap is, where that is not the usual: an entry of `GAP_COUNTS` each."""
        return unusual(dict(zip(GAP_COUNTS, (self.steps, self.batch_size, self.num_samples), strict=True)))

    def _value(self, model, learning, learn, held_out, interrupt):
        """M after one network of a copy of the pair has learnt."""
        with as_game(model) as game:
            learn_from = tf.function(learning(game), autograph=False)
            value_of = tf.function(_value_of_game(game), autograph=False)
            random_numbers = np.random.default_rng(self.seed)
            to_learn, to_measure = random_numbers.integers(2**61, 2**62, 2)  # where no training run comes to
            game.draws.assign(to_learn)
            batches = self._shuffled(*learn, random_numbers)
            for _ in range(self.steps):
                interrupt()
                learn_from(*next(batches))
            game.draws.assign(to_measure)
            values = [value_of(*batch).numpy() for batch in self._in_order(*held_out)]
        return float(np.mean(values, dtype="float64"))

    def _counts(self, dataset):
        """`(one_split, images to learn from, images held out)`."""
        ours, theirs = dataset.reference_size(dataset.split), dataset.reference_size()
        first = [next(iter(dataset.reference(split, batch_size=32)))[0] for split in (dataset.split, None)]
        one_split = np.array_equal(*first)
        held_out = min(self.num_samples, ours // 2 if one_split else theirs)
        learn = min(self.steps * self.batch_size, ours - held_out if one_split else ours)
        if min(learn, held_out) < self.batch_size:
            raise ConfigError(
                f"DualityGap.batch_size = {self.batch_size} is more than the {learn} images to learn from or the "
                f"{held_out} to measure with"
            )
        return one_split, learn, held_out

    def _images(self, dataset):
        """`((images, labels) to learn from, (images, labels) held out)`: disjoint; labels may be None."""
        one_split, learn, held_out = self._counts(dataset)
        if not one_split:
            return _read(dataset.reference(dataset.split, limit=learn)), _read(
                dataset.reference(limit=held_out)
            )
        # as it is trained on: the mirror image of one that is learnt from may be in the other's reference
        images, labels = _read(dataset.reference(dataset.split, limit=learn + held_out))
        order = np.random.default_rng(self.seed).permutation(len(images))
        parts = order[held_out:], order[:held_out]
        return tuple((images[part], None if labels is None else labels[part]) for part in parts)

    def _shuffled(self, images, labels, random_numbers):
        """Batches without end, in a new order each time round."""
        while True:
            order = random_numbers.permutation(len(images))
            yield from self._in_order(images[order], None if labels is None else labels[order])

    def _in_order(self, images, labels):
        for start in range(0, len(images) - self.batch_size + 1, self.batch_size):
            part = slice(start, start + self.batch_size)
            yield tf.constant(images[part]), None if labels is None else tf.constant(labels[part])


class WithDualityGap:
    """An evaluator whose metrics are followed by the duality gap of a model.

    Args:
        evaluator: an `Evaluator`.
        duality_gap, model, interrupt: see `DualityGap`.
    """

    def __init__(self, evaluator, duality_gap, model, interrupt=lambda: None):
        self.evaluator, self.duality_gap = evaluator, duality_gap
        self.model, self.interrupt = model, interrupt

    def __call__(self, generate, dataset, of_class=None, paths=None, evidence=None):
        """As `Evaluator` does, followed by the gap and `DualityGap.counts`."""
        found = self.evaluator(generate, dataset, of_class, paths, evidence)
        return found | self.duality_gap(self.model, dataset, self.interrupt) | self.duality_gap.counts()

    def values(self, dataset=None, model=None):
        """As `Evaluator.values`, and the gap's."""
        return [*self.evaluator.values(dataset, model), *GAP_VALUES]

    def __getattr__(self, name):
        """All else is the evaluator's."""
        return getattr(self.evaluator, name)


def _check_model(model):
    replicas = model.distribute_strategy.num_replicas_in_sync
    if replicas > 1:
        raise ConfigError(
            f"DualityGap is for one device, not {replicas} replicas: measure it after training, with "
            "evaluate --duality_gap"
        )
    names = sorted(model.optimizers())
    if names != ["discriminator", "generator"]:
        raise ConfigError(
            f"DualityGap is for one optimizer a network; {type(model).__name__} has {', '.join(names)}"
        )


def _check_labels(model, labels):
    """Raises ConfigError for labels that a conditional model does not have, such as -1 of a split without labels."""
    if model.num_classes and labels is not None:
        count_labels(labels, model.num_classes)


def _copy_of(network):
    """A network with weights, statistics and seeds of its own, equal to those of another."""
    state = random.getstate()
    try:
        copy = copies.clone(network, f"DualityGap cannot copy {network.name}")
    finally:
        random.setstate(state)  # Keras draws the seeds of new layers from it
    for new, old in zip(copy.variables, network.variables, strict=True):
        new.assign(tf.convert_to_tensor(old.value))
    return copy


@contextlib.contextmanager
def as_game(model):
    """Inside, the model plays with copies of its networks and fresh optimizers; then it has its own again.

    So its methods do with the copies what they do with the networks in training. The attributes are set past Keras,
    which would take note of the copies among the model's weights.
    """
    networks = {"generator": _copy_of(model.generator), "discriminator": _copy_of(model.discriminator)}
    # the present rates, but for those that a schedule moves
    rates = {name: model.initial_rates[name] for name in model.learning_rate_factors()}
    fresh = {
        name: _fresh(optimizer, rates.get(name), networks[name])
        for name, optimizer in model.optimizers().items()
    }
    variant, extras = model.kind_of(max(int(model.step.numpy()) - 1, 0))
    others = networks | dict(
        optimizer=fresh["generator"],
        discriminator_optimizer=fresh["discriminator"],
        ema_generator=None,
        draws=keras.Variable(0, dtype="int64", trainable=False, name="draws"),
        variant=variant,
        extras=extras,
        use_xla=False,
    )
    own = {name: vars(model)[name] for name in others if name in vars(model)}
    vars(model).update(others)
    try:
        yield model
    finally:
        for name in others.keys() - own.keys():
            del vars(model)[name]
        vars(model).update(own)


def _fresh(optimizer, rate, network):
    settings = optimizer.get_config() | ({} if rate is None else {"learning_rate": rate})
    fresh = type(optimizer).from_config(settings)
    fresh.build(network.trainable_variables)
    return fresh


def _learning_d(game):
    def update(images, labels):
        real, latents = _batches(game, images, labels)
        fake = latents | game.fake_images(latents)
        variables = game.discriminator.trainable_variables
        _, gradients = game.gradients_of(variables, lambda: game.discriminator_terms(real, fake))
        game.update_discriminator(gradients)

    return update


def _learning_g(game):
    def update(images, labels):
        real, latents = _batches(game, images, labels)
        variables = game.generator.trainable_variables
        _, gradients = game.gradients_of(variables, lambda: game.generator_terms(real, latents))
        game.update_generator(gradients)

    return update


def _value_of_game(game):
    def value(images, labels):
        real, latents = _batches(game, images, labels)
        fake = latents | game.fake_images(latents)
        outputs = (batch["outputs"]["adversarial"] for batch in game.with_outputs(real, fake))
        return -game.discriminator_loss(*outputs)

    return value


def _batches(game, images, labels):
    """A real batch as the model prepares its own, and as many latents."""
    data = {"images": images} | ({} if labels is None else {"labels": labels})
    whole_step = {  # the model takes the data of a step, which may be of several batches; one of them is used
        name: tf.broadcast_to(values, (game.batches_per_step, *values.shape)) for name, values in data.items()
    }
    return game.split_batch(whole_step)[0], game.draw_latents(images.shape[0])


def _read(batches):
    """The images and the labels, or None, of an iterator of batches."""
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)
