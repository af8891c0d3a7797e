"""How many passes a step makes: those of the published cost model and no other."""

import keras
import pytest
import tensorflow as tf
import toys
from graphs import needed

from tfgans.gan import GAN
from tfgans.losses import relativistic_generator
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.r3gan.model import R3GAN
from tfgans.methods.robgan import RobGAN

# Passes of one generator update (the published cost model): G forward; D forward, D gradients of weights, and
# those down to the image, in units of one batch.
PASSES = [
    (GAN, {}, (2, 3, 2, 1)),
    (GAN, {"discriminator_steps": 3}, (4, 7, 6, 1)),
    (FastGAN, {"perturbation_batch_size": 8}, (2, 5, 4, 3)),
    (FastGAN, {"perturbation_radius": 0.0}, (2, 5, 4, 1)),
    (FastGAN, {"perturbation_batch_size": 8, "perturb_fakes": True}, (2, 5, 4, 5)),
    (RobGAN, {"discriminator_steps": 2}, (3, 11, 4, 7)),
    (GAN, {"generator_loss": relativistic_generator}, (2, 4, 2, 1)),
    # slopes at both batches, and their gradients: by kernels, and by the slopes of what follows; no forward more
    (R3GAN, {}, (2, 5, 4, 3)),
    (RobGAN, {"discriminator_steps": 2, "attack_steps": 5}, (3, 15, 4, 11)),
]


@pytest.mark.parametrize(("cls", "options", "passes"), PASSES)
def test_a_step_makes_the_passes_of_the_cost_model_and_no_other(cls, options, passes):
    model = cls(*toys.classifier_networks(), joint_batch=False, num_classes=3, **options)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    shape = (8 * model.batches_per_step, 6, 6, 3)
    data = {"images": tf.TensorSpec(shape), "labels": tf.TensorSpec(shape[:1], tf.int32)}
    graph = tf.function(model.train_step, autograph=False).get_concrete_function(data).graph
    kinds = [operation.type for operation in needed(graph)]
    generator = kinds.count("Tanh")
    discriminator = [kinds.count(f"Conv2D{kind}") for kind in ("", "BackpropFilter", "BackpropInput")]
    assert (generator, *discriminator) == passes
