"""Every pair of shipped methods: composed they train a step on tiny images, or one line says why they cannot."""

import functools
import itertools

import growing
import keras
import numpy as np
import pytest
import searches
import tensorflow as tf
import test_style
import toys
from slow import some

import tfgans
import tfgans.gan
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose, parts
from tfgans.methods.octave.networks import octave_discriminator, octave_generator
from tfgans.networks.began import began_discriminator
from tfgans.networks.lightweight import lightweight_discriminator, lightweight_generator
from tfgans.networks.parts import discriminator_model

METHODS = {name: getattr(tfgans, name) for name in tfgans.__all__ if isinstance(getattr(tfgans, name), type)}
METHODS = {name: m for name, m in METHODS.items() if issubclass(m, GAN) and m is not GAN}
BATCH = 4
# Networks that a method cannot do without; the others take any.
NEEDS = {
    "AdversarialNASGAN": "supernet",
    "AlphaGAN": "supernet",
    "BEGAN": "autoencoder",
    "ContrastiveGAN": "classes",
    "MultiHingeGAN": "classes",
    "OctaveGAN": "octave",
    "PathLengthGAN": "style",
    "ProgressiveGAN": "stages",
    "RandomSearchGAN": "supernet",
    "SelfSupervisedGAN": "decoders",
    "StyleMixingGAN": "style",
}
# What makes a method do something in a first step of four images.
OPTIONS = {
    "AdaptGAN": {  # the networks are shared by all pairs: few of their weights may stay 0
        "generator_density": 0.9,
        "discriminator_density": 0.9,
        "adjust_every": 1,
        "exchange_every": 1,
        "balance_every": 1,
        "balance_window": 1,
    },  # fmt: skip
    "ADAGAN": {"ada_speed": 0.001, "ada_interval": 1},
    "AlphaGAN": {"weight_steps": 1, "test_steps": 1, "architecture_steps": 1},
    "APAGAN": {"pseudo_batch_size": BATCH, "apa_speed": 0.001, "apa_interval": 1},
    "FastGAN": {"perturbation_batch_size": BATCH},
    "FreezeDGAN": {"frozen_layers": 1},
    "LeCamPenaltyGAN": {"lecam_penalty_start": 0},
    "PathLengthGAN": {"path_length_interval": 1},
    "R3GAN": {"burn_in": 8, "last_gamma": 0.1},
    "RGGAN": {"threshold_weight": 1e-6},
    "ReGAN": {"warm_up_length": 0, "sparsity": 0.5},
    "TopKGAN": {"top_k_interval": 1},
    "TicketGAN": {"ticket_rounds": 1, "round_length": 1, "round_sparsity": 0.5},
}
OF_NETWORKS = {"classes": {"num_classes": 3}}
# What is refused, and a part of the line that says so; so are pairs that need networks of two kinds.
REFUSED = {
    ("AdversarialNASGAN", "AlphaGAN"): "AdversarialNASGAN and AlphaGAN both define searched_networks",
    ("APAGAN", "ProgressiveGAN"): "ProgressiveGAN changes the images' size: pseudo_images keeps images",
    ("FastGAN", "ProgressiveGAN"): "ProgressiveGAN changes the images' size: perturbation keeps images",
    ("RGGAN", "SelfSupervisedGAN"): "RGGAN: the generator has spectral normalisation",
    ("FreezeDGAN", "ProgressiveGAN"): "FreezeDGAN.frozen_layers is below 1",  # its discriminator is one layer
}


@functools.cache
def networks(kind):
    """(generator, discriminator) that methods of this need take; images are 8x8, or 16x16 where 8 is too small."""
    keras.utils.set_random_seed(0)
    if kind == "supernet":
        return searches.supernet(), searches.critic()
    if kind == "style":
        return test_style.networks()
    if kind == "stages":
        return growing.networks()
    if kind == "decoders":
        sizes = dict(resolution=32, channels=1, base_channels=8)
        return lightweight_generator(latent_dim=4, **sizes), lightweight_discriminator(**sizes)
    sizes = dict(resolution=16, channels=1, base_channels=2)
    if kind == "octave":
        return octave_generator(latent_dim=4, **sizes), octave_discriminator(**sizes)
    if kind == "autoencoder":
        return octave_generator(latent_dim=4, **sizes), began_discriminator(**sizes, code_dim=2)
    if kind == "classes":  # a discriminator with the outputs of two kinds of conditioning
        images = keras.Input((8, 8, 1))
        features = keras.layers.Flatten()(keras.layers.LeakyReLU()(keras.layers.Conv2D(4, 3, 2)(images)))
        heads = dict(num_classes=3, conditioning="contrastive", contrast_dim=2)
        network = discriminator_model(images, features, "D", **heads)
        outputs = network.output | {"class": keras.layers.Dense(3)(features), "features": features}
        return toys.image_networks(3, batch_norm=False)[0], keras.Model(network.input, outputs)
    return toys.image_networks(batch_norm=False)


