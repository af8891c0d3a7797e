"""StyleGAN2 with the weights of a golden file: maps of 8 and 6 channels, two mapping layers."""

import numpy as np
import tensorflow as tf

from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


def channels_last(images):
    return np.transpose(images, (0, 2, 3, 1))


def set_modulated(layer, arrays, name, up=False):
    layer.kernel.assign(arrays[f"{name}.weight"][0].transpose(2, 3, *((0, 1) if up else (1, 0))))
    weights = arrays[f"{name}.modulation.weight"].T, arrays[f"{name}.modulation.bias"]
    layer.modulation.set_weights(weights)


def golden_generator(arrays):
    """The generator with the weights `G/...`: 8x8 images, latents and styles of 8 numbers."""
    generator = stylegan2_generator(
        8, latent_dim=8, style_dim=8, mapping_layers=2, max_channels=8, base_channels=6
    )
    mapping, synthesis = generator.get_layer("mapping"), generator.get_layer("synthesis")
    for number, layer in enumerate(mapping.dense, 1):
        layer.set_weights([arrays[f"G/style.{number}.weight"].T, arrays[f"G/style.{number}.bias"]])
    synthesis.constant.assign(channels_last(arrays["G/input.input"])[0])
    for layer, name in zip(synthesis.convolutions, ("conv1", "convs.0", "convs.1"), strict=True):
        set_modulated(layer.convolution, arrays, f"G/{name}.conv", layer.up)
        layer.noise.strength.assign(arrays[f"G/{name}.noise.weight"][0])
        layer.bias.assign(arrays[f"G/{name}.activate.bias"])
    for layer, name in zip(synthesis.images, ("to_rgb1", "to_rgbs.0"), strict=True):
        set_modulated(layer, arrays, f"G/{name}.conv")
        layer.bias.assign(arrays[f"G/{name}.bias"].ravel())
    return generator


def golden_noise(arrays):
    """The noise of each layer; [1, H, W, 1] where the images share it."""
    return [tf.constant(channels_last(arrays[f"noise{i}"])) for i in range(3)]


def golden_discriminator(arrays):
    """The discriminator with the weights `D/...`."""
    network = stylegan2_discriminator(8, max_channels=8, base_channels=6)

    def set_layer(layer, weight, bias=None):
        kernel = arrays[f"D/{weight}"].transpose(2, 3, 1, 0)
        layer.set_weights([kernel] if bias is None else [kernel, arrays[f"D/{bias}"]])

    block = network.get_layer("block8")
    set_layer(network.get_layer("from_rgb"), "convs.0.0.weight", "convs.0.1.bias")
    set_layer(block.convolution1, "convs.1.conv1.0.weight", "convs.1.conv1.1.bias")
    set_layer(block.convolution2, "convs.1.conv2.1.weight", "convs.1.conv2.2.bias")
    set_layer(block.shortcut, "convs.1.skip.1.weight")
    set_layer(network.get_layer("last_convolution"), "final_conv.0.weight", "final_conv.1.bias")
    dense = arrays["D/final_linear.0.weight"].reshape(8, 8, 4, 4).transpose(2, 3, 1, 0).reshape(128, 8)
    network.get_layer("dense").set_weights([dense, arrays["D/final_linear.0.bias"]])
    head = arrays["D/final_linear.1.weight"].T, arrays["D/final_linear.1.bias"]
    network.get_layer("adversarial_head").set_weights(head)
    return network
