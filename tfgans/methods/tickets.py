"""GAN tickets: iterative magnitude pruning, in which a network is trained, pruned and rewound, again and again."""

import math

import tensorflow as tf

from tfgans import checkpoint, distribute, optimizers, pruning
from tfgans.config import ConfigError, Count, Natural, Within, configurable
from tfgans.gan import GAN
from tfgans.gan.average import clone
from tfgans.layers.state import scheduled_state


@configurable
class TicketGAN(GAN):
    """Finds a sparse generator that trains alone (Chen et al. 2021, section 3), Re-GAN's rival in its Table 4.

    A run is `ticket_rounds` + 1 trainings one after the other, each of `round_length` generator updates. After each
    but the last, the `round_sparsity` of the generator's remaining convolution weights that are least in magnitude,
    over all of its convolutions together, are pruned for good; the weights that are left go back to what they were
    before the first update, drawn or another run's, and so does the discriminator; optimizers start anew. Two rounds
    of 10 % leave 81 % of them ("ST@20 %"), six 53 % ("ST@46 %"). Dense layers, biases and norms are never pruned.
    The last training goes on as long as the run does.

    The round follows from the number of updates done, and masks and initial values are weights of the model: a run
    goes on exactly. `learning_rate_schedule` starts anew with each round; what other methods count goes on. Of the
    averaged generator the same entries are pruned, and each training has an average that begins anew.

    The logs have `tickets/round`, from 0, and `tickets/density`, the share of the generator's trainable weights that
    is left. Cost: a copy of both networks; an update costs what it does without, for pruned weights are computed with
    like others.

    Departures from the authors' code, in which the averaged generator has masks of its own magnitudes: here one mask
    serves both.

    Args:
        ticket_rounds: times that it prunes; 0 is the base.
        round_length: generator updates of a training.
        round_sparsity: share of the remaining convolution weights that is pruned each time, in (0, 1).
        keep_discriminator: leave the discriminator's weights as trained when the generator is rewound.
    Raises: ConfigError if a value leaves its range or the generator has no convolution kernels.
    """

    def __init__(
        self,
        generator,
        discriminator,
        ticket_rounds: Natural = 2,
        round_length: Count = 1000,
        round_sparsity: Within("(0, 1)") = 0.1,
        keep_discriminator: bool = False,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        self.ticket_rounds, self.round_length = ticket_rounds, round_length
        self.round_sparsity, self.keep_discriminator = round_sparsity, keep_discriminator
        if not ticket_rounds:
            return
        trainable = self.generator.trainable_variables
        self.convolutions = [i for i, v in enumerate(trainable) if is_convolution(v)]
        if not self.convolutions:
            raise ConfigError("TicketGAN: the generator has no convolution kernels to prune")
        self.ticket_masks = [self.add_like(trainable[i], "ticket_mask", "bool") for i in self.convolutions]
        self.initial_weights = {}
        for name in ["generator"] + ["discriminator"] * (not keep_discriminator):
            self.initial_weights[name] = [
                self.add_like(v, f"initial_{name}", value=v) for v in self.rewound_weights(name)
            ]

    def rewound_weights(self, name):
        """The weights of a network that are rewound: all but what a method sets by the number of updates done."""
        network = getattr(self, name)
        scheduled = {id(weight) for weight in scheduled_state(network)}
        return [weight for weight in network.weights if id(weight) not in scheduled]

    def make_train_function(self, force=False):
        if self.ticket_rounds and not int(self.step.numpy()):
            self.keep_beginning()
        return super().make_train_function(force)

    def keep_beginning(self):
        """Takes the present weights for those to go back to: they may have been given after the model was made."""
        with self.distribute_strategy.scope():
            for name, initial in self.initial_weights.items():
                for first, weight in zip(initial, self.rewound_weights(name), strict=True):
                    first.assign(tf.convert_to_tensor(weight.value))

    def kept_by_place(self):
        return super().kept_by_place() + (("TicketGAN.ticket_rounds",) if self.ticket_rounds else ())

    def compile(self, optimizer="adam", discriminator_optimizer="adam", **options):
        super().compile(optimizer, discriminator_optimizer, **options)
        if self.ticket_rounds:
            self._fresh_optimizers = optimizers.beginnings("TicketGAN", self.optimizers())

    def extra_updates(self, step):
        rewinds = (
            step > 0 and step % self.round_length == 0 and step <= self.ticket_rounds * self.round_length
        )
        return (*super().extra_updates(step), *(("tickets/rewind",) if rewinds else ()))

    def schedule_step(self):
        step = super().schedule_step()
        return step - self.round_length * self._round(step)

    def _round(self, step):
        return tf.minimum(step // self.round_length, self.ticket_rounds)

    def train_step(self, data):
        if not self.ticket_rounds:
            return super().train_step(data)
        if "tickets/rewind" in self.extras:
            self.find_ticket()
            self.rewind()
        number = self._round(tf.convert_to_tensor(self.step.value))
        logs = super().train_step(data)
        shares = pruning.pruned_shares(self.ticket_masks)
        sizes = [math.prod(v.shape) for v in self.generator.trainable_variables]
        density = pruning.weighted_density(sizes, self.convolutions, shares)
        macs = self.macs_of("generator")
        return logs | {
            "tickets/round": number,
            "tickets/density": density,
            "tickets/generator_macs_kept": pruning.weighted_density(macs, self.convolutions, shares),
        }

    def kept_share(self, name, step, logs=None):
        share = super().kept_share(name, step, logs)
        if name != "generator" or not self.ticket_rounds:
            return share
        if logs is not None:
            return share * logs["tickets/generator_macs_kept"]
        rounds = min(step // self.round_length, self.ticket_rounds)
        macs = self.macs_of(name)  # pruned as if evenly
        pruned = (1.0 - (1.0 - self.round_sparsity) ** rounds) * sum(macs[i] for i in self.convolutions)
        return share * (1.0 - pruned / (sum(macs) or 1))

    def find_ticket(self):
        """Prunes `round_sparsity` of the convolution weights that are left: those of least magnitude of all.

        Their number is rounded to the nearest integer, half to even; of equal ones the first are taken.
        """
        kernels = [self.generator.trainable_variables[i] for i in self.convolutions]
        masks = [tf.reshape(tf.convert_to_tensor(m.value), [-1]) for m in self.ticket_masks]
        sizes = [mask.shape[0] for mask in masks]
        pruned = tf.concat(masks, 0)
        magnitudes = tf.concat([tf.reshape(tf.abs(tf.convert_to_tensor(k.value)), [-1]) for k in kernels], 0)
        magnitudes = tf.where(pruned, tf.cast(-1.0, magnitudes.dtype), magnitudes)
        already = tf.math.count_nonzero(pruned)
        left = tf.cast(sum(sizes) - already, tf.float64)
        count = already + tf.cast(tf.round(self.round_sparsity * left), tf.int64)
        order = tf.argsort(magnitudes, stable=True)
        ranks = tf.math.invert_permutation(order)
        pruned = tf.split(tf.cast(ranks, tf.int64) < count, sizes)
        for mask, value in zip(self.ticket_masks, pruned, strict=True):
            mask.assign(tf.reshape(value, mask.shape))

    def rewind(self):
        """Sets weights back to where they began, pruned ones to 0, and makes the optimizers new."""
        for name, initial in self.initial_weights.items():
            distribute.update_each(self.rewound_weights(name), initial, lambda _, first: tf.identity(first))
        kernels = [self.generator.trainable_variables[i] for i in self.convolutions]
        distribute.update_each(kernels, self.ticket_masks, pruning.zeroed)
        self.begin_average()
        for name, optimizer in self.optimizers().items():
            optimizers.begin_again(optimizer, self._fresh_optimizers[name])

    def update_generator(self, gradients, regularizer=False):
        if self.ticket_rounds:
            variables = self.generator.trainable_variables
            gradients = pruning.masked_gradients(variables, gradients, self.convolutions, self.ticket_masks)
        super().update_generator(gradients, regularizer)

    def part_names(self):
        found = self.ticket_rounds and int(self.step.numpy()) > self.round_length
        return (*super().part_names(), *(("sparse",) if found else ()))

    def part(self, name):
        return self.settled(clone(self._shown())) if name == "sparse" else super().part(name)

    def part_report(self, name, network):
        if name != "sparse":
            return super().part_report(name, network)
        return pruning.density_report(network, self.densities())

    def densities(self):
        """{"generator/<path>": share of a convolution's weights that is left}."""
        if not self.ticket_rounds:
            return super().densities()
        return super().densities() | {
            f"generator/{self.generator.trainable_variables[i].path}": 1.0
            - float(checkpoint.as_array(mask).mean())
            for i, mask in zip(self.convolutions, self.ticket_masks, strict=True)
        }


def is_convolution(variable):
    """Whether a variable is the kernel of a convolution."""
    return len(variable.shape) == 4 and variable.path.rsplit("/", 1)[-1].endswith("kernel")
