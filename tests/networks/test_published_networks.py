"""Parameters and multiply-accumulates of the published networks, exactly, and the gin files that name them."""

import gc
import inspect

import gin
import keras
import pytest
import tensorflow as tf
from slow import some

from tfgans.evaluate import cost
from tfgans.layers.initializers import Orthogonal
from tfgans.networks.biggan import biggan_discriminator, biggan_generator
from tfgans.networks.resnet import resnet_discriminator, resnet_generator
from tfgans.run import build

G, D = resnet_generator, resnet_discriminator

# FastGAN's own code, SNGAN's, SAGAN's and RobGAN's networks in it too; Glorot kernels, PyTorch's biases.
OURS = {"residual_gain": 1.0, "bias_initializer": "fan_in_uniform"}
CLASS = {"conditioning": "class", "spectral_normalization": False}
SPECTRAL = {"spectral_normalization": True}
CIFAR_G = OURS | {"base_channels": 128, "num_classes": 10, "epsilon": 2e-5}
CIFAR_D = OURS | {"base_channels": 128, "num_classes": 10, "downsample": (True,) * 4}
SIX = {"resolution": 128, "downsample": (True,) * 5 + (False,)}
SMALL_G = OURS | {"resolution": 64, "num_classes": 143, "block_channels": (1024, 512, 256, 128, 64)}
SMALL_D = OURS | {"resolution": 64, "num_classes": 143, "block_channels": (64, 128, 256, 512, 1024)}
LARGE_G = OURS | {"resolution": 128, "num_classes": 143, "block_channels": (512, 512, 256, 256, 128, 64)}
LARGE_D = OURS | SIX | {"num_classes": 143, "block_channels": (64, 128, 256, 256, 512, 512)}
FULL_G = OURS | {"resolution": 128, "num_classes": 1000, "block_channels": (1024, 1024, 512, 256, 128, 64)}
FULL_D = OURS | SIX | {"num_classes": 1000, "block_channels": (64, 128, 256, 512, 1024, 1024)}
SAGAN = SPECTRAL | {"attention_resolutions": (32,)}

# StudioGAN's: orthogonal kernels, norms projected from the one-hot class, wide discriminator blocks.
STUDIO_G = {"kernel_initializer": "orthogonal", "residual_gain": 1.0, "class_norms": "projected"}
STUDIO_G |= {"epsilon": 1e-4, "last_epsilon": 1e-4}
STUDIO_D = {"kernel_initializer": "orthogonal", "residual_gain": 1.0, "wide": True}
STUDIO_SAGAN = SPECTRAL | {"attention_resolutions": (16,)}
# orthogonal kernels of the large networks take time, and as many parameters as others
STUDIO_FULL_G = FULL_G | STUDIO_G | {"kernel_initializer": "glorot_uniform"}
STUDIO_FULL_D = FULL_D | STUDIO_D | {"kernel_initializer": "glorot_uniform"}
STUDIO_FULL_SAGAN = SPECTRAL | {"attention_resolutions": (64,)}

BIGGAN_32 = {"resolution": 32, "attention_resolutions": (16,), "kernel_initializer": "glorot_uniform"}
BIGGAN_32_G = BIGGAN_32 | {"latent_dim": 80}
REPEATED = {"attention_resolutions": (16, 8), "repeat_attention": True}
STUDIO_BIGGAN_D = BIGGAN_32 | {"block_channels": (192,) * 4}
BIGGAN_128 = {"num_classes": 1000, "kernel_initializer": "glorot_uniform"}

