"""The supernet of BigGAN's generator (AlphaGAN; Tian et al., 2021, section 12)."""

import functools

import keras

from tfgans.config import Count, Positive, Several, Side, configurable
from tfgans.methods.alphagan.spaces.autogan.supernet import Supernet
from tfgans.methods.alphagan.spaces.biggan import genotype as biggan_genotype
from tfgans.methods.alphagan.spaces.biggan import space
from tfgans.methods.alphagan.spaces.biggan.networks import (
    FirstMaps,
    LastImages,
    class_embedding,
    first_size,
    wire,
)
from tfgans.methods.alphagan.spaces.biggan.operations import MixedUpBlock


@configurable(name="alphagan_biggan_supernet")
@keras.saving.register_keras_serializable(package="tfgans")
class BigGANSupernet(Supernet):
    """BigGAN's generator of three blocks with all operations of two pools in every place.

    The batch norms of separable convolutions are not affine, and operations start by PyTorch's defaults, as in the
    search on conventional GANs. `architecture_variables` are `normal_1` .. `normal_3`, `up_1` .. `up_3`, two edges
    each; see `space`.

    Args:
        resolution, channels, latent_dim, base_channels, num_classes, embedding_dim, spectral_normalization,
            kernel_initializer, epsilon: as `alphagan_biggan_generator`.
        normal_operations, up_operations: the pools; an operation's place is its column of the architecture weights.
    Input: latents [N, latent_dim], or [latents, labels [N]] with `num_classes`; `mixing`, None for the softmax of the
        model's own architecture weights, or a list of six tensors [2, operations] to mix with.
    Output: images [N, resolution, resolution, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """

    def __init__(
        self,
        resolution: Side = 32,
        channels: Count = 3,
        latent_dim: Count = 128,
        base_channels: Count = 256,
        num_classes: Count | None = None,
        embedding_dim: Count = 128,
        spectral_normalization: bool = True,
        kernel_initializer: str = "orthogonal",
        epsilon: Positive = 1e-5,
        normal_operations: Several(str) = space.NORMAL_OPERATIONS,
        up_operations: Several(str) = space.UP_OPERATIONS,
        **kwargs,
    ):
        name = "alphagan_biggan_supernet"
        size = first_size(name, resolution, latent_dim)
        space.check_pools(name, normal_operations, up_operations)
        rows = space.architecture_rows(normal_operations, up_operations)
        super().__init__((latent_dim,), rows, **{"name": name} | kwargs)
        self.resolution, self.channels, self.latent_dim = resolution, channels, latent_dim
        self.base_channels, self.num_classes, self.embedding_dim = base_channels, num_classes, embedding_dim
        self.spectral_normalization, self.kernel_initializer = spectral_normalization, kernel_initializer
        self.epsilon = epsilon
        self.normal_operations, self.up_operations = tuple(normal_operations), tuple(up_operations)
        self._build_layers(size)
        self.built = True

    def _build_layers(self, size):
        options = {"kernel_initializer": self.kernel_initializer, "dtype": self.dtype_policy}
        self.embedding = class_embedding(self.num_classes, self.embedding_dim, **options)
        options |= {"spectral_normalization": self.spectral_normalization}
        condition = chunk = self.latent_dim // (len(space.BLOCKS) + 1)
        if self.embedding is not None:
            self.embedding.build((None,))
            condition += self.embedding_dim
        self.first = FirstMaps(self.base_channels, size, **options, name="first_maps")
        self.first.build((None, chunk))
        shape = (None, None, None, self.base_channels)
        self.blocks = []
        for number in space.BLOCKS:
            block = MixedUpBlock(
                self.base_channels,
                self.normal_operations,
                self.up_operations,
                epsilon=self.epsilon,
                **options,
                name=f"block_{number}",
            )
            block.build(shape, (None, condition))
            self.blocks.append(block)
        self.last = LastImages(self.channels, epsilon=self.epsilon, **options, name="images")
        self.last.build(shape)

    @property
    def inputs(self):
        """Latents, and labels if there are classes, as functional models tell theirs."""
        labels = (
            [] if self.num_classes is None else [keras.KerasTensor((None,), dtype="int32", name="labels")]
        )
        return super().inputs + labels

    @property
    def input(self):
        return self.inputs[0] if self.num_classes is None else self.inputs

    def call(self, inputs, training=False, mixing=None):
        mixing = self.named(mixing)
        latents, labels = (inputs, None) if self.num_classes is None else inputs
        blocks = [
            functools.partial(
                block, normal=mixing[f"normal_{number}"], up=mixing[f"up_{number}"], training=training
            )
            for number, block in zip(space.BLOCKS, self.blocks, strict=True)
        ]
        first, last = (functools.partial(layer, training=training) for layer in (self.first, self.last))
        return wire(latents, labels, first, self.embedding, blocks, last)

    retrained_by = "alphagan_biggan_generator.genotype"  # the parameter that takes what was found

    def draw(self, genotype):
        """The picture of a genotype of this space, uint8 [H, W, 3]."""
        # Here, as Matplotlib is not needed to train.
        from tfgans.methods.alphagan.spaces.biggan.picture import draw_biggan_genotype

        return draw_biggan_genotype(genotype)

    def genotype(self):
        """The `BigGANGenotype` of the largest architecture weight on every edge."""
        return biggan_genotype.from_architecture(self.architecture_arrays(), dict(self._architecture_rows))

    def random_genotype(self, seed):
        """A `BigGANGenotype` of the same pools, drawn uniformly; a function of `seed`."""
        return biggan_genotype.random_genotype(seed, dict(self._architecture_rows))

    def get_config(self):
        return super().get_config() | {
            "resolution": self.resolution,
            "channels": self.channels,
            "latent_dim": self.latent_dim,
            "base_channels": self.base_channels,
            "num_classes": self.num_classes,
            "embedding_dim": self.embedding_dim,
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": self.kernel_initializer,
            "epsilon": self.epsilon,
            "normal_operations": self.normal_operations,
            "up_operations": self.up_operations,
        }


alphagan_biggan_supernet = BigGANSupernet
