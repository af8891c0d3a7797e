"""The metrics that an evaluation may consist of, by name: what they give, and of how many samples a side.

Of all samples:
- `fid`: Frechet distance of the features' Gaussians (Heusel et al. 2017), squared, covariances over n - 1.
- `sfid`: the same of features at positions of the image (Nash et al. 2021), see `spatial_features`. Refused where
  the extractor has none.
- `fid_infinity`: `fid_infinity`, `_slope`, `_error`, see `frechet.frechet_infinity`.
- `inception_score`: it and `inception_score_std`, over 10 parts (Salimans et al. 2016). Needs logits.
- `class_coverage`: `classes_covered`, `class_kl` in nats, of the classes that the extractor sees. Needs logits.

Of `kernel_samples`:
- `kid`: it and `kid_std`, each sample once in blocks of 1024, and the standard error (TF-GAN's convention).
- `kid_subsets`: it and `kid_subsets_std`, 100 random subsets of 1000, and their deviation (torch-fidelity's).
- `cmmd`: 1000 times the squared MMD of unit vectors (Jayasumana et al. 2024), meant for CLIP.
- `mind`: sorted projections on 1000 lines (Berthet et al. 2026).

Of `neighbour_samples`, with closed balls:
- `precision_recall`: `precision`, `recall` in [0, 1], 3 neighbours (Kynkaanniemi et al. 2019).
- `density_coverage`: `density` >= 0, `coverage` in [0, 1], 5 neighbours (Naeem et al. 2020).
- `memorization`: `auth_pct` in [0, 100] (Alaa et al. 2022), 0 if all are copies of the images compared with.
- `copying`: distances to the nearest training image (of all, at most 50,000), against those of held-out images, of
  another split: `nearest_ratio` of medians, near 0 for copies and 1 for new images; `copying_score`, a z-score, C_T
  of one cell (Meehan et al. 2020), far below 0 for copies. Absent where no images are held out.

Of numbers of their own, `intra_samples`, `sliced_samples`, `spectrum_samples`, or of the objects named:
- `intra_class`: `intra_fid`, `intra_recall` and their worst, within each class, see `IntraClass`.
- `classification_accuracy_score`: the share in [0, 1] of real images that a classifier of generated ones gets right
  (Ravuri and Vinyals 2019), of 10,000; also `classification_samples`; see `ClassificationScore`. Needs classes.
- `ppl_z`: path length along great circles between latents, the squared change of features over the squared step
  (Karras et al. 2019), of 10,000 paths; also `ppl_samples`. The less, the smoother. The value's name says of which
  features it is, such as `ppl_z_end_inception_clean`; see `PathLength`.
- `ppl_w`: the same on straight lines between styles. Refused where the generator has none.
- `sliced_wasserstein`: mean over a Laplacian pyramid's levels (Karras et al. 2018), of sides of at least 8.
- `spectrum`: `spectrum_distance`, `_high`, `_all` in decibels, see `spectrum.compare`.
"""

import numpy as np

from tfgans.config import ConfigError
from tfgans.config.names import meant
from tfgans.evaluate import memorization, projections, scores
from tfgans.evaluate.frechet import frechet_infinity
from tfgans.evaluate.kernel_distances import cmmd, kernel_distance_of_blocks, kernel_distance_of_subsets
from tfgans.evaluate.path_length import SPACES

