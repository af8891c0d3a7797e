"""High and low maps on their way through a network that `to_octave` converts."""

import keras
import numpy as np

from tfgans.layers import resample


class Maps:
    """Maps in two parts, of a network's maps of all their channels.

    Args:
        high, low: symbolic maps [N, H, W, C_high] and [N, H/2, W/2, C_low].
        order: which channel of the network's each of [high, low] is; None says that they are in order.
    """

    def __init__(self, high, low, order=None):
        self.pair = [high, low]
        self.order = list(range(self.channels)) if order is None else list(order)

    @property
    def channels(self):
        """The number of channels in all."""
        return sum(part.shape[-1] for part in self.pair)

    def places(self):
        """The network's channels that are high, and those that are low."""
        high = self.pair[0].shape[-1]
        return self.order[:high], self.order[high:]

    def like(self, high, low):
        """Maps of other values, whose channels are those of these."""
        return Maps(high, low, self.order)


def merged(maps):
    """One tensor of all channels, high and enlarged low ones, in the network's order; what is no `Maps` as it is."""
    if not isinstance(maps, Maps):
        return maps
    high, low = maps.pair
    low = resample.NearestUpsampling2D(dtype=low.dtype)(low)
    one = keras.layers.Concatenate(dtype=high.dtype)([high, low])
    back = np.argsort(maps.order).tolist()
    return one if back == list(range(len(back))) else keras.ops.take(one, back, axis=-1)


def poolable(maps, factor):
    """The maps, or one tensor of them where the low ones are too small to pool by `factor`."""
    too_small = isinstance(maps, Maps) and any(side % factor for side in maps.pair[1].shape[1:3])
    return merged(maps) if too_small else maps


def stay_halves(layer, *sizes):
    """Whether a layer gives high maps of twice the rows and columns of the low ones.

    Args: sizes: shapes [N, H, W, C] of the high and of the low maps that it takes.
    """
    try:
        high, low = (layer.compute_output_shape(size)[1:3] for size in sizes)
    except ValueError:
        return False  # Keras's, of a window that is larger than the low maps
    return all(long == 2 * short for long, short in zip(high, low, strict=True))


def joined(parts, layer):
    """Maps of the channels of several, one after the other, as `keras.layers.Concatenate` puts them; `layer` does so.

    Args:
        parts: several `Maps`.
        layer: function of a list of the high, or of the low maps.
    """
    firsts = np.cumsum([0, *(part.channels for part in parts[:-1])])
    places = [[place + first for place in part.order] for part, first in zip(parts, firsts, strict=True)]
    highs = [part.pair[0].shape[-1] for part in parts]
    order = [p for own, n in zip(places, highs, strict=True) for p in own[:n]]
    order += [p for own, n in zip(places, highs, strict=True) for p in own[n:]]
    return Maps(*(layer([part.pair[i] for part in parts], i) for i in range(2)), order)
