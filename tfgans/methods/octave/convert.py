"""`to_octave`: an existing network with octave convolutions in place of its own.

Each layer is turned by `octave_of`, which dispatches on the layer's class: convolutions become octave convolutions,
layers that treat channels alike work on both maps, our residual blocks are taken apart, and any other layer gets its
maps put together, [high, U(low)], and stays as it is. For a layer of your own that can work on each map by itself:
`octave_of.register(MyLayer, on_each_map)`.
"""

import functools

import keras

from tfgans import keras_internals
from tfgans.config import ConfigError
from tfgans.layers import blocks, norms, resample, spectral
from tfgans.methods.octave.conv import low_channels
from tfgans.methods.octave.soft import SoftOctaveConv2D, SoftOctaveConv2DTranspose, SpectralSoftOctaveConv2D


def to_octave(network, alpha=0.5):
    """A copy of a functional network whose convolutions are soft octave convolutions.

    A convolution gives a pair of maps if a later one takes them (through norms, activations, pooling, sums), its
    output has an even number of rows and columns, as has what a transposed one takes, and alpha leaves it a low
    channel; otherwise it gives one tensor,
    as the authors' last layers do. So images and features keep their shapes. Strided convolutions of pairs pool
    first, as theirs. All weights start from the network's own values, split by channel, so parameters are as many.

    Args:
        network: a functional Keras model; models nested in it are copied as they are.
        alpha: share of low channels, in [0, 1); 0 is the network itself.
    Returns: a functional model with inputs and outputs of the same structure and shapes.
    Raises: ConfigError if the network is not functional, has blocks with `recompute`, or alpha leaves its range.
    """
    if not keras_internals.is_functional(network):
        raise ConfigError(f"to_octave takes a functional Keras model. Received: {type(network).__name__}")
    if not 0.0 <= alpha < 1.0:
        raise ConfigError(f"to_octave: alpha is in [0, 1). Received: {alpha}")
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name), network.input
    )
    conversion = _Conversion(alpha, _before_convolutions(network))
    outputs = keras_internals.run_graph(network, inputs, conversion.run)
    return keras.Model(inputs, keras.tree.map_structure(merged, outputs), name=network.name)


class Maps:
    """High and low maps on their way through a network that is converted."""

    def __init__(self, high, low):
        self.pair = [high, low]


def merged(maps):
    """One tensor of all channels: [high, U(low)]; what is no pair of maps as it is."""
    if not isinstance(maps, Maps):
        return maps
    high, low = maps.pair
    return keras.layers.Concatenate()([high, resample.NearestUpsampling2D()(low)])


def _poolable(maps, factor):
    """The maps, or one tensor of them where the low ones are too small to pool by `factor`."""
    too_small = isinstance(maps, Maps) and any(side % factor for side in maps.pair[1].shape[1:3])
    return merged(maps) if too_small else maps


