"""AdvAs against golden numbers of another framework, by finite differences, and in company."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans import losses
from tfgans.layers.norms import InstanceNormalization
from tfgans.layers.resample import NearestUpsampling2D
from tfgans.layers.spectral import SpectralConv2D, SpectralDense
from tfgans.methods import compose
from tfgans.methods.advas import AdvAsGAN
from tfgans.methods.orthogonal import OrthogonalGAN
from tfgans.methods.regularized import R1GAN, GradientPenaltyGAN

NON_SATURATING = (losses.non_saturating_discriminator, losses.non_saturating_generator)
WASSERSTEIN = (losses.wasserstein_discriminator, losses.wasserstein_generator)
HINGE = (losses.hinge_discriminator, losses.hinge_generator)
# name in the golden file: methods, losses, options
CASES = {
    "ns": ((), NON_SATURATING, {}),
    "w": ((), WASSERSTEIN, {}),
    "hinge_untrunc": ((), HINGE, {}),
    "hinge_trunc": ((), HINGE, {"advas_loss": losses.hinge_discriminator}),
    "wgangp": ((GradientPenaltyGAN,), WASSERSTEIN, {}),
    "wgangp_detach": ((GradientPenaltyGAN,), WASSERSTEIN, {"detach_penalties": True}),
}
# Every case runs eagerly; compiled, of all structures the one with most: a penalty that gives no gradient.
COMPILED = [("wgangp_detach", "xla")]


def golden_networks(data):
    """The golden generator and discriminator, channels last, under the float64 policy."""
    layers = keras.layers
    latents, images = keras.Input((8,), name="latents"), keras.Input((8, 8, 3), name="images")
    x = layers.Permute((2, 3, 1))(layers.Reshape((4, 4, 4))(layers.Dense(64)(latents)))
    x = layers.Conv2DTranspose(3, 4, 2, padding="same")(layers.ReLU()(x))
    generator = keras.Model(latents, layers.Activation("tanh")(x), name="generator")
    x = layers.Conv2D(6, 3, 2)(layers.ZeroPadding2D(1)(images))
    x = layers.Flatten()(layers.Permute((3, 1, 2))(layers.LeakyReLU(0.2)(x)))
    discriminator = keras.Model(images, layers.Dense(1)(x), name="discriminator")
    generator.set_weights(weights(data, "G.", ("lin", "convt")))
    discriminator.set_weights(weights(data, "D.", ("conv", "lin")))
    return generator, discriminator


def weights(data, prefix, names):
    """Kernels and biases of layers in Keras's layout."""
    axes = {"lin": (1, 0), "conv": (2, 3, 1, 0), "convt": (2, 3, 1, 0)}
    pairs = [(data[f"{prefix}{n}.weight"].transpose(axes[n]), data[f"{prefix}{n}.bias"]) for n in names]
    return [array for pair in pairs for array in pair]


def golden_model(data, name, **options):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    methods, (discriminator_loss, generator_loss), own = CASES[name]
    return compose(AdvAsGAN, *methods)(
        *golden_networks(data),
        discriminator_loss=discriminator_loss,
        generator_loss=generator_loss,
        **(own | options),
    )


def golden_batch(data, order=range(6)):
    order = list(order)
    real = {"images": tf.constant(data["real"][order].transpose(0, 2, 3, 1)), "labels": None}
    mix = tf.constant(data["gp_eps"][order].reshape(6, 1, 1, 1))
    latents = {"latents": tf.constant(data["z"][order]), "labels": None, "gradient_penalty_mix": mix}
    return real, latents


def computed(model, real, latents, mode="eager"):
    """`generator_gradients` in one of the three modes, as arrays."""
    model.compile(jit_compile=mode == "xla", run_eagerly=mode == "eager")
    function = model.xla(model.generator_gradients)
    if mode == "graph":
        function = tf.function(function, autograph=False)
    values, gradients = function(real, latents)
    return {name: float(value) for name, value in values.items()}, [g.numpy() for g in gradients]


def assert_all_close(gradients, expected, tolerance=1e-6):
    scale = max(np.abs(e).max() for e in expected)
    for gradient, value in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, value, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize(("name", "mode"), [*((name, "eager") for name in CASES), *COMPILED])
def test_golden(golden, name, mode):
    data = golden("advas_leaky")
    values, total = computed(golden_model(data, name), *golden_batch(data), mode)
    expected = {
        "g/adversarial": "L_gen", "g/advas_r": "r", "g/advas_lambda": "lambda",
        "g/adversarial_gradient_norm": "norm_orig", "g/advas_gradient_norm": "norm_advas",
    }  # fmt: skip
    assert set(values) == set(expected)
    for key, key_there in expected.items():
        assert values[key] == pytest.approx(float(data[f"{name}.{key_there}"]), rel=1e-6), key
    assert_all_close(total, weights(data, f"{name}.g_total.", ("lin", "convt")))


