"""The kernels of a network: what methods that prune choose from."""

import keras

from tfgans import keras_internals


def kernel_layers(network):
    """{place among the network's trainable variables: layer} of the kernels of dense and convolution layers.

    An embedding's table, biases and norms' scales are none. Of a spectrally normalised layer it is the raw kernel.
    """
    places = {id(variable): place for place, variable in enumerate(network.trainable_variables)}
    found = {}
    for layer in keras_internals.layers_of(network):
        kernel = getattr(layer, "kernel", None)
        is_kernel = isinstance(kernel, keras.Variable) and not isinstance(layer, keras.layers.Embedding)
        if is_kernel and id(kernel) in places:
            found[places[id(kernel)]] = layer
    return dict(sorted(found.items()))
