"""Our residual blocks in a network that `to_octave` converts: taken apart, their layers called on maps."""

import functools

import keras

from tfgans.config import ConfigError
from tfgans.layers import resample
from tfgans.methods.octave.maps import Maps, merged, poolable


def up_block(block, conversion, maps, *condition, **options):
    gives_maps = conversion.gives_maps
    up = resample.NearestUpsampling2D if block.upsampling == "nearest" else resample.BilinearUpsampling2D
    run = Parts(block, conversion)
    x = run.each("normalization1", maps, *condition)
    x = run.convolve("convolution1", run.new(up, run.new(keras.layers.ReLU, x)), True)
    x = run.new(keras.layers.ReLU, run.each("normalization2", x, *condition))
    x = run.convolve("convolution2", x, gives_maps)
    return run.add(x, run.convolve("shortcut", run.new(up, maps), gives_maps))


def input_block(block, conversion, images, **options):
    gives_maps = conversion.gives_maps
    run = Parts(block, conversion)
    x = run.new(keras.layers.ReLU, run.convolve("convolution1", images, True))
    x = run.pool(run.convolve("convolution2", x, gives_maps))
    return run.add(x, run.convolve("shortcut", run.pool(images), gives_maps))


def down_block(block, conversion, maps, **options):
    gives_maps = conversion.gives_maps
    run = Parts(block, conversion)
    x = run.convolve("convolution1", run.new(keras.layers.ReLU, maps), True)
    x = run.convolve("convolution2", run.new(keras.layers.ReLU, x), gives_maps)
    shortcut = maps if block.shortcut is None else run.convolve("shortcut", maps, gives_maps)
    return run.add(*(map(run.pool, (x, shortcut)) if block.downsample else (x, shortcut)))


class Parts:
    """The layers inside one residual block, called on maps."""

    def __init__(self, block, conversion):
        if block.recompute:
            raise ConfigError(
                f"to_octave: {block.name} has recompute, which its octave layers would not have"
            )
        self.block, self.conversion = block, conversion

    def each(self, name, maps, *inputs):
        layer = getattr(self.block, name)
        return self.conversion.each(layer, maps, *inputs, name=f"{self.block.name}_{name}")

    def convolve(self, name, maps, gives_maps):
        layer = getattr(self.block, name)
        return self.conversion.convolve(layer, maps, gives_maps, name=f"{self.block.name}_{name}")

    def new(self, make_layer, maps):
        dtype = self.block.dtype_policy.name
        if isinstance(maps, Maps):
            return maps.like(*(make_layer(dtype=dtype)(part) for part in maps.pair))
        return make_layer(dtype=dtype)(maps)

    def pool(self, maps):
        return self.new(resample.AverageDownsampling2D, poolable(maps, 2))

    def add(self, first, second):
        add = functools.partial(keras.layers.Add, dtype=self.block.dtype_policy.name)
        both = isinstance(first, Maps) and isinstance(second, Maps)
        if both and first.places() == second.places():
            pairs = zip(first.pair, second.pair, strict=True)
            return first.like(*(add()(list(parts)) for parts in pairs))
        return add()([merged(first), merged(second)])
