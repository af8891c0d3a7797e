"""R3GAN in training: settings that move, in company, resumed, compiled, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import test_octave
import toys
from r3gan_models import MOVING, PAIRS, make, train
from slow import some

from tfgans import checkpoint
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.augmented import ADAGAN, APAGAN, DiffAugmentGAN
from tfgans.methods.fastgan import FastGAN
from tfgans.methods.octave.model import OctaveGAN
from tfgans.methods.r3gan.model import R3GAN
from tfgans.methods.regan.model import ReGAN
from tfgans.methods.robgan import RobGAN
from tfgans.methods.tickets import TicketGAN
from tfgans.optimizers import MovingAdam, TorchAdam

# What moves


@pytest.mark.parametrize("name", ["cifar10", "ffhq64", "ffhq256", "imagenet32", "imagenet64"])
def test_golden_schedules(name, golden):
    arrays = {k.split("/")[2]: a for k, a in golden("r3gan_loss").items() if k.startswith(f"sched/{name}/")}
    ends = {key: (a[0], a[-1]) for key, a in arrays.items()}
    burn_in = 2e8 if name.startswith("imagenet") else 2e7
    model = R3GAN(
        *toys.image_networks(batch_norm=False),
        gamma=ends["gamma"][0], last_gamma=ends["gamma"][1], last_rate_share=0.25, last_beta_2=ends["beta2"][1],
        ema_half_life=ends["ema_nimg"][1], ema_ramp="constant", first_half_life=0.0, burn_in=burn_in,
    )  # fmt: skip
    model.compile(MovingAdam(2e-4, 0.0, 0.9), MovingAdam(2e-4, 0.0, 0.9))
    for index, images in enumerate(arrays["nimg"]):
        model.step.assign(index)
        model.images_seen.assign(int(images))
        model.set_learning_rates()
        assert float(model.moved(model.gamma, model.last_gamma)) == pytest.approx(
            arrays["gamma"][index], rel=1e-12
        )
        for optimizer in model.optimizers().values():
            assert float(optimizer.learning_rate) == pytest.approx(arrays["lr"][index], rel=1e-6)
            assert float(optimizer.moving_beta_2) == pytest.approx(arrays["beta2"][index], rel=1e-12)
        half_life = arrays["ema_nimg"][index]
        assert float(model.average_half_life()) == pytest.approx(max(half_life, 1e-8), rel=1e-6)
        decay = 0.5 ** (512 / max(half_life, 1e-8))
        assert float(model.average_decay(512)) == pytest.approx(decay, abs=1e-7)


def test_a_schedule_of_a_users_own_may_be_float64():
    """1 - step / 10 of an int64 step is. At step 2 it is 0.8, times what the burn-in has."""
    model = R3GAN(*toys.image_networks(batch_norm=False), last_rate_share=0.25, burn_in=64)
    options = dict(learning_rate_schedule=lambda step: 1 - step / 10)
    model.compile(MovingAdam(1e-2, 0.0, 0.9), MovingAdam(1e-2, 0.0, 0.9), **options)
    model.step.assign(2)
    model.images_seen.assign(32)
    model.set_learning_rates()
    moved = float(model.moved(1.0, 0.25))
    assert 0.25 < moved < 1.0
    for optimizer in model.optimizers().values():
        assert float(optimizer.learning_rate) == pytest.approx(1e-2 * 0.8 * moved, rel=1e-6)


def test_adam_with_a_beta_2_that_moves_by_hand():
    """beta_2 of 0.9, 0.95 and 0.99: each corrects the bias by its own power, as PyTorch's Adam does."""
    weight, optimizer = keras.Variable(np.ones(2), dtype="float64"), MovingAdam(0.5, 0.0, 0.9)
    optimizer.build([weight])
    w, v = np.ones(2), np.zeros(2)
    for t, (beta, g) in enumerate(((0.9, [3.0, -1e-3]), (0.95, [0.1, 2.0]), (0.99, [1.0, -4.0])), 1):
        optimizer.moving_beta_2.assign(beta)
        optimizer.apply([tf.constant(g, tf.float64)], [weight])
        v = beta * v + (1 - beta) * np.square(g)
        w = w - 0.5 * np.array(g) / (np.sqrt(v / (1 - beta**t)) + 1e-8)
        np.testing.assert_allclose(weight, w, rtol=1e-6)
    assert "moving_beta_2" in {v.name for v in optimizer.variables}


def test_left_alone_it_is_adam():
    for beta in (0.0, 0.9, 0.999):
        weights = []
        for kind in (TorchAdam, MovingAdam):
            weight, optimizer = keras.Variable(np.ones(2)), kind(0.1, 0.5, beta)
            for g in ([1.0, 1e-4], [-2.0, 3e-4], [0.5, 1e-3]):
                optimizer.apply([tf.constant(g)], [weight])
            weights.append(weight.numpy())
        np.testing.assert_allclose(*weights, rtol=1e-6)
    assert MovingAdam.from_config(MovingAdam(0.1, beta_2=0.75).get_config()).beta_2 == 0.75


