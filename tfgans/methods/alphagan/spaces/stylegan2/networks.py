"""The networks of a genotype of StyleGAN2 (AlphaGAN; Tian et al., 2021, section 6)."""

import keras

from tfgans.config import Count, Made, Positive, Side, Within, configurable
from tfgans.methods.alphagan.spaces.stylegan2 import space
from tfgans.methods.alphagan.spaces.stylegan2.operations import check_modulated, make_operation
from tfgans.methods.alphagan.spaces.stylegan2.published import load_stylegan2_genotype
from tfgans.networks.parts import float_dtype, generator_inputs, generator_model
from tfgans.networks.stylegan2 import map_widths, stylegan2_discriminator
from tfgans.networks.stylegan2_parts import StyleMapping, StyleSynthesis


@configurable
def alphagan_stylegan2_generator(
    genotype: str | Made("a genotype") = "celeba_micro_w",
    resolution: Side | None = None,
    channels: Count = 3,
    latent_dim: Count = 512,
    style_dim: Count = 512,
    channel_multiplier: Positive = 2,
    max_channels: Count = 512,
    base_channels: Count | None = None,
    modulated: str = "depthwise",
    mean_decay: Within("[0, 1)") = 0.995,
):
    """StyleGAN2's generator with the operations and latents of a genotype.

    It is used as `stylegan2_generator`, and is the same with all of `conv_3x3`, `deconv` and W_8. The mapping has
    always eight dense layers. To-RGB layers are not searched.

    Args:
        genotype: a `StyleGAN2Genotype`, a name of `published.GENOTYPES`, or the path of a JSON file.
        resolution: of the square images; None: that of the genotype. A genotype whose layers are all alike and take
            W_8 (micro) fits every power of two of at least 8.
        channels, latent_dim, style_dim, channel_multiplier, max_channels, base_channels, mean_decay: as
            `stylegan2_generator`.
        modulated: which kernel of separable convolutions the style scales, `depthwise` or `pointwise`.
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels], not bounded,
        float32, of the layers `mapping` and `synthesis`.
    Raises: ConfigError if an argument is outside what is listed or the genotype is wrong.
    """
    name = "alphagan_stylegan2_generator"
    genotype = load_stylegan2_genotype(genotype)
    genotype = genotype if resolution is None else genotype.at(resolution)
    check_modulated(name, modulated)
    widths = map_widths(name, genotype.resolution, channel_multiplier, max_channels, base_channels)
    latents, _ = generator_inputs(latent_dim, None)
    mapping = StyleMapping(
        style_dim, space.NUM_LATENTS, genotype.latents, mean_decay, dtype=float_dtype(), name="mapping"
    )
    synthesis = GenotypeSynthesis(channels, widths, genotype.operations, modulated, name="synthesis")
    return generator_model(latents, None, synthesis(mapping(latents)), name)


@configurable
def alphagan_stylegan2_discriminator(
    genotype: str | Made("a genotype") = "adversarialnas_celeba_micro_w",
    resolution: Side | None = None,
    channels: Count = 3,
    channel_multiplier: Positive = 2,
    max_channels: Count = 512,
    base_channels: Count | None = None,
    minibatch_group: Count | None = 4,
    minibatch_features: Count = 1,
):
    """StyleGAN2's residual discriminator with the kernel sizes of a genotype (AdversarialNAS, Tables 17 and 18).

    Args:
        genotype: as in `alphagan_stylegan2_generator`; without a searched discriminator this is StyleGAN2's.
        resolution: of the square images; None: that of the genotype.
        channels, channel_multiplier, max_channels, base_channels, minibatch_group, minibatch_features: as
            `stylegan2_discriminator`.
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if an argument is outside what is listed or the genotype is wrong.
    """
    genotype = load_stylegan2_genotype(genotype)
    genotype = genotype if resolution is None else genotype.at(resolution)
    return stylegan2_discriminator(
        genotype.resolution,
        channels,
        channel_multiplier,
        max_channels,
        base_channels,
        residual=True,
        minibatch_group=minibatch_group,
        minibatch_features=minibatch_features,
        kernel_sizes=genotype.discriminator_kernel_sizes,
    )


@keras.saving.register_keras_serializable(package="tfgans")
class GenotypeSynthesis(StyleSynthesis):
    """`StyleSynthesis` whose convolutions are given operations.

    Args:
        channels: of the image.
        widths: channels of the maps of 4, 8, 16 ... pixels a side.
        operations: names for L_1 .. L_m, see `space`.
        modulated: of separable convolutions, see `SeparableModulatedConv2D`.
    """

    def __init__(self, channels, widths, operations, modulated="depthwise", **kwargs):
        super().__init__(channels, widths, (3,) * len(widths), **kwargs)
        self.operations, self.modulated = tuple(operations), modulated

    def _make_convolution(self, width, kernel_size, up, **options):
        return make_operation(self.operations[options["seed"]], width, self.modulated, **options)

    def get_config(self):
        config = super().get_config()
        del config["kernel_sizes"]
        return config | {"operations": self.operations, "modulated": self.modulated}
