"""How different images look to a discriminator: a distance of its features, which needs no other network."""

import keras
import tensorflow as tf

from tfgans.gan.label_draws import takes_labels
from tfgans.layers.state import mixes_samples

_SMALLEST = 1e-8  # of a squared length that is divided by


class DiscriminatorDistance:
    """The distance of images in a discriminator's features, as LPIPS (Zhang et al. 2018) has it in VGG's.

    At each size of its maps the last layer counts. The channels at each position are brought to length 1; the
    distance is the squared difference, averaged over positions, summed over channels and averaged over layers, in
    [0, 4]. LPIPS weighs channels by what people found alike; here all weigh the same. The discriminator is as in
    inference and does not move, and sees each image alone: where it looks at a batch together, as minibatch deviation
    does, one after the other.

    Args:
        model: a `GAN`.
        used: False looks at no layer.
    Attributes: layers: names of the layers; empty where the discriminator does not tell its inner outputs, which
        only functional models do.
    """

    def __init__(self, model, used=True):
        self.labelled = takes_labels(model.discriminator, model.num_classes)
        outputs = _last_maps(model.discriminator) if used else {}
        self.layers = list(outputs)
        self._network = keras.Model(model.discriminator.inputs, list(outputs.values())) if outputs else None
        self._mixes = bool(outputs) and mixes_samples(self._network, training=False)

    def features(self, images, labels=None):
        """What `of` compares, for images [N, H, W, C] in [-1, 1], and labels [N] or None."""
        inputs = [images, labels] if self.labelled else [images]
        one_by_one = self._mixes and images.shape[0] != 1
        maps = self._maps_one_by_one(inputs) if one_by_one else self._maps(inputs)
        return [_unit(tf.cast(found, tf.float32)) for found in maps]

    def _maps(self, inputs):
        return tf.nest.flatten(self._network(inputs, training=False))

    def _maps_one_by_one(self, inputs):
        kinds = [tf.as_dtype(output.dtype) for output in self._network.outputs]
        inputs = [tf.convert_to_tensor(part) for part in inputs]
        maps = tf.map_fn(
            lambda one: self._maps([part[None] for part in one]), inputs, fn_output_signature=kinds
        )
        return [found[:, 0] for found in maps]

    def of(self, first, second):
        """Distances [N] of what `features` gave for two batches, of which one may have one image."""
        parts = [
            tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(a, b), -1), (1, 2))
            for a, b in zip(first, second, strict=True)
        ]
        return tf.add_n(parts) / len(parts)


def _unit(features):
    return features * tf.math.rsqrt(tf.reduce_sum(tf.square(features), -1, keepdims=True) + _SMALLEST)


def _last_maps(network):
    """{layer's name: its output [N, h, w, C]} of the last layer for each size of maps."""
    found = {}
    for layer in getattr(network, "layers", []):
        if isinstance(layer, keras.layers.InputLayer):
            continue
        try:
            output = layer.output
        except (
            AttributeError,
            ValueError,
        ):  # it is called several times, or the network is no functional one
            continue
        shape = getattr(output, "shape", ())
        if len(shape) == 4 and output.dtype.startswith(("float", "bfloat")):
            found[shape[1:3]] = (layer.name, output)
    return dict(found.values())