def test_a_step_has_the_values_of_the_images_before_it():
    """Burn-in of 32 images, batches of 8: after two steps, 16 images, half way; all of the data counts but G's."""
    model = train(make(discriminator_steps=2, **PAIRS, **MOVING | {"burn_in": 64}), 2)
    assert model.batches_per_step == 3 and int(model.images_seen.value) == 32
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-2 * (1 - 0.75 * np.sin(np.pi / 8) ** 2))
    model.set_learning_rates()
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-2 * 0.625)
    assert float(model.discriminator_optimizer.moving_beta_2) == pytest.approx(0.945)
    assert float(model.average_half_life()) == pytest.approx(50.0)


def test_the_average_is_a_copy_after_the_first_step():
    model = train(make(**PAIRS, **MOVING), 1)
    for mine, own in zip(model.ema_generator.get_weights(), model.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, own)
    train(model, 1, 1)
    assert any(
        np.any(a.numpy() != b)
        for a, b in zip(model.ema_generator.weights, model.generator.weights, strict=True)
    )


def test_settings_begin_anew_where_the_schedule_does():
    model = make(compose(R3GAN, TicketGAN), ticket_rounds=2, round_length=2, **MOVING)
    train(model, 2)
    assert int(model.images_seen.value) == 16 and int(model.seen_so_far()) == 0  # the second round begins
    train(model, 1)
    assert int(model.images_seen.value) == 8


# In company


def test_advas_takes_the_generators_own_real_batch():
    for fresh in (True, False):
        assert make(compose(R3GAN, AdvAsGAN), fresh_real_batch=fresh, **PAIRS).batches_per_step == 2


@pytest.mark.slow
def test_without_penalties_and_burn_in_it_is_the_base():
    for options in ({}, PAIRS):
        base, off = train(make(GAN, **options), 2), train(make(gamma=0.0, **options), 2)
        toys.assert_same(toys.values(off), toys.values(base))


COMPANY = {
    "alone": ((), {}),
    "advas": ((AdvAsGAN,), {}),
    "fastgan": ((FastGAN,), {"perturbation_batch_size": 8}),
    "regan": ((ReGAN,), {"warm_up_length": 1, "sparsity": 0.5, "sparse_length": 1, "dense_length": 1}),
    "octave": ((OctaveGAN,), {}),
    "ada": ((ADAGAN,), {"ada_speed": 0.016, "ada_interval": 1}),
    "diffaugment": ((DiffAugmentGAN,), {}),
    "apa": ((APAGAN,), {"apa_speed": 0.016, "apa_interval": 1, "pseudo_batch_size": 8}),
}


@pytest.mark.parametrize("name", some(COMPANY, every=4))
def test_three_steps_and_a_resume_in_company(name):
    methods, options = COMPANY[name]
    octave = test_octave.networks() if OctaveGAN in methods else None
    classes = None if octave else 3

    def new():
        return make(compose(R3GAN, *methods), octave, num_classes=classes, **PAIRS, **MOVING | options)

    whole = new()
    assert whole.batches_per_step == 2
    train(whole, 1)
    middle = toys.values(whole)
    train(whole, 2, 1)
    end = toys.values(whole)
    checkpoint.write_state(whole, middle)
    train(whole, 2, 1)
    toys.assert_same(toys.values(whole), end)
    assert all(np.all(np.isfinite(value)) for value in end.values() if value.dtype.kind == "f")
    assert sum(np.any(end[key] != middle[key]) for key in end) > 10


@pytest.mark.slow
def test_graph_and_xla_are_eager():
    adam = lambda: MovingAdam(1e-2, 0.0, 0.9, epsilon=0.01)  # noqa: E731
    models = [
        # a large epsilon: the slope of a class's own logit, which both of a pair have, is nothing but rounding
        train(make(compiled=how > 0, xla=how > 1, num_classes=3, optimizer=adam, **PAIRS, **MOVING), 3)
        for how in range(3)
    ]
    assert [int(model.images_seen.value) for model in models] == [24] * 3
    eager = toys.values(models[0])
    for model in models[1:]:
        for name, value in toys.values(model).items():
            np.testing.assert_allclose(value, eager[name], rtol=2e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ("cls", "options", "said"),
    [
        (
            R3GAN,
            {"last_gamma": 0.1},
            "R3GAN.last_gamma needs R3GAN.burn_in, in images. Received: last_gamma = 0.1",
        ),
        (R3GAN, {"burn_in": 8, "first_half_life": 0.0}, "R3GAN.first_half_life needs GAN.ema_half_life"),
        (R3GAN, {"gamma": -1.0}, "R3GAN.gamma is a number of at least 0. Received: -1.0"),
        (GAN, PAIRS | {"generator_batch_ratio": 2}, "GAN.generator_batch_ratio is 1 where .* is of pairs"),
        (RobGAN, PAIRS, "RobGAN attacks the real part .* is of pairs"),
    ],
)
def test_what_is_refused(cls, options, said):
    with pytest.raises(ConfigError, match=said):
        make(cls, **options)


def test_a_search_is_refused():
    import searches

    with pytest.raises(ConfigError, match="AlphaGAN needs losses that are sums of a real and a fake part"):
        AlphaGAN(searches.supernet(), searches.critic(), **PAIRS)


def test_an_optimizer_whose_beta_2_stays_is_refused():
    with pytest.raises(
        ConfigError, match="R3GAN.last_beta_2 needs MovingAdam as the generator's .*: TorchAdam"
    ):
        make(optimizer=lambda: TorchAdam(1e-3), burn_in=8, last_beta_2=0.99)
