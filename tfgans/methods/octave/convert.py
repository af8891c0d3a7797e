"""`to_octave`: an existing network with octave convolutions in place of its own.

Each layer is turned by `octave_of`, which dispatches on the layer's class: convolutions become octave convolutions,
layers that treat channels alike work on both maps, our residual blocks are taken apart, and any other layer gets its
maps put together, [high, U(low)], and stays as it is. For a layer of your own that can work on each map by itself:
`octave_of.register(MyLayer, on_each_map)`. A subclass of a convolution's class may convolve otherwise: it counts
as any other layer unless it is registered itself.
"""

import functools

import keras

from tfgans import keras_internals
from tfgans.config import ConfigError
from tfgans.layers import blocks, norms, resample, resampled, spectral
from tfgans.layers.copies import changed, freeze_as, named_code, shared_inside, what_to_give
from tfgans.methods.octave import residual
from tfgans.methods.octave.conv import ALPHA, low_channels
from tfgans.methods.octave.maps import Maps, joined, merged, poolable, stay_halves
from tfgans.methods.octave.soft import SoftOctaveConv2D, SoftOctaveConv2DTranspose, SpectralSoftOctaveConv2D


def to_octave(network, alpha=0.5):
    """A copy of a functional network whose convolutions are soft octave convolutions.

    A convolution gives a pair of maps if a later one takes them (through norms, activations, pooling, sums), its
    output has an even number of rows and columns, as has what a transposed one takes, and alpha leaves it a low
    channel; otherwise it gives one tensor,
    as the authors' last layers do. So images and features keep their shapes. Strided convolutions of pairs pool
    first, as theirs. All weights start from the network's own values, split by channel, so parameters are as many.
    A layer with weights that is called several times stays one: it takes one tensor unless all calls are alike.

    Args:
        network: a functional Keras model without a `call` of its own; models nested in it are copied as they are.
        alpha: share of low channels, in [0, 1); 0 is the network itself.
    Returns: a functional model with inputs and outputs of the same structure and shapes.
    Raises: ConfigError if the network is not functional, has blocks with `recompute`, a layer that Keras cannot copy
        or convolutions of maps of unknown size, or alpha leaves its range.
    """
    if not keras_internals.is_functional(network):
        raise ConfigError(f"to_octave takes a functional Keras model. Received: {type(network).__name__}")
    if keras_internals.calls_otherwise(network):
        raise ConfigError(
            f"to_octave takes a functional Keras model without a call of its own. Received: {type(network).__name__}"
        )
    ALPHA.check("to_octave: alpha", alpha)
    if found := shared_inside(network) or changed(network):
        raise ConfigError(f"to_octave cannot copy {network.name}: {found}")
    whole = set()
    while True:
        try:
            with named_code(network):
                return _converted(network, alpha, whole)
        except _CalledOtherwise as met:
            whole.add(id(met.layer))


def _converted(network, alpha, whole):
    """The network of `to_octave`, in which the layers whose identities are in `whole` take one tensor."""
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name), network.input
    )
    conversion = _Conversion(alpha, _before_convolutions(network), whole)
    outputs = keras_internals.run_graph(network, inputs, conversion.run)
    return keras.Model(inputs, keras.tree.map_structure(merged, outputs), name=network.name)


class _CalledOtherwise(Exception):
    """A layer with weights that was turned into one kind of layer, and would be another in a later call."""

    def __init__(self, layer):
        super().__init__(layer.name)
        self.layer = layer


