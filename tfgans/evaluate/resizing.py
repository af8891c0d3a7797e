"""From uint8 images of any size to what a feature network takes: the resizing rules that published numbers name.

They differ by up to 14 of 255 levels at 32x32, more than many differences between methods, so a result says which
one it is. All functions take uint8 [n, H, W, C] and squash both axes to a square of `size`, or say what else they do.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from PIL import Image

INCEPTION_SIZE = 299


def asymmetric(images, size):
    """Bilinear with output i at input i S / size, without antialias: TensorFlow 1's graphs, torch-fidelity, NVIDIA.

    Returns: float32 [n, size, size, C] in [0, 255].
    """
    pixels = tf.cast(images, tf.float32)
    return tf.raw_ops.ResizeBilinear(
        images=pixels, size=(size, size), align_corners=False, half_pixel_centers=False
    )


def half_pixel(images, size):
    """Bilinear with output i at input (i + 1/2) S / size - 1/2, without antialias: pytorch-fid.

    Returns: float32 [n, size, size, C] in [0, 1]: the images are scaled before they are resized.
    """
    pixels = tf.cast(images, tf.float32) / 255.0
    return tf.image.resize(pixels, (size, size), tf.image.ResizeMethod.BILINEAR)


def bicubic(images, size):
    """Pillow's bicubic with antialias on float channels, clipped to [0, 255] and not rounded: clean-fid.

    Returns: float32 [n, size, size, C] in [0, 255].
    """

    def channel(values):
        return np.asarray(_channel_resized(values, size), np.float32)

    resized = _each(images, lambda image: np.stack([channel(c) for c in np.moveaxis(image, -1, 0)], -1))
    return np.clip(resized, 0.0, 255.0)


def _channel_resized(values, size):
    return Image.fromarray(values.astype(np.float32), mode="F").resize((size, size), Image.Resampling.BICUBIC)


def bicubic_uint8(images, size):
    """Pillow's bicubic with antialias on 8-bit images: FD-DINOv2 as published (dgm-eval).

    Returns: uint8 [n, size, size, C].
    """
    return _each(
        images, lambda image: np.asarray(_picture(image).resize((size, size), Image.Resampling.BICUBIC))
    )


def cropped_bicubic_uint8(images, size):
    """The middle square, then `bicubic_uint8`: what CMMD gives CLIP."""
    height, width = np.shape(images)[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return bicubic_uint8(np.asarray(images)[:, top : top + side, left : left + side], size)


def shorter_side_uint8(images, size):
    """The shorter side to `size` by Pillow's bicubic on 8 bits, then the middle square: CLIP's own, and CLIP-FID's.

    Returns: uint8 [n, size, size, C].
    """
    height, width = np.shape(images)[1:3]
    rows, columns = (size * side // min(height, width) for side in (height, width))
    top, left = round((rows - size) / 2), round((columns - size) / 2)

    def one(image):
        resized = np.asarray(_picture(image).resize((columns, rows), Image.Resampling.BICUBIC))
        return resized[top : top + size, left : left + size]

    return _each(images, one)


def _picture(image):
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def _each(images, resize):
    """`resize` of every image [H, W, C], on all processors: Pillow works outside of Python's lock."""
    images = np.asarray(images)
    with ThreadPoolExecutor() as pool:
        resized = np.stack(list(pool.map(resize, images)))
    return resized[..., None] if resized.ndim == 3 else resized


def legacy_tensorflow(images):
    """What the original Inception graph does with its input: `asymmetric`, then (x - 128) / 128.

    TTUR, torch-fidelity, StyleGAN2 and 3, guided-diffusion; of the papers here AlphaGAN and AutoGAN.
    Returns: float32 [n, 299, 299, 3] in [-1, 0.9921875].
    """
    return (asymmetric(images, INCEPTION_SIZE) - 128.0) / 128.0


def legacy_pytorch(images):
    """What pytorch-fid does: `half_pixel`, then 2 x - 1; of the papers here FastGAN and Re-GAN on StyleGAN2.

    Returns: float32 [n, 299, 299, 3] in [-1, 1].
    """
    return 2.0 * half_pixel(images, INCEPTION_SIZE) - 1.0


def clean(images):
    """What clean-fid does: `bicubic`, then (x - 128) / 128 (Parmar, Zhang and Zhu, 2022).

    Returns: float32 [n, 299, 299, 3] in [-1, 0.9921875].
    """
    return (bicubic(images, INCEPTION_SIZE) - np.float32(128.0)) / np.float32(128.0)
