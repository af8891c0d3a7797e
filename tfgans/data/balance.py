"""An order of training in which every class comes equally often."""

import numpy as np

from tfgans.data import philox


class BalancedOrder:
    """The order of each epoch of n images of K classes: ceil(n / K) of each class, shuffled.

    A pure function of (seed, epoch). A class with fewer images than its part comes as often as it takes: every image
    as many whole times as fit, the rest in turns that go on from epoch to epoch. So over any number of epochs two
    images of one class differ by at most one in how often they came.

    Args:
        labels: int [n], each class at least once.
        num_classes: K. seed: of the order.
    """

    def __init__(self, labels, num_classes, seed):
        self.num_classes, self.seed = num_classes, seed
        self.members = [np.flatnonzero(labels == k) for k in range(num_classes)]
        self.each = -(-len(labels) // num_classes)
        self.size = self.each * num_classes

    def __call__(self, epoch):
        """int64 [size]: positions among the images."""
        chosen = np.concatenate([self._of_class(k, epoch) for k in range(self.num_classes)])
        return chosen[philox.permutation(self.size, self.seed, philox.ORDER, epoch)]

    def _of_class(self, k, epoch):
        members = self.members[k]
        whole, rest = divmod(self.each, len(members))
        start, turns = epoch * rest, []
        for turn in range(start // len(members), -(-(start + rest) // len(members))):
            index = turn * self.num_classes + k
            shuffled = philox.permutation(len(members), self.seed, philox.BALANCE, index)
            first = turn * len(members)
            turns.append(shuffled[max(start - first, 0) : max(start + rest - first, 0)])
        return np.concatenate([np.tile(members, whole), *(members[turn] for turn in turns)])
