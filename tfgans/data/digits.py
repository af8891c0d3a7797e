"""scikit-learn's 1,797 real 8x8 digits, with one train/test split that training and evaluation share."""

import numpy as np

SEED = 20240501
TEST_SHARE = 0.2


def digits_split():
    """Returns the fixed split of the digits: `(train_images, train_labels, test_images, test_labels)`.

    Images are uint8 [n, 8, 8] in [0, 255] (the set's 17 grey levels, 0..16, times 255/16, rounded),
    labels int64 [n] in 0..9. Each class gives a fifth of its images, rounded, to the test part; both
    parts are shuffled. The split is the same on every machine: it is the held-out set of both the
    embedded digits classifier and the GANs that it judges.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target.astype(np.int64)
    # RandomState's stream is frozen by numpy's compatibility policy; default_rng's is not.
    random = np.random.RandomState(SEED)
    order = random.permutation(len(labels))
    test = np.zeros(len(labels), bool)
    for digit in range(10):
        members = order[labels[order] == digit]
        test[members[: round(TEST_SHARE * len(members))]] = True
    train_index, test_index = order[~test[order]], order[test[order]]
    return images[train_index], labels[train_index], images[test_index], labels[test_index]