def composed(names, **more):
    """A model of the methods, not compiled, with what they need; `more` options take the place of those."""
    kind = min((NEEDS[name] for name in names if name in NEEDS), default="any")
    options = {key: value for name in names for key, value in OPTIONS.get(name, {}).items()}
    options |= OF_NETWORKS.get(kind, {}) | more
    return compose(*(METHODS[name] for name in names))(*networks(kind), **options)


def trained(names):
    """A model of the methods after one step, run eagerly: nothing is compiled, so hundreds of pairs stay cheap."""
    with keras.device("cpu:0"):
        model = composed(names)
        model.compile(*(keras.optimizers.SGD(1e-3) for _ in range(2)), run_eagerly=True)
    count = BATCH * sum(model.batches_of(0))
    images = np.random.default_rng(0).uniform(-1, 1, (count, *model.sample_shape)).astype("float32")
    if model.on_halves:  # a search takes batch after batch
        data = tf.data.Dataset.from_tensor_slices({"images": images.reshape(-1, 1, BATCH, *images.shape[1:])})
        model.fit(data, steps_per_epoch=1, shuffle=False, verbose=0)
    else:
        labels = np.arange(count) % 3 if model.num_classes else None
        model.fit(images, labels, batch_size=count, shuffle=False, verbose=0)
    return model


PAIRS = list(itertools.combinations(sorted(METHODS), 2))


@pytest.mark.parametrize("names", some(PAIRS, every=6), ids="-".join)
def test_a_pair_trains_or_is_refused(names):
    kinds = {NEEDS[name] for name in names if name in NEEDS}
    if names in REFUSED or (len(kinds) > 1 and kinds != {"autoencoder", "octave"}):
        with pytest.raises(ConfigError) as caught:
            trained(names)
        said = str(caught.value)
        assert REFUSED.get(names, "") in said and any(name in said for name in names) and "\n" not in said
        return
    start = [v.numpy() for v in networks(next((NEEDS[n] for n in names if n in NEEDS), "any"))[0].weights]
    model = trained(names)
    assert int(model.step.numpy()) == 1
    assert any(np.any(a != b.numpy()) for a, b in zip(start, model.generator.weights, strict=True))
    for network in (model.generator, model.discriminator):
        assert all(np.all(np.isfinite(v.numpy())) for v in network.weights)


@pytest.mark.parametrize("name", METHODS)
def test_what_travels_in_a_batch_is_documented(name, monkeypatch):
    seen, inner = set(), GAN.discriminate

    def discriminate(self, batch, training=False):
        seen.update(batch)
        return inner(self, batch, training)

    monkeypatch.setattr(GAN, "discriminate", discriminate)
    trained((name,))
    documented = tfgans.gan.__doc__
    assert {"images", "labels"} < seen
    for name in {key.split("/")[0] for key in seen}:
        assert f"`{name}" in documented or name.endswith("_noise"), name


@pytest.mark.slow
def test_attributes_of_methods_do_not_meet():
    """Of two methods composed, one's attribute would silently take the place of the other's of the same name."""
    owners, plain = {}, vars(GAN(*networks("any"))).keys()
    for method in METHODS.values():
        for part in parts(method):
            owners |= dict.fromkeys(vars(part).keys() - set(dir(GAN)), part)
    for name, method in METHODS.items():
        kind = NEEDS.get(name, "any")
        model = method(*networks(kind), **OPTIONS.get(name, {}) | OF_NETWORKS.get(kind, {}))
        shared = {"controllers", "augment_penalties"}  # of parts that methods have in common
        for attribute in vars(model).keys() - plain - shared:
            other = owners.setdefault(attribute, method)
            assert issubclass(method, other) or issubclass(other, method), (attribute, other, method)
    assert len(owners) > 40
