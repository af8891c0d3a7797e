import keras
import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.layers.spectral import SpectralConv2D, SpectralDense
from tfgans.networks.dcgan import dcgan_discriminator, dcgan_generator


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_classic_64_by_64_has_the_parameters_of_the_known_code():
    """Latents 100, 64 channels: 3,576,704 and 2,765,568 parameters, and the outer layers' biases here."""
    generator = dcgan_generator(resolution=64, latent_dim=100)
    kernels = 100 * 512 * 16 + 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert parameters(generator) == kernels + 2 * (512 + 256 + 128 + 64) + 3 == 3_576_704 + 3
    discriminator = dcgan_discriminator(resolution=64)
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    assert parameters(discriminator) == kernels + 2 * (128 + 256 + 512) + 64 + 1 == 2_765_568 + 65


def widths(network, kind):
    return [layer.filters for layer in network.layers if isinstance(layer, kind)]


def test_channels_double_up_to_the_maximum():
    discriminator = dcgan_discriminator(resolution=128, base_channels=32, max_channels=128)
    assert widths(discriminator, keras.layers.Conv2D) == [32, 64, 128, 128, 128]
    generator = dcgan_generator(resolution=128, base_channels=32, max_channels=128)
    assert widths(generator, keras.layers.Conv2DTranspose) == [128, 128, 64, 32, 3]


def test_first_maps_of_the_discriminator_are_not_normalized():
    names = [layer.name for layer in dcgan_discriminator(normalization="instance").layers]
    assert sum("instance_normalization" in name for name in names) == 2
    assert "conv" in names[1] and "re_lu" in names[2]


def test_spectral_normalization_of_every_convolution_and_head():
    network = dcgan_discriminator(
        spectral_normalization=True, normalization="none", num_classes=3, conditioning="both"
    )
    weighted = [layer for layer in network.layers if layer.trainable_variables]
    spectral = [layer for layer in weighted if hasattr(layer, "u")]
    assert weighted == spectral
    assert sum(isinstance(layer, SpectralConv2D) for layer in spectral) == 3
    assert sum(isinstance(layer, SpectralDense) for layer in spectral) == 2


def test_weights_start_with_deviation_002():
    for network in (dcgan_generator(), dcgan_discriminator()):
        kernels = [v for v in network.trainable_variables if v.name == "kernel"]
        for kernel in kernels:
            assert np.std(kernel) == pytest.approx(0.02, rel=0.1)
            assert abs(np.mean(kernel)) < 0.003


@pytest.mark.parametrize("network", [dcgan_generator, dcgan_discriminator])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"resolution": 24}, "resolution is a power of two of at least 8. Received: 24"),
        ({"resolution": 4}, "Received: 4"),
        ({"resolution": 0}, "Received: 0"),
        ({"resolution": 32.0}, "Received: 32.0"),
        ({"channels": 0}, "channels is an integer of at least 1. Received: 0"),
        ({"normalization": "group"}, "batch, instance, layer, pixel, none. Received: group"),
        ({"num_classes": 0}, "num_classes is an integer"),
    ],
)
def test_refusals(network, arguments, words):
    with pytest.raises(ConfigError) as refusal:
        network(**arguments)
    assert words in str(refusal.value)


def test_classes_need_batch_normalization_in_the_generator():
    with pytest.raises(ConfigError, match="normalization is batch. Received: layer"):
        dcgan_generator(num_classes=3, normalization="layer")
