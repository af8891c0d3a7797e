"""Faults of methods that choose which weights there are, or which move."""

from .fault import Fault

FAULTS = [
    # Re-GAN and tickets
    Fault(
        "ReGAN: ties with the threshold are pruned",
        "tfgans/methods/regan/mask.py",
        "threshold.dtype)) < threshold",
        "threshold.dtype)) <= threshold",
        "tests/methods/test_regan.py -k golden_ones",
    ),
    Fault(
        "ReGAN: a sparse phase is a unit longer",
        "tfgans/methods/regan/schedule.py",
        "units % (self.sparse + self.dense) < self.sparse",
        "units % (self.sparse + self.dense) <= self.sparse",
        "tests/methods/test_regan.py -k phases_by_hand",
    ),
    Fault(
        "ReGAN: a late start has the sparse rate",
        "tfgans/methods/regan/schedule.py",
        "return SPARSE, WARM_UP",
        "return SPARSE, SPARSE",
        "tests/methods/test_regan.py -k phases_by_hand",
    ),
    Fault(
        "ReGAN: the phase's factor stays",
        "tfgans/methods/regan/model.py",
        "optimizer.learning_rate.assign(before)",
        "optimizer.learning_rate.assign(before * factor)",
        "tests/methods/test_regan.py -k 'golden_one and sgd'",
    ),
    Fault(
        "ReGAN: masks are found at a phase's beginning alone",
        "tfgans/methods/regan/model.py",
        "self.rederive_masks and schedule.begins_unit(step)",
        "self.rederive_masks and begins",
        "tests/methods/test_regan.py -k again",
    ),
    Fault(
        "ReGAN: masks are of the gradient alone",
        "tfgans/methods/regan/model.py",
        "            self.prune(name)\n            gradients = self.masked_gradients(name, gradients)",
        "            gradients = self.masked_gradients(name, gradients)",
        "tests/methods/test_regan.py -k 'golden_one and sgd'",
    ),
    Fault(
        "ReGAN: the kept sparse generator is not masked",
        "tfgans/methods/regan/pair.py",
        "        if was_sparse:",
        "        if not was_sparse:",
        "tests/methods/test_regan_training.py -k either_phase",
    ),
    Fault(
        "tickets: the largest weights are pruned",
        "tfgans/methods/tickets.py",
        "tf.argsort(magnitudes, stable=True)",
        'tf.argsort(magnitudes, stable=True, direction="DESCENDING")',
        "tests/methods/test_tickets.py -k least",
    ),
    Fault(
        "tickets: a share of all, not of what is left",
        "tfgans/methods/tickets.py",
        "left = tf.cast(sum(sizes) - already, tf.float64)",
        "left = tf.cast(sum(sizes), tf.float64)",
        "tests/methods/test_tickets.py -k least",
    ),
    Fault(
        "tickets: the schedule is not rewound",
        "tfgans/methods/tickets.py",
        "return step - self.round_length * self._round(step)",
        "return step",
        "tests/methods/test_tickets.py -k schedule",
    ),
    # RG-GAN and ADAPT
    Fault(
        "RG-GAN: an entry at its threshold is kept",
        "tfgans/methods/rggan/thresholds.py",
        "return tf.abs(kernel) > tf.cast(threshold, kernel.dtype)",
        "return tf.abs(kernel) >= tf.cast(threshold, kernel.dtype)",
        "tests/methods/test_rggan.py -k 'masked_layer or guard'",
    ),
    Fault(
        "RG-GAN: the oldest evaluation weighs most",
        "tfgans/methods/rggan/switch.py",
        "WINDOW = (0.1, 0.1, 0.2, 0.2, 0.4)",
        "WINDOW = (0.4, 0.2, 0.2, 0.1, 0.1)",
        "tests/methods/test_rggan.py -k switch",
    ),
    Fault(
        "RG-GAN: the average's thresholds take the live ones' place",
        "tfgans/methods/rggan/model.py",
        "new + tf.cast(keep, new.dtype) * (old - new)",
        "old + tf.cast(keep, new.dtype) * (new - old)",
        "tests/methods/test_rggan.py -k cycle_of_sparse",
    ),
    Fault(
        "ADAPT: the share that is exchanged rises",
        "tfgans/methods/adapt/masks.py",
        "0.5 * (1.0 + turn)",
        "0.5 * (1.0 - turn)",
        "tests/methods/test_adapt.py -k share",
    ),
    Fault(
        "ADAPT: the balance is measured against the fakes before",
        "tfgans/methods/adapt/balance.py",
        "gap, one = c - a, tf.ones_like(a)",
        "gap, one = c - b, tf.ones_like(a)",
        "tests/methods/test_adapt.py -k balance_rule",
    ),
    Fault(
        "ADAPT: entries without a gradient grow",
        "tfgans/methods/adapt/masks.py",
        " & (size > 0.0)",
        "",
        "tests/methods/test_adapt.py -k without_a_gradient",
    ),
    # FreezeD
    Fault(
        "FreezeD: layers without weights count",
        "tfgans/methods/freezed.py",
        "layers = [layer for layer in self.discriminator.layers if layer.trainable_variables]",
        "layers = self.discriminator.layers",
        "tests/methods/test_freezed.py -k first_layers",
    ),
    Fault(
        "ADAPT: weights grow by what regularizes alone",
        "tfgans/methods/adapt/model.py",
        'if not regularizer:\n            self._remember("discriminator", gradients)',
        'if True:\n            self._remember("discriminator", gradients)',
        "tests/methods/test_adapt.py -k regularizer_alone",
    ),
]
