"""ADA: transforms with a probability that follows how far the discriminator overfits."""

import tensorflow as tf

from tfgans import distribute, philox
from tfgans.augment import diffaugment, geometric
from tfgans.config import Count, Function, Instance, NotNegative, Within, configurable
from tfgans.gan import GAN
from tfgans.methods.augmented.adaptive import OFF, Adaptive, Controller
from tfgans.methods.augmented.augmenting import Augmenting, check_images

_PIPE = "ada_pipe/"  # of the draws that say what the pipeline does


@configurable
class ADAGAN(Adaptive, Augmenting, GAN):
    """Adaptive discriminator augmentation (ADA; Karras et al. 2020).

    Each of ADA's pixel and geometric transforms (`tfgans.augment.geometric.random_map`), then brightness,
    contrast and saturation, is done to an image with a probability p that starts at 0 and follows the
    discriminator's mean sign on real images; all images the discriminator sees are transformed, with draws of
    their own. The step's logs have p, `d/ada_probability`, and the mean sign, `d/real_sign`. It costs no pass
    through a network.

    Departures from the paper: colours as in DiffAugment; of images that are no squares half turns, no quarters;
    bilinear sampling without filters; penalties do not go through the transform unless asked to. With `ada_pipe`
    the transforms are the authors' own.

    Args:
        ada_target: mean sign aimed at, in [-1, 1].
        ada_interval: discriminator updates between two changes of p.
        ada_speed: thousands of real images in which p can go from 0 to 1; infinity is the base. The authors take 100
            where a run begins with another's weights.
        ada_pipe: `@AugmentPipe()`, the authors' whole pipeline or parts of it; None: what is said above.
        ada_probability: p, in place of one that follows: a number, or a function of the number of generator updates
            done.
        augment_penalties: whether penalties of other methods go through the transform.
    Raises: ConfigError if a value leaves its range, the items are no images or the pipeline is not for them.
    """

    def __init__(
        self,
        generator,
        discriminator,
        ada_target: Within("[-1, 1]") = 0.6,
        ada_interval: Count = 4,
        ada_speed: Within("(0, inf]") = 500.0,
        ada_pipe: Instance("@AugmentPipe()") | None = None,
        ada_probability: NotNegative | Function("@CosineAnnealing()") | None = None,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.ada, self.ada_pipe, self.ada_probability = None, ada_pipe, ada_probability
        self.ada_is_on = ada_speed != OFF or ada_probability is not None
        if not self.ada_is_on:
            return
        check_images("ADAGAN", self.sample_shape)
        if ada_pipe is not None:
            ada_pipe.operations(self.first_shape())  # raises what it has against them
        if ada_probability is None:
            self.ada = Controller(self, "ada", ada_target, ada_interval, ada_speed)
            self.controllers.append(self.ada)

    def present_ada_probability(self):
        """p, a scalar of at least 0."""
        if self.ada is not None:
            return self.ada.value()
        p = self.ada_probability
        return tf.cast(p(self.step.value) if callable(p) else p, tf.float32)

    def discriminator_step(self, real):
        logs = super().discriminator_step(real)
        own = self.ada_is_on and self.ada is None
        return logs | ({"d/ada_probability": self.present_ada_probability()} if own else {})

    def augmentation_draws(self, count, which):
        draws = super().augmentation_draws(count, which)
        if not self.ada_is_on:
            return draws
        if self.ada_pipe is not None:
            return draws | self._pipe_draws(count, which)
        probability = self.present_ada_probability()
        uniform = lambda name, width: self.random_uniform(count, (width,), f"ada/{which}/{name}")  # noqa: E731
        maps = geometric.random_map(
            uniform("gates", len(geometric.GATES)),
            uniform("uniform", 6),
            self.random_normal(count, (4,), f"ada/{which}/normal"),
            probability,
            *self.sample_shape[:2],
        )
        colors = {"ada_colors": uniform("colors", 3), "ada_colored": uniform("color gates", 3) < probability}
        return draws | {"ada_maps": maps} | colors

    def _pipe_draws(self, count, which):
        """This replica's share of what the pipeline does to the global batch: how far it mirrors is of all of it."""
        shapes = self.ada_pipe.draw_shapes(self.sample_shape)
        total = count * distribute.num_replicas()
        drawn = {}
        for kind, draw in (("uniform", philox.uniform), ("normal", philox.normal)):
            names = [n for n, s in shapes.items() if len(s) == 1 and n.endswith("_n") == (kind == "normal")]
            if not names:  # as of `blit` and `cutout`, which have no normal numbers
                continue
            sizes = [shapes[name][0] for name in names]
            numbers = draw([total, sum(sizes)], self.stream(f"ada/{which}/{kind}"))
            drawn |= dict(zip(names, tf.split(numbers, sizes, 1), strict=True))
        if "noise_n" in shapes:
            key = self.stream(f"ada/{which}/noise")
            drawn["noise_n"] = philox.normal([total, *self.sample_shape], key)
        found = self.ada_pipe.transforms(drawn, self.present_ada_probability(), self.sample_shape)
        return {_PIPE + name: self.own_rows(value, count) for name, value in found.items()}

    def augment_images(self, images, draws):
        images = super().augment_images(images, draws)
        if not self.ada_is_on:
            return images
        if self.ada_pipe is not None:
            own = {name.removeprefix(_PIPE): x for name, x in draws.items() if name.startswith(_PIPE)}
            return self.ada_pipe(images, own)
        images = geometric.resample(images, draws["ada_maps"])
        for index, name in enumerate(("brightness", "contrast", "saturation")):
            changed = diffaugment.color(name, images, draws["ada_colors"][:, index])
            images = tf.where(draws["ada_colored"][:, index, None, None, None], changed, images)
        return images
