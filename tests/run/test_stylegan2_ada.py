"""StyleGAN2-ADA's configurations by name: their numbers by the authors' table, and a step of some."""

import types

import gin
import numpy as np
import pytest
import tensorflow as tf
from builds import tiny
from configurations import ROOT, of
from short_runs import rows

from tfgans.run import auto, build, training

# resolution: {GPUs: (batch, R1's gamma)}, the specification of `auto`
TABLE = {
    32: {1: (32, 0.0064), 2: (64, 0.0032), 8: (64, 0.0032)},
    64: {1: (32, 0.0256), 2: (64, 0.0128), 8: (64, 0.0128)},
    128: {1: (32, 0.1024), 2: (64, 0.0512), 8: (64, 0.0512)},
    256: {1: (16, 0.8192), 2: (32, 0.4096), 8: (64, 0.2048)},
    512: {1: (8, 6.5536), 2: (16, 3.2768), 8: (64, 0.8192)},
    1024: {1: (4, 52.4288), 2: (8, 26.2144), 8: (32, 6.5536)},
}
# file: batch, group, channel multiplier, rate, gamma, half-life, ramp, mapping layers, updates, resolution
NAMED = {
    "stylegan2": (32, 4, 2, 0.002, 10.0, 10_000, "constant", 8, 781_250, "auto"),
    "paper256": (64, 8, 1, 0.0025, 1.0, 20_000, "constant", 8, 390_625, 256),
    "paper512": (64, 8, 2, 0.0025, 0.5, 20_000, "constant", 8, 390_625, 512),
    "paper1024": (32, 4, 2, 0.002, 2.0, 10_000, "constant", 8, 781_250, 1024),
    "cifar": (64, 32, 2, 0.0025, 0.01, 500_000, 0.05, 2, 1_562_500, 32),
}


@pytest.mark.parametrize("resolution", TABLE)
def test_the_rules_of_auto(resolution, monkeypatch):
    gin.clear_config()
    images = types.SimpleNamespace(
        class_counts=np.zeros(0, int), count=10**6, side=resolution, gray=False, shape="", alpha="",
        use_labels=True, narrow=lambda resolution: None,
    )  # fmt: skip
    for devices, (batch, gamma) in TABLE[resolution].items():
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind, n=devices: [kind] * n)
        found, _ = auto._decided({"resolution": resolution}, images)
        assert found["batch_size"] == batch and found["r1_weight"] == pytest.approx(gamma, rel=1e-9)
        assert found["ema_half_life"] == batch * 312.5 and found["updates"] == 25_000_000 // batch
        assert found["minibatch_group"] == min(batch // devices, 4)
        assert found["channel_multiplier"] == (2 if resolution >= 512 else 1)
        assert found["learning_rate"] == (0.002 if resolution == 1024 else 0.0025)


def prepare(name, *bindings):
    source = "Dataset.source = 'photos'"
    build.prepare([ROOT / f"gin_configs/folder/stylegan2_ada_{name}.gin"], [source, *bindings])


@pytest.mark.parametrize("name", NAMED)
def test_named_configurations_have_the_authors_numbers(name):
    fixed = NAMED[name][-1]
    prepare(name, *(["resolution = 64"] if fixed == "auto" else []), "channels = 3")
    found = (
        of("Dataset.batch_size"), of("stylegan2_discriminator.minibatch_group"),
        of("stylegan2_generator.channel_multiplier"), of("lazy_adam.learning_rate"), of("R1GAN.r1_weight"),
        of("GAN.ema_half_life"), of("GAN.ema_ramp"), of("stylegan2_generator.mapping_layers"), of("train.steps"),
    )  # fmt: skip
    assert found == NAMED[name][:-1]
    assert of("stylegan2_generator.resolution") == (64 if fixed == "auto" else fixed)
    assert of("stylegan2_discriminator.channel_multiplier") == found[2]
    methods = [m.selector.rsplit(".", 1)[-1] for m in gin.query_parameter("build.methods")]
    expected = ["ADAGAN", "StyleMixingGAN", "PathLengthGAN", "R1GAN"]
    assert methods == [m for m in expected if name != "cifar" or m != "PathLengthGAN"]
    assert of("AugmentPipe.operations") == "bgc" and of("ADAGAN.augment_penalties")
    assert of("Dataset.flip") is False and of("R1GAN.r1_interval") == 16
    intervals = [gin.query_parameter(f"{part}/lazy_adam.interval") for part in ("generator", "discriminator")]
    assert intervals == [4, 16]
    if name == "cifar":
        assert of("StyleMixingGAN.mixing_probability") == 0.0
        assert of("stylegan2_discriminator.residual") is False


@pytest.mark.slow
def test_a_step_of_auto_with_classes(tmp_path, eagerly, monkeypatch):
    monkeypatch.setattr(training, "hand_over", lambda *_: None)
    files = [str(ROOT / "gin_configs/folder/stylegan2_ada.gin")]
    np.savez(tmp_path / "set.npz", images=np.zeros((40, 32, 32, 3), np.uint8), labels=np.arange(40) % 4)
    own = [
        f"Dataset.source = 'npz:{tmp_path / 'set.npz'}'", 'num_classes = "auto"', "Dataset.use_labels = True",
        "batch_size = 4", "channels = 3",
    ]  # fmt: skip
    small = [
        "stylegan2_generator.latent_dim = 16", "stylegan2_generator.style_dim = 16", "train.steps = 1",
        "Evaluator.num_samples = 16", "train.num_samples_shown = 4", "stylegan2_discriminator.label_layers = 1",
    ]  # fmt: skip
    build.prepare(files, [*own, *tiny(files, own), *small])
    training.train(str(tmp_path / "run"))
    assert of("stylegan2_generator.num_classes") == 4 and of("stylegan2_discriminator.num_classes") == 4
    assert rows(tmp_path / "run")[-1]["step"] == 1