@pytest.mark.parametrize("name", CASES)
def test_golden_parts(golden, name):
    data = golden("advas_leaky")
    real, latents = golden_batch(data)
    for norms in (True, False):
        alone = golden_model(data, name, advas_alone=True, advas_norms=norms)
        values, gradients = computed(alone, real, latents)
        assert_all_close(gradients, weights(data, f"{name}.g_advas.", ("lin", "convt")))
        assert values["g/advas_r"] == pytest.approx(float(data[f"{name}.r"]), rel=1e-6)
    _, gradients = computed(golden_model(data, name, advas_weight=0.0), real, latents)
    assert_all_close(gradients, weights(data, f"{name}.g_orig.", ("lin", "convt")))
    model = golden_model(data, name)
    fake = latents | {"images": model.synthesize(latents)}
    _, gradients = model.adversary_gradients(real, fake)
    assert_all_close(gradients, weights(data, f"{name}.gphi.", ("conv", "lin")))


@pytest.mark.parametrize(("mode", "norms"), [("eager", False), ("eager", True), ("graph", False)])
def test_golden_fixed_weight(golden, mode, norms):
    data = golden("advas_leaky")
    model = golden_model(data, "ns", advas_weight=0.01, advas_norms=norms)
    values, gradients = computed(model, *golden_batch(data), mode)
    assert_all_close(gradients, weights(data, "ns.g_total_lam0.01.", ("lin", "convt")))
    assert values["g/advas_lambda"] == pytest.approx(0.01)
    assert ("g/advas_gradient_norm" in values) == norms


@pytest.mark.parametrize("name", [n for n in CASES if n != "wgangp_detach"])
def test_golden_unbiased(golden, name):
    data = golden("advas_leaky")
    values, _ = computed(golden_model(data, name, advas_estimator="unbiased"), *golden_batch(data))
    assert values["g/advas_r"] == pytest.approx(float(data[f"{name}.r_unbiased"]), rel=1e-6)
    assert values["g/adversarial"] == pytest.approx(float(data[f"{name}.L_gen"]), rel=1e-6)
    # the golden halves are the first three and the last three, ours the even and the odd ones
    halves = golden_batch(data, (0, 3, 1, 4, 2, 5))
    for mode in ("xla", "eager") if name == "ns" else ("eager",):
        values, _ = computed(golden_model(data, name, advas_estimator="split_half"), *halves, mode)
        assert values["g/advas_r"] == pytest.approx(float(data[f"{name}.r_split_half"]), rel=1e-6)
        assert values["g/adversarial"] == pytest.approx(float(data[f"{name}.L_gen"]), rel=1e-6)


@pytest.mark.parametrize(("name", "mode"), [("ns", "eager"), ("wgangp", "eager"), ("ns", "graph")])
def test_golden_unbiased_gradient(golden, name, mode):
    data = golden("advas_leaky")
    model = golden_model(data, name, advas_estimator="unbiased", advas_alone=True)
    real, latents = golden_batch(data)
    values, gradients = computed(model, real, latents, mode)
    assert values["g/advas_r"] == pytest.approx(float(data[f"{name}.r_unbiased"]), rel=1e-6)
    assert_all_close(gradients, weights(data, f"{name}.g_unbiased.", ("lin", "convt")))


