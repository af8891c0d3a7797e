"""Gradients of operations that TensorFlow (2.21) has none of, or wrong ones, which penalties and AdvAs need."""

import contextlib
import math

import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.custom import custom_gradient
from tfgans.layers.statistics import widen


def register():
    """Makes slices that XLA compiles, resized images, maxima and softsign differentiable as often as one likes."""
    missing = {"XlaDynamicUpdateSlice": _of_xla_update, "XlaDynamicSlice": _of_xla_slice}
    missing["SoftsignGrad"] = _of_the_gradient_of_softsign
    for name, function in missing.items():
        with contextlib.suppress(KeyError):  # where TensorFlow has its own by now
            tf.RegisterGradient(name)(function)
    for name in ("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor"):
        keras_internals.gradients_of_operations()[name]["type"] = _of_resizing(name)
    for name in ("MaxPoolGrad", "MaxPool3DGrad"):
        keras_internals.gradients_of_operations()[name]["type"] = _of_the_gradient_of_maxima(name)


def _of_xla_update(operation, gradient):
    # TensorFlow writes a slice's gradient as an update of zeros.
    _, update, start = operation.inputs
    updated = keras_internals.xla_operation("xla_dynamic_update_slice")
    slice_of = keras_internals.xla_operation("xla_dynamic_slice")
    rest = updated(input=gradient, update=tf.zeros_like(update), indices=start)
    size = tf.constant(update.shape.as_list(), start.dtype)
    return rest, slice_of(input=gradient, start_indices=start, size_indices=size), None


def _of_xla_slice(operation, gradient):
    whole, start, _ = operation.inputs
    updated = keras_internals.xla_operation("xla_dynamic_update_slice")
    return updated(input=tf.zeros_like(whole), update=gradient, indices=start), None, None


def _of_resizing(name):
    """TensorFlow's own gradient of a resizing, and of that the resizing: they are linear, each the other's transpose.

    Of its gradients' operations TensorFlow has no gradient. It says so of all but the bilinear one, of which it stops
    a second derivative silently.
    """
    resize, back_to = getattr(tf.raw_ops, name), getattr(tf.raw_ops, f"{name}Grad")

    def gradient_of(operation, gradient):
        images = operation.inputs[0]
        places = {key: operation.get_attr(key) for key in ("align_corners", "half_pixel_centers")}
        nearest = name == "ResizeNearestNeighbor"
        like = {"size": tf.shape(images)[1:3]} if nearest else {"original_image": images}

        @custom_gradient
        def back(gradient):
            def forth(upstream):
                return resize(images=upstream, size=tf.shape(gradient)[1:3], **places)

            return back_to(grads=gradient, **like, **places), forth

        return back(gradient), None

    return gradient_of


def _of_the_gradient_of_maxima(name):
    """What the upstream gradient is where the maxima are: TensorFlow's own, of maps that have their margins.

    On CPUs a graph writes it into the memory of the upstream gradient, before that is read, where both are of one
    size, as with stride 1 and padding `same`: TensorFlow gives 0, silently. With margins the latter is the larger.
    XLA has it in float32 alone, which changes no number of a narrower type.
    """
    at_maxima = getattr(tf.raw_ops, f"{name}Grad")

    def gradient_of(operation, upstream):
        maps, maxima, _ = operation.inputs
        sides, steps = (operation.get_attr(key) for key in ("ksize", "strides"))
        if max(sides) == 1:
            picked = upstream[tuple(slice(None, None, step) for step in steps)]
        else:
            margins = _margins(operation)
            picked = at_maxima(
                orig_input=tf.pad(widen(maps), margins, constant_values=-math.inf),
                orig_output=widen(maxima),
                grad=tf.pad(widen(upstream), margins),
                ksize=sides,
                strides=steps,
                padding="VALID",
                data_format=operation.get_attr("data_format"),
            )
            picked = tf.cast(picked, upstream.dtype)
        return tf.zeros_like(maps), tf.zeros_like(maxima), picked

    return gradient_of


def _margins(operation):
    """[rank, 2]: what the gradient of a pooling takes to lie around its maps."""
    maps, maxima, _ = operation.inputs
    padding = operation.get_attr("padding")
    if padding == b"EXPLICIT":
        return tf.reshape(operation.get_attr("explicit_paddings"), (-1, 2))
    sides, steps = (tf.constant(operation.get_attr(key)) for key in ("ksize", "strides"))
    reach = (tf.shape(maxima) - 1) * steps + sides
    around = tf.maximum(reach - tf.shape(maps), 0)  # 0 of `valid`
    return tf.stack((around // 2, around - around // 2), 1)


def _of_the_gradient_of_softsign(operation, upstream):
    gradient, features = operation.inputs
    size = 1.0 + tf.abs(features)
    return upstream / tf.square(size), -2.0 * upstream * gradient * tf.sign(features) / size**3
