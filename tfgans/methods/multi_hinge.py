"""MHGAN: one hinge loss of the classes and of "fake", in the place of the adversarial and the class loss."""

import inspect

import keras
import tensorflow as tf

from tfgans import distribute, losses
from tfgans.config import ConfigError, NotNegative, configurable
from tfgans.gan import GAN
from tfgans.layers.state import frozen_state
from tfgans.layers.statistics import widen

_OUTPUTS = ("class", "features")


@configurable
class MultiHingeGAN(GAN):
    """The multi-class hinge loss of K classes and one more, the fakes' (MHGAN; Kavalerov et al. 2021).

    The discriminator's loss is `losses.multi_hinge` of real images with their labels and of fakes with the class K;
    the generator's that of fakes with the labels they are made of, times `multi_hinge_weight`, and feature matching:
    the mean absolute difference of D's mean features of fakes and of real images. The logits are those of the class
    head, and class K's is minus the adversarial logit: the same functions as K + 1 outputs of one head, and all that
    reads the adversarial logit goes on meaning it. The discriminator has `class` and `features` among its outputs
    (`conditioning = "class_features"` in the networks here). Cost of a generator step: a forward of D.

    Departure from the authors' code and StudioGAN: the real images of feature matching are those of the last
    discriminator step, there fresh ones; D's state does not move for them.

    Args:
        multi_hinge_weight: of the generator's hinge loss; both codes have 0.05.
        feature_matching_weight: both codes have 1.
    It is a loss, with no setting at which it is the base: leave GAN.discriminator_loss, generator_loss and
    fake_class_loss out.
    Raises: ConfigError if those are set, or the discriminator has not these outputs; in `compile`, if updates are
        accumulated and features are matched.
    """

    def __init__(
        self,
        generator,
        discriminator,
        multi_hinge_weight: NotNegative = 0.05,
        feature_matching_weight: NotNegative = 1.0,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.multi_hinge_weight, self.feature_matching_weight = multi_hinge_weight, feature_matching_weight
        usual = {
            "discriminator_loss": losses.non_saturating_discriminator,
            "generator_loss": losses.non_saturating_generator,
            "fake_class_loss": losses.class_cross_entropy,
        }
        for name, loss in usual.items():
            if inspect.unwrap(getattr(self, name)) is not inspect.unwrap(loss):
                own = f"or give @{inspect.unwrap(loss).__name__} where a file binds it"
                raise ConfigError(f"MultiHingeGAN has losses of its own: leave GAN.{name} out, {own}")
        labels = keras.KerasTensor((2,), dtype="int32")
        outputs = self.discriminate({"images": keras.KerasTensor((2, *self.sample_shape)), "labels": labels})
        missing = [name for name in _OUTPUTS if name not in outputs]
        if missing or self.num_classes is None:
            raise ConfigError(
                f"MultiHingeGAN takes num_classes and a discriminator with the outputs {' and '.join(_OUTPUTS)} "
                f"(conditioning = 'class_features'). Received: {', '.join(outputs)} and {self.num_classes}"
            )

    def xla(self, function):
        # XLA cannot compile what replicas exchange.
        exchanges = self.feature_matching_weight and distribute.num_replicas() > 1
        return function if exchanges and function in self.generator_functions() else super().xla(function)

    def whole_batch_options(self, name):
        matches = name == "generator" and self.feature_matching_weight
        own = ("MultiHingeGAN.feature_matching_weight",) if matches else ()
        return super().whole_batch_options(name) + own

    def training_passes(self):
        passes = super().training_passes()
        return passes | {"discriminator": passes["discriminator"] + bool(self.feature_matching_weight)}

    def discriminator_losses(self, real, fake):
        real, fake = self.with_outputs(real, fake)
        terms = super().discriminator_losses(real, fake)
        fakes = tf.fill(tf.shape(fake["outputs"]["class"])[:1], self.num_classes)
        real_loss = losses.multi_hinge(_all_logits(real), real["labels"])
        terms["d/adversarial"] = real_loss + losses.multi_hinge(_all_logits(fake), fakes)
        return {name: term for name, term in terms.items() if name not in ("d/class_real", "d/class_fake")}

    def generator_losses(self, real, fake):
        fake = self.with_fake_outputs(fake)
        terms = super().generator_losses(real, fake)
        del terms["g/class"]
        hinge = losses.multi_hinge(_all_logits(fake), fake["labels"])
        terms["g/adversarial"] = self.multi_hinge_weight * hinge
        if self.feature_matching_weight:
            terms["g/feature_matching"] = self.feature_matching_weight * self._feature_distance(real, fake)
        return terms

    def _feature_distance(self, real, fake):
        """The mean absolute difference of mean features, of the global batches."""
        with frozen_state():
            outputs = self.discriminate(real, training=True)
        features = (tf.stop_gradient(outputs["features"]), fake["outputs"]["features"])
        of_real, of_fake = distribute.mean([tf.reduce_mean(widen(each), 0) for each in features])
        return tf.reduce_mean(tf.abs(of_fake - of_real))


def _all_logits(batch):
    """Those of the classes and of "fake", [N, K + 1]."""
    outputs = batch["outputs"]
    return tf.concat([widen(outputs["class"]), -widen(outputs["adversarial"])], 1)
