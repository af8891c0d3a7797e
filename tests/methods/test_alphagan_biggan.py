"""AlphaGAN on BigGAN: space, genotypes, the generator, the supernet and its architecture gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from supernets import architecture_gradient, assert_slopes, batch, set_architecture, settle_vectors

from tfgans import losses
from tfgans.config import ConfigError
from tfgans.evaluate import cost
from tfgans.gan import GAN, takes_labels
from tfgans.gan.average import clone
from tfgans.layers.state import frozen_state
from tfgans.methods.alphagan.model import AlphaGAN
from tfgans.methods.alphagan.spaces.biggan import genotype as biggan_genotype
from tfgans.methods.alphagan.spaces.biggan import space
from tfgans.methods.alphagan.spaces.biggan.genotype import BigGANGenotype, load_biggan_genotype
from tfgans.methods.alphagan.spaces.biggan.networks import alphagan_biggan_generator
from tfgans.methods.alphagan.spaces.biggan.picture import draw_biggan_genotype
from tfgans.methods.alphagan.spaces.biggan.supernet import alphagan_biggan_supernet
from tfgans.networks.biggan import biggan_discriminator, biggan_generator

SMALL = {"resolution": 8, "latent_dim": 8, "base_channels": 3, "embedding_dim": 2, "num_classes": 4}
POOLS = {
    "normal_operations": ("conv_1x1", "sep_conv_3x3", "conv_3x3"),
    "up_operations": ("nearest", "bilinear"),
}
MIXED = BigGANGenotype(
    (("conv_5x5", "sep_conv_3x3"), ("conv_1x1", "conv_3x3"), ("sep_conv_7x7", "conv_1x1")),
    (("nearest", "bilinear"), ("bilinear", "bilinear"), ("bilinear", "nearest")),
)


def tiny(**options):
    return alphagan_biggan_supernet(**SMALL | POOLS | options)


def inputs(count=3):
    return [batch((8,), count), np.arange(count, dtype="int32") % 4]


def shake(network, seed=1):
    generator = np.random.default_rng(seed)
    for variable in network.weights:
        variable.assign(variable.numpy() + 0.3 * np.abs(generator.normal(size=variable.shape)))
    return network


def test_sizes_and_rows():
    assert space.size() == 2**6 * 6**6 == 2_985_984
    rows = space.architecture_rows()
    assert {name: edges for name, (edges, _) in rows.items()} == dict.fromkeys(
        ("normal_1", "normal_2", "normal_3", "up_1", "up_2", "up_3"), 2
    )
    total = 1
    for edges, pool in rows.values():
        total *= len(pool) ** edges
    assert total == space.size()


def test_files_and_text(tmp_path):
    MIXED.save(tmp_path / "genotype.json")
    assert load_biggan_genotype(tmp_path / "genotype.json") == MIXED == load_biggan_genotype(MIXED)
    assert load_biggan_genotype("biggan").normal == (("conv_3x3", "conv_3x3"),) * 3
    assert MIXED.line() == (
        "block 1: nearest, bilinear, conv_5x5, sep_conv_3x3; block 2: bilinear, bilinear, conv_1x1, conv_3x3; "
        "block 3: bilinear, nearest, sep_conv_7x7, conv_1x1"
    )
    assert MIXED.table().splitlines() == [
        "slot       edge       block 1       block 2   block 3",
        "---------  ---------  ------------  --------  ------------",
        "up[0]      main path  nearest       bilinear  bilinear",
        "up[1]      shortcut   bilinear      bilinear  nearest",
        "normal[0]  first      conv_5x5      conv_1x1  sep_conv_7x7",
        "normal[1]  second     sep_conv_3x3  conv_3x3  conv_1x1",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as a genotype"),
        ("[]", "has normal and up. Received: list"),
        ('{"normal": []}', "has normal and up. Received: normal"),
        ('{"normal": [], "up": []}', "normal has one list for each of 3 blocks"),
        (MIXED.text().replace("conv_5x5", "deconv"), "normal, block 1: .* Received: 'deconv'"),
        (MIXED.text().replace('"nearest", "bilinear"', '"nearest"'), "up, block 1 has 2 operations"),
    ],
)
def test_bad_files(text, message, tmp_path):
    path = tmp_path / "genotype.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_biggan_genotype(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="a genotype of BigGAN is biggan or a JSON file"):
        load_biggan_genotype("other")


def take_layers(mine, theirs, names):
    for name, other in names.items():
        getattr(mine, name).set_weights(getattr(theirs, other or name).get_weights())


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", [4, None])
def test_the_baseline_is_biggan(num_classes):
    """Given equal weights; attention aside."""
    options = SMALL | {"num_classes": num_classes}
    mine = alphagan_biggan_generator("biggan", **options)
    width = options.pop("base_channels")
    theirs = biggan_generator(**options, block_channels=(width,) * 4, attention_resolutions=())
    assert cost.parameters(mine) == cost.parameters(theirs)
    shake(theirs)
    plain = {kind: [layer for layer in theirs.layers if kind in type(layer).__name__]
             for kind in ("SpectralDense", "ResidualUpBlock", "BatchNormalization", "SpectralConv2D")}  # fmt: skip
    mine.get_layer("first_maps").dense.set_weights(plain["SpectralDense"][0].get_weights())
    for number, block in enumerate(plain["ResidualUpBlock"], 1):
        own = mine.get_layer(f"block_{number}")
        take_layers(own, block, dict.fromkeys(("normalization1", "normalization2", "shortcut")))
        own.convolution1.convolution.set_weights(block.convolution1.get_weights())
        own.convolution2.convolution.set_weights(block.convolution2.get_weights())
    mine.get_layer("images").normalization.set_weights(plain["BatchNormalization"][0].get_weights())
    mine.get_layer("images").convolution.set_weights(plain["SpectralConv2D"][0].get_weights())
    given = inputs() if num_classes else inputs()[0]
    if num_classes:
        mine.get_layer("class_embedding").set_weights(theirs.get_layer("class_embedding").get_weights())
    assert takes_labels(mine, None) == bool(num_classes)
    for training in (True, False):
        found, expected = (network(given, training=training) for network in (mine, theirs))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("spectral_normalization", [True, False])
def test_one_hot_supernet_is_the_genotypes_generator(spectral_normalization):
    """With gammas of 1: the supernet's separable convolutions have none."""
    network = shake(tiny(spectral_normalization=spectral_normalization))
    genotype = network.random_genotype(5)
    assert {"sep_conv_3x3", "conv_3x3"} <= {name for block in genotype.normal for name in block}
    assert len({name for block in genotype.up for name in block}) == 2
    mixing = network.mixing_of(genotype)
    assert biggan_genotype.from_architecture(mixing, space.architecture_rows(**POOLS)) == genotype
    generator = alphagan_biggan_generator(genotype, **SMALL, spectral_normalization=spectral_normalization)
    generator.get_layer("first_maps").set_weights(network.first.get_weights())
    generator.get_layer("class_embedding").set_weights(network.embedding.get_weights())
    generator.get_layer("images").set_weights(network.last.get_weights())
    for index, mixed in enumerate(network.blocks):
        block = generator.get_layer(f"block_{index + 1}")
        take_layers(block, mixed, dict.fromkeys(("normalization1", "normalization2", "shortcut")))
        for place, name in enumerate(("convolution1", "convolution2")):
            chosen = POOLS["normal_operations"].index(genotype.normal[index][place])
            values = iter(getattr(mixed, name).candidates[chosen].get_weights())
            for variable in getattr(block, name).weights:
                constant = {"gamma": 1.0, "beta": 0.0}.get(variable.name)
                variable.assign(next(values) if constant is None else tf.fill(variable.shape, constant))
            assert next(values, None) is None
    for training in (True, False):
        found = network(inputs(), training=training, mixing=mixing)
        np.testing.assert_allclose(found, generator(inputs(), training=training), rtol=1e-4, atol=1e-5)