class _Conversion:
    """One run of `to_octave`: alpha, the layers made so far, and whether the present layer may give a pair."""

    def __init__(self, alpha, before_convolutions, whole):
        self.alpha, self._before, self._whole = alpha, before_convolutions, whole
        self._made, self._kinds = {}, {}

    def run(self, layer, *arguments, **options):
        if not self.alpha:
            return self.copy(layer)(*arguments, **options)
        self._present, self.gives_maps = layer, id(layer) in self._before
        turned = octave_of.dispatch(object) if id(layer) in self._whole else _function_of(layer)
        return turned(layer, self, *arguments, **options)

    def convolve(self, layer, maps, gives_maps=None, name=None, **options):
        """What an octave convolution in place of `layer` makes of maps."""
        if isinstance(layer, keras.layers.Conv2DTranspose):
            size, maps = _enlarged_size(layer, maps)
        else:
            maps = poolable(maps, layer.strides[0])
            size = _strided_size(layer, maps)
        alpha = self.alpha if low_channels(self.alpha, layer.filters) else 0.0
        if any(side % 2 for side in size) or not (self.gives_maps if gives_maps is None else gives_maps):
            alpha = 0.0
        if not alpha and not isinstance(maps, Maps):
            return self.copy(layer, name)(maps, **options)
        self._settle(layer, "octave", alpha, maps)
        made = self.make((id(layer), "octave"), _octave_layer, layer, alpha, name or layer.name)
        outputs = made(maps.pair if isinstance(maps, Maps) else maps, **options)
        _take_kernel(made, layer, maps)
        return Maps(*outputs) if alpha else outputs

    def each(self, layer, maps, *inputs, name=None, **options):
        """What copies of a layer, one for each map, make of maps; each has the weights of its channels."""
        if not isinstance(maps, Maps):
            return self.copy(layer, name)(maps, *inputs, **options)
        self._settle(layer, "each", maps)
        outputs = []
        for part, maps_part, places in zip(("high", "low"), maps.pair, maps.places(), strict=True):
            made = self.make((id(layer), part), _again, layer, f"{name or layer.name}_{part}")
            outputs.append(made(maps_part, *inputs, **options))
            _take_weights(made, layer, places, maps.channels)
        return maps.like(*outputs)

    def copy(self, layer, name=None):
        """The layer itself once more, with its weights."""
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation such as a sum has no weights

        def call(*arguments, **options):
            again = _apart if self.alpha else _again
            self._settle(layer, "copy")
            made = self.make((id(layer), "copy"), again, layer, name or layer.name)
            outputs = made(*arguments, **options)
            _take_weights(made, layer)
            freeze_as(layer, made)
            return outputs

        return call

    def make(self, key, make, *arguments):
        """The layer of a key, made if it is not there: a layer that is called twice stays one layer."""
        if key not in self._made:
            self._made[key] = make(*arguments)
        return self._made[key]

    def _settle(self, layer, *kind):
        """Holds a layer with weights to one kind of call. Raises: _CalledOtherwise for another one."""
        kind = [[part.places(), "pair"] if isinstance(part, Maps) else [part, "one"] for part in kind]
        if layer.weights and self._kinds.setdefault(id(layer), str(kind)) != str(kind):
            raise _CalledOtherwise(self._present)


