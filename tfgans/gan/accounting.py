"""What training costs: passes through the networks, and floating-point operations, in two ways of counting."""

import logging

import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan.hooks import hook

logger = logging.getLogger(__name__)
NETWORKS = ("generator", "discriminator")


class Accounting:
    """The part of `GAN` that knows what the step that is compiled or runs (`variant`, `extras`) costs.

    A pass is a network's forward, its backward through activations, or its gradients of weights, on as many images as
    one discriminator batch has; each costs the forward's multiply-accumulates (`tfgans.evaluate.cost`), and one of
    those is two floating-point operations. Not counted are what grows with no batch (spectral norms, optimizers,
    averages), augmentations, and what a mapping network alone does a second time.
    """

    @hook
    def training_passes(self):
        """{"generator": passes, "discriminator": passes} of the step; methods that make more extend it."""
        losses, ratio = self.discriminator_loss_count(), self.generator_batch_ratio
        return {
            "generator": self.discriminator_steps + 3 * ratio,
            "discriminator": losses * (6 + self.penalty_passes()) + 2 * ratio + self.of_pairs,
        }

    @hook
    def discriminator_loss_count(self):
        """Discriminator losses, each on a real and a fake batch, whose gradients the step takes."""
        return self.discriminator_steps

    @hook
    def penalty_passes(self, by_fakes=False):
        """Discriminator passes that penalties add to one gradient of the discriminator's loss.

        Args:
            by_fakes: those that they add where that gradient is differentiated once more, towards the fakes.
        """
        return 0

    @hook
    def measured(self, name, measure, inputs=None):
        """`measure(network, inputs)`, of `tfgans.evaluate.cost`, of a network as it is in this kind of step.

        Args:
            name: `generator` or `discriminator`.
            inputs: see `cost.layer_costs`; methods whose networks change their size give them.
        """
        with tf.init_scope():  # also while a step is traced
            return measure(getattr(self, name), inputs)

    @hook
    def kept_share(self, name, step, logs=None):
        """The share of a network's multiply-accumulates that pruning leaves in step number `step`, in [0, 1].

        Args:
            logs: of the step; without them, what is to be expected.
        """
        return 1.0

    @hook
    def cost_kind(self, step):
        """A key for the planned cost of step number `step`: steps of one key cost the same. Chooses the step."""
        return self.choose_step(step), tuple(self.kept_share(name, step) for name in NETWORKS)

    @hook
    def step_cost(self, batch_size, step, logs=None):
        """What step number `step`, whose kind is chosen, costs: three integers by name.

        `real_images`: shown to the discriminator, `batch_size` for each of its steps. `generator_flops`: as Re-GAN's
        paper counts, twice the generator's MACs for each of those images, of the weights that are not pruned.
        `training_flops`: of all passes of both networks, of the weights that are not pruned.

        Args:
            batch_size: images of one discriminator step, over all replicas.
            logs: see `kept_share`.
        """
        passes, images = self.training_passes(), batch_size * self.discriminator_steps
        each = {name: 2 * sum(self.macs_of(name)) * self.kept_share(name, step, logs) for name in NETWORKS}
        return {
            "real_images": images,
            "generator_flops": round(images * each["generator"]),
            "training_flops": round(batch_size * sum(passes[name] * each[name] for name in NETWORKS)),
        }

    def macs_of(self, name):
        """A network's multiply-accumulates in this kind of step, as `cost.weight_macs` has them; 0 if not known."""
        if not hasattr(self, "_macs_found"):
            self._macs_found = {}
        key = name, self.variant
        if key not in self._macs_found:
            try:
                self._macs_found[key] = self.measured(name, cost.weight_macs)
            except ConfigError as error:
                logger.warning("floating-point operations of the %s are not counted: %s", name, error)
                self._macs_found[key] = [0] * (len(getattr(self, name).trainable_variables) + 1)
        return self._macs_found[key]


def planned_cost(model, batch_size, steps):
    """The cost of a run of `steps` generator updates from its beginning, as `Accounting.step_cost` counts it."""
    totals, kinds = {}, {}
    for step in range(steps):
        kind = model.cost_kind(step)
        if kind not in kinds:
            kinds[kind] = [model.step_cost(batch_size, step), 0]
        kinds[kind][1] += 1
    for costs, count in kinds.values():
        for name, value in costs.items():
            totals[name] = totals.get(name, 0) + value * count
    return totals
