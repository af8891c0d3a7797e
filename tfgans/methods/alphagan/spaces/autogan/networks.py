"""The generator of a genotype (AlphaGAN; Tian et al., 2021), the ends of every generator, the paper's FLOPs."""

import keras
import numpy as np
import tensorflow as tf

from tfgans import keras_internals
from tfgans.config import ConfigError, Count, Made, Side, configurable
from tfgans.layers.initializers import bias_initializer
from tfgans.layers.norms import BatchNormalization
from tfgans.layers.resampled import as_written
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.convolutions import build_convolution, build_normalization
from tfgans.methods.alphagan.spaces.autogan.genotype import load_genotype
from tfgans.methods.alphagan.spaces.autogan.operations import make_operation
from tfgans.networks.parts import float_dtype, generator_inputs


@configurable
def alphagan_generator(
    genotype: str | Made("a genotype") = "alphaGAN_s",
    resolution: Side = 32,
    channels: Count = 3,
    latent_dim: Count = 128,
    base_channels: Count = 256,
):
    """Dense to an eighth of the size; three cells of a genotype that double it; norm, ReLU, conv3x3, tanh.

    It starts as the authors re-train it: see `convolutions`.

    Args:
        genotype: a `Genotype`, `alphaGAN_s`, `alphaGAN_l`, or the path of a JSON file.
        resolution: of the square images, a multiple of 8.
        channels: of the images.
        base_channels: of every map.
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels] in [-1, 1],
        float32. Its `own_facts` give {"thop_flops": ...}.
    Raises: ConfigError if an argument is outside what is listed or the genotype is wrong.
    """
    size = first_size("alphagan_generator", resolution)
    genotype = load_genotype(genotype)
    latents, _ = generator_inputs(latent_dim, None)

    def apply(edge, x):
        return make_operation(genotype.operation(edge), base_channels, stride=edge.factor, name=edge.name)(x)

    nodes = space.wire(LatentMaps(base_channels, size, name="latent_maps")(latents), apply)
    images = ToImages(channels, name="images")(nodes[3, 4])
    network = keras.Model(latents, images, name="alphagan_generator")
    network.own_facts = lambda: {"thop_flops": thop_flops(network)}
    return network


def first_size(network, resolution):
    """Side of the first map. Raises ConfigError for sizes that no generator has."""
    if resolution % 8:
        raise ConfigError(f"{network}: resolution is a multiple of 8. Received: {resolution}")
    return resolution // 8


@keras.saving.register_keras_serializable(package="tfgans")
class LatentMaps(keras.layers.Layer):
    """Dense layer to the first map, neither norm nor activation.

    Args:
        channels, size: of the map.
    Input: latents [N, D]. Output: [N, size, size, channels]; the dense layer has channels slowest, as PyTorch.
    """

    def __init__(self, channels, size, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.size = size

    def build(self, inputs_shape):
        self.dense = keras.layers.Dense(
            self.channels * self.size**2,
            kernel_initializer=bias_initializer("fan_in_uniform", inputs_shape[-1]),
            bias_initializer=bias_initializer("fan_in_uniform", inputs_shape[-1]),
            dtype=self.dtype_policy,
        )
        self.dense.build(inputs_shape)

    def call(self, inputs):
        maps = tf.reshape(self.dense(inputs), (-1, self.channels, self.size, self.size))
        return tf.transpose(maps, (0, 2, 3, 1))

    def get_config(self):
        return super().get_config() | {"channels": self.channels, "size": self.size}


@keras.saving.register_keras_serializable(package="tfgans")
class ToImages(keras.layers.Layer):
    """Batch norm, ReLU, 3x3 convolution, tanh.

    Args:
        channels: of the images.
        initialization: `retraining` or `search`, see `convolutions`.
    Input: [N, H, W, C]. Output: [N, H, W, channels] in [-1, 1], float32.
    """

    def __init__(self, channels, initialization="retraining", **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.initialization = initialization

    def build(self, inputs_shape):
        options = {"initialization": self.initialization, "dtype": self.dtype_policy}
        self.normalization = build_normalization(inputs_shape[-1], **options)
        self.convolution = build_convolution(self.channels, 3, inputs_shape[-1], **options)

    def call(self, inputs, training=False):
        x = tf.nn.relu(self.normalization(inputs, training=training))
        return tf.tanh(tf.cast(self.convolution(x), float_dtype()))

    def get_config(self):
        return super().get_config() | {"channels": self.channels, "initialization": self.initialization}


def thop_flops(network, inputs=None):
    """What the profiler `thop` (the version of the paper's code) counts for one sample: the paper's "FLOPs".

    A convolution costs its kernel and its bias once per output; a transposed one too, which at stride s is s^2
    times its multiply-accumulates; a dense layer its kernel; a norm with moving statistics 2 per element. All
    else is free. `tfgans.evaluate.cost.macs` has the true number of products.

    Args:
        network: a built Keras model, made of layers: operations outside of layers are not seen.
        inputs: structure of `tf.TensorSpec` that it is called with, for one sample; None takes the model's input.
    Returns: an int.
    """
    inputs = network.input if inputs is None else inputs
    specs = tf.nest.map_structure(lambda x: tf.TensorSpec((1, *tuple(x.shape)[1:]), x.dtype), inputs)
    counts = []
    with as_written(), _counted_calls(counts):
        tf.function(lambda x: network(x, training=False), autograph=False).get_concrete_function(specs)
    return sum(counts)


def _counted_calls(counts):
    """A context that adds the cost of each call of a layer in a traced function; one called twice counts twice."""

    def call(original, layer, *args, **kwargs):
        outputs = original(layer, *args, **kwargs)
        if tf.inside_function():
            counts.append(_thop_rule(layer, outputs))
        return outputs

    return keras_internals.calls_through(call)


def _thop_rule(layer, outputs):
    if isinstance(layer, BatchNormalization):
        return 2 * _elements(outputs)
    if isinstance(layer, keras.layers.Dense):
        return _elements(outputs) * layer.kernel.shape[0]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return _elements(outputs) * (int(np.prod(layer.kernel.shape[:2])) + layer.use_bias)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        height, width, _, channels = layer.kernel.shape
        return _elements(outputs) * (height * width * channels + layer.use_bias)
    if isinstance(layer, keras.layers.Conv2D):
        return _elements(outputs) * (int(np.prod(layer.kernel.shape[:3])) + layer.use_bias)
    return 0


def _elements(tensor):
    return int(np.prod(tensor.shape))