def _strided_size(layer, maps):
    """Rows and columns that a convolution gives, [1] of one tensor that cannot be pooled by the stride."""
    sides, stride = _sides(layer, maps), layer.strides[0]
    odd = not isinstance(maps, Maps) and any(side % stride for side in sides)
    return [1] if odd else [side // stride for side in sides]


def _enlarged_size(layer, maps):
    """Rows and columns that a transposed convolution gives, and its maps; [1], one tensor where they do not fit."""
    sides = _sides(layer, maps)
    sizes = [(None, *(side // part for side in sides), layer.kernel.shape[-1]) for part in (1, 2)]
    if any(side % 2 for side in sides) or not stay_halves(layer, *sizes):
        return [1], merged(maps)
    return layer.compute_output_shape(sizes[0])[1:3], maps


def _sides(layer, maps):
    """Rows and columns of maps, or of the high ones. Raises: ConfigError if they are not known."""
    sides = (maps.pair[0] if isinstance(maps, Maps) else maps).shape[1:3]
    if None in sides:
        raise ConfigError(
            f"to_octave: {layer.name} takes maps whose rows and columns are not known, and so not whether they halve"
        )
    return sides


def _again(layer, name):
    return _from_config(layer, layer.get_config, name)


def _apart(layer, name):
    """As `_again`, of maps that a convolution's up-sampling has enlarged before."""
    return _from_config(layer, lambda: _config_apart(layer), name)


def _from_config(layer, config, name):
    try:
        return type(layer).from_config(config() | {"name": name})
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ConfigError(f"to_octave cannot copy {layer.name}: {what_to_give(layer)}") from error


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


def _take_weights(made, layer, places=None, channels=None):
    """Copies a layer's weights; of those with an entry for each of `channels`, the entries at `places`."""
    if len(made.weights) != len(layer.weights):
        raise ConfigError(f"to_octave cannot copy {layer.name}: its copy has other weights")
    for new, old in zip(made.weights, layer.weights, strict=True):
        value = keras.ops.convert_to_numpy(old)
        if places is not None and value.shape[-1:] == (channels,):
            value = value[..., places]
        new.assign(value)


def _take_kernel(made, layer, maps):
    """Copies a convolution's weights to an octave convolution, whose input channels are in the order of the maps."""
    own = [variable for variable in made.weights if variable is not made.betas]
    order = maps.order if isinstance(maps, Maps) else slice(None)
    for new, old in zip(own, layer.weights, strict=True):
        value = keras.ops.convert_to_numpy(old)
        if old.name == "kernel":
            transposed = isinstance(made, keras.layers.Conv2DTranspose)
            value = value[..., order] if transposed else value[:, :, order]
        elif old.name == "v":  # of spectral normalization, with an entry for each of the kernel's rows
            value = value.reshape(layer.kernel.shape[:3])[..., order].reshape(-1)
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
    if hasattr(layer, "factor"):
        maps = poolable(maps, layer.factor)
    elif isinstance(maps, Maps) and not stay_halves(layer, *(part.shape for part in maps.pair)):
        maps = merged(maps)
    return conversion.each(layer, maps, **options)


def _together(layer, conversion, inputs, **options):
    maps = [part for part in inputs if isinstance(part, Maps)]
    joins = isinstance(layer, keras.layers.Concatenate) and layer.axis in (-1, 3)
    if len(maps) < len(inputs) or not (joins or all(part.places() == maps[0].places() for part in maps)):
        return conversion.copy(layer)([merged(part) for part in inputs], **options)

    def call(parts, index):
        name = f"{layer.name}_{('high', 'low')[index]}"
        return conversion.make((id(layer), index), _again, layer, name)(parts, **options)

    if joins:
        return joined(maps, call)
    return maps[0].like(*(call([part.pair[index] for part in maps], index) for index in range(2)))


def _convolution(layer, conversion, maps, **options):
    if getattr(layer, "upsampling", 1) > 1:
        larger = resample.NearestUpsampling2D(layer.upsampling)
        maps = Maps(*map(larger, maps.pair)) if isinstance(maps, Maps) else larger(maps)
    strides, padding, groups = set(layer.strides), layer.padding, getattr(layer, "groups", 1)
    if padding != "same" or len(strides) > 1 or groups != 1 or layer.data_format == "channels_first":
        return conversion.copy(layer)(merged(maps), **options)
    return conversion.convolve(layer, maps, **options)


_CONVOLUTIONS = {
    keras.layers.Conv2D: _convolution,
    keras.layers.Conv2DTranspose: _convolution,
    resampled.Conv2D: _convolution,
    spectral.SpectralConv2D: _convolution,
    blocks.ResidualUpBlock: residual.up_block,
    blocks.ResidualInputBlock: residual.input_block,
    blocks.ResidualDownBlock: residual.down_block,
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
# Activations of all channels of a pixel.
_ACROSS_CHANNELS = ("softmax", "log_softmax", "sparsemax", "glu")


def _function_of(layer):
    """What `octave_of` does with a layer: nothing but put its maps together where they cannot be apart."""
    function, any_layer = octave_of.dispatch(type(layer)), octave_of.dispatch(object)
    convolves_otherwise = function in _CONVOLUTIONS.values() and type(layer) not in octave_of.registry
    across = getattr(getattr(layer, "activation", None), "__name__", "") in _ACROSS_CHANNELS
    normalizes_rows = isinstance(layer, keras.layers.BatchNormalization) and layer.axis not in (-1, 3)
    return any_layer if convolves_otherwise or across or normalizes_rows else function


def _before_convolutions(network):
    """Identities of the layers whose output reaches a convolution through layers that take pairs."""
    convolutions, any_layer = set(_CONVOLUTIONS.values()), octave_of.dispatch(object)
    before = set()
    for node in keras_internals.nodes_from_outputs(network):
        function = _function_of(node.operation)
        through = function is not any_layer and id(node.operation) in before
        if function in convolutions or through:
            before |= {id(parent.operation) for parent in node.parent_nodes}
    return before