class _Conversion:
    """One run of `to_octave`: alpha, the layers made so far, and whether the present layer may give a pair."""

    def __init__(self, alpha, before_convolutions):
        self.alpha, self._before = alpha, before_convolutions
        self._made = {}

    def run(self, layer, *arguments, **options):
        if not self.alpha:
            return self.copy(layer)(*arguments, **options)
        self.gives_maps = id(layer) in self._before
        return octave_of(layer, self, *arguments, **options)

    def convolve(self, layer, maps, gives_maps=None, name=None, **options):
        """What an octave convolution in place of `layer` makes of maps."""
        transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        stride = layer.strides[0]
        maps = maps if transposed else _poolable(maps, stride)
        one = maps.pair[0] if isinstance(maps, Maps) else maps
        size = [side * stride if transposed else -(-side // stride) for side in one.shape[1:3]]
        alpha = self.alpha if low_channels(self.alpha, layer.filters) else 0.0
        size += one.shape[1:3] if transposed else ()  # what it takes is pooled for the low maps
        if any(side % 2 for side in size) or not (self.gives_maps if gives_maps is None else gives_maps):
            alpha = 0.0
        if not alpha and one is maps:
            return self.copy(layer, name)(maps, **options)
        made = self._make((id(layer), "octave"), _octave_layer, layer, alpha, name or layer.name)
        outputs = made(maps.pair if isinstance(maps, Maps) else maps, **options)
        _take_weights(made, layer)
        return Maps(*outputs) if alpha else outputs

    def each(self, layer, maps, *inputs, name=None, **options):
        """What copies of a layer, one for each map, make of maps; the low one's weights are the last channels'."""
        if not isinstance(maps, Maps):
            return self.copy(layer, name)(maps, *inputs, **options)
        channels = [part.shape[-1] for part in maps.pair]
        outputs = []
        for part, maps_part, first in zip(("high", "low"), maps.pair, (0, channels[0]), strict=True):
            made = self._make((id(layer), part), _again, layer, f"{name or layer.name}_{part}")
            outputs.append(made(maps_part, *inputs, **options))
            _take_weights(made, layer, first, sum(channels))
        return Maps(*outputs)

    def copy(self, layer, name=None):
        """The layer itself once more, with its weights."""
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation such as a sum has no weights

        def call(*arguments, **options):
            again = _apart if self.alpha else _again
            made = self._make((id(layer), "copy"), again, layer, name or layer.name)
            outputs = made(*arguments, **options)
            _take_weights(made, layer)
            return outputs

        return call

    def _make(self, key, make, *arguments):
        if key not in self._made:
            self._made[key] = make(*arguments)  # a layer that is called twice stays one layer
        return self._made[key]


def _again(layer, name):
    return type(layer).from_config(layer.get_config() | {"name": name})


def _apart(layer, name):
    """As `_again`, of maps that a convolution's up-sampling has enlarged before."""
    return type(layer).from_config(_config_apart(layer) | {"name": name})


def _config_apart(layer):
    config = layer.get_config()
    if isinstance(layer, keras.layers.Conv2D):
        config.pop("upsampling", None)
    return config


def _octave_layer(layer, alpha, name):
    if isinstance(layer, spectral.SpectralConv2D):
        made = SpectralSoftOctaveConv2D
    else:
        transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        made = SoftOctaveConv2DTranspose if transposed else SoftOctaveConv2D
    config = {k: v for k, v in _config_apart(layer).items() if k not in ("groups", "data_format")}
    return made.from_config(config | {"alpha": alpha, "name": name})


def _take_weights(made, layer, first=0, channels=None):
    """Copies a layer's weights; of those with an entry a channel, from `first` on as many as there is room for."""
    own = [variable for variable in made.weights if variable.name != "betas"]
    for new, old in zip(own, layer.weights, strict=True):
        value = keras.ops.convert_to_numpy(old)
        if channels is not None and value.shape[-1:] == (channels,):
            value = value[..., first : first + new.shape[-1]]
        new.assign(value)


@functools.singledispatch
def octave_of(layer, conversion, *arguments, **options):
    """What stands for the call of `layer` in the octave network; this one is for layers that need one tensor."""
    arguments = keras.tree.map_structure(merged, arguments)
    return conversion.copy(layer)(*arguments, **keras.tree.map_structure(merged, options))


def on_each_map(layer, conversion, maps, *inputs, **options):
    """For layers that work on the high and on the low maps by themselves."""
    return conversion.each(layer, maps, *inputs, **options)


def _pooled(layer, conversion, maps, **options):
    factor = getattr(layer, "factor", None) or layer.pool_size[0]
    return conversion.each(layer, _poolable(maps, factor), **options)


def _together(layer, conversion, inputs, **options):
    if not all(isinstance(part, Maps) for part in inputs):
        return conversion.copy(layer)([merged(part) for part in inputs], **options)
    made = [_again(layer, f"{layer.name}_{part}") for part in ("high", "low")]
    return Maps(*(made[i]([part.pair[i] for part in inputs], **options) for i in range(2)))


def _convolution(layer, conversion, maps, **options):
    if getattr(layer, "upsampling", 1) > 1:
        larger = resample.NearestUpsampling2D(layer.upsampling)
        maps = Maps(*map(larger, maps.pair)) if isinstance(maps, Maps) else larger(maps)
    strides, padding, groups = set(layer.strides), layer.padding, getattr(layer, "groups", 1)
    if padding != "same" or len(strides) > 1 or groups != 1 or layer.data_format == "channels_first":
        return conversion.copy(layer)(merged(maps), **options)
    return conversion.convolve(layer, maps, **options)


def _up_block(block, conversion, maps, *condition, **options):
    gives_maps = conversion.gives_maps
    up = resample.NearestUpsampling2D if block.upsampling == "nearest" else resample.BilinearUpsampling2D
    run = _Parts(block, conversion)
    x = run.each("normalization1", maps, *condition)
    x = run.convolve("convolution1", run.new(up, run.new(keras.layers.ReLU, x)), True)
    x = run.new(keras.layers.ReLU, run.each("normalization2", x, *condition))
    x = run.convolve("convolution2", x, gives_maps)
    return run.add(x, run.convolve("shortcut", run.new(up, maps), gives_maps))


def _input_block(block, conversion, images, **options):
    gives_maps = conversion.gives_maps
    run = _Parts(block, conversion)
    x = run.new(keras.layers.ReLU, run.convolve("convolution1", images, True))
    x = run.pool(run.convolve("convolution2", x, gives_maps))
    return run.add(x, run.convolve("shortcut", run.pool(images), gives_maps))


def _down_block(block, conversion, maps, **options):
    gives_maps = conversion.gives_maps
    run = _Parts(block, conversion)
    x = run.convolve("convolution1", run.new(keras.layers.ReLU, maps), True)
    x = run.convolve("convolution2", run.new(keras.layers.ReLU, x), gives_maps)
    shortcut = maps if block.shortcut is None else run.convolve("shortcut", maps, gives_maps)
    return run.add(*(map(run.pool, (x, shortcut)) if block.downsample else (x, shortcut)))


class _Parts:
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
        if isinstance(maps, Maps):
            return Maps(*(make_layer()(part) for part in maps.pair))
        return make_layer()(maps)

    def pool(self, maps):
        return self.new(resample.AverageDownsampling2D, _poolable(maps, 2))

    def add(self, first, second):
        if isinstance(first, Maps) and isinstance(second, Maps):
            pairs = zip(first.pair, second.pair, strict=True)
            return Maps(*(keras.layers.Add()(list(parts)) for parts in pairs))
        return keras.layers.Add()([merged(first), merged(second)])


_CONVOLUTIONS = {
    keras.layers.Conv2D: _convolution,
    keras.layers.Conv2DTranspose: _convolution,
    blocks.ResidualUpBlock: _up_block,
    blocks.ResidualInputBlock: _input_block,
    blocks.ResidualDownBlock: _down_block,
}
for _layer, _function in _CONVOLUTIONS.items():
    octave_of.register(_layer, _function)
for _layer in (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.BatchNormalization,
    keras.layers.UpSampling2D,
    norms.BatchNormalization,
    norms.ConditionalBatchNormalization,
    norms.ProjectedBatchNormalization,
    norms.InstanceNormalization,
    norms.PixelNormalization,
    resample.NearestUpsampling2D,
    resample.BilinearUpsampling2D,
):
    octave_of.register(_layer, on_each_map)
for _layer in (keras.layers.AveragePooling2D, keras.layers.MaxPooling2D, resample.AverageDownsampling2D):
    octave_of.register(_layer, _pooled)
for _layer in (keras.layers.Add, keras.layers.Average, keras.layers.Multiply, keras.layers.Concatenate):
    octave_of.register(_layer, _together)
octave_of.register(spectral.SpectralConv2DTranspose, octave_of.dispatch(object))


def _before_convolutions(network):
    """Identities of the layers whose output reaches a convolution through layers that take pairs."""
    convolutions, any_layer = set(_CONVOLUTIONS.values()), octave_of.dispatch(object)
    before = set()
    for node in keras_internals.nodes_from_outputs(network):
        function = octave_of.dispatch(type(node.operation))
        through = function is not any_layer and id(node.operation) in before
        if function in convolutions or through:
            before |= {id(parent.operation) for parent in node.parent_nodes}
    return before