def test_operations_lie_where_the_genotype_says():
    generator = alphagan_biggan_generator(MIXED, **SMALL)
    kernels = [
        [getattr(generator.get_layer(f"block_{number}"), name) for name in ("convolution1", "convolution2")]
        for number in (1, 2, 3)
    ]
    assert [[layer.kernel_size for layer in block] for block in kernels] == [[5, 3], [1, 3], [7, 1]]
    assert [generator.get_layer(f"block_{number}").up for number in (1, 2, 3)] == list(MIXED.up)
    spectral = [[getattr(layer, "spectral_normalization", False) for layer in b] for b in kernels]
    assert spectral == [[True, False], [True, True], [False, True]]


@pytest.mark.parametrize("path", [0, 1])
def test_each_path_has_its_own_up_sampling(path):
    """A block whose other path is silent goes as that path's up-sampling alone."""
    weights = None
    for up in (("nearest", "bilinear"), ("bilinear", "nearest"), ("nearest", "nearest")):
        genotype = BigGANGenotype(MIXED.normal, (up,) * 3)
        generator = alphagan_biggan_generator(genotype, **SMALL, spectral_normalization=False)
        block = generator.get_layer("block_2")
        weights = weights or [np.abs(w) + 0.1 for w in block.get_weights()]
        block.set_weights(weights)
        silent = block.shortcut if path == 0 else block.convolution2.convolution
        silent.kernel.assign(tf.zeros(silent.kernel.shape))
        maps = block(batch((2, 2, 3)), batch((4,)))
        if up == ("nearest", "nearest"):
            same = maps
        elif up[path] == "nearest":
            like_nearest = maps
        else:
            like_bilinear = maps
    np.testing.assert_array_equal(like_nearest, same)
    assert np.abs(like_bilinear - same).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_architecture_gradient_against_finite_differences(training):
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    network, given = tiny(resolution=16), inputs()  # a first map of one pixel would go up in only one way
    set_architecture(network)
    settle_vectors(network)
    weights = batch((16, 16, 3), seed=2)
    evaluate = lambda: tf.reduce_sum(network(given, training=training) * weights)  # noqa: E731
    found = architecture_gradient(network, evaluate)
    assert (found != 0.0).all()
    assert_slopes(network, found, evaluate, step=1e-6)  # a larger step crosses the kink of some ReLU


