"""Multiply-accumulates and parameters of each kind of layer, counted by hand."""

import keras
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate.cost import layer_costs, macs, parameters

L = keras.layers


def functional(shape, *layers):
    x = inputs = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


# (name, input shape, layers, macs, parameters)
CASES = [
    ("dense", (5,), lambda: [L.Dense(7)], 5 * 7, 5 * 7 + 7),
    ("dense on a sequence", (4, 5), lambda: [L.Dense(7)], 4 * 5 * 7, 5 * 7 + 7),
    ("conv same", (8, 6, 3), lambda: [L.Conv2D(4, 3, padding="same")], 8 * 6 * 9 * 3 * 4, 9 * 3 * 4 + 4),
    ("conv valid", (8, 6, 3), lambda: [L.Conv2D(4, 3)], 6 * 4 * 9 * 3 * 4, 112),
    ("conv strided", (8, 8, 3), lambda: [L.Conv2D(4, 3, 2, padding="same")], 4 * 4 * 9 * 3 * 4, 112),
    ("conv dilated", (8, 8, 3), lambda: [L.Conv2D(4, 3, dilation_rate=2)], 4 * 4 * 9 * 3 * 4, 112),
    ("conv grouped", (8, 8, 4), lambda: [L.Conv2D(6, 3, groups=2)], 6 * 6 * 9 * 2 * 6, 9 * 2 * 6 + 6),
    ("conv 1d", (9, 3), lambda: [L.Conv1D(4, 3)], 7 * 3 * 3 * 4, 3 * 3 * 4 + 4),
    ("conv 3d", (4, 4, 4, 2), lambda: [L.Conv3D(3, 3)], 2**3 * 27 * 2 * 3, 27 * 2 * 3 + 3),
    (
        "transposed, counted on its input",
        (5, 4, 3),
        lambda: [L.Conv2DTranspose(2, 4, 2, padding="same")],
        5 * 4 * 16 * 3 * 2,
        16 * 3 * 2 + 2,
    ),
    ("depthwise", (8, 8, 3), lambda: [L.DepthwiseConv2D(3, depth_multiplier=2)], 36 * 9 * 3 * 2, 9 * 6 + 6),
    (
        "separable",
        (8, 8, 3),
        lambda: [L.SeparableConv2D(5, 3, depth_multiplier=2)],
        36 * 9 * 6 + 36 * 6 * 5,
        9 * 6 + 6 * 5 + 5,
    ),
    ("einsum", (4, 5), lambda: [L.EinsumDense("abc,cd->abd", (4, 7))], 4 * 5 * 7, 5 * 7),
    ("einsum with ellipsis", (4, 5), lambda: [L.EinsumDense("...c,cd->...d", 7)], 4 * 5 * 7, 35),
    (
        "what has no products",
        (8, 8, 4),
        lambda: [L.BatchNormalization(), L.UpSampling2D(), L.AveragePooling2D(2), L.ReLU()],
        0,
        8,
    ),
]


@pytest.mark.parametrize("name, shape, layers, products, weights", CASES, ids=[case[0] for case in CASES])
def test_layer(name, shape, layers, products, weights):
    network = functional(shape, *layers())
    assert macs(network) == products
    assert parameters(network) == weights
    assert sum(layer.parameters for layer in layer_costs(network)) == weights


