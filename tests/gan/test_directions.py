"""Directions by SeFa and PCA, against eigenvectors and singular vectors found otherwise."""

import keras
import numpy as np
import pytest
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.directions import Directions, principal_axes, sefa
from tfgans.networks.biggan import biggan_discriminator, biggan_generator
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator


@pytest.fixture(scope="module")
def styled():
    generator = stylegan2_generator(8, latent_dim=8, style_dim=6, mapping_layers=2, max_channels=8)
    return GAN(generator, stylegan2_discriminator(8, max_channels=8), seed=3)


def test_sefa_of_a_kernel_made_by_hand():
    """A has the singular values 5, 3, 2 along known axes: these are the directions, and 25, 9, 4 the values."""
    axes = np.array([[3, 4, 0], [-4, 3, 0], [0, 0, 5]]) / 5
    left = np.linalg.qr(np.random.default_rng(0).normal(size=(7, 7)))[0][:, :3]
    kernel = (left @ np.diag([3.0, 5.0, 2.0]) @ axes).T  # [code, units]
    vectors, values = sefa([kernel], 2)
    np.testing.assert_allclose(values, [25, 9], rtol=1e-9)
    np.testing.assert_allclose(vectors, [[0.8, -0.6, 0], [0.6, 0.8, 0]], atol=1e-6)
    both, values = sefa([kernel[:, :3], kernel[:, 3:]], 3)
    np.testing.assert_allclose(both[:2], vectors, atol=1e-6)
    np.testing.assert_allclose(values, [25, 9, 4], rtol=1e-9)


def test_principal_axes_are_those_of_numpys_svd():
    samples = np.random.default_rng(0).normal(size=(50, 4)) @ np.diag([1.0, 4.0, 2.0, 3.0]) + 7.0
    vectors, variances = principal_axes(samples, 3)
    _, singular, axes = np.linalg.svd(samples - samples.mean(0))
    np.testing.assert_allclose(variances, singular[:3] ** 2 / 49, rtol=1e-6)
    np.testing.assert_allclose(np.abs(vectors @ axes[:3].T), np.eye(3), atol=1e-5)
    assert (vectors[np.arange(3), np.abs(vectors).argmax(1)] > 0).all()


def test_sefa_of_styles_looks_at_the_modulations_of_the_slots(styled):
    synthesis = styled.generator.get_layer("synthesis")
    layers = [layer.convolution.modulation for layer in synthesis.convolutions]  # slots 0, 1, 2
    images = [layer.modulation for layer in synthesis.images]  # slots 1, 3
    for slots, fed in (((0, 4), layers + images), ((1, 2), [layers[1], images[0]])):
        found = styled.directions("sefa", 3, slots)
        kernel = np.concatenate([m.kernel.numpy() for m in fed], 1).astype("float64") / np.sqrt(6)
        values, vectors = np.linalg.eigh(kernel @ kernel.T)
        np.testing.assert_allclose(found.values, values[:-4:-1], rtol=1e-5)
        np.testing.assert_allclose(np.abs(np.sum(found.vectors * vectors.T[:-4:-1], 1)), 1.0, atol=1e-5)
        assert (found.space, found.slots, found.method) == ("w", slots, "sefa")
        w = styled.styles(styled.latents_at(0, 10_000))[:, 0]
        np.testing.assert_allclose(found.deviations, (w @ found.vectors.T).std(0), rtol=1e-3)
    assert [len(part) for part in (found, found.first(2), styled.directions("sefa", 99))] == [3, 2, 6]


def test_pca_is_of_w(styled):
    found = styled.directions("pca", 2)
    w = styled.styles(styled.latents_at(0, 10_000))[:, 0].astype("float64")
    _, singular, axes = np.linalg.svd(w - w.mean(0), full_matrices=False)
    np.testing.assert_allclose(found.deviations, singular[:2] / np.sqrt(len(w) - 1), rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(found.vectors * axes[:2], 1)), 1.0, atol=1e-4)


def test_sefa_of_a_first_dense_layer():
    model = GAN(*toys.image_networks())
    kernel = next(layer for layer in model.generator.layers if isinstance(layer, keras.layers.Dense)).kernel
    found = model.directions("sefa", 2)
    values, vectors = np.linalg.eigh((kernel.numpy() @ kernel.numpy().T).astype("float64"))
    np.testing.assert_allclose(found.values, values[[-1, -2]], rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.sum(found.vectors * vectors.T[[-1, -2]], 1)), 1.0, atol=1e-5)
    assert (found.space, found.slots, found.deviations.tolist()) == ("z", None, [1.0, 1.0])


def test_a_dense_layer_on_a_part_of_the_latent():
    """BigGAN's first layer sees the first of three chunks; an embedding beside the latent moves nothing."""
    generator = biggan_generator(
        8, 1, latent_dim=12, base_channels=4, block_channels=(8, 4), num_classes=3, embedding_dim=4,
        attention_resolutions=(),
    )  # fmt: skip
    discriminator = biggan_discriminator(
        8, 1, base_channels=4, block_channels=(4, 8), num_classes=3, attention_resolutions=()
    )
    found = GAN(generator, discriminator, num_classes=3).directions("sefa", 3)
    chunk = 12 // 2
    assert np.all(found.vectors[:, chunk:] == 0) and np.all(found.values[:3] > 0)
    model = GAN(*toys.image_networks(num_classes=3), num_classes=3)
    kernel = next(layer for layer in model.generator.layers if isinstance(layer, keras.layers.Dense)).kernel
    vectors, values = sefa([kernel.numpy()[:4]], 2)
    found = model.directions("sefa", 2)
    np.testing.assert_allclose(found.values, values, rtol=1e-5)
    np.testing.assert_allclose(found.vectors, vectors, atol=1e-5)


def test_codes_are_moved_by_deviations(styled):
    slots = (1, 3)
    vectors = np.eye(6, dtype="float32")[[2, 0]]
    found = Directions("sefa", "w", vectors, np.ones(2), np.array([0.5, 3.0]), slots)
    codes = styled.in_w(styled.codes_at([5, 9]))
    moved = found.move(codes, 1, [-2.0, 0.0, 1.0])
    assert len(moved) == 6
    np.testing.assert_array_equal(moved.values[[1, 4]], codes.values)
    change = moved.values.reshape(2, 3, 4, 6) - codes.values[:, None]
    expected = np.zeros((2, 3, 4, 6))
    expected[:, 0, 1:3, 0], expected[:, 2, 1:3, 0] = -6.0, 3.0
    np.testing.assert_allclose(change, expected, atol=1e-5)


def test_directions_that_cannot_be(styled):
    plain = GAN(*toys.image_networks())
    points = GAN(*toys.scalar_networks())
    for make, said in (
        (lambda: styled.directions("ica"), "directions are found by sefa or pca. Received: 'ica'"),
        (lambda: styled.directions("pca", 0), "the number of directions is an integer of at least 1"),
        (
            lambda: styled.directions("sefa", 1, (2, 2)),
            "moved slots are A:B with 0 <= A < B <= 4. Received: 2:2",
        ),
        (lambda: styled.directions("sefa", 1, (0, 5)), "Received: 0:5"),
        (lambda: plain.directions("pca"), "the generator has no styles"),
        (lambda: plain.directions("sefa", 1, (0, 1)), "the generator has no styles"),
        (
            lambda: plain.check_directions(styled.directions("sefa", 1)),
            "in z, of 4 numbers. Received: in w, of 6",
        ),
    ):
        with pytest.raises(ConfigError, match=said):
            make()
    assert len(points.directions("sefa")) == 1
