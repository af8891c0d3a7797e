"""ADA: transforms with a probability that follows how far the discriminator overfits."""

import tensorflow as tf

from tfgans.augment import diffaugment, geometric
from tfgans.config import Count, Within, configurable
from tfgans.gan import GAN
from tfgans.methods.augmented.adaptive import OFF, Adaptive, Controller
from tfgans.methods.augmented.augmenting import Augmenting, check_images


@configurable
class ADAGAN(Adaptive, Augmenting, GAN):
    """Adaptive discriminator augmentation (ADA; Karras et al. 2020).

    Each of ADA's pixel and geometric transforms (`tfgans.augment.geometric.random_map`), then brightness,
    contrast and saturation, is done to an image with a probability p that starts at 0 and follows the
    discriminator's mean sign on real images; all images the discriminator sees are transformed, with draws of
    their own. The step's logs have p, `d/ada_probability`, and the mean sign, `d/real_sign`. It costs no pass
    through a network.

    Departures from the paper: colours as in DiffAugment; of images that are no squares half turns, no quarters;
    bilinear sampling without filters; penalties do not go through the transform unless asked to.

    Args:
        ada_target: mean sign aimed at, in [-1, 1].
        ada_interval: discriminator updates between two changes of p.
        ada_speed: thousands of real images in which p can go from 0 to 1; infinity is the base.
        augment_penalties: whether penalties of other methods go through the transform.
    Raises: ConfigError if a value leaves its range or the items are no images.
    """

    def __init__(
        self,
        generator,
        discriminator,
        ada_target: Within("[-1, 1]") = 0.6,
        ada_interval: Count = 4,
        ada_speed: Within("(0, inf]") = 500.0,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.ada = None
        if ada_speed != OFF:
            check_images("ADAGAN", self.sample_shape)
            self.ada = Controller(self, "ada", ada_target, ada_interval, ada_speed)
            self.controllers.append(self.ada)

    def augmentation_draws(self, count, which):
        draws = super().augmentation_draws(count, which)
        if self.ada is None:
            return draws
        probability = self.ada.value()
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

    def augment_images(self, images, draws):
        images = super().augment_images(images, draws)
        if self.ada is None:
            return images
        images = geometric.resample(images, draws["ada_maps"])
        for index, name in enumerate(("brightness", "contrast", "saturation")):
            changed = diffaugment.color(name, images, draws["ada_colors"][:, index])
            images = tf.where(draws["ada_colored"][:, index, None, None, None], changed, images)
        return images
