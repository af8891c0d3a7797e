"""The distance between two sets of images, of the features of the digits classifier."""

from tfgans.evaluate.features import DigitsFeatures
from tfgans.run import sets


def between(first, second, metrics=("fid",), **options):
    return sets.between(
        str(first), None if second is None else str(second), DigitsFeatures(), metrics, **options
    )