@pytest.mark.slow
def test_every_weight_learns_but_the_architecture():
    network, given = tiny(), inputs()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(given, training=True) * batch((8, 8, 3), seed=2))
    variables = network.trainable_variables
    assert not {id(v) for v in network.architecture_variables} & {id(v) for v in variables}
    gradients = tape.gradient(loss, [v.value for v in variables])
    assert [v.path for v, g in zip(variables, gradients, strict=True) if g is None] == []


@pytest.mark.slow
@pytest.mark.parametrize("supernet", [True, False])
def test_copies_and_files(supernet, tmp_path):
    """Of the supernet with classes, and of the generator without."""
    network = tiny() if supernet else alphagan_biggan_generator(MIXED, **SMALL | {"num_classes": None})
    given = inputs() if supernet else inputs()[0]
    network(given, training=True)
    network.save(tmp_path / "network.keras")
    for other in (clone(network), keras.saving.load_model(tmp_path / "network.keras")):
        np.testing.assert_array_equal(other(given), network(given))
        shake(other)
        assert np.abs(other(given) - network(given)).max() > 1e-4


@pytest.mark.slow
def test_a_gan_trains_the_supernet_on_classes():
    discriminator = biggan_discriminator(
        8, block_channels=(4, 4), downsample=(True, False), num_classes=4, attention_resolutions=()
    )
    model = GAN(tiny(), discriminator, num_classes=4)
    assert model.latent_dim == 8 and model.sample_shape == (8, 8, 3)
    model.compile("sgd", "sgd")
    embedding = model.generator.embedding.embeddings
    before = [v.numpy() for v in (embedding, *model.generator.architecture_variables)]
    labels = tf.constant([[0, 1, 2, 3]])
    model.train_step({"images": tf.constant(batch((4, 8, 8, 3), 1)), "labels": labels})
    after = [v.numpy() for v in (embedding, *model.generator.architecture_variables)]
    assert [(a == b).all() for a, b in zip(after, before, strict=True)] == [False] + [True] * 6
    images = [model.generator([batch((8,), 1), np.array([label])]) for label in (0, 1)]
    assert np.abs(images[0] - images[1]).max() > 1e-5
    assert cost.macs(model.generator) > 0