def smooth_networks(spectral=False, seed=0):
    """A pair with instance norms, labels and a class head: third derivatives are not zero."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    latents, labels = keras.Input((4,), name="latents"), keras.Input((), dtype="int32", name="labels")
    x = layers.Concatenate()([latents, layers.Embedding(3, 2)(labels)])
    x = InstanceNormalization()(layers.Reshape((4, 4, 3))(layers.Dense(48)(x)))
    x = layers.Conv2D(1, 3, padding="same", activation="tanh")(NearestUpsampling2D()(x))
    images = keras.Input((8, 8, 1), name="images")
    given = keras.Input((), dtype="int32", name="labels")
    convolution, dense = (SpectralConv2D, SpectralDense) if spectral else (layers.Conv2D, layers.Dense)
    y = InstanceNormalization()(convolution(3, 3, 2, padding="same")(images))
    y = layers.Flatten()(layers.Activation("softplus")(y))
    y = layers.Concatenate()([y, layers.Embedding(3, 2)(given)])
    outputs = {"adversarial": dense(1)(y), "class": dense(3)(y)}
    return keras.Model([latents, labels], x), keras.Model([images, given], outputs)


def smooth_model(*methods, spectral=False, **options):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    networks = smooth_networks(spectral)
    return compose(AdvAsGAN, *methods)(*networks, num_classes=3, **options)


def smooth_batch(real_count=4, ratio=1, seed=0):
    random = np.random.default_rng(seed)
    count = real_count * ratio
    number = lambda *shape: tf.constant(random.normal(size=shape), keras.config.floatx())  # noqa: E731
    real = {
        "images": tf.tanh(number(real_count, 8, 8, 1)),
        "labels": tf.constant([0, 2, 1, 1] * 9)[:real_count],
    }
    mix = tf.sigmoid(number(count, 1, 1, 1))
    labels = tf.constant([1, 0, 2, 2] * 9)[:count]
    return real, {"latents": number(count, 4), "labels": labels, "gradient_penalty_mix": mix}


PENALTIES = [(), (GradientPenaltyGAN,), (R1GAN,), (GradientPenaltyGAN, R1GAN, OrthogonalGAN)]


def r_by_hand(model, real, fake, loss=None):
    """|gradient of the sum of the discriminator's losses|^2, as the discriminator's step computes them."""
    with tf.GradientTape() as tape:
        total = sum(model.discriminator_losses(real, fake).values())
    return sum(float(tf.reduce_sum(tf.convert_to_tensor(g) ** 2)) for g in tape.gradient(
        total, [v.value for v in model.discriminator.trainable_variables]
    ))  # fmt: skip


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("methods", PENALTIES, ids=lambda m: "+".join(c.__name__ for c in m) or "alone")
def test_r_is_of_the_whole_loss_and_its_gradient_is_right(methods, ratio):
    model = smooth_model(*methods, advas_alone=True, advas_weight=0.5)
    real, latents = smooth_batch(ratio=ratio)
    values, gradients = model.generator_gradients(real, latents)
    fake = latents | {"images": model.synthesize(latents)}
    assert float(values["g/advas_r"]) == pytest.approx(r_by_hand(model, real, fake), rel=1e-9)
    variables, random = model.generator.trainable_variables, np.random.default_rng(3)
    start, directions = [v.numpy() for v in variables], [random.normal(size=v.shape) for v in variables]
    ends = []
    for step in (1e-5, -1e-5):
        for variable, value, direction in zip(variables, start, directions, strict=True):
            variable.assign(value + step * direction)
        values, _ = model.generator_gradients(real, latents)
        ends.append(float(0.5 * values["g/advas_r"] + values.get("g/orthogonal", 0.0)))
    exact = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
    assert abs(exact) > 1e-3
    assert exact == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_detached_penalties_count_in_r_but_give_no_gradient():
    models = [
        smooth_model(GradientPenaltyGAN, advas_alone=True, detach_penalties=detached)
        for detached in (False, True)
    ]
    (flowing, with_flow), (cut, without) = (m.generator_gradients(*smooth_batch()) for m in models)
    assert float(flowing["g/advas_r"]) == float(cut["g/advas_r"])
    assert np.abs(with_flow[0] - without[0]).max() > 1e-2 * np.abs(with_flow[0]).max()


def test_lambda_balances_the_loss_without_what_other_methods_add():
    real, latents = smooth_batch()
    plain, base, alone, both = (
        smooth_model(*methods, **options).generator_gradients(real, latents)
        for methods, options in (
            ((), {}), ((), {"advas_weight": 0.0}), ((), {"advas_alone": True}), ((OrthogonalGAN,), {}),
        )
    )  # fmt: skip
    base, alone = ((v, [tf.convert_to_tensor(g) for g in gradients]) for v, gradients in (base, alone))
    own, r = (tf.linalg.global_norm(gradients) for _, gradients in (base, alone))
    weight = min(1.0, float(own / r))
    assert 0.0 < weight < 1.0
    for values, _ in (plain, both):
        assert float(values["g/advas_lambda"]) == pytest.approx(weight, rel=1e-9)
        assert float(values["g/adversarial_gradient_norm"]) == pytest.approx(float(own), rel=1e-9)
        assert float(values["g/advas_gradient_norm"]) == pytest.approx(float(r), rel=1e-9)
    assert_all_close(plain[1], [a + weight * b for a, b in zip(base[1], alone[1], strict=True)], 1e-9)
    orthogonal = smooth_model(OrthogonalGAN, advas_weight=0.0).generator_gradients(real, latents)[1]
    orthogonal = [tf.convert_to_tensor(g) for g in orthogonal]
    extra = [a - b for a, b in zip(orthogonal, base[1], strict=True)]
    assert np.abs(extra[1]).max() > 0
    assert_all_close(both[1], [a + b for a, b in zip(plain[1], extra, strict=True)], 1e-9)


@pytest.mark.parametrize(
    ("gradients", "weight"), [(([3.0, 4.0], [0.0, 10.0]), 0.5), (([3.0], [1.0]), 1.0), (([0.0], [0.0]), 0.0)]
)
def test_lambda_by_hand(gradients, weight):
    model = AdvAsGAN(*toys.scalar_networks())
    value, norms = model.balance(*([tf.constant(g)] for g in gradients))
    assert float(value) == pytest.approx(weight)
    assert float(norms["g/advas_gradient_norm"]) == pytest.approx(np.linalg.norm(gradients[1]))


def test_estimators_of_many_batches_by_exact_sums():
    """Means over all pairs of a small set: the unbiased ones give |E g|^2 exactly, the biased one does not."""
    model = smooth_model(discriminator_loss=losses.wasserstein_discriminator, real_class_weight=0.0)
    model.fake_class_weight = 0.0
    real, latents = smooth_batch(3)
    part = lambda batch, rows: {k: None if v is None else tf.gather(v, rows) for k, v in batch.items()}  # noqa: E731
    found = {}
    for estimator in ("biased", "unbiased", "split_half"):
        model.advas_estimator = estimator
        pairs = [[i, j] for i in range(3) for j in range(i)]  # r is the same for a pair turned round
        rs = [model.generator_gradients(part(real, p), part(latents, p))[0]["g/advas_r"] for p in pairs]
        found[estimator] = float(sum(rs)) / len(rs)
    model.advas_estimator = "unbiased"
    whole = float(model.generator_gradients(real, latents)[0]["g/advas_r"])
    # the mean over all pairs of g_i g_j is the U-statistic of the whole set
    assert found["unbiased"] == pytest.approx(whole, rel=1e-9)
    assert found["split_half"] == pytest.approx(whole, rel=1e-9)
    assert found["biased"] > whole + 0.01 * abs(whole)


@pytest.mark.parametrize("estimator", ["unbiased", "split_half"])
def test_what_all_images_share_is_in_each_group(estimator, monkeypatch):
    """As an architecture that is drawn for the step; it has no row for each image, and the critic scales by it."""
    model = smooth_model(advas_estimator=estimator)
    real, latents = smooth_batch(4)
    _, expected = model.outputs_and_statistics(real, latents | {"images": 3.0 * model.synthesize(latents)})
    monkeypatch.setattr(model, "shared_entries", lambda: ("scale",))
    discriminate = model.discriminate

    def scaled(batch, **how):
        scale = keras.ops.sum(batch["scale/0"]) if "scale/0" in batch else 1.0
        return discriminate(batch | {"images": scale * batch["images"]}, **how)

    monkeypatch.setattr(model, "discriminate", scaled)
    fake = latents | {
        "images": model.synthesize(latents),
        "scale/0": tf.constant([0.5, 0.5, 2.0], tf.float64),
    }
    _, found = model.outputs_and_statistics(real, fake)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("estimator", ["biased", "unbiased", "split_half"])
def test_a_larger_batch_of_fakes(estimator):
    """Two fakes to a real image: groups stay together, and the generator's loss is of all in their order."""
    model = smooth_model(GradientPenaltyGAN, advas_estimator=estimator)
    real, latents = smooth_batch(4, 2)
    values, _ = model.generator_gradients(real, latents)
    fake = latents | {"images": model.synthesize(latents)}
    expected = model.generator_losses(real, fake)
    assert float(values["g/adversarial"]) == pytest.approx(float(expected["g/adversarial"]), rel=1e-9)
    assert float(values["g/class"]) == pytest.approx(float(expected["g/class"]), rel=1e-9)
    size = {"biased": 4, "unbiased": 1, "split_half": 2}[estimator]
    groups = [[n for n in range(4) if n % (4 // size) == start] for start in range(4 // size)]
    gradients = []
    for group in groups:
        rows = [2 * n + k for n in group for k in (0, 1)]
        some = {k: tf.gather(v, rows) for k, v in fake.items()}
        _, found = model.adversary_gradients({k: tf.gather(v, group) for k, v in real.items()}, some)
        gradients.append(np.concatenate([np.ravel(g) for g in found]))
    products = np.array(gradients) @ np.array(gradients).T
    number = len(groups)
    r = products[0, 0] if number == 1 else (products.sum() - np.trace(products)) / (number * (number - 1))
    assert float(values["g/advas_r"]) == pytest.approx(r, rel=1e-9)
