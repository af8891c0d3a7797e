"""From an image to the code of a generator's image that is most like it (Karras et al. 2020, appendix D).

Adam moves a code so that its image comes near in pixels and in the discriminator's features. The authors have LPIPS
on VGG16, a network that has to be fetched; the discriminator is there, and was trained on such images. As theirs are
the schedules, of a run of `steps` steps: the learning rate rises from 0 over the first twentieth and falls to 0 along
a cosine over the last quarter; noise on the code, in proportion to the spread of codes, falls quadratically to 0
over the first three quarters. The noise inputs of styled generators are moved, too, brought back to mean 0 and
variance 1 after each step, and kept free of structure.

Departures: latents (`z`) have no mean worth beginning at. They begin at the best of many that are drawn, several at a
time, of which the best goes on after a fifth of the steps; they are held back where they get longer than drawn ones.
"""

import dataclasses
import functools
import inspect

import numpy as np
import tensorflow as tf

from tfgans.config import ConfigError, Count, NotNegative, Positive, Seed, kinds_of
from tfgans.data.scaling import to_float
from tfgans.gan.codes import BLOCK, Codes
from tfgans.gan.descent import Descent
from tfgans.gan.driver import stream_hash
from tfgans.gan.perceptual import DiscriminatorDistance
from tfgans.gan.styles import style_layers

SPACES = ("w", "w_plus", "z")
_SCOUTING = 0.2  # share of the steps that several beginnings share
_SAMPLES, _OF_A_CLASS = 10_000, 16  # of w, for its mean and spread: in all, and at least of each class
_DRAWS_OF_A_CLASS = 4


@dataclasses.dataclass(frozen=True)
class ProjectionOptions:
    """How to project.

    Attributes:
        space: `w`, one style for all slots; `w_plus`, one for each; `z`, a latent; None: `w` where the generator has
            styles, else `z`.
        steps: updates of the code.
        learning_rate: of Adam at its highest.
        pixel_weight, feature_weight: of the mean squared difference of pixels in [-1, 1], and of the
            `DiscriminatorDistance`.
        noise: whether noise inputs are moved, too, where the generator has styles.
        noise_weight: of their regularisation.
        code_noise: of the noise on the code at the beginning, in spreads of codes.
        candidates: beginnings in `z`.
        draws: latents that they are chosen from.
        seed: of what is drawn.
    Raises: ConfigError if a value is not of its kind.
    """

    space: str | None = None
    steps: Count = 1000
    learning_rate: Positive = 0.1
    pixel_weight: NotNegative = 1.0
    feature_weight: NotNegative = 1.0
    noise: bool = True
    noise_weight: NotNegative = 1e5
    code_noise: NotNegative = 0.05
    candidates: Count = 8
    draws: Count = 512
    seed: Seed = 0

    def __post_init__(self):
        for name, kind in kinds_of(inspect.signature(type(self))).items():
            kind.check(f"ProjectionOptions.{name}", getattr(self, name))


@dataclasses.dataclass(frozen=True)
class Projected:
    """What became of an image.

    Attributes:
        codes: `Codes` of one picture.
        history: `Codes` on the way, with the noise of `codes`; the last one is `codes`.
        losses: {name: float} of its picture before rounding: `pixels`, the mean squared difference in [-1, 1],
            `features`, the `DiscriminatorDistance`, if it has layers, and `all`, both as they were weighed.
        label: of a model with classes, its class, which styles have in them.
    """

    codes: Codes
    history: Codes
    losses: dict
    label: int | None = None


