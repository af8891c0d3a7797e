"""Sliced Wasserstein distance between patches of images, level by level of a Laplacian pyramid.

Karras et al., 2018 ("Progressive growing of GANs", section 5), as TF-GAN computes it. Departures from
TF-GAN's function: every draw comes from one seed, so that a number can be had again; a patch without
any variation (a plain background) becomes zeros, where TF-GAN divides by zero; any number of channels;
images that are no squares.
"""

import numpy as np

from tfgans.config import ConfigError

_FILTER = np.array([1.0, 4.0, 6.0, 4.0, 1.0], np.float32) / 16.0
_PATCH = 7
_SMALLEST = 16
_FLAT = 1e-3  # grey levels; patches of uint8 images that vary at all vary more


def sliced_wasserstein(real, fake, patches_per_image=64, projections=147, seed=0):
    """Distances between two sets of images at every resolution down to 16 (or the only one below).

    Args:
        real: uint8 or float [n, H, W, C], H and W at least 8; levels go by the smaller one.
        fake: images of the same shape, as many as `real`.
        patches_per_image: 7x7 patches drawn from each image and level.
        projections: random directions to average over.
        seed: of the draws of patches and directions.
    Returns: list of floats, from the finest level on, in units of a patch's standard deviation. Two draws
        from one distribution do not give 0 but a value that shrinks with the number of patches.
    Raises: ConfigError for shapes that do not fit.
    """
    if real.shape != fake.shape or real.ndim != 4 or min(real.shape[1:3]) < 8:
        raise ConfigError(
            "sliced Wasserstein needs two equal sets of images [n, H, W, C], H and W at least 8. "
            f"Received: {real.shape} and {fake.shape}"
        )
    random = np.random.RandomState(seed)
    size = min(real.shape[1:3])
    levels = 1 + max(0, int(np.log2(size)) - int(np.log2(_SMALLEST)))
    direction_count = _PATCH * _PATCH * real.shape[3]
    distances = []
    for real_level, fake_level in zip(_pyramid(real, levels), _pyramid(fake, levels), strict=True):
        directions = random.normal(size=(direction_count, projections)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        first = _patches(real_level, patches_per_image, random)
        second = _patches(fake_level, patches_per_image, random)
        distances.append(_sorted_distance(first, second, directions))
    return distances


def _sorted_distance(first, second, directions):
    """Mean absolute difference of sorted projections; a few directions at a time bound the memory."""
    total = 0.0
    for start in range(0, directions.shape[1], 16):
        chunk = directions[:, start : start + 16]
        gap = np.sort(first @ chunk, axis=0) - np.sort(second @ chunk, axis=0)
        total += np.abs(gap).mean(axis=0, dtype=np.float64).sum()
    return float(total / directions.shape[1])


def laplacian_pyramid(images, levels):
    """Band-pass images [n, H, W, C] from the finest level on; the last one is low-pass. Float32."""
    return list(_pyramid(images, levels))


def _pyramid(images, levels):
    current = np.asarray(images, np.float32)
    for _ in range(levels - 1):
        smaller = _blur(current)[:, ::2, ::2]
        spread = np.zeros_like(current)
        spread[:, ::2, ::2] = smaller
        yield current - 4.0 * _blur(spread)
        current = smaller
    yield current


def _blur(images):
    """5x5 binomial filter with mirrored borders."""
    for axis in (1, 2):
        width = [(0, 0)] * 4
        width[axis] = (2, 2)
        padded = np.pad(images, width, mode="reflect")
        length = images.shape[axis]
        images = sum(
            weight * padded[(slice(None),) * axis + (slice(k, k + length),)]
            for k, weight in enumerate(_FILTER)
        )
    return images


def _patches(images, per_image, random):
    """Random 7x7 patches, each of zero mean and unit variance: [n * per_image, 49 C]."""
    count, height, width, channels = images.shape
    half = np.arange(_PATCH)
    image = np.repeat(np.arange(count), per_image)[:, None, None]
    top = random.randint(0, height - _PATCH + 1, size=len(image))[:, None, None]
    left = random.randint(0, width - _PATCH + 1, size=len(image))[:, None, None]
    patches = images[image, top + half[:, None], left + half].reshape(len(image), -1)
    patches -= patches.mean(axis=1, keepdims=True)
    deviation = patches.std(axis=1, keepdims=True)
    return np.where(deviation > _FLAT, patches / np.maximum(deviation, _FLAT), 0.0).astype(np.float32)
