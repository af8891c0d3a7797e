"""R3GAN's layers and networks with the weights of golden files, which name them as the authors do."""

import numpy as np

from tfgans.networks.r3gan import r3gan_discriminator

BLOCK = {
    "kernel1": "LinearLayer1.Layer.weight",
    "bias1": "NonLinearity1.Bias",
    "kernel2": "LinearLayer2.Layer.weight",
    "bias2": "NonLinearity2.Bias",
    "kernel3": "LinearLayer3.Layer.weight",
}
# Of the tiny discriminators `du` and `dc`: the names of weights, in the order in which the network has its own.
STAGES = "MainLayers.0.Layers", "MainLayers.1.Layers"
NAMES = [
    "ExtractionLayer.Layer.weight",
    *(f"{STAGES[0]}.0.{name}" for name in BLOCK.values()),
    f"{STAGES[0]}.1.LinearLayer.Layer.weight",
    *(f"{STAGES[1]}.{block}.{name}" for block in range(2) for name in BLOCK.values()),
    f"{STAGES[1]}.2.Basis.weight",
    f"{STAGES[1]}.2.LinearLayer.weight",
]


def channels_last(images):
    return np.transpose(images, (0, 2, 3, 1))


def ours(array):
    """A weight, or its gradient, in the layout of our layers."""
    if array.ndim == 4:  # of a convolution; a template [C, 1, H, W] becomes [H, W, 1, C]
        array = array.transpose(2, 3, 1, 0)
        return array[:, :, 0] if array.shape[0] == 4 and array.shape[2] == 1 else array
    return array.transpose(1, 2, 0) if array.ndim == 3 else array.T


def golden_discriminator(arrays, tag, prefix="w"):
    """The tiny discriminator `du` or `dc` with the weights `{tag}/{prefix}/...`, or gradients in their places."""
    classes = {"num_classes": 4, "class_dim": 5} if tag == "dc" else {}
    network = r3gan_discriminator(8, width=(6, 4), blocks=(2, 1), group_width=4, **classes)
    names = NAMES + (["EmbeddingLayer.weight"] if classes else [])
    weights = {v.path: v for v in network.weights}
    assert len(weights) == len(names)
    in_order = sorted(network.weights, key=lambda v: v.path == "class_embedding/embeddings")
    for variable, name in zip(in_order, names, strict=True):
        variable.assign(ours(arrays[f"{tag}/{prefix}/{name}"]))
    return network