class Projector:
    """Projects images onto the generator that a model shows.

    Args:
        model: a `GAN` of images.
        options: `ProjectionOptions`; None: all as they are.
        labels: classes, an index or name each, for images in turn; None: the class is found, too. It is that of the
            latent that goes on; in w that whose mean style's image comes nearest.
    Attributes: `space`, and `distance`, a `DiscriminatorDistance`.
    Raises: ConfigError, one line, if the generator has no such space, makes points or has no classes, or if nothing
        is compared.
    """

    def __init__(self, model, options=None, labels=None):
        self.model, self.options = model, options or ProjectionOptions()
        model.require_images("projection is")
        self.space = self.options.space or ("w" if model.style_slots else "z")
        if self.space not in SPACES:
            raise ConfigError(f"projection is into {', '.join(SPACES)}. Received: {self.space!r}")
        if self.space != "z":
            model.require_styles(f"projection into {self.space}")
        self.labels = None if labels is None else model.class_indices(labels)
        used = self.options.feature_weight > 0 and not model.discriminator_is_untrained
        self.distance = DiscriminatorDistance(model, used)
        if not self.options.pixel_weight and not self.distance.layers:
            what = (
                "no features are there to be compared"
                if self.options.feature_weight
                else "feature_weight, too"
            )
            raise ConfigError(f"projection has nothing to make small: pixel_weight is 0, and {what}")
        self._descents = {}

    @property
    def code_shape(self):
        """`(slots that are free, size)` of a code; of a latent `(1, latent_dim)`."""
        if self.space == "z":
            return 1, self.model.latent_dim
        slots = 1 if self.space == "w" else self.model.style_slots
        return slots, style_layers(self.model.generator)[0].style_dim

    def __call__(self, image, number=0, every=1, stepped=lambda: None):
        """Projects one image.

        Args:
            image: uint8 [H, W, C] of the generator's shape.
            number: of the image, whose turn it is among the labels.
            every: steps from one code of the history to the next.
            stepped: called after each step.
        Returns: `Projected`.
        Raises: ConfigError if the image has another shape, or losses leave what float32 holds.
        """
        if tuple(image.shape) != tuple(self.model.sample_shape):
            wanted = list(self.model.sample_shape)
            raise ConfigError(f"this generator makes images {wanted}. Received: {list(image.shape)}")
        target, steps = tf.constant(to_float(image[None])), self.options.steps
        with self.model.shown() as generator:
            start, done, history = self._start(target, number, generator), 0, []
            if len(start) > 1:
                done = max(1, round(_SCOUTING * steps))
                scouts = self._descent(len(start), generator)
                scouts.begin(start)
                _finite_losses(scouts, target)
                seen = scouts.run(target, (0, done), every, stepped)
                best = int(np.argmin(_finite_losses(scouts, target)["all"]))
                start, *history = (codes.rows(slice(best, best + 1)) for codes in [scouts.codes(), *seen])
            descent = self._descent(1, generator)
            descent.begin(start)
            _finite_losses(descent, target)
            history += descent.run(target, (done, steps), every, stepped)
            losses = {name: float(found[0]) for name, found in _finite_losses(descent, target).items()}
            codes = descent.codes()
            label = None if descent.labels is None else int(descent.labels.numpy()[0])
        history = Codes.joined([*history, dataclasses.replace(codes, noise=())])
        noise = tuple(np.broadcast_to(part, (len(history), *part.shape[1:])) for part in codes.noise)
        return Projected(codes, dataclasses.replace(history, noise=noise), losses, label)

    def _descent(self, count, generator):
        if count not in self._descents:
            self._descents[count] = Descent(self, generator, count, self._center[1])
        return self._descents[count]

    @functools.cached_property
    def _classes(self):
        """The classes that an image may be of, int32 [K]; None without."""
        if self.labels is not None:
            return np.unique(self.labels)
        return np.arange(self.model.num_classes, dtype=np.int32) if self.model.num_classes else None

    @functools.cached_property
    def _center(self):
        """`(mean of codes of each of `_classes`, float32 [K, size], or [1, size]; their spread)`.

        The spread is the root of the mean square distance from the mean.
        """
        if self.space == "z":
            return np.zeros((1, self.model.latent_dim), np.float32), self.model.latent_dim**0.5
        classes = 1 if self._classes is None else len(self._classes)
        each = max(_SAMPLES // classes, _OF_A_CLASS)
        labels = None if self._classes is None else np.repeat(self._classes, each)
        styles = self.model.styles(self.model.latents_at(0, classes * each, self._stream), labels=labels)
        styles = styles[:, -1].astype(np.float64).reshape(classes, each, -1)
        mean = styles.mean(1)
        return mean.astype(np.float32), float(np.sqrt(np.square(styles - mean[:, None]).sum(2).mean()))

    def _start(self, target, number, generator):
        """`Codes` to begin at."""
        given = self._classes
        if self.labels is not None:
            given = self.labels[number % len(self.labels)][None]
        if self.space == "z":
            return self._nearest_drawn(target, generator, None if given is None else given.tolist())
        mean = self._center[0]
        if given is None:
            return Codes("w", np.repeat(mean[:, None], self.model.style_slots, 1))
        return self._nearest_mean(target, generator, given)

    def _nearest_mean(self, target, generator, given):
        """The mean style of one of the classes `given`: that whose image comes nearest."""
        means = self._center[0][np.searchsorted(self._classes, given)][:, None]
        codes, losses = Codes("w", np.repeat(means, self.code_shape[0], 1), given), []
        for first in range(0, len(codes) if len(codes) > 1 else 0, BLOCK):
            part = codes.rows(slice(first, first + BLOCK))
            losses += self._descent(1, generator).judge_others(part, target)["all"].tolist()
        best = np.argmin(losses or [0.0], keepdims=True)
        return Codes("w", np.repeat(means[best], self.model.style_slots, 1), given[best])

    @property
    def _stream(self):
        return stream_hash(self.options.seed, "projection")

    def _nearest_drawn(self, target, generator, given):
        """The drawn latents whose images come nearest; where the class is not given, first the nearest of each.

        Args: given: the classes to draw of, or None where there are none.
        """
        options = self.options
        count = max(options.draws, options.candidates, _DRAWS_OF_A_CLASS * len(given or [0]))
        drawn = self.model.codes_at(np.arange(count), given, self._stream)
        descent, losses = self._descent(options.candidates, generator), []
        for first in range(0, count, BLOCK):
            part = drawn.rows(np.arange(first, first + BLOCK) % count)
            losses.append(descent.judge_others(part, target)["all"])
        order = np.argsort(np.concatenate(losses)[:count], kind="stable")
        if given is not None:
            order = _in_turn(order, drawn.labels)
        return dataclasses.replace(drawn.rows(order[: options.candidates]), seeds=None)


def _finite_losses(descent, target):
    """What `Descent.judge` finds. Raises: ConfigError if it is not finite: no code could be told from another."""
    losses = descent.judge(target)
    for name, found in losses.items():
        wrong = found[~np.isfinite(found)]
        if wrong.size:
            raise ConfigError(
                "a projection's losses are finite: give it smaller weights or a lower learning rate. "
                f"Received: {name} = {wrong[0]}"
            )
    return losses


def _in_turn(order, labels):
    """Indices by rank, `order` [N], so that the best of each class come first, then the second best of each."""
    rank, seen = np.zeros(len(order), np.int64), {}
    for place, index in enumerate(order):
        rank[place] = seen[labels[index]] = seen.get(labels[index], -1) + 1
    return order[np.argsort(rank, kind="stable")]
