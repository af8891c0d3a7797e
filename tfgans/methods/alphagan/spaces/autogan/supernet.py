"""The generator's supernet: every edge mixes all operations of its pool (AlphaGAN; Tian et al., 2021)."""

import math

import keras
import tensorflow as tf

from tfgans.config import ConfigError, Count, Several, Side, configurable
from tfgans.methods.alphagan.spaces.autogan import space
from tfgans.methods.alphagan.spaces.autogan.genotype import from_architecture, random_genotype
from tfgans.methods.alphagan.spaces.autogan.mixed import MixedOperation
from tfgans.methods.alphagan.spaces.autogan.networks import LatentMaps, ToImages, first_size
from tfgans.methods.alphagan.spaces.autogan.operations import check_operations
from tfgans.networks.parts import float_dtype

_TINY = 1e-20  # the authors' guard of the logarithm


def row_probabilities(logits, noise=None, temperature=0.5):
    """What the operations of each edge weigh: softmax, or Gumbel softmax, of every row (paper, Eq. 7 and 8).

    Args:
        logits: architecture weight [edges, operations].
        noise: None, or uniform draws in [0, 1) of the same shape: softmax((logits - log(-log(noise))) / t).
        temperature: t of the Gumbel softmax, positive; the softmax without noise has none.
    """
    if noise is not None:
        if not temperature > 0.0:
            raise ConfigError(f"the Gumbel softmax's temperature is positive. Received: {temperature}")
        logits = (logits - tf.math.log(-tf.math.log(tf.cast(noise, logits.dtype) + _TINY))) / temperature
    return tf.nn.softmax(logits)


