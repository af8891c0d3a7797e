"""Spectral normalization (Miyato et al., 2018): layers whose kernel is divided by its largest singular value.

`kernel` stays the raw weight. Each call computes sigma = u^T W v in the graph, with W the kernel as a matrix
[out, in]; the gradient flows through W, in the kernel and in sigma, while u and v are constants. A call with
`training=True` first makes one power iteration, v = unit(W^T u), u = unit(W v), and stores both; a call with
`training=False`, or inside `frozen_state()`, uses the stored pair.

Departures from the paper: as in PyTorch's `spectral_norm`, sigma is written with the stored v, not with one
recomputed from u, so that a forward without iteration is a plain function of the kernel. Unlike there, v
starts as unit(W^T u), so that sigma is not near zero before the first iteration. A kernel of zeros, such as one of
which all is pruned, is left as it is, where PyTorch has 0 / 0, and u and v find their way when it is no longer.
"""

import keras
import tensorflow as tf

from tfgans.layers.depthwise import DepthwiseConv2D
from tfgans.layers.embedding import class_rows
from tfgans.layers.gates import gated_kernel
from tfgans.layers.resampled import Conv2D
from tfgans.layers.state import state_is_frozen

_EPSILON = 1e-12


def _unit(vector):
    """The vector at length 1; all entries alike for one of zeros, from which an iteration could not go on."""
    length = tf.sqrt(tf.reduce_sum(tf.square(vector)))
    alike = tf.fill(vector.shape, tf.constant(vector.shape.num_elements() ** -0.5, vector.dtype))
    return tf.where(length > 0.0, vector / tf.maximum(length, _EPSILON), alike)


class SpectralKernel:
    """What the spectral layers share; comes before the Keras layer in the bases.

    Adds the non-trainable weights `u` [out] and `v` [in]. Sigma is computed in the dtype of the variables
    (float32 under mixed precision), the layer's own operation in the compute dtype.
    """

    depends_on_batch = True
    copied_state = ("u", "v")

    def add_weight(self, *args, **kwargs):
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def build(self, input_shape=None):
        super().build(input_shape)
        inputs, outputs = self.kernel_matrix(self.kernel).shape
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.u = self.add_weight(
            name="u",
            shape=(outputs,),
            initializer=lambda shape, dtype: _unit(tf.convert_to_tensor(normal(shape, dtype))),
            trainable=False,
        )
        self.v = self.add_weight(
            name="v",
            shape=(inputs,),
            initializer=lambda shape, dtype: _unit(tf.linalg.matvec(self._matrix(), self._value(self.u))),
            trainable=False,
        )

    def kernel_matrix(self, kernel):
        """The kernel as [in, out]: one column for each output channel."""
        return tf.reshape(kernel, (-1, kernel.shape[-1]))

    def normalized_kernel(self, training):
        """The kernel over sigma, in the compute dtype; moves `u` and `v` when training."""
        matrix = self._matrix()
        u, v = (tf.reshape(self._value(vector), (-1, 1)) for vector in (self.u, self.v))
        moves = training and not state_is_frozen()
        if moves:
            v = _unit(tf.matmul(tf.stop_gradient(matrix), u))
            self.v.assign(tf.reshape(v, (-1,)))
        mapped = tf.matmul(matrix, v, transpose_a=True)
        if moves:
            u = _unit(tf.stop_gradient(mapped))
            self.u.assign(tf.reshape(u, (-1,)))
        # A product with 1 / sigma has a gradient of fewer operations than a quotient by sigma.
        sigma = tf.reduce_sum(mapped * u)
        sigma = tf.where(sigma == 0.0, tf.ones_like(sigma), sigma)
        kernel = self._value(self.kernel) * tf.math.reciprocal(sigma)
        return tf.cast(gated_kernel(self.kernel, kernel), self.compute_dtype)

    def save_own_variables(self, store):
        # Dense, Conv2D and Embedding would write their kernel and bias only.
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def _matrix(self):
        return self.kernel_matrix(self._value(self.kernel))

    @staticmethod
    def _value(variable):
        return tf.convert_to_tensor(variable.value)

    def finish(self, outputs):
        if self.use_bias:
            bias = tf.cast(self._value(self.bias), self.compute_dtype)
            channels_first = getattr(self, "data_format", None) == "channels_first"
            outputs = outputs + (bias[:, None, None] if channels_first else bias)
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable(package="tfgans")
class SpectralDense(SpectralKernel, keras.layers.Dense):
    """`keras.layers.Dense` with spectral normalization; `u` [units]. Arguments as there."""

    def call(self, inputs, training=False):
        return self.finish(tf.linalg.matmul(inputs, self.normalized_kernel(training)))


@keras.saving.register_keras_serializable(package="tfgans")
class SpectralConv2D(SpectralKernel, Conv2D):
    """`layers.resampled.Conv2D` with spectral normalization; `u` [filters]. Arguments as there."""

    def call(self, inputs, training=False):
        return self.finish(self.convolution_op(inputs, self.normalized_kernel(training)))


@keras.saving.register_keras_serializable(package="tfgans")
class SpectralConv2DTranspose(SpectralKernel, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with spectral normalization; `u` [filters], the *output* channels."""

    def kernel_matrix(self, kernel):
        outputs = kernel.shape[2]  # [height, width, out, in]
        return tf.reshape(tf.transpose(kernel, (0, 1, 3, 2)), (-1, outputs))

    def call(self, inputs, training=False):
        outputs = keras.ops.conv_transpose(
            inputs,
            self.normalized_kernel(training),
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return self.finish(outputs)


@keras.saving.register_keras_serializable(package="tfgans")
class SpectralDepthwiseConv2D(SpectralKernel, DepthwiseConv2D):
    """`layers.depthwise.DepthwiseConv2D` with spectral normalization.

    The matrix is [channels * depth_multiplier, height * width], as PyTorch's grouped convolution has it.
    """

    def kernel_matrix(self, kernel):
        height, width, channels, multiplier = kernel.shape
        return tf.reshape(kernel, (height * width, channels * multiplier))

    def call(self, inputs, training=False):
        return self.finish(self.convolve(inputs, self.normalized_kernel(training)))


@keras.saving.register_keras_serializable(package="tfgans")
class SpectralEmbedding(SpectralKernel, keras.layers.Embedding):
    """`keras.layers.Embedding` with spectral normalization of its table [classes, channels]; `u` [classes].

    Input: labels, integers in [0, classes), of any shape. The gradient of the table is dense.
    """

    @property
    def kernel(self):
        return self.embeddings

    def compute_output_spec(self, inputs, training=False):
        return super().compute_output_spec(inputs)

    def kernel_matrix(self, kernel):
        return tf.transpose(kernel)

    def call(self, inputs, training=False):
        return class_rows(self.normalized_kernel(training), inputs)
