"""ProGAN (Karras et al., 2018), as Re-GAN trains it: networks that grow from 4x4 images.

The channels of a map of r pixels a side are 16384 * channel_multiplier / r, at least `min_channels` and at most
`max_channels`. All layers have equalized kernels (gain 2) and biases; convolutions but to-RGB and from-RGB are
followed by pixel norm and a leaky ReLU of slope 0.1.

Departures from the paper, as in Re-GAN's code: the discriminator has pixel norm too, the generator ends in tanh (but
for 4x4 images), latents are not normalized, to-RGB layers are equalized with gain 2, the discriminator's width
changes in the first convolution of a block. That code ends at 32x32 pixels; larger maps follow its commented lines.

With `num_classes` they are conditional as the paper's code is: labels beside latents, an auxiliary classifier.
Both are plain models at their last stage, and train as such. `ProgressiveGAN` grows them: `progan_parts` has how.
"""

import keras

from tfgans.config import Count, Positive, Side, configurable
from tfgans.networks.parts import float_dtype, generator_inputs, generator_model
from tfgans.networks.progan_parts import LabelledLatents, ProgressiveCritic, ProgressiveSynthesis
from tfgans.networks.stylegan2 import map_widths


@configurable
def progan_generator(
    resolution: Side = 32,
    channels: Count = 3,
    latent_dim: Count = 512,
    channel_multiplier: Positive = 1,
    max_channels: Count = 512,
    min_channels: Count = 128,
    num_classes: Count | None = None,
    recompute: bool = False,
):
    """ProGAN's generator.

    Args:
        resolution: of the last stage's square images, a power of two of at least 4.
        channel_multiplier, max_channels, min_channels: channels of each map, see the module.
        num_classes: of a conditional generator, whose one-hot labels stand behind the latents, as in the paper's
            code.
        recompute: training keeps of each block of two convolutions what goes in alone, and computes its activations
            again in the backward pass: less memory, more time, the same gradients.
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels], float32, in [-1, 1] but
        at stage 0; with classes called with [latents, labels]. Its layer `synthesis` (`ProgressiveSynthesis`) holds
        the stage and alpha.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "progan_generator"
    widths = _widths(name, resolution, channel_multiplier, max_channels, min_channels)
    latents, labels = generator_inputs(latent_dim, num_classes)
    inputs = latents
    if labels is not None:
        inputs = LabelledLatents(num_classes, dtype=float_dtype(), name="labelled_latents")(latents, labels)
    images = ProgressiveSynthesis(channels, widths, recompute=recompute, name="synthesis")(inputs)
    return generator_model(latents, labels, images, name)


@configurable
def progan_discriminator(
    resolution: Side = 32,
    channels: Count = 3,
    channel_multiplier: Positive = 1,
    max_channels: Count = 512,
    min_channels: Count = 128,
    num_classes: Count | None = None,
    recompute: bool = False,
):
    """ProGAN's discriminator, with the standard deviation of the whole batch.

    Args:
        resolution: of the last stage's square images, a power of two of at least 4.
        channel_multiplier, max_channels, min_channels: channels of each map, see the module.
        num_classes: of an auxiliary classifier's head beside the other. `GAN.real_class_weight` and its like weigh
            it, in the paper's code by 1.
        recompute: as in `progan_generator`.
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32, and "class" [N,
        num_classes] if there are classes; it takes
        images of every stage's size (a copy or loaded file of it the last stage's alone). Its layer `critic`
        (`ProgressiveCritic`) holds alpha.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "progan_discriminator"
    widths = _widths(name, resolution, channel_multiplier, max_channels, min_channels)
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    outputs = ProgressiveCritic(widths, num_classes, recompute=recompute, name="critic")(images)
    network = keras.Model(images, outputs if num_classes else {"adversarial": outputs}, name=name)
    network.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})  # any stage's images
    return network


def _widths(name, resolution, channel_multiplier, max_channels, min_channels):
    """Channels of the maps of 4, 8, ... `resolution` pixels a side."""
    widths = map_widths(name, resolution, channel_multiplier, max_channels, None)
    return tuple(max(width, min(min_channels, max_channels)) for width in widths)
