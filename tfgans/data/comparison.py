"""Images to compare with that come from another place than those to train on."""

import numpy as np

from tfgans.config import ConfigError, unbound
from tfgans.data.labels import listed, normal
from tfgans.data.sources import find_source, title


def open_comparison(dataset, where):
    """A data set of `dataset.evaluation_source`, cut and chosen as `dataset` is.

    Its split is `evaluation_split`; where the source has no split `test`, that means its first one.

    Args:
        where: `data_dir`, `image_key`, `label_key` and `memory_limit_gb` of `dataset`.
    Raises: ConfigError, which names the option, if it cannot be read or its items have another shape.
    """
    images = len(dataset.item_shape) == 3
    try:
        splits = find_source(dataset.evaluation_source, **where).splits
        absent = dataset.evaluation_split == "test" and "test" not in splits
        found = unbound(
            type(dataset),
            source=dataset.evaluation_source,
            resolution=dataset.item_shape[:2] if images else None,
            channels=dataset.item_shape[2] if images else None,
            background=dataset.background,
            crop="none" if dataset.crop == "none" else "center",
            classes=dataset.classes,
            split=splits[0] if absent else dataset.evaluation_split,
            on_bad_image=dataset.on_bad_image,
            min_size=dataset.min_size,
            use_labels=dataset.use_labels,
            **where,
        )
    except ConfigError as error:
        raise ConfigError(f"Dataset.evaluation_source: {error}") from error
    if found.item_shape != dataset.item_shape:
        raise ConfigError(
            f"Dataset.evaluation_source: the items of {title(dataset.evaluation_source)} are {found.item_shape}, "
            f"those trained on {dataset.item_shape}"
        )
    return found


def numbered_alike(dataset, labels, names):
    """As `renumbered`. Raises: ConfigError if a label is of a class that `dataset` does not have."""
    found = renumbered(dataset, labels, names)
    if found is not None and ((found < 0) & (labels >= 0)).any():
        strange = [names[k] for k in np.unique(labels[(found < 0) & (labels >= 0)])]
        raise ConfigError(
            f"the images to compare with are of {listed(strange)}, those trained on of "
            f"{listed(list(dataset.class_names))}"
        )
    return found


def renumbered(dataset, labels, names):
    """Labels of images to compare with, numbered as the classes of `dataset` are.

    Args:
        labels: int32 [n], or None.
        names: of their classes, or None; where both have names these decide, in any Unicode form, else numbers stay.
    Returns: int32 [n], -1 for unknown ones and for those that are no class of `dataset`; or None.
    """
    ours = dataset.class_names
    if labels is None or names is None or ours is None or list(names) == list(ours):
        return labels
    places = {normal(name): k for k, name in reversed(list(enumerate(ours)))}
    places |= {name: k for k, name in enumerate(ours)}  # a name as it is written comes first
    found = [places.get(name, places.get(normal(name), -1)) for name in names]
    return np.array([*found, -1], np.int32)[labels]
