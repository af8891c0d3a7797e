"""Gradients of operations that TensorFlow (2.21) has none of, which penalties and AdvAs need."""

import tensorflow as tf

from tfgans import keras_internals
from tfgans.layers.custom import custom_gradient


def register():
    """Makes slices that XLA compiles, and resized images, differentiable as often as one likes."""
    updated = {"XlaDynamicUpdateSlice": _of_xla_update, "XlaDynamicSlice": _of_xla_slice}
    for name, function in updated.items():
        try:
            tf.RegisterGradient(name)(function)
        except KeyError:
            break  # TensorFlow has its own by now
    for name in ("ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor"):
        keras_internals.gradients_of_operations()[name]["type"] = _of_resizing(name)


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
