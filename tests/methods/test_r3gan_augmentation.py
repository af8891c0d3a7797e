"""The strength of augmentation in R3GAN's published experiments."""

import gin
import numpy as np
import pytest
from configurations import prepare

from tfgans.schedules import CosineRamp

# The specification's table: last p, images of the burn-in, images of a batch.
PUBLISHED = {
    "cifar10": (0.55, 2e7, 512),
    "cifar10_unconditional": (0.55, 2e7, 512),
    "ffhq64": (0.3, 2e7, 256),
    "ffhq256": (0.3, 2e7, 256),
    "imagenet32": (0.5, 2e8, 4096),
    "imagenet64": (0.4, 2e8, 4096),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_rises_with_what_else_moves(name):
    last, burn_in, batch = PUBLISHED[name]
    prepare(f"r3gan/{name}")
    methods = [method.selector.rpartition(".")[2] for method in gin.query_parameter("build.methods")]
    assert methods == ["R3GAN", "ADAGAN"]
    assert gin.query_parameter("ADAGAN.ada_probability").selector.endswith("CosineRamp")
    assert gin.query_parameter("AugmentPipe.operations") == "r3gan"
    assert gin.query_parameter("R3GAN.burn_in") == burn_in
    ramp = CosineRamp()
    found = [float(ramp(np.int64(share * burn_in / batch))) for share in (0.0, 0.25, 0.5, 1.01)]
    np.testing.assert_allclose(found, last * np.array([0.0, 0.5 - 0.125**0.5, 0.5, 1.0]), rtol=2e-4)
