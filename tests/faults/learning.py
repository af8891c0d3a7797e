"""Faults of losses, penalties, optimizers and schedules."""

from .fault import Fault

FAULTS = [
    Fault(
        "loss: drift of fakes",
        "tfgans/losses.py",
        "drift = tf.reduce_mean(tf.square(_wide(real_logits)))",
        "drift = tf.reduce_mean(tf.square(_wide(fake_logits)))",
        "tests/test_losses.py -k drift",
    ),
    Fault(
        "loss: uniform divergence without its constant's sign",
        "tfgans/losses.py",
        "return -math.log(class_logits.shape[-1])",
        "return math.log(class_logits.shape[-1])",
        "tests/test_losses.py -k hand",
    ),
    Fault(
        "R1: divided by 2, not by the batch",
        "tfgans/penalties.py",
        "return tf.reduce_mean(_squared_gradient_norms(critic, real))",
        "return tf.reduce_sum(_squared_gradient_norms(critic, real)) / 2.0",
        "tests/test_penalties.py -k batch",
    ),
    Fault(
        "gradient penalty: mixes the other way round",
        "tfgans/penalties.py",
        "points = mix * real + (1.0 - mix) * fake",
        "points = mix * fake + (1.0 - mix) * real",
        "tests/test_penalties.py -k quadratic",
    ),
    Fault(
        "R1: gamma in place of gamma / 2",
        "tfgans/methods/regularized.py",
        "return 0.5 * self.r1_weight * penalties",
        "return self.r1_weight * penalties",
        "tests/methods/test_regularizers.py -k hand",
    ),
    Fault(
        "R1: lazy by generator updates",
        "tfgans/methods/regularized.py",
        "first = step * self.discriminator_steps",
        "first = step",
        "tests/methods/test_regularizers.py -k 'due and options2'",
    ),
    Fault(
        "gradient penalty: the last fake of each real image",
        "tfgans/methods/regularized.py",
        "tf.split(groups, [1, -1], axis=1)[0]",
        "tf.split(groups, [-1, 1], axis=1)[1]",
        "tests/methods/test_method_rules.py -k first_of",
    ),
    Fault(
        "TorchAdam: epsilon where Keras has it",
        "tfgans/optimizers.py",
        "return beta_1, beta_2, rate, self.epsilon * root, 0.0",
        "return beta_1, beta_2, rate, self.epsilon, 0.0",
        "tests/test_optimizers.py -k formulas",
    ),
    Fault(
        "TorchRMSprop: the rate is in the buffer",
        "tfgans/optimizers.py",
        "move = momentum * tf.convert_to_tensor(buffer) + move",
        "move = momentum * tf.convert_to_tensor(buffer) + (1.0 - momentum) * move",
        "tests/test_optimizers.py -k formulas",
    ),
    Fault(
        "schedule: a step too late",
        "tfgans/schedules.py",
        "tf.where(step < self.boundary",
        "tf.where(step <= self.boundary",
        "tests/test_schedules.py",
    ),
    Fault(
        "lazy Adam: beta_2 is not adapted",
        "tfgans/methods/lazy.py",
        "beta_2**share",
        "beta_2",
        "tests/methods/test_regularizers.py -k the_optimizer",
    ),
]
