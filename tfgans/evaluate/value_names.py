"""The names of the values that evaluations give, known before anything is trained or measured."""

from tfgans.config import ConfigError
from tfgans.evaluate.image_metrics import SPECTRAL
from tfgans.evaluate.metrics import NAMES, OF_MANY, OF_NEIGHBOURS
from tfgans.evaluate.path_length import SPACES

OF_MODES = ("modes_covered", "high_quality", "mode_kl")
_OF_CLASSES = {
    "intra_class": ("intra_fid", "intra_fid_worst", "intra_recall", "intra_recall_worst"),
    "classification_accuracy_score": ("classification_accuracy_score",),
}
_OF_LOGITS = {"inception_score": ("inception_score",), "class_coverage": ("classes_covered", "class_kl")}
_OTHERS = {  # of metrics whose value is called otherwise; the evaluator knows what path lengths are called
    "precision_recall": ("precision", "recall"),
    "density_coverage": ("density", "coverage"),
    "memorization": ("auth_pct",),
    "copying": ("nearest_ratio", "copying_score"),
    "spectrum": SPECTRAL,
    **dict.fromkeys(SPACES, ()),
    **_OF_CLASSES,
    **_OF_LOGITS,
}
_WITH_REFERENCE = ("fid", "sfid", "fid_infinity", *OF_MANY, *OF_NEIGHBOURS)
_LEAST_SIDE = 8  # of images with a pyramid or a spectrum


def named(metrics, second_split=None):
    """The values of an `Evaluator`'s metrics, in their order; behind them those against a second split, if any."""
    found, again = [], []
    for metric in metrics:
        own = _OTHERS.get(metric, (getattr(metric, "__name__", metric),))
        found += own
        if second_split is not None and (metric in _WITH_REFERENCE or not isinstance(metric, str)):
            again += [f"{name}_{second_split}" for name in own]
    return found + again


def allowed(metrics, features, dataset=None, model=None):
    """Those of an evaluator's metrics that it can measure, as far as features, data and model say so at once.

    Args: features: an extractor. dataset: a `Dataset`, or None. model: a `GAN`, or None.
    """
    without = set() if getattr(features, "has_logits", True) else set(_OF_LOGITS)
    shape = (_LEAST_SIDE,) * 3 if dataset is None else dataset.item_shape
    if len(shape) < 3 or min(shape[:2]) < _LEAST_SIDE:
        without |= {"sliced_wasserstein", "spectrum"}
    if len(shape) < 3:
        without |= set(SPACES)
    if model is not None and not model.num_classes:
        without |= set(_OF_CLASSES)
    if dataset is not None and "copying" in metrics and dataset.held_out() is None:
        without.add("copying")
    return [metric for metric in metrics if metric not in without]


def check(parameter, name, known, left_out=()):
    """Raises ConfigError, in one line, for a name that no value has.

    Args:
        parameter: what was bound to it. known: the values that a configuration's evaluations give.
        left_out: others that may be named, see `Evaluator.values_left_out`.
    """
    if name in known or name in left_out:
        return
    raise ConfigError(f"{parameter} is one of {', '.join(known)}, which are measured. Received: {name}")


EVERY = tuple(named(NAMES))