DEFAULT = ("fid", "inception_score", "kid", "precision_recall", "density_coverage")
# Of all metrics' values, those of which more is better; of the others (distances, divergences) less is.
HIGHER_IS_BETTER = frozenset(
    (
        "inception_score",
        "precision",
        "recall",
        "intra_recall",
        "intra_recall_worst",
        "density",
        "coverage",
        "classes_covered",
        "modes_covered",
        "high_quality",
        "duality_maxmin",
        "auth_pct",
        "classification_accuracy_score",
        "nearest_ratio",
        "copying_score",
    )
)
# Of how many samples, or parts, some metrics are: parameters of `Evaluator`. Rows name those that differ from these.
COUNTS = {
    "inception_splits": 10,
    "kernel_samples": 10000,
    "neighbour_samples": 5000,
    "sliced_samples": 1024,
    "spectrum_samples": 1024,
}
# Likewise those of `DualityGap`: steps, batch_size, num_samples.
GAP_COUNTS = {"duality_steps": 200, "duality_batch_size": 64, "duality_samples": 2000}
_NOT_METRICS = {
    *COUNTS,
    *GAP_COUNTS,
    "step",
    "num_samples",
    "num_reference",
    "features",
    "command",
    "real_images",
}
_NOT_METRICS |= {"intra_samples", "intra_left_out", "reference_flipped"}
_NOT_METRICS |= {"ppl_samples", "classification_samples"}
_NOT_METRICS |= {"average_difference", "fid_raw", "fid_raw_samples"}  # of weights that are not compared
# How sure other values are; behind a second split's come more letters.
_BESIDE = ("kid_std", "kid_subsets_std", "fid_infinity_slope", "fid_infinity_error")
# Not by the reference's name: data may be moved.
_MEASURED_BY = ("features", "num_samples", "num_reference", *COUNTS, *GAP_COUNTS)
_AGAINST_A_SPLIT = ("precision", "recall", "density", "coverage", "auth_pct")
PRECISION_NEIGHBOURS = 3
DENSITY_NEIGHBOURS = 5
_BLOCK = 1024
_SUBSET = 1000


