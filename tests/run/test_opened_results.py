"""Genotypes and statistics that one process has written are the same in another: exported, cached, saved, foreign."""

import json
from pathlib import Path

import forks
import keras
import numpy as np
import opened_results
import pytest
import searches
from opened_results import LOADED, distances, networks, output
from stylegan2_searches import tiny, tiny_discriminator
from supernets import set_architecture

from tfgans.data import Dataset
from tfgans.evaluate.features import DigitsFeatures
from tfgans.evaluate.statistics import cached_reference
from tfgans.methods.alphagan.spaces.biggan.supernet import alphagan_biggan_supernet
from tfgans.run import sets
from tfgans.run.searching import genotype_of

KEPT = 100


def biggan():
    return alphagan_biggan_supernet(
        resolution=8, channels=1, latent_dim=8, base_channels=4, num_classes=3, embedding_dim=2
    )


SEARCHED = {
    "autogan": (searches.supernet, searches.critic),
    "biggan": (biggan, searches.critic),
    "stylegan2": (tiny, searches.critic),
    "stylegan2_pair": (lambda: tiny("micro"), lambda: tiny_discriminator(8)),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder with everything, and what this process makes of it."""
    folder = tmp_path_factory.mktemp("results")
    made = {"genotypes": {}, "outputs": {}}
    for number, (name, pair) in enumerate(SEARCHED.items()):
        generator, discriminator = (make() for make in pair)
        for network in (generator, discriminator):
            if hasattr(network, "architecture_variables"):
                set_architecture(network, seed=number)
        genotype = genotype_of(generator, discriminator)
        genotype.save(folder / f"{name}.json")
        made["genotypes"][name] = genotype.line()
        keras.utils.clear_session()
        made["outputs"][name] = [output(network) for network in networks(name, genotype)]
    features, digits = DigitsFeatures(), Dataset("digits")
    made["reference"] = cached_reference(digits, features, KEPT, folder / "cache")
    about = {"fingerprint": digits.fingerprint(), "size": digits.reference_size(), "keep": KEPT}
    (folder / "reference.json").write_text(json.dumps(about))
    sets.between("digits@train", None, features, save=str(folder / "saved.npz"))
    images = np.concatenate([batch for batch, _ in digits.examples()])
    values = features(images)["features"].astype(np.float64)
    np.savez(folder / "pytorch_fid.npz", mu=values.mean(axis=0), sigma=np.cov(values, rowvar=False))
    metrics = opened_results.METRICS["saved.npz"]
    made["from images"] = sets.between("digits@train", "digits@test", features, metrics)
    made["distances"] = {
        name: distances(folder / name, features) for name in ("saved.npz", "pytorch_fid.npz")
    }
    return folder, made


@pytest.fixture(scope="module")
def opened(written):
    """What a new process makes of it."""
    script = Path(__file__).with_name("opened_results.py").read_text()
    code, out, err = forks.run(script, written[0], timeout=900)
    assert code == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADED)
def test_genotypes_make_the_same_networks(written, opened, name):
    made = written[1]
    assert opened["genotypes"][name] == made["genotypes"][name]
    for here, there in zip(made["outputs"][name], opened["outputs"][name], strict=True):
        assert np.std(here) > 1e-4  # far above what they may differ by
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)


def test_the_genotypes_are_not_all_the_first_of_their_pools(written):
    """Else an opened file could be one's default."""
    lines = written[1]["genotypes"]
    for name, pair in SEARCHED.items():
        generator, discriminator = (make() for make in pair)
        assert genotype_of(generator, discriminator).line() != lines[name]
    assert "D normal" in lines["stylegan2_pair"] and len(set(lines.values())) == 4


def test_cached_statistics_are_the_same(written, opened):
    found, reference = np.load(written[0] / "found.npz"), written[1]["reference"]
    assert opened and len(list((written[0] / "cache").iterdir())) == 1
    np.testing.assert_array_equal(found["kept"], reference.kept)
    for name, value in reference.moments.arrays().items():
        np.testing.assert_array_equal(found[name], value)
    assert found["kept"].shape == (KEPT, 64) and found["count"] == 359


def test_saved_statistics_give_the_same_distances(written, opened):
    made = written[1]
    for name, here in made["distances"].items():
        there = opened["distances"][name]
        assert there.keys() == here.keys()
        for key, value in here.items():
            assert there[key] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), key
    names = ("fid", "precision", "recall", "mind")  # kid depends on which images meet in a block
    saved = opened["distances"]["saved.npz"]
    assert [saved[name] for name in names] == pytest.approx([made["from images"][n] for n in names], rel=1e-5)
    foreign = opened["distances"]["pytorch_fid.npz"]
    assert foreign["fid"] == pytest.approx(made["from images"]["fid"], rel=1e-4)
    assert foreign["num_reference"] is None and saved["num_reference"] == 1438
