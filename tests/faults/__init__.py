"""The faults that `mutants.py` puts into the library: small ones, such as slip in. A file has those of an area."""

from . import (
    augmentation,
    data,
    evaluation,
    layers,
    learning,
    methods,
    networks,
    runs,
    search,
    sparsity,
    training,
)

FAULTS = [
    *training.FAULTS,
    *learning.FAULTS,
    *methods.FAULTS,
    *sparsity.FAULTS,
    *search.FAULTS,
    *augmentation.FAULTS,
    *layers.FAULTS,
    *networks.FAULTS,
    *evaluation.FAULTS,
    *data.FAULTS,
    *runs.FAULTS,
]
