"""NVIDIA's pickles where a run begins, and in the place of one."""

import dataclasses
import pathlib

import gin
import numpy as np
import pytest

from tfgans import torch_pickles
from tfgans.config import ConfigError
from tfgans.data.scaling import to_uint8
from tfgans.gan import GAN
from tfgans.gan.projection import ProjectionOptions, Projector
from tfgans.networks.stylegan2 import stylegan2_discriminator, stylegan2_generator
from tfgans.run import after, build, transfer
from tfgans.run.look import Chosen

PICKLE = pathlib.Path(__file__).parent.parent / "golden" / "nvidia.pkl"
WIDTHS = {"resolution": 16, "max_channels": 8, "channel_multiplier": 64 / 16384}
MAPPING = {"latent_dim": 6, "style_dim": 5, "mapping_layers": 3}


def model_of(**options):
    generator = stylegan2_generator(**(WIDTHS | MAPPING | options))
    return GAN(generator, stylegan2_discriminator(**WIDTHS, minibatch_group=2), ema_decay=0.5)


def images(expected, key):
    return to_uint8(expected[key].transpose(0, 2, 3, 1))


def test_the_images_are_those_of_the_pickle_to_one_level(golden):
    expected = golden("nvidia")
    model = model_of(stored_noise=True)
    told = transfer.initialize(model, PICKLE)
    assert told["step"] is None
    for part in ("generator", "discriminator", "ema_generator"):
        assert told[part]["left"] == told[part]["left_out"] == []
    for weights, key in (("average", "images"), ("raw", "raw")):
        found = model.render(expected["z"], weights=weights).astype(int)
        assert found.std() > 30 and np.abs(found - images(expected, key)).max() <= 1


@pytest.mark.parametrize("options", [{"ema_decay": 0.75}, {"ema_half_life": 2.0, "ema_ramp": 0.05}])
def test_the_average_of_a_pickle_goes_on_without_a_ramp(options):
    """With 4 images a half-life of 2 leaves 0.25 of it; a ramp from 0 on would leave 0.1, or nothing."""
    networks = stylegan2_generator(**WIDTHS, **MAPPING), stylegan2_discriminator(**WIDTHS, minibatch_group=2)
    model = GAN(*networks, **options)
    transfer.initialize(model, PICKLE)
    before, raw = (n.get_layer("synthesis").constant.numpy() for n in (model.ema_generator, model.generator))
    model.update_average(4)
    after, left = model.ema_generator.get_layer("synthesis").constant.numpy(), options.get("ema_decay", 0.25)
    assert np.abs(before - raw).max() > 0.1
    np.testing.assert_allclose(after, left * before + (1 - left) * raw, rtol=0, atol=1e-5)


def test_a_pickle_of_a_run_that_diverged_is_refused(tmp_path):
    networks = torch_pickles.read_networks(PICKLE, ("G",))
    constant = networks["G"].arrays()["synthesis.b4.const"].tobytes()
    path, nothing = tmp_path / "net.pkl", np.full(len(constant) // 4, np.nan, "<f4").tobytes()
    path.write_bytes(PICKLE.read_bytes().replace(constant, nothing))
    model = model_of()
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(ConfigError, match="synthesis/constant of the generator in .*net.pkl .* not finite"):
        transfer.initialize(model, path)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_without_a_place_for_it_the_noise_is_left_out_and_that_is_said(tmp_path, caplog):
    caplog.set_level("INFO", "tfgans")
    model = model_of()
    told = transfer.initialize(model, PICKLE)
    names = [f"synthesis/{name}/noise/own_noise" for name in ("convolution4", "up8", "convolution8", "up16")]
    assert told["generator"]["left_out"][:4] == names and told["generator"]["left"] == []
    transfer.tell(told, tmp_path)
    assert f"left out: {names[0]}" in caplog.text


def test_another_network_is_refused_with_the_bindings_that_fit():
    model = model_of(mapping_layers=2)
    before = [weight.numpy() for weight in model.generator.weights]
    with pytest.raises(ConfigError) as caught:
        transfer.initialize(model, PICKLE)
    said = str(caught.value)
    assert "mapping/mean_w is [3, 5] there, [2, 5] here. These bindings make those in the file: " in said
    for weight, value in zip(model.generator.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    bindings = said.partition("in the file: ")[2].split()
    networks = [f"build.{name}=@stylegan2_{name}" for name in ("generator", "discriminator")]
    build.prepare([], [*bindings, *networks])
    told = transfer.initialize(build.build_model()[0], PICKLE)
    assert told["generator"]["left"] == told["discriminator"]["left"] == []
    gin.clear_config()


def test_a_discriminator_of_another_kind_is_refused():
    model = GAN(stylegan2_generator(**WIDTHS, **MAPPING), stylegan2_discriminator(**WIDTHS, residual=False))
    with pytest.raises(ConfigError, match="the discriminator in .*nvidia.pkl is another one.*residual=True"):
        transfer.initialize(model, PICKLE)


@pytest.mark.slow
def test_a_pickle_takes_the_place_of_a_run(golden, tmp_path):
    expected = golden("nvidia")
    model, step = build.load(PICKLE)
    assert (
        step == 0 and np.abs(model.render(expected["z"]).astype(int) - images(expected, "images")).max() <= 1
    )
    model, _ = build.load(PICKLE, weights="raw")
    assert np.abs(model.render(expected["z"]).astype(int) - images(expected, "raw")).max() <= 1
    with pytest.raises(ConfigError, match="nvidia.pkl is no run: it has one generator. Received: --step=3"):
        build.load(PICKLE, step="3")
    with pytest.raises(ConfigError, match="nvidia.pkl is no run, which has data to be evaluated with"):
        after.evaluate(PICKLE)
    assert len(after.generate(PICKLE, tmp_path / "images", 3, truncation=0.7)) == 5


def test_a_pickle_of_generators_alone_has_no_discriminator_to_ask(monkeypatch, tmp_path):
    """A discriminator as it is drawn says nothing of images: latents are not moved by it, nor images compared."""
    model, _ = build.load(PICKLE)
    assert Projector(model, ProjectionOptions(space="z")).distance.layers
    read = build.read_stylegan2

    def without_d(path):
        found = read(path)
        return dataclasses.replace(
            found, weights={k: v for k, v in found.weights.items() if "ema" in k or k[0] == "g"}
        )

    for module in (build, transfer):
        monkeypatch.setattr(module, "read_stylegan2", without_d)
    chosen = Chosen(2, langevin_steps=1)
    with pytest.raises(ConfigError, match="Langevin steps .* ask a trained discriminator, and there is none"):
        after.generate(PICKLE, tmp_path / "driven", chosen=chosen)
    assert not (tmp_path / "driven").exists()
    model, _ = build.load(PICKLE)
    assert not Projector(model, ProjectionOptions(space="z")).distance.layers


@pytest.mark.slow
def test_stored_noise_is_copied_into_the_average():
    model, _ = build.load(PICKLE)
    averaged, plain = (net.get_layer("synthesis").convolutions[1].noise.own_noise
                       for net in (model.ema_generator, model.generator))  # fmt: skip
    plain.assign(plain.numpy() + 1)
    assert not np.array_equal(averaged.numpy(), plain.numpy())
    model.update_average(16)
    np.testing.assert_array_equal(averaged.numpy(), plain.numpy())