@pytest.mark.slow
def test_alphas_gradient_is_of_the_classes_that_were_drawn():
    """-mean relu(1 + D-bar(G(z, y), y)), less 1, written out with the labels of the latents."""
    discriminator = biggan_discriminator(
        8, block_channels=(4, 4), downsample=(True, False), num_classes=4, attention_resolutions=()
    )
    model = AlphaGAN(tiny(), discriminator, num_classes=4, discriminator_loss=losses.hinge_discriminator)
    model.compile("adam", "adam", run_eagerly=True)
    shake(model.test_discriminator)  # D-bar is not D
    set_architecture(model.generator)
    model.choose_phase("architecture", 0)
    latents = model.draw_latents(6)
    real = {"images": tf.constant(batch((8, 8, 3), 6)), "labels": tf.constant([0, 1, 2, 3, 0, 1])}
    value, found = model.architecture_gradients(real, latents)
    variables = [v.value for v in model.generator.architecture_variables]
    labels = latents["labels"]
    assert len(set(labels.numpy())) > 1

    def gap(labels):
        with tf.GradientTape() as tape:
            tape.watch(variables)
            images = model.generator([latents["latents"], labels], training=True)
            logits = model.test_discriminator([images, labels], training=True)["adversarial"]
            total = -1.0 - tf.reduce_mean(tf.nn.relu(1.0 + logits))
        return total, tape.gradient(total, variables)

    with frozen_state():
        (expected, gradients), (other, _) = gap(labels), gap((labels + 1) % 4)
    assert float(value) == pytest.approx(float(expected), rel=1e-5) and abs(other - expected) > 1e-4
    for a, b in zip(found, gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


def test_the_genotype_is_of_the_largest_weights():
    network = tiny()
    set_architecture(network)
    columns = [v.numpy().argmax(1) for v in network.architecture_variables]
    names = [
        tuple(pool[c] for c in column)
        for column, pool in zip(columns, network.architecture_operations.values(), strict=True)
    ]
    assert network.genotype() == BigGANGenotype(tuple(names[:3]), tuple(names[3:]))
    assert network.random_genotype(1) == network.random_genotype(1) != network.random_genotype(2)


def test_picture_shows_what_changes():
    """Another operation changes the picture in its place alone: the main path is above, the shortcut below."""
    picture = draw_biggan_genotype(MIXED, 40)
    assert picture.dtype == np.uint8 and picture.std() > 10
    normal, up = MIXED.normal, MIXED.up
    for other, inches, above in [
        (BigGANGenotype((("conv_1x1", "sep_conv_3x3"), *normal[1:]), up), 1.0 + 2.2, True),
        (BigGANGenotype((normal[0], ("conv_1x1", "conv_5x5"), normal[2]), up), 1.0 + 5.1 + 3.4, True),
        (BigGANGenotype(normal, (("bilinear", "bilinear"), *up[1:])), 1.0 + 1.0, True),
        (BigGANGenotype(normal, (*up[:2], ("bilinear", "bilinear"))), 1.0 + 10.2 + 1.6, False),
    ]:
        rows, columns = np.nonzero((draw_biggan_genotype(other, 40) != picture).any(2))
        assert inches - 0.55 < columns.min() / 40 < columns.max() / 40 < inches + 0.55
        assert (rows.max() < picture.shape[0] / 2) == above


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (tiny, {"resolution": 12}, "alphagan_biggan_supernet: resolution is a multiple of 8. Received: 12"),
        (tiny, {"latent_dim": 6}, "latent_dim is a multiple of the 4 chunks. Received: 6"),
        (tiny, {"up_operations": ("deconv",)}, "up operations are different ones of nearest, bilinear"),
        (tiny, {"normal_operations": ("none",)}, "normal operations are different ones of conv_1x1"),
        (alphagan_biggan_generator, {"num_classes": 0}, "num_classes is an integer of at least 1"),
        (alphagan_biggan_generator, {"kernel_initializer": "zeros"}, "kernel_initializer is one of"),
    ],
)
def test_bad_arguments_are_refused(make, options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)
