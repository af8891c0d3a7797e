"""Images and labels: what is converted, by which rule, and what is refused in one line."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.fitting.intake import Intake, narrowed, unpack
from tfgans.layers.norms import BatchNormalization
from tfgans.methods.regularized import R1GAN

IMAGES = toys.images(4)
LEVELS = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1))


def intake(num_classes=None, sample_shape=(8, 8, 1)):
    return Intake(sample_shape, num_classes, 1, tf.distribute.get_strategy())


def take(images, labels=None, num_classes=None, sample_shape=(8, 8, 1)):
    """What `fit` does with an array before the first step."""
    data, specs = intake(num_classes, sample_shape), []
    for array in (images, labels):
        if array is not None:
            specs.append(tf.TensorSpec(array.shape, tf.as_dtype(array.dtype)))
    if data.check_spec(tuple(specs)):
        data.look_at_labels(labels, len(images))
    data.expect(1)
    data.look(images)
    return data


def with_value(value, where=(2, 3, 4, 0)):
    images = IMAGES.copy()
    images[where] = value
    return images


TAKEN = [
    *(LEVELS.astype(kind) for kind in ("uint8", "int16", "int32", "int64", "uint16")),
    *(IMAGES.astype(kind) for kind in ("float16", "float64")),
    tf.cast(IMAGES, tf.bfloat16).numpy(),
    IMAGES * 1.005,  # rounding
]


@pytest.mark.parametrize("images", TAKEN, ids=lambda images: images.dtype.name)
def test_images_are_converted_by_their_type_alone(images):
    take(images)
    expected = LEVELS.astype("uint8") if images.dtype.kind in "iu" else images.astype("float32")
    found = narrowed(tf.constant(images))
    assert found.dtype.name == expected.dtype.name
    np.testing.assert_array_equal(found, expected)


CHANNELS_FIRST = np.zeros((4, 1, 8, 8), "float32")
REFUSED = {
    "floats of 255": (
        LEVELS.astype("float32"),
        r"\[-1, 1\]. Received: float32 in \[0, 255\].* images / 127.5 - 1$",
    ),
    "doubles of 255": (LEVELS.astype("float64"), r"Received: float64 in \[0, 255\]"),
    "standardised": (IMAGES * 1.5, r"float images are in \[-1, 1\]. Received: float32 in \[-1.49"),
    "NaN": (with_value(np.nan), "the data holds NaN"),
    "infinity": (with_value(-np.inf), "the data holds infinite values"),
    "NaN in half precision": (with_value(np.nan).astype("float16"), "the data holds NaN"),
    "integers below 0": (LEVELS.astype("int16") - 1, r"pixels in \[0, 255\]. Received: int16 in \[-1, "),
    "16 bits": (LEVELS.astype("uint16") * 257, r"Received: uint16 in \[0, 6.554e\+04\]"),
    "bool": (LEVELS > 9, r"Received: bool; write images \* 2.0 - 1.0"),
    "complex": (IMAGES.astype("complex64"), "Received: complex64"),
    "text": (IMAGES.astype(str), "images are uint8, or floats .* Received: string"),
    "no channels": (IMAGES[..., 0], r"are \(8, 8\), .* \(8, 8, 1\); write images\[..., None\]"),
    "channels first": (CHANNELS_FIRST, r"are \(1, 8, 8\), .*: channels come last"),
    "other channels": (np.repeat(IMAGES, 3, -1), r"items are \(8, 8, 3\), the generator makes \(8, 8, 1\)$"),
    "other size": (IMAGES[:, :4, :4], r"items are \(4, 4, 1\), the generator makes \(8, 8, 1\)"),
    "too many axes": (IMAGES[None, None], r"items are \(1, 4, 8, 8, 1\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_images_that_are_none_are_refused_in_one_line(case):
    images, message = REFUSED[case]
    with pytest.raises(ConfigError, match=message) as error:
        take(images)
    assert "\n" not in str(error.value)


def test_points_have_any_range_and_are_floats():
    take(np.array([[-300.0], [7.0]]), sample_shape=(1,))
    for points, message in [(np.array([[1], [2]]), "are floats. Received: int64"), ([[np.nan]], "holds NaN")]:
        with pytest.raises(ConfigError, match=message):
            take(np.asarray(points), sample_shape=(1,))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.abs(IMAGES), r"nothing below 0, .*write images \* 2 - 1"),
        ((LEVELS > 9).astype("uint8"), r"all 0 to 1 of 255, nearly black: write images \* 255"),
        (IMAGES, None),
        (LEVELS, None),
        (-np.abs(IMAGES), None),
    ],
)
def test_a_range_that_looks_wrong_is_said_once(images, message, recwarn):
    data = intake()
    data.expect(2)
    for part in (images[:2], images[2:], images):
        data.look(part)
    assert [bool(message) and str(w.message) for w in recwarn] == (
        [str(recwarn[0].message)] if message else []
    )
    if message:
        assert re.search(message, str(recwarn[0].message))


LABELS = np.array([0, 2, 1, 1])


@pytest.mark.parametrize(
    "labels",
    [
        *(LABELS.astype(kind) for kind in ("int32", "int64", "uint8", "float32", "float64", "float16")),
        LABELS[:, None],
        LABELS[:, None].astype("float32"),
    ],
    ids=lambda labels: f"{labels.dtype.name}{labels.shape}",
)
def test_labels_of_any_type_are_counted(labels):
    assert take(IMAGES, labels, 3).label_counts.tolist() == [1, 2, 1]


REFUSED_LABELS = {
    "below 0": (LABELS - 1, r"integers in \[0, 3\).* Received: -1"),
    "too large": (LABELS + 1, r"in \[0, 3\).* Received: 3"),
    "fractions": (LABELS * 0.7, "Received: 1.4"),
    "NaN": (np.where(LABELS > 1, np.nan, 0), "Received: nan"),
    "one-hot": (np.eye(3)[LABELS], r"\[N\]. Received: \(4, 3\); write labels.argmax\(-1\)"),
    "two of them": (np.zeros((4, 2)), r"labels are integers \[N\]. Received: \(4, 2\)"),
    "text": (LABELS.astype(str), "labels are integers .* Received: string"),
    "too few": (LABELS[:3], "there are 4 images and 3 labels"),
    "none": (None, "GAN.num_classes is 3, but the data has no labels"),
}


@pytest.mark.parametrize("case", REFUSED_LABELS)
def test_labels_that_are_no_classes_are_refused_in_one_line(case):
    labels, message = REFUSED_LABELS[case]
    with pytest.raises(ConfigError, match=message) as error:
        take(IMAGES, labels, 3)
    assert "\n" not in str(error.value)


def test_labels_that_are_true_or_false_are_classes():
    assert take(IMAGES, LABELS > 1, 2).label_counts.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (tf.ragged.constant([[1.0], [1.0, 2.0]]), "dense array. Received: RaggedTensor"),
        (tf.sparse.from_dense(IMAGES), "dense array. Received: SparseTensor"),
        ([IMAGES[0], IMAGES[1, :4]], "the images are no array"),
        (np.array([{}, {}]), "no array of numbers"),
        (tf.data.Dataset.from_tensors(tf.sparse.from_dense(IMAGES)), "dense arrays. Received: SparseTensorSpec"),
    ],
)  # fmt: skip
def test_what_is_no_array_is_refused(images, message):
    model = GAN(*toys.image_networks(batch_norm=False))
    model.compile("sgd", "sgd")
    with pytest.raises(ConfigError, match=message):
        model.fit(images, verbose=0)


@pytest.mark.parametrize(
    "cls", [GAN, R1GAN]
)  # a joint batch, which once cast fakes to integers, and a penalty
def test_every_type_trains_as_float32_does(cls):
    states, as_float = [], LEVELS.astype("float32") / 127.5 - 1
    for images in (as_float, LEVELS, as_float.astype("float64")):
        model = cls(*toys.image_networks(batch_norm=False))
        assert model.joint_batch
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
        model.fit(tf.data.Dataset.from_tensors(images), verbose=0)
        states.append(toys.values(model))
    for state in states[1:]:
        for name, value in state.items():
            np.testing.assert_allclose(value, states[0][name], atol=1e-6, err_msg=name)


def test_networks_in_float64_get_images_in_float64():
    keras.config.set_dtype_policy("float64")
    model = GAN(*toys.image_networks(batch_norm=False))
    (batch,) = model.split_batch(tf.constant(IMAGES))
    assert batch["images"].dtype == tf.float64
    assert model.split_batch(tf.constant(LEVELS))[0]["images"].dtype == tf.float64


def test_a_batch_has_one_of_a_few_forms():
    assert unpack({"images": 1}) == (1, None) and unpack((1, 2, None)) == (1, 2) and unpack(3) == (3, None)
    for data in ({"images": 1, "label": 2}, {}, (), (1, 2, 3), ((1, 2), 3)):
        with pytest.raises(ConfigError):
            unpack(data)


def test_an_empty_batch_moves_no_statistics():
    layer = BatchNormalization()
    layer.build((None, 3))
    run = tf.function(lambda x: layer(x, training=True), input_signature=[tf.TensorSpec((None, 3))])
    run(tf.zeros((0, 3)))
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))
    np.testing.assert_array_equal(layer.moving_variance, np.ones(3))
    run(tf.constant([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    np.testing.assert_allclose(layer.moving_mean, [0.2, 0.2, 0.2], atol=1e-7)  # 0.1 of the means
    np.testing.assert_allclose(layer.moving_variance, [1.1, 0.9, 1.1], atol=1e-6)  # unbiased: 2, 0, 2