TEN, HUNDRED = {"num_classes": 10}, {"num_classes": 100}
NETWORKS = {  # name: (network, arguments, parameters)
    "fastgan_cifar10_g": (G, CIFAR_G, 1_218_307),
    "fastgan_cifar10_d": (D, CIFAR_D | CLASS, 1_088_139),
    "fastgan_cifar100_g": (G, CIFAR_G | HUNDRED, 1_356_547),
    "fastgan_cifar100_d": (D, CIFAR_D | CLASS | HUNDRED, 1_099_749),
    "sngan_cifar10_d": (D, CIFAR_D, 1_088_129),
    "sngan_cifar100_d": (D, CIFAR_D | HUNDRED, 1_099_649),
    "attention_cifar10_g": (G, CIFAR_G | STUDIO_SAGAN, 1_238_788),
    "attention_cifar10_d": (D, CIFAR_D | STUDIO_SAGAN, 1_108_610),
    "fastgan_143_64_g": (G, SMALL_G, 13_038_595),
    "fastgan_143_64_d": (D, SMALL_D | CLASS, 10_288_016),
    "fastgan_143_128_g": (G, LARGE_G, 10_606_339),
    "fastgan_143_128_d": (D, LARGE_D | CLASS, 8_575_120),
    "fastgan_imagenet_g": (G, FULL_G, 41_996_931),
    "fastgan_imagenet_d": (D, FULL_D | CLASS, 30_042_857),
    "sngan_imagenet_d": (D, FULL_D | SPECTRAL, 30_041_857),
    "sagan_imagenet_g": (G, FULL_G | SAGAN, 42_078_852),
    "sagan_imagenet_wide_d": (D, FULL_D | SAGAN | {"wide": True}, 39_463_618),
    "sagan_imagenet_narrow_d": (D, FULL_D | SAGAN, 30_062_338),
    "biggan_128_g": (biggan_generator, BIGGAN_128, 70_433_988),
    "biggan_128_d": (biggan_discriminator, BIGGAN_128, 87_982_370),
    "biggan_32_64_g": (biggan_generator, BIGGAN_32_G | TEN | {"base_channels": 64}, 4_369_156),
    "biggan_32_96_g": (biggan_generator, BIGGAN_32_G | TEN, 9_416_196),
    "biggan_32_64_d": (biggan_discriminator, BIGGAN_32 | TEN | REPEATED | {"base_channels": 64}, 4_535_045),
    "biggan_32_96_d": (biggan_discriminator, BIGGAN_32 | TEN | REPEATED, 10_194_053),
    "biggan_32_64_without_attention_d": (
        biggan_discriminator,
        BIGGAN_32 | TEN | {"base_channels": 64, "attention_resolutions": ()},
        4_207_361,
    ),
    "biggan_32_96_without_attention_d": (
        biggan_discriminator,
        BIGGAN_32 | TEN | {"attention_resolutions": ()},
        9_456_769,
    ),
    "studio_sngan_cifar10_g": (G, STUDIO_G | TEN, 4_304_387),
    "studio_sngan_cifar10_d": (D, STUDIO_D | TEN, 1_055_105),
    "studio_sngan_cifar100_g": (G, STUDIO_G | HUNDRED, 4_580_867),
    "studio_sngan_cifar100_d": (D, STUDIO_D | HUNDRED, 1_066_625),
    "studio_sagan_cifar10_g": (G, STUDIO_G | TEN | STUDIO_SAGAN, 4_386_308),
    "studio_sagan_cifar10_d": (D, STUDIO_D | TEN | STUDIO_SAGAN, 1_075_586),
    "studio_sagan_cifar100_g": (G, STUDIO_G | HUNDRED | STUDIO_SAGAN, 4_662_788),
    "studio_sagan_cifar100_d": (D, STUDIO_D | HUNDRED | STUDIO_SAGAN, 1_087_106),
    "studio_biggan_cifar100_g": (biggan_generator, BIGGAN_32_G | HUNDRED, 9_427_716),
    "studio_biggan_cifar10_d": (biggan_discriminator, STUDIO_BIGGAN_D | TEN, 2_415_170),
    "studio_biggan_cifar100_d": (biggan_discriminator, STUDIO_BIGGAN_D | HUNDRED, 2_432_450),
    "studio_sngan_imagenet_g": (G, STUDIO_FULL_G, 41_996_931),
    "studio_sngan_imagenet_d": (D, STUDIO_FULL_D | SPECTRAL, 39_443_137),
    "studio_sagan_imagenet_g": (G, STUDIO_FULL_G | STUDIO_FULL_SAGAN, 42_017_412),
    "studio_sagan_imagenet_d": (D, STUDIO_FULL_D | STUDIO_FULL_SAGAN, 39_448_258),
    "wgan_gp_cifar_g": (G, {}, 4_276_739),
    "wgan_gp_cifar_bilinear_g": (G, {"upsampling": "bilinear"}, 4_276_739),
    "wgan_gp_cifar_d": (D, {"spectral_normalization": False}, 1_053_825),
    "wgan_gp_cifar_mean_d": (D, {"spectral_normalization": False, "pooling": "mean"}, 1_053_825),
    "sngan_cifar_without_bias_d": (D, {"head_bias": False}, 1_053_824),
    "projection_cifar10_g": (G, TEN | {"upsampling": "bilinear"}, 4_304_387),
    "projection_cifar10_d": (D, TEN, 1_055_105),
    "mimicry_sagan_cifar10_g": (
        G,
        TEN | SPECTRAL | {"upsampling": "bilinear", "attention_resolutions": (16,)},
        4_386_308,
    ),
    "mimicry_sagan_cifar10_d": (D, TEN | {"attention_resolutions": (8,)}, 1_075_586),
    "sngan_48_g": (G, {"resolution": 48}, 4_878_083),
    "sngan_48_d": (D, {"resolution": 48}, 10_141_441),
}
# multiply-accumulates of a forward pass of one image, in units of 1e9, without attention's products
GIGA_MACS = {
    "fastgan_cifar10_g": 0.422,
    "fastgan_cifar10_d": 0.259,
    "fastgan_143_64_g": 1.955,
    "fastgan_143_64_d": 0.645,
    "fastgan_143_128_g": 6.002,
    "fastgan_143_128_d": 2.122,
    "fastgan_imagenet_g": 9.090,
    "fastgan_imagenet_d": 2.882,
    "sagan_imagenet_g": 9.174,
    "sagan_imagenet_wide_d": 4.714,
}


