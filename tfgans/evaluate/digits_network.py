"""The embedded digits classifier: a small convolutional network on 16x16 grey images.

Its 64 hidden activations take the place of Inception's pooled features where nothing can be
downloaded, its logits the place of Inception's logits. `train_digits_classifier.py` makes the weights.
"""

import tensorflow as tf

SIZE = 16
CLASSES = 10
SHAPES = {
    "conv1/kernel": (3, 3, 1, 16),
    "conv1/bias": (16,),
    "conv2/kernel": (3, 3, 16, 32),
    "conv2/bias": (32,),
    "conv3/kernel": (3, 3, 32, 48),
    "conv3/bias": (48,),
    "hidden/kernel": (768, 64),
    "hidden/bias": (64,),
    "logits/kernel": (64, CLASSES),
    "logits/bias": (CLASSES,),
}


def prepare(images):
    """uint8 [n, H, W, C] -> float32 [n, 16, 16, 1] in [-1, 1]: channels averaged, area-aware bilinear."""
    grey = tf.reduce_mean(tf.cast(images, tf.float32), axis=-1, keepdims=True)
    return tf.image.resize(grey, (SIZE, SIZE), antialias=True) / 127.5 - 1.0


def forward(weights, prepared):
    """Float32 [n, 16, 16, 1] -> hidden activations [n, 64] and logits [n, 10]."""
    x = prepared
    for name, stride in (("conv1", 1), ("conv2", 2), ("conv3", 2)):
        x = tf.nn.conv2d(x, weights[f"{name}/kernel"], stride, "SAME") + weights[f"{name}/bias"]
        x = tf.nn.leaky_relu(x, 0.1)
    x = tf.reshape(x, (-1, SHAPES["hidden/kernel"][0]))
    hidden = tf.nn.leaky_relu(x @ weights["hidden/kernel"] + weights["hidden/bias"], 0.1)
    return hidden, hidden @ weights["logits/kernel"] + weights["logits/bias"]
