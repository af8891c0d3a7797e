"""Features at positions of the image rather than of the whole image, for sFID (Nash et al. 2021).

Of maps [n, H, W, C] within a network the first 7 channels count, flattened row by row. Of the original Inception
graph these are 17 x 17 x 7 = 2023 numbers of `mixed_6/conv`, about as many as FID has (guided-diffusion's evaluator).
"""

import numpy as np
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError

CHANNELS = 7
_MOST = 8192  # numbers; their covariance has the square of it


class SpatialFeatures:
    """The spatial features of an extractor as features of their own: [n, H W 7].

    Args:
        features: an extractor that has an attribute `spatial` other than None, and takes `spatial=True`.
    Raises: ConfigError, in one line, if it has none.
    """

    def __init__(self, features):
        if getattr(features, "spatial", None) is None:
            raise ConfigError(
                f"sfid needs spatial features, and {features.name} has none: use @InceptionFeatures() or bind "
                "KerasFeatures.spatial_layer"
            )
        self._of = features
        self.name = f"{features.name}_spatial"

    def check(self):
        """Passes one image. Raises: ConfigError, in one line, if the network does not give them."""
        self(np.zeros((1, 32, 32, 3), np.uint8))

    def fingerprint(self):
        return f"{self._of.fingerprint()} {self._of.spatial}"

    def __call__(self, images):
        return {"features": self._of(images, spatial=True)["spatial"]}


def flat(maps):
    """The first 7 channels of maps [n, H, W, C], row by row: [n, H W 7].

    Raises: ConfigError if they are no maps, or too large for a covariance.
    """
    if len(maps.shape) != 4:
        raise ConfigError(f"spatial features are maps [n, H, W, C]. Received: {list(maps.shape)}")
    height, width, channels = maps.shape[1:]
    size = height * width * min(channels, CHANNELS)
    if size > _MOST:
        raise ConfigError(
            f"spatial features of {height} x {width} positions are {size} numbers, more than {_MOST}: choose a layer "
            "with smaller maps"
        )
    return tf.reshape(maps[..., :CHANNELS], (-1, size))


def with_operation(run, shape, name):
    """`run` as a graph of constants that gives, besides, the spatial features of an operation inside.

    Args:
        run: float32 tensor of `shape` -> tensors; of any network, such as a SavedModel's.
        name: the operation's name, or its end after a `/`.
    Raises: ConfigError if there is no such operation, or several, or it gives no maps.
    """
    signature = tf.TensorSpec(shape, tf.float32)
    traced = tf.function(run, autograph=False).get_concrete_function(signature)
    whole = keras_internals.with_constants(traced)
    found = [op for op in whole.graph.get_operations() if op.name == name or op.name.endswith(f"/{name}")]
    if len(found) != 1:
        several = f"{len(found)} operations" if found else "no operation"
        raise ConfigError(f"the network of the features has {several} called '{name}' (spatial features)")
    pruned = whole.prune(whole.inputs, [*whole.outputs, found[0].outputs[0]])

    def with_spatial(inputs):
        *outputs, maps = pruned(inputs)
        return [*outputs, flat(maps)]

    return with_spatial