class Supernet(keras.Model):
    """What the supernets of both networks share: architecture weights, which no optimizer of weights sees.

    They are weights of the model (saved, loaded and copied with it) that are not trainable, start as 1e-3 times a
    standard normal, and stay float32 under mixed precision. A gradient flows to them if a tape watches the `value` of
    each. The model is complete once constructed.
    """

    copied_state = ("architecture_variables",)

    def __init__(self, inputs_shape, architecture_rows, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self._inputs_shape = tuple(inputs_shape)
        self._architecture_rows = tuple(architecture_rows.items())
        self._architecture = [
            self.add_weight(
                name=name,
                shape=(edges, len(operations)),
                initializer=keras.initializers.RandomNormal(stddev=1e-3),
                trainable=False,
                autocast=False,
            )
            for name, (edges, operations) in self._architecture_rows
        ]

    @property
    def inputs(self):
        """The one input, as functional models tell theirs."""
        return [keras.KerasTensor((None, *self._inputs_shape), dtype=float_dtype(), name="inputs")]

    @property
    def input(self):
        return self.inputs[0]

    @property
    def architecture_names(self):
        return tuple(name for name, _ in self._architecture_rows)

    @property
    def architecture_operations(self):
        """What the columns of each architecture weight stand for: names of operations, by the weight's name."""
        return {name: operations for name, (_, operations) in self._architecture_rows}

    @property
    def architecture_variables(self):
        """The architecture weights [edges, operations], in the order of `architecture_names`."""
        return list(self._architecture)

    @property
    def search_space_size(self):
        """How many architectures there are."""
        return math.prod(len(operations) ** edges for _, (edges, operations) in self._architecture_rows)

    def mixing(self, noise=None, temperature=0.5):
        """`row_probabilities` of every architecture weight: what `call` takes as `mixing`.

        Args:
            noise: None, or a list of uniform draws [edges, operations] in [0, 1), one for each weight.
            temperature: of the Gumbel softmax that `noise` makes.
        """
        noise = [None] * len(self._architecture) if noise is None else noise
        return [
            row_probabilities(tf.convert_to_tensor(weight.value), draws, temperature)
            for weight, draws in zip(self._architecture, noise, strict=True)
        ]

    def architecture_arrays(self):
        """The architecture weights as NumPy arrays, in their order."""
        return [keras.ops.convert_to_numpy(variable) for variable in self.architecture_variables]

    def mixing_of(self, genotype):
        """The mixing that takes a genotype's operations alone."""
        return [
            tf.one_hot([operations.index(name) for name in genotype.group(group)], len(operations))
            for group, operations in self.architecture_operations.items()
        ]

    def named(self, mixing):
        """A mixing, or the model's own if None, by name."""
        return dict(zip(self.architecture_names, self.mixing() if mixing is None else mixing, strict=True))

    def build(self, inputs_shape=None):
        self.built = True  # all weights were made by the constructor


@configurable(name="alphagan_supernet")
@keras.saving.register_keras_serializable(package="tfgans")
class GeneratorSupernet(Supernet):
    """The generator with all operations of two pools on every edge (`space`, `MixedOperation`).

    Weights start by PyTorch's defaults and the batch norms of separable convolutions are not affine, as in the
    authors' search; 27,469,571 trainable parameters by default. `architecture_variables` are the eight of
    `space.ARCHITECTURE_NAMES`.

    Args:
        resolution: of the square images, a multiple of 8.
        base_channels: of every map.
        latent_dim, channels: of the latents and of the images.
        normal_operations, up_operations: the pools; an operation's place is its column of the architecture weights.
    Input: latents [N, latent_dim]; `mixing`, None for the softmax of the model's own architecture weights, or a
        list of eight tensors [edges, operations] to mix with.
    Output: images [N, resolution, resolution, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """

    def __init__(
        self,
        resolution: Side = 32,
        base_channels: Count = 256,
        latent_dim: Count = 128,
        channels: Count = 3,
        normal_operations: Several(str) = space.NORMAL_OPERATIONS,
        up_operations: Several(str) = space.UP_OPERATIONS,
        **kwargs,
    ):
        size = first_size("alphagan_supernet", resolution)
        pools = {"normal": normal_operations, "up": up_operations}
        for kind, pool in pools.items():
            check_operations("alphagan_supernet", kind, pool)
        super().__init__(
            (latent_dim,),
            space.architecture_rows(normal_operations, up_operations),
            **{"name": "alphagan_supernet"} | kwargs,
        )
        self.resolution, self.base_channels = resolution, base_channels
        self.latent_dim, self.channels = latent_dim, channels
        self.normal_operations, self.up_operations = tuple(normal_operations), tuple(up_operations)
        policy = self.dtype_policy
        self.latent_maps = LatentMaps(base_channels, size, dtype=policy, name="latent_maps")
        self.latent_maps.build((None, latent_dim))
        self.edges = []
        for edge in space.EDGES:
            self.edges.append(
                MixedOperation(pools[edge.kind], base_channels, edge.factor, dtype=policy, name=edge.name)
            )
        shape = (None, size, size, base_channels)
        for mixed in self.edges:
            mixed.build(shape)
        self.to_images = ToImages(channels, "search", dtype=policy, name="images")
        self.to_images.build(shape)
        self.built = True

    def call(self, inputs, training=False, mixing=None):
        mixing, layers = self.named(mixing), dict(zip(space.EDGES, self.edges, strict=True))

        def apply(edge, x):
            return layers[edge](x, mixing[edge.group][edge.row], training=training)

        nodes = space.wire(self.latent_maps(inputs), apply)
        return self.to_images(nodes[3, 4], training=training)

    retrained_by = "alphagan_generator.genotype"  # the parameter that takes what was found

    def draw(self, genotype):
        """The picture of a genotype of this space, uint8 [H, W, 3]."""
        # Here, as Matplotlib is not needed to train.
        from tfgans.methods.alphagan.spaces.autogan.picture import draw_genotype

        return draw_genotype(genotype)

    def genotype(self):
        """The `Genotype` of the largest architecture weight on every edge."""
        return from_architecture(self.architecture_arrays(), self.normal_operations, self.up_operations)

    def random_genotype(self, seed):
        """A `Genotype` of the same pools, drawn uniformly; a function of `seed`."""
        return random_genotype(seed, self.normal_operations, self.up_operations)

    def get_config(self):
        return super().get_config() | {
            "resolution": self.resolution,
            "base_channels": self.base_channels,
            "latent_dim": self.latent_dim,
            "channels": self.channels,
            "normal_operations": self.normal_operations,
            "up_operations": self.up_operations,
        }


alphagan_supernet = GeneratorSupernet
