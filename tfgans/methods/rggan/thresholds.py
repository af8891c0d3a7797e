"""Masks by thresholds, one for each output channel or unit of a layer."""

import keras
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.layers.custom import custom_gradient
from tfgans.layers.kernels import kernel_layers


@custom_gradient
def soft_step(x):
    """1 where x > 0, else 0; its derivative is the authors' stand-in for that of a step.

    That is 2 - 4 |x| up to |x| = 0.4, 0.4 up to 1, and 0 beyond.
    """

    def gradient(upstream):
        size = tf.abs(x)
        slope = tf.where(size <= 0.4, 2.0 - 4.0 * size, tf.where(size <= 1.0, tf.cast(0.4, x.dtype), 0.0))
        return upstream * slope

    return tf.cast(x > 0, x.dtype), gradient


def kept(kernel, threshold):
    """True where an entry's magnitude is above its threshold, strictly: an entry of 0 is never kept."""
    return tf.abs(kernel) > tf.cast(threshold, kernel.dtype)


def masked(kernel, threshold, straight_through=False):
    """A kernel with 0 in the entries that are not kept; with `straight_through` thresholds get gradients."""
    threshold = tf.cast(threshold, kernel.dtype)
    if straight_through:
        return kernel * soft_step(tf.abs(kernel) - threshold)
    return kernel * tf.cast(kept(kernel, threshold), kernel.dtype)


def guarded(kernel, threshold, least):
    """The threshold, or 0 for the whole layer if no more than the share `least` of its entries is kept."""
    share = tf.reduce_mean(tf.cast(kept(kernel, threshold), tf.float32))
    return tf.where(share <= least, tf.zeros_like(threshold), threshold)


def penalty(thresholds):
    """Sum over layers and channels of exp(-t): what the regulariser has its weight before."""
    return tf.add_n([tf.reduce_sum(tf.exp(-tf.convert_to_tensor(t))) for t in thresholds])


class Thresholds:
    """The thresholds of a network, weights of the model, for the kernels of its dense and convolution layers.

    Attributes:
        places: of the kernels among the network's trainable variables.
        values: the thresholds, in their order, each of a shape that meets its kernel's.
    """

    def __init__(self, model, name):
        self.network = getattr(model, name)
        layers = kernel_layers(self.network)
        if not layers:
            raise ConfigError(f"RGGAN: the {name} has no dense or convolution layers to prune")
        self.places, self.layers = list(layers), list(layers.values())
        self.values = [self._added(model, f"{name}_threshold", layer) for layer in self.layers]

    @staticmethod
    def _added(model, name, layer):
        options = dict(dtype=layer.kernel.dtype, initializer="zeros", trainable=False, autocast=False)
        return model.add_weight(name=name, shape=_threshold_shape(layer), **options)

    def kernels(self, network=None):
        """The kernels as thresholds are compared with them: those of spectral layers over their present sigma."""
        if network is not None and network is not self.network:
            variables = network.trainable_variables
            return [tf.convert_to_tensor(variables[place].value) for place in self.places]
        return [
            layer.normalized_kernel(training=False)
            if hasattr(layer, "normalized_kernel")
            else tf.convert_to_tensor(layer.kernel.value)
            for layer in self.layers
        ]

    def pruned(self):
        """A mask for each kernel, True where it is pruned."""
        pairs = zip(self.kernels(), self.values, strict=True)
        return [~kept(kernel, tf.convert_to_tensor(t.value)) for kernel, t in pairs]

    def guard(self, least):
        """Sets the thresholds of layers that have collapsed to 0."""
        for kernel, threshold in zip(self.kernels(), self.values, strict=True):
            threshold.assign(guarded(kernel, tf.convert_to_tensor(threshold.value), least))

    def gates(self, straight_through):
        """`layers.gates.gated`'s functions."""

        def gate(threshold):
            return lambda kernel: masked(kernel, tf.convert_to_tensor(threshold.value), straight_through)

        return {place: gate(t) for place, t in zip(self.places, self.values, strict=True)}


def _threshold_shape(layer):
    """One entry for each output, such that it broadcasts against the kernel."""
    shape = tuple(layer.kernel.shape)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return shape[-2:]  # [height, width, channels, multiplier]
    if "Transpose" in type(layer).__name__:
        return (shape[-2], 1)  # [height, width, out, in]
    return shape[-1:]