class Wrapped(L.Layer):
    """Divides a dense kernel by its spectral norm, in the graph, as the house's spectral layers do."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        if not self.inner.built:
            self.inner.build(x.shape)
        kernel = self.inner.kernel.value
        matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
        u = tf.ones((1, matrix.shape[1]))
        v = tf.matmul(u, matrix, transpose_b=True)
        sigma = tf.reduce_sum(tf.matmul(v, matrix) * u)
        with keras.StatelessScope(state_mapping=[(self.inner.kernel, kernel / sigma)]):
            return self.inner(x)


def test_products_of_weights_alone_are_not_counted():
    network = functional((8, 8, 3), Wrapped(L.Conv2D(4, 3)), L.Flatten(), Wrapped(L.Dense(2)))
    assert macs(network) == 36 * 27 * 4 + 144 * 2


def test_products_with_fixed_filters_are_not_counted():
    class Blur(L.Layer):
        def call(self, x):
            kernel = tf.ones((3, 3, x.shape[-1], 1)) / 9.0
            return tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "SAME")

    assert macs(functional((8, 8, 3), Blur(), L.Conv2D(2, 1))) == 64 * 3 * 2


class Attention(keras.Model):
    """Raw operations, a list of layers, a sub-model, a shared layer, a function and keyword labels."""

    def __init__(self):
        super().__init__(name="attention")
        self.projections = [L.Dense(4, name="query"), L.Dense(4, name="key")]
        self.tail = keras.Sequential([L.Dense(6, name="first"), L.Dense(6, name="second")], name="tail")
        self.raw = self.add_weight(shape=(6, 2), name="raw")

    def call(self, x, training=None):
        query, key = (projection(x) for projection in self.projections)  # [1, 3, 4] each
        x = tf.nn.softmax(query @ tf.transpose(key, (0, 2, 1))) @ x
        x = self.tail(self.tail(x))
        return self.project(x)

    @tf.function
    def project(self, x):
        return tf.einsum("nij,jk->nik", x, self.raw)


def test_every_layer_of_a_subclassed_model_is_named_and_counted():
    network = Attention()
    network(tf.ones((2, 3, 6)))
    costs = layer_costs(network)
    costs = {layer.name: (layer.parameters, layer.macs, layer.attention_macs) for layer in costs}
    assert costs == {
        "attention": (12, 3 * 6 * 2, 3 * 4 * 3 + 3 * 3 * 6),
        "attention/query": (28, 3 * 6 * 4, 0),
        "attention/key": (28, 3 * 6 * 4, 0),
        "attention/tail/first": (42, 2 * 3 * 36, 0),
        "attention/tail/second": (42, 2 * 3 * 36, 0),
    }
    assert parameters(network) == 12 + 28 + 28 + 42 + 42


def test_layer_inside_a_compiled_function_keeps_its_name():
    class Compiled(keras.Model):
        def __init__(self):
            super().__init__(name="compiled")
            self.dense = L.Dense(3, name="dense")
            self.dense.build((None, 2))
            self.call_dense = tf.function(lambda x: self.dense(x), jit_compile=True)

        def call(self, x):
            return self.call_dense(x)

    network = Compiled()
    network(tf.ones((1, 2)))  # traced before the count, and again for it
    assert macs(network) == 6
    costs = {layer.name: layer.macs for layer in layer_costs(network)}
    assert costs["compiled/dense"] in (0, 6) and sum(costs.values()) == 6


def test_several_inputs_and_integer_labels():
    latents, labels = keras.Input((5,), name="z"), keras.Input((), dtype="int32", name="y")
    x = L.Concatenate()([latents, L.Embedding(10, 3)(labels)])
    assert macs(keras.Model([latents, labels], L.Dense(2)(x))) == 8 * 2
    network = keras.Model({"z": latents, "y": labels}, {"adversarial": L.Dense(2)(x), "class": L.Dense(4)(x)})
    assert macs(network) == 8 * 2 + 8 * 4


def test_arguments_given_as_a_tuple():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3)

        def call(self, x, labels):
            return self.dense(x) + tf.cast(labels, tf.float32)[:, None]

    network = Two()
    network(tf.ones((1, 2)), tf.zeros((1,), tf.int32))
    specs = (tf.TensorSpec((None, 2)), tf.TensorSpec((None,), tf.int32))
    assert macs(network, specs) == 6


def test_dearer_branch_of_a_conditional_counts():
    class Branches(keras.Model):
        def __init__(self):
            super().__init__()
            self.small, self.large = L.Dense(2), keras.Sequential([L.Dense(5), L.Dense(2)])

        def call(self, x):
            return tf.cond(tf.reduce_sum(x) > 0, lambda: self.small(x), lambda: self.large(x))

    network = Branches()
    network.small.build((None, 3))
    network.large.build((None, 3))
    assert macs(network, tf.TensorSpec((None, 3))) == 3 * 5 + 5 * 2


def test_loop_with_products_is_refused():
    class Loop(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3)
            self.dense.build((None, 3))

        def call(self, x):
            return tf.while_loop(lambda i, x: i < 4, lambda i, x: (i + 1, self.dense(x)), (0, x))[1]

    with pytest.raises(ConfigError, match="in a loop"):
        macs(Loop(), tf.TensorSpec((None, 3)))


def test_unknown_input_is_refused():
    class Never(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ConfigError, match="pass inputs"):
        macs(Never())
    with pytest.raises(ConfigError, match="must be known"):
        macs(functional((None, None, 3), L.Conv2D(2, 3)))


def test_large_images_are_not_computed():
    network = functional((1024, 1024, 64), L.Conv2D(64, 3, padding="same"), L.Conv2DTranspose(64, 3, 2))
    assert macs(network) == 2 * 1024 * 1024 * 9 * 64 * 64


def test_counting_leaves_keras_as_it_was():
    before = L.Layer.__call__
    macs(functional((3,), L.Dense(2)))
    assert L.Layer.__call__ is before


def sngan_generator():
    """SNGAN's 32x32 generator in plain layers (specs: three blocks of 256 channels)."""
    x = inputs = keras.Input((128,))
    x = L.Reshape((4, 4, 256))(L.Dense(4 * 4 * 256)(x))
    for _ in range(3):
        y = L.UpSampling2D()(L.ReLU()(L.BatchNormalization()(x)))
        y = L.Conv2D(256, 3, padding="same")(y)
        y = L.Conv2D(256, 3, padding="same")(L.ReLU()(L.BatchNormalization()(y)))
        x = y + L.Conv2D(256, 1)(L.UpSampling2D()(x))
    x = L.ReLU()(L.BatchNormalization()(x))
    return keras.Model(inputs, L.Conv2D(3, 3, padding="same", activation="tanh")(x))


