"""Re-GAN's two generators at the end of training: a sparse and a dense one."""

import tensorflow as tf

from tfgans import distribute, pruning
from tfgans.gan.average import clone
from tfgans.methods.regan.schedule import SPARSE, WARM_UP


class Pair:
    """The part of `ReGAN` that keeps the generator of the phase before, as that phase left it.

    The generator, averaged if there is an average, of the present phase and the one kept are the pair: one of a
    sparse phase, whose masked entries are set to 0 (with momentum they may not be), and one of a dense phase or the
    warm-up. Without a warm-up there is no dense one before the first dense phase.
    """

    def _add_kept(self):
        """Weights of the model for the generator that is kept."""
        weights = self._shown().weights
        self.kept_weights = [self.add_like(w, "kept_generator") for w in weights]

    def keep_generator(self, was_sparse):
        """Copies the generator's weights, as a new phase begins, `was_sparse` telling of the phase before."""
        shown = self._shown()
        distribute.update_each(self.kept_weights, shown.weights, lambda _, new: tf.identity(new))
        if was_sparse:
            distribute.update_each(
                self._pruned_of(shown, self.kept_weights), self.masks["generator"], pruning.zeroed
            )

    def _pruned_of(self, network, values):
        """Of `values`, one for each weight of a generator, those of its pruned tensors."""
        places = {id(weight): place for place, weight in enumerate(network.weights)}
        trainable = network.trainable_variables
        return [values[places[id(trainable[index])]] for index in self.pruned["generator"]]

    def part_names(self):
        step, others = int(self.step.numpy()), super().part_names()
        if (
            "generator" not in self.pruned_networks
            or not step
            or self.pruning_schedule.phase(step - 1) == WARM_UP
        ):
            return others
        first_dense = self.pruning_schedule.first_dense
        was_dense = first_dense is not None and first_dense < step
        return (*others, "sparse", *(("dense",) if was_dense else ()))

    def part(self, name):
        if name not in ("sparse", "dense"):
            return super().part(name)
        shown, is_sparse = self._shown(), self.pruning_schedule.phase(int(self.step.numpy()) - 1) == SPARSE
        network = clone(shown)
        if is_sparse != (name == "sparse"):
            for weight, kept in zip(network.weights, self.kept_weights, strict=True):
                weight.assign(tf.convert_to_tensor(kept.value))
        elif is_sparse:
            for weight, mask in zip(
                self._pruned_of(network, network.weights), self.masks["generator"], strict=True
            ):
                weight.assign(pruning.zeroed(weight, mask.value))
        return self.settled(network)

    def part_report(self, name, network):
        if name != "sparse":
            return super().part_report(name, network)
        return pruning.density_report(network, self.densities())
