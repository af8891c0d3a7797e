"""Trains the embedded digits classifier and writes `digits_classifier.npz` beside this file.

    python -m tfgans.evaluate.train_digits_classifier

Only the training part of `digits_split` is seen. Deterministic on a given machine; prints the accuracy
on the held-out part, measured with the weights as stored (float16).

`launch/classifier.py --data=digits` trains a larger network by the same kind of steps, as other data want. This one
stays as it is, 130 kB that come with the package: the numbers of digits in the READMEs here are of its features.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfgans.data.digits import digits_split
from tfgans.evaluate import digits_network

STEPS = 2500
BATCH = 128
PATH = Path(__file__).with_name("digits_classifier.npz")


def initial_weights(random):
    """He-normal kernels and zero biases, as variables."""
    weights = {}
    for name, shape in digits_network.SHAPES.items():
        scale = np.sqrt(2 / np.prod(shape[:-1])) if name.endswith("kernel") else 0.0
        weights[name] = tf.Variable(random.normal(0, 1, shape) * scale, dtype=tf.float32, name=name)
    return weights


def augment(images, random):
    """Shifts, scales, rotates and enlarges digits as a data pipeline may do; [n, 8, 8] -> [n, 16, 16, 1]."""
    count = len(images)
    method = ("bilinear", "nearest", "bicubic")[random.randint(3)]
    size = (8, 16, 32)[random.randint(3)]
    x = tf.image.resize(images[..., None].astype(np.float32), (size, size), method)
    x = digits_network.prepare(tf.clip_by_value(x, 0, 255))
    angle, scale = random.uniform(-0.2, 0.2, count), random.uniform(0.9, 1.1, count)
    shift = random.uniform(-1.5, 1.5, (2, count))
    a, b = np.cos(angle) * scale, np.sin(angle) * scale
    centre = (digits_network.SIZE - 1) / 2
    zeros = np.zeros(count)
    # Maps output to input coordinates; the offset keeps the image's centre in place.
    transforms = np.stack(
        [a, -b, centre * (1 - a + b) + shift[0], b, a, centre * (1 - a - b) + shift[1], zeros, zeros], 1
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=transforms.astype(np.float32),
        output_shape=(digits_network.SIZE,) * 2,
        fill_value=-1.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def train(images, labels, steps=STEPS, seed=0):
    """Adam with a cosine learning rate; returns the weights as numpy float16."""
    random = np.random.RandomState(seed)
    weights = initial_weights(random)
    variables = list(weights.values())
    optimizer = tf.keras.optimizers.AdamW(tf.keras.optimizers.schedules.CosineDecay(2e-3, steps), 1e-3)

    @tf.function
    def step(batch, targets):
        with tf.GradientTape() as tape:
            _, logits = digits_network.forward(weights, batch)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    optimizer.build(variables)
    for _ in range(steps):
        index = random.randint(0, len(images), BATCH)
        step(augment(images[index], random), tf.constant(labels[index]))
    return {name: weight.numpy().astype(np.float16) for name, weight in weights.items()}


def accuracy(weights, images, labels):
    """Share of images [n, 8, 8] classified right by the stored weights."""
    weights = {name: tf.constant(weight, tf.float32) for name, weight in weights.items()}
    _, logits = digits_network.forward(weights, digits_network.prepare(images[..., None]))
    return float(np.mean(np.argmax(logits, 1) == labels))


def main():
    tf.config.experimental.enable_op_determinism()
    train_images, train_labels, test_images, test_labels = digits_split()
    weights = train(train_images, train_labels)
    np.savez_compressed(PATH, **weights)
    print(f"train accuracy {accuracy(weights, train_images, train_labels):.4f}")
    print(f"test accuracy {accuracy(weights, test_images, test_labels):.4f}")
    print(f"{PATH.name}: {PATH.stat().st_size} bytes")


if __name__ == "__main__":
    main()