def _kid(real, fake):
    if min(len(real), len(fake)) < 2:
        return {}
    blocks = -(-max(len(real), len(fake)) // _BLOCK)
    if min(len(real), len(fake)) < 2 * blocks:  # the smaller set cannot fill the larger one's blocks
        size = min(len(real), len(fake))
        real, fake = real[:size], fake[:size]
    value, error = kernel_distance_of_blocks(real, fake, _BLOCK)
    return {"kid": value, "kid_std": error}


def _kid_subsets(real, fake):
    size = min(_SUBSET, len(real), len(fake))
    if size < 2:
        return {}
    value, deviation = kernel_distance_of_subsets(real, fake, subset_size=size)
    return {"kid_subsets": value, "kid_subsets_std": deviation}


def _precision_recall(real, fake):
    if min(len(real), len(fake)) <= PRECISION_NEIGHBOURS:
        return {}
    precision, recall = scores.precision_recall(real, fake, PRECISION_NEIGHBOURS)
    return {"precision": precision, "recall": recall}


def _density_coverage(real, fake):
    if len(real) <= DENSITY_NEIGHBOURS:
        return {}
    density, coverage = scores.density_coverage(real, fake, DENSITY_NEIGHBOURS)
    return {"density": density, "coverage": coverage}


def _memorization(real, fake):
    return {"auth_pct": memorization.auth_pct(real, fake)} if len(real) > 1 else {}


# Functions of the features of real images [n, F] and of generated ones [m, F], by how many of them they take.
OF_MANY = {
    "kid": _kid,
    "kid_subsets": _kid_subsets,
    "cmmd": lambda real, fake: {"cmmd": cmmd(real, fake)},
    "mind": lambda real, fake: {"mind": projections.mind(real, fake)},
}
OF_NEIGHBOURS = {
    "precision_recall": _precision_recall,
    "density_coverage": _density_coverage,
    "memorization": _memorization,
}
OF_STATISTICS = ("fid", *OF_MANY, *OF_NEIGHBOURS)  # without the images themselves
OF_IMAGES = ("sliced_wasserstein", "spectrum", "classification_accuracy_score")  # not of features
OF_A_GENERATOR = ("intra_class", "classification_accuracy_score", *SPACES)  # of more than its images
NAMES = (
    "fid",
    "sfid",
    "fid_infinity",
    "inception_score",
    *OF_MANY,
    *OF_NEIGHBOURS,
    "copying",
    "class_coverage",
    "intra_class",
    *SPACES,
    *OF_IMAGES,
)


def higher_is_better(name):
    """Whether more of a value is better; `recall_test`, against the split `test`, is as `recall`."""
    return name in HIGHER_IS_BETTER or name.startswith(tuple(f"{each}_" for each in _AGAINST_A_SPLIT))


def made_in_training(row):
    """Whether a row of a run's `metrics.jsonl` is of training; those that `evaluate` appends name their command."""
    return "command" not in row


def measured_alike(row, other, changes=()):
    """Whether the numbers of two rows of a run's `metrics.jsonl` compare: a run may go on with other features.

    They do if they are of the same features and of as many generated and real images, also by `COUNTS`.

    Args: changes: steps after which rows are measured against other images or in other features than until then.
    """
    first, last = sorted((row.get("step", 0), other.get("step", 0)))
    between = any(first <= step < last for step in changes)
    return not between and all(row.get(name) == other.get(name) for name in _MEASURED_BY)


def values_of(row):
    """The metrics of a row of `metrics.jsonl`, {name: a number, or None if it could not be measured}."""
    kept = {name: value for name, value in row.items() if is_value(name, value)}
    return {name: value for name, value in kept.items() if value is None or abs(value) < 1e300}


def is_value(name, value):
    """Whether an entry of such a row is a metric: a number, finite or not, or None, and of no other meaning."""
    other = name in _NOT_METRICS or name.startswith(("num_reference", *_BESIDE))
    other = other or name.endswith(("_seconds", "_std", "_flops"))
    return not other and (value is None or isinstance(value, (int, float)))


def check(metrics):
    """Raises ConfigError naming an entry that is neither one of `NAMES` nor a function, or is there twice."""
    for metric in metrics:
        if isinstance(metric, str) and metric not in NAMES:
            hint = meant(metric, NAMES) or "."
            raise ConfigError(
                f"Evaluator.metrics: no metric is called '{metric}'{hint} Allowed: {', '.join(NAMES)}"
            )
        if metrics.count(metric) > 1:
            raise ConfigError(f"Evaluator.metrics names '{getattr(metric, '__name__', metric)}' twice")


def of_features(metrics, real, fake, many, neighbours):
    """The values of those of `metrics` that are functions of features.

    Args:
        real, fake: features kept, in random order. many, neighbours: how many of them a metric takes.
    """
    found = {}
    for metric in metrics:
        if metric in OF_MANY:
            found |= OF_MANY[metric](real[:many], fake[:many])
        elif metric in OF_NEIGHBOURS:
            found |= OF_NEIGHBOURS[metric](real[:neighbours], fake[:neighbours])
        elif not isinstance(metric, str):
            found[metric.__name__] = float(metric(real[:neighbours], fake[:neighbours]))
    return found


def unusual(counts):
    """Those of some counts, {name: count}, that are not as `COUNTS` and `GAP_COUNTS` have them."""
    usual = COUNTS | GAP_COUNTS
    return {name: count for name, count in counts.items() if count != usual[name]}


def counts_of(metrics):
    """The names of those `COUNTS` that these metrics' values are of."""
    users = {
        "inception_splits": ("inception_score",),
        "kernel_samples": OF_MANY,
        "neighbour_samples": (*OF_NEIGHBOURS, "copying"),
        "sliced_samples": ("sliced_wasserstein",),
        "spectrum_samples": ("spectrum",),
    }
    own = {"neighbour_samples"} if any(not isinstance(metric, str) for metric in metrics) else set()
    return [name for name in COUNTS if name in own or any(metric in users[name] for metric in metrics)]


def kept(metrics, many, neighbours):
    """How many features a side these metrics need."""
    needs = [many for metric in metrics if metric in OF_MANY]
    taking = (*OF_NEIGHBOURS, "copying")
    needs += [neighbours for metric in metrics if metric in taking or not isinstance(metric, str)]
    return max(needs, default=0)


def infinity(metrics, moments, fake):
    """`fid_infinity` and its company, if it is one of `metrics` and there are samples for its line."""
    if "fid_infinity" not in metrics or len(fake) < 30 or not np.isfinite(fake).all():
        return {}
    return frechet_infinity(moments, fake)