@pytest.fixture
def without_drawing(monkeypatch):
    """Counts are those of any weights: large ones take long to draw."""
    zeros = lambda self, shape, dtype=None, **_: tf.zeros(shape, dtype or "float32")  # noqa: E731
    for initializer in (keras.initializers.VarianceScaling, keras.initializers.RandomUniform, Orthogonal):
        monkeypatch.setattr(initializer, "__call__", zeros)


@pytest.mark.parametrize("name", some(NETWORKS, every=3))
def test_parameters_and_products(name, without_drawing):
    function, arguments, parameters = NETWORKS[name]
    network = function(**arguments)
    assert cost.parameters(network) == parameters
    if name in GIGA_MACS:
        assert cost.macs(network) / 1e9 == pytest.approx(GIGA_MACS[name], abs=5e-4)
    del network
    if parameters > 20_000_000:
        gc.collect()  # these are hundreds of megabytes


def test_totals_of_the_papers_table():
    """FastGAN, table 1: 72.0, 81.5 and 158.3 million parameters (the last of rounded halves)."""

    def total(*names):
        return sum(NETWORKS[name][2] for name in names)

    assert total("fastgan_imagenet_g", "fastgan_imagenet_d") == 72_039_788
    assert total("fastgan_imagenet_g", "sngan_imagenet_d") == 72_038_788
    assert total("sagan_imagenet_g", "sagan_imagenet_wide_d") == 81_542_470
    assert total("biggan_128_g", "biggan_128_d") == 158_416_358


# gin file: resolution, classes, and the networks it must name
FILES = {
    "fastgan_cifar": (32, 10, "fastgan_cifar10_g", "fastgan_cifar10_d"),
    "fastgan_64": (64, 143, "fastgan_143_64_g", "fastgan_143_64_d"),
    "fastgan_128": (128, 143, "fastgan_143_128_g", "fastgan_143_128_d"),
    "fastgan_imagenet": (128, 1000, "fastgan_imagenet_g", "fastgan_imagenet_d"),
    "sagan_imagenet": (128, 1000, "sagan_imagenet_g", "sagan_imagenet_wide_d"),
    "biggan_128": (128, 1000, "biggan_128_g", "biggan_128_d"),
    "sngan_cifar": (32, 10, "fastgan_cifar10_g", "sngan_cifar10_d"),
    "wgan_gp_cifar": (32, None, "wgan_gp_cifar_g", "wgan_gp_cifar_d"),
}


@pytest.mark.parametrize("name", FILES)
def test_gin_files_give_these_arguments(name):
    """What is bound, with the functions' defaults, is what is counted above: nothing large is built twice."""
    resolution, classes, *networks = FILES[name]
    macros = [f"resolution = {resolution}", "channels = 3", f"num_classes = {classes}"]
    build.prepare([f"gin_configs/networks/{name}.gin"], macros)
    for part, network in zip(("generator", "discriminator"), networks, strict=True):
        function, arguments, _ = NETWORKS[network]
        reference = gin.query_parameter(f"build.{part}")
        assert inspect.unwrap(gin.get_configurable(reference.selector)) is inspect.unwrap(function)
        assert bound(function) == defaults(function) | arguments | unimportant(function)


def defaults(function):
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


def bound(function):
    """The arguments a call would get from the configuration and the function's defaults."""
    values = defaults(function)
    for name in values:
        with_binding = f"{function.__name__}.{name}"
        try:
            value = gin.query_parameter(with_binding)
        except ValueError:
            continue
        if isinstance(value, gin.config.ConfigurableReference):  # a macro
            value = value.scoped_configurable_fn()
        values[name] = value
    return values | unimportant(function)


def unimportant(function):
    """What changes no count, and is set for speed above."""
    same = {"epsilon": 0, "kernel_initializer": 0}
    return {name: value for name, value in same.items() if name in defaults(function)}
