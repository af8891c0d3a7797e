import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.networks.mlp import mlp_discriminator, mlp_generator


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_parameter_counts():
    assert parameters(mlp_generator(4, 2, 8, 2)) == (4 * 8 + 8) + (8 * 8 + 8) + (8 * 2 + 2)
    with_classes = mlp_generator(4, 2, 8, 2, num_classes=3)
    assert parameters(with_classes) == 3 * 4 + (8 * 8 + 8) + (8 * 8 + 8) + (8 * 2 + 2)
    assert parameters(mlp_discriminator(2, 8, 2)) == (2 * 8 + 8) + (8 * 8 + 8) + (8 + 1)
    both = mlp_discriminator(2, 8, 1, num_classes=3, conditioning="both")
    assert parameters(both) == (2 * 8 + 8) + (8 + 1) + 3 * 8 + (8 * 3 + 3)


def test_projection_adds_the_inner_product():
    network = mlp_discriminator(2, 4, 1, num_classes=3)
    points, labels = np.random.default_rng(0).normal(size=(3, 2)).astype("float32"), np.array([0, 2, 1])
    before = network([points, labels])["adversarial"]
    table = network.get_layer("class_embedding").embeddings
    change = np.random.default_rng(1).normal(size=table.shape).astype("float32")
    table.assign(table + change)
    features = points @ network.layers[1].kernel.numpy()
    features = np.where(features > 0.0, features, 0.2 * features)
    after = network([points, labels])["adversarial"]
    expected = np.sum(change[labels] * features, 1, keepdims=True)
    np.testing.assert_allclose(after - before, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "arguments", "words"),
    [
        (mlp_generator, {"layers": 0}, "layers is an integer of at least 1. Received: 0"),
        (mlp_generator, {"latent_dim": -1}, "latent_dim is an integer"),
        (mlp_generator, {"num_classes": 0}, "num_classes is an integer"),
        (
            mlp_discriminator,
            {"hidden_units": 1.5},
            "hidden_units is an integer of at least 1. Received: 1.5",
        ),
        (mlp_discriminator, {"num_classes": 2, "conditioning": "label"}, "contrastive. Received: label"),
    ],
)
def test_refusals(network, arguments, words):
    with pytest.raises(ConfigError) as refusal:
        network(**arguments)
    assert words in str(refusal.value)
