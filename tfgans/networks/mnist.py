"""The small networks of AdvAs's MNIST experiment (Munk et al., 2020, appendix E.1): WGAN-GP with instance norms.

The paper gives layers and channels; kernel sizes are ours (4x4 and last 3x3 in the generator, 5x5 in the
discriminator), as are convolutions without a bias before a norm and norms without gamma and beta. Its images are in
[0, 1]: the generator's sigmoid is stretched to [-1, 1] here, and the discriminator shrinks what it sees. A gradient
penalty towards slope 1 with weight 10 is one towards 0.5 with weight 40 in these units.
"""

import keras

from tfgans.config import ConfigError, Count, Side, configurable
from tfgans.layers.norms import BatchNormalization, InstanceNormalization
from tfgans.layers.resample import BilinearUpsampling2D
from tfgans.networks.parts import discriminator_model, float_dtype, generator_inputs

UPSAMPLINGS = ("transposed", "bilinear")
NORMALIZATIONS = ("instance", "batch")


@configurable
def mnist_generator(
    resolution: Side = 28,
    channels: Count = 1,
    latent_dim: Count = 128,
    base_channels: Count = 64,
    upsampling: str = "transposed",
    normalization: str = "instance",
):
    """Dense to a quarter of the size, ReLU; twice up by 2 to half the channels, norm, ReLU; convolution, sigmoid.

    Args:
        resolution: of the square images, a multiple of 4, at least 12.
        base_channels: of the first map, a multiple of 4.
        upsampling: `transposed` convolutions, or `bilinear` and 3x3 convolutions (appendix C.3).
        normalization: `instance`, or `batch` (appendix C.3).
    Returns: model latents [N, latent_dim] -> images [N, resolution, resolution, channels] in [-1, 1], float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "mnist_generator"
    _check(name, resolution, normalization)
    if base_channels % 4:
        raise ConfigError(f"{name}: base_channels is a multiple of 4. Received: {base_channels}")
    if upsampling not in UPSAMPLINGS:
        raise ConfigError(f"{name}: upsampling is transposed or bilinear. Received: {upsampling}")
    latents, _ = generator_inputs(latent_dim, None)
    size = resolution // 4
    x = keras.layers.Dense(size**2 * base_channels, activation="relu")(latents)
    x = keras.layers.Reshape((size, size, base_channels))(x)
    for width in (base_channels // 2, base_channels // 4):
        x = keras.layers.ReLU()(_normalized(_doubled(x, width, upsampling), normalization))
    last = keras.layers.Conv2DTranspose if upsampling == "transposed" else keras.layers.Conv2D
    x = last(channels, 3, padding="same")(x)
    images = keras.layers.Activation("tanh", dtype=float_dtype(), name="images")(0.5 * x)  # 2 sigmoid(x) - 1
    return keras.Model(latents, images, name=name)


@configurable
def mnist_discriminator(
    resolution: Side = 28, channels: Count = 1, base_channels: Count = 64, normalization: str = "instance"
):
    """Three times a convolution (5x5, stride 2), norm, ReLU, with doubling channels; dense to one logit.

    Args:
        resolution: of the square images, a multiple of 4, at least 12.
        base_channels: of the first maps.
        normalization: `instance`, or `batch` (appendix C.3).
    Returns: model images [N, resolution, resolution, channels] -> {"adversarial": [N, 1]}, float32.
    Raises: ConfigError if an argument is outside what is listed.
    """
    name = "mnist_discriminator"
    _check(name, resolution, normalization)
    images = keras.Input((resolution, resolution, channels), dtype=float_dtype(), name="images")
    x = 0.5 * images + 0.5
    for width in (base_channels, 2 * base_channels, 4 * base_channels):
        x = keras.layers.Conv2D(width, 5, 2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(_normalized(x, normalization))
    features = keras.layers.Flatten(dtype=float_dtype(), name="features")(x)
    return discriminator_model(images, features, name)


def _doubled(x, width, upsampling):
    if upsampling == "transposed":
        return keras.layers.Conv2DTranspose(width, 4, 2, padding="same", use_bias=False)(x)
    return keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(BilinearUpsampling2D()(x))


def _normalized(x, normalization):
    layer = (
        InstanceNormalization(center=False, scale=False)
        if normalization == "instance"
        else BatchNormalization()
    )
    return layer(x)


def _check(name, resolution, normalization):
    if resolution % 4 or resolution < 12:
        raise ConfigError(
            f"{name}: resolution is a multiple of 4, at least 12: an instance norm of a single pixel is 0. "
            f"Received: {resolution}"
        )
    if normalization not in NORMALIZATIONS:
        raise ConfigError(f"{name}: normalization is instance or batch. Received: {normalization}")
