"""TensorFlow Datasets as a source: what it reads, and how it refuses."""

import shutil

import gin
import pytest
import tensorflow_datasets as tfds
from opened import everything, message
from tiny_squares import TinySquares

from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.data.sources import find_source
from tfgans.data.stacked import Stacked
from tfgans.run.auto_images import Images


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def prepared(request, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp(request.param))
    TinySquares(data_dir=folder, file_format=request.param).download_and_prepare()
    return folder


def test_tfds(prepared):
    dataset = Dataset("tfds:tiny_squares", data_dir=prepared, resolution=8, batch_size=2)
    assert (dataset.num_examples, dataset.num_classes, dataset.class_names) == (6, 2, ["even", "odd"])
    assert (dataset.item_shape, dataset.reference_size(), dataset.name) == ((8, 8, 3), 2, "tiny_squares")
    images, labels = everything(dataset, "train")
    levels = images[:, 4, 4, 0]
    assert sorted(levels.tolist()) == [0, 10, 20, 30, 40, 50]
    assert (labels == levels // 10 % 2).all()
    batch = next(iter(dataset.batches(3, 0)))
    assert batch["images"].shape == (3, 2, 8, 8, 3)


def test_tfds_splits_and_keys(prepared):
    options = {"source": "tfds:tiny_squares", "data_dir": prepared, "resolution": 8}
    assert Dataset(**options, split="train[:50%]").num_examples == 3
    assert Dataset(**options, split="train+test").num_examples == 8
    assert Dataset(**options, label_key="size").num_classes == 6
    assert message(**options, split="valid") == "tfds:tiny_squares has no split 'valid'. Allowed: train, test"
    assert message(**options, split="train[:x]").startswith(
        "tfds data set tiny_squares has no split 'train[:x]': "
    )
    assert message(**options, split="train+valid").startswith(
        "tfds data set tiny_squares has no split 'train+"
    )
    assert message(**options, image_key="image") == (
        "Dataset.image_key must be an image feature of tiny_squares: ['picture']. Received: 'image'"
    )
    assert message(**options, label_key="picture").startswith("Dataset.label_key must be an integer feature")
    assert "have 6 sizes, from 9x8 to 9x13" in message(source="tfds:tiny_squares", data_dir=prepared)


def test_tfrecords_must_fit_in_memory(prepared):
    options = {"source": "tfds:tiny_squares", "data_dir": prepared, "resolution": 8, "memory_limit_gb": 1e-8}
    if "array_record" in prepared:
        dataset = Dataset(**options, batch_size=2)
        assert not dataset._store.in_memory
        assert next(iter(dataset.batches(1, 0)))["images"].shape == (1, 2, 8, 8, 3)
    else:
        line = message(**options)
        assert line.startswith("tfds data set tiny_squares is prepared as tfrecord, which must fit in memory")
        assert "file_format='array_record').download_and_prepare()" in line


def test_what_is_auto_looks_at_the_data_set_that_is_bound(prepared):
    """Its place and its limit, too."""
    with gin.unlock_config():
        gin.bind_parameter("Dataset.source", "tfds:tiny_squares")
        gin.bind_parameter("Dataset.data_dir", prepared)
    images = Images()
    assert (images.count, images.side, images.class_counts.tolist()) == (6, 9, [3, 3])
    with gin.unlock_config():
        gin.bind_parameter("Dataset.memory_limit_gb", 1e-8)
    if "array_record" in prepared:
        assert Images().count == 6
    else:
        with pytest.raises(ConfigError, match="which must fit in memory, and exceeds .* = 1e-08; raise"):
            Images()
    gin.clear_config()


def test_stacks_find_their_images_as_the_data_set_is_told(prepared):
    """By the label `size`, 0 to 5, a stack of images 8 + a, 8 + b and 8 + c high is of class 36 a + 6 b + c."""
    options = {"data_dir": prepared, "label_key": "size", "resolution": 8, "use_labels": False}
    stacks = Stacked("tfds:tiny_squares", count=10)
    line = message(stacks, **options)  # so they are found
    assert line.startswith("Stacked: ") and "its images have different sizes, 9x8 and 9x" in line
    items = find_source(stacks, data_dir=prepared, label_key="size").open("train")
    for i in range(10):
        a, b, c = (items.items.header(j)[0][0] - 8 for j in items.chosen[i].tolist())
        assert items.labels[i] == 36 * a + 6 * b + c
    if "tfrecord" in prepared:
        assert "which must fit in memory" in message(stacks, **options, memory_limit_gb=1e-8)


@pytest.mark.parametrize("part", ["records", "dataset_info.json"])
def test_a_damaged_prepared_set_is_one_line(prepared, tmp_path, part):
    folder = tmp_path / "copy"
    shutil.copytree(prepared, folder)
    pattern = "*train*record*" if part == "records" else part
    (path,) = folder.rglob(pattern)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60] = b"\xff" * 60
    path.write_bytes(bytes(data))
    line = message(source="tfds:tiny_squares", data_dir=str(folder), resolution=8)
    assert "tiny_squares" in line and (part == "records" or "dataset_info.json" in line), line


class NoNetwork(tfds.core.GeneratorBasedBuilder):
    """A data set whose preparation fails as without a network."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(4, 4, 3))})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        raise ConnectionError("no route to host\nsecond line")

    def _generate_examples(self):
        yield 0, {}


def test_tfds_that_cannot_be_had(tmp_path):
    line = message(source="tfds:no_network", data_dir=str(tmp_path))
    assert line == (
        f"tfds data set 'no_network' is not prepared in {tmp_path} and could not be downloaded (ConnectionError: no "
        "route to host); prepare it where there is a network, tfds.builder('no_network', "
        "data_dir=...).download_and_prepare(), and set Dataset.data_dir"
    )
    line = message(source="tfds:no_such_set", data_dir=str(tmp_path))
    assert line.startswith(f"tfds data set 'no_such_set' not found (data_dir: {tmp_path}): ")