def sngan_discriminator():
    """SNGAN's 32x32 critic: two downsampling blocks of 128 channels, two plain ones."""
    inputs = keras.Input((32, 32, 3))
    y = L.Conv2D(128, 3, padding="same")(L.ReLU()(L.Conv2D(128, 3, padding="same")(inputs)))
    x = L.AveragePooling2D(2)(y) + L.Conv2D(128, 1)(L.AveragePooling2D(2)(inputs))
    for down in (True, False, False):
        y = L.Conv2D(128, 3, padding="same")(L.ReLU()(x))
        y = L.Conv2D(128, 3, padding="same")(L.ReLU()(y))
        x = L.AveragePooling2D(2)(y) + L.AveragePooling2D(2)(L.Conv2D(128, 1)(x)) if down else y + x
    x = keras.ops.sum(L.ReLU()(x), axis=(1, 2))
    return keras.Model(inputs, L.Dense(1, use_bias=False)(x))


def test_sngan_has_its_published_totals():
    generator, discriminator = sngan_generator(), sngan_discriminator()
    assert (parameters(generator), macs(generator)) == (4_276_739, 1_681_129_472)
    assert (parameters(discriminator), macs(discriminator)) == (1_053_824, 272_072_832)


def test_shipped_sngan_with_spectral_norm_has_its_published_totals():
    from tfgans.networks.resnet import resnet_discriminator, resnet_generator

    generator, discriminator = resnet_generator(), resnet_discriminator(head_bias=False)
    assert (parameters(generator), macs(generator)) == (4_276_739, 1_681_129_472)
    assert (parameters(discriminator), macs(discriminator)) == (1_053_824, 272_072_832)
    for network in (generator, discriminator):
        assert sum(layer.parameters for layer in layer_costs(network)) == parameters(network)
