"""Faults of networks, and of methods that are about networks of their own."""

from .fault import Fault

FAULTS = [
    # StyleGAN2
    Fault(
        "StyleGAN2: latents and label are normalised together",
        "tfgans/networks/stylegan2_parts.py",
        "features = tf.concat([features, self.embedding(labels)], 1)",
        "features = self.normalization(tf.concat([features, 2.0 * self.embedding(labels)], 1))",
        "tests/networks/test_conditional.py -k mapping_is",
    ),
    Fault(
        "StyleGAN2: mixed styles lose their class",
        "tfgans/methods/style.py",
        'mapped(mapping, latents["mixing_latents"], labels)',
        'mapped(mapping, latents["mixing_latents"], None if labels is None else 0 * labels)',
        "tests/networks/test_conditional.py -k mixing_keeps",
    ),
    Fault(
        "path length: a is that of the step before",
        "tfgans/methods/style.py",
        "penalty = tf.reduce_mean(tf.square(lengths - mean))\n            total",
        "penalty = tf.reduce_mean(tf.square(lengths - tf.stop_gradient(mean)))\n            total",
        "tests/methods/test_style.py -k 'finite or golden'",
    ),
    Fault(
        "path length: directions are not scaled to the image",
        "tfgans/methods/style.py",
        " / math.sqrt(height * width)",
        " / math.sqrt(height)",
        "tests/methods/test_method_rules.py -k directions",
    ),
    Fault(
        "style mixing: from the first slot on",
        "tfgans/methods/style.py",
        'slot = 1 + philox.uniform([], self.stream("style_mixing/crossover"), slots - 1, tf.int32)',
        'slot = philox.uniform([], self.stream("style_mixing/crossover"), slots, tf.int32)',
        "tests/methods/test_style.py -k decided_once",
    ),
    Fault(
        "StyleGAN2: the logit of a class is not scaled",
        "tfgans/networks/stylegan2_labels.py",
        "return logits / math.sqrt(features.shape[-1])",
        "return logits",
        "tests/networks/test_conditional.py -k authors",
    ),
    # ProGAN's labels
    Fault(
        "ProGAN: labels stand before the latents",
        "tfgans/networks/progan_parts.py",
        "tf.concat([latents, rows], 1)",
        "tf.concat([rows, latents], 1)",
        "tests/networks/test_conditional.py -k stand_beside",
    ),
    # Growing and octaves
    Fault(
        "octave: alpha is the share of high channels",
        "tfgans/methods/octave/conv.py",
        "return int(alpha * channels)",
        "return channels - int(alpha * channels) if alpha else 0",
        "tests/methods/test_octave_layers.py -k 'authors or cut'",
    ),
    Fault(
        "octave: betas of training and inference swapped",
        "tfgans/methods/octave/soft.py",
        "[0 if training else 1]",
        "[1 if training else 0]",
        "tests/methods/test_octave.py -k betas",
    ),
    Fault(
        "octave: betas an epoch late",
        "tfgans/methods/octave/model.py",
        "tf.cast((epoch + 1) * self.beta_epoch",
        "tf.cast(epoch * self.beta_epoch",
        "tests/methods/test_octave.py -k betas",
    ),
    Fault(
        "progressive: a stage begins an update late",
        "tfgans/methods/progressive.py",
        "sum(step >= sum(self.stage_steps[:stage])",
        "sum(step > sum(self.stage_steps[:stage])",
        "tests/methods/test_progressive.py -k schedule",
    ),
    Fault(
        "progressive: a fade goes on to its end's share",
        "tfgans/methods/progressive.py",
        "start + (1.0 - start) * done / (share * steps)",
        "start + (1.0 - start) * done / steps",
        "tests/methods/test_progressive.py -k schedule",
    ),
    # The lightweight GAN
    Fault(
        "patches: margins of fakes move the wrong way",
        "tfgans/methods/self_supervised.py",
        "_logits(fake, -1.0)",
        "_logits(fake, 1.0)",
        "tests/methods/test_self_supervised.py -k patches_by_hand",
    ),
    Fault(
        "a part is reproduced, but another is compared",
        "tfgans/networks/lightweight_parts.py",
        "quarter(images, part))",
        "quarter(images, 3 - part))",
        "tests/networks/test_lightweight_networks.py -k hands_out_what_it_makes",
    ),
    Fault(
        "lightweight GAN: the gate's first activation is a step",
        "tfgans/networks/lightweight.py",
        "(gate * keras.ops.sigmoid(gate))",
        "(keras.ops.relu(gate))",
        "tests/networks/test_lightweight_networks.py -k 'by_hand or half'",
    ),
    Fault(
        "lightweight GAN: the halves of a gated unit are exchanged",
        "tfgans/networks/lightweight.py",
        "return values * keras.ops.sigmoid(gates)",
        "return gates * keras.ops.sigmoid(values)",
        "tests/networks/test_lightweight_networks.py -k 'by_hand or half'",
    ),
    Fault(
        "lightweight GAN: the two ways to half the size are added",
        "tfgans/networks/lightweight.py",
        "keras.layers.Average()",
        "keras.layers.Add()",
        "tests/networks/test_lightweight_networks.py -k 'by_hand or half'",
    ),
    Fault(
        "ProGAN: later stages by the next rate",
        "tfgans/methods/progressive.py",
        "in reversed(range(self.stage + 1))",
        "in range(self.stage + 1)",
        "tests/methods/test_progressive.py -k schedule_of_keras",
    ),
]
