"""A TensorFlow Datasets data set, prepared on this machine or downloaded on first use."""

import io
from pathlib import Path

import numpy as np

from tfgans import readers
from tfgans.config import ConfigError, first_line
from tfgans.data.decode import BadImage, open_image
from tfgans.data.items import Items


class Tfds:
    """Images of `tfds.builder(name, data_dir=data_dir)`, decoded by Pillow like any others.

    Images come from feature `image_key` (default: the first `Image` feature), labels from `label_key`
    (default: `label` if it is a `ClassLabel`, else none). A data set prepared as array_record is read
    at random positions; of one prepared as tfrecord the encoded images are held in memory, which must
    not take more than `memory_limit_gb` (1e9 bytes).
    """

    default_resolution, takes_slices = None, True

    def __init__(self, name, data_dir=None, image_key=None, label_key=None, memory_limit_gb=4.0):
        self.name, self.memory_limit_gb = name, memory_limit_gb
        self.builder = _prepared_builder(name, data_dir)
        self.splits = tuple(self.builder.info.splits)
        self.image_key = self._image_key(image_key)
        self.label_key = self._label_key(label_key)

    def open(self, split):
        try:
            self.builder.info.splits[split]
        except Exception as error:  # tfds raises many types for slices and sums it cannot read
            raise ConfigError(
                f"tfds data set {self.name} has no split {split!r}: {first_line(error)}"
            ) from error
        with readers.reading(self.builder.data_dir, f"the data set {self.name}"):
            return RecordItems(*self._records(split))

    def _records(self, split):
        """(records, their image key, labels or None, class names or None) of a split."""
        import tensorflow_datasets as tfds

        skip = {self.image_key: tfds.decode.SkipDecoding()}
        if self.builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
            records = self.builder.as_data_source(split, decoders=skip)
            labels = self.label_key and [records[i][self.label_key] for i in range(len(records))]
            return records, self.image_key, *self._classes(labels)
        records, labels, total = [], [], 0
        in_order = tfds.ReadConfig(interleave_cycle_length=1)
        data = self.builder.as_dataset(split=split, decoders=skip, read_config=in_order, shuffle_files=False)
        for record in data.as_numpy_iterator():
            records.append({self.image_key: record[self.image_key]})
            labels.append(record[self.label_key] if self.label_key else 0)
            total += len(record[self.image_key])
            if total > self.memory_limit_gb * 1e9:
                raise ConfigError(self._too_large())
        return records, self.image_key, *self._classes(self.label_key and labels)

    def _too_large(self):
        return (
            f"tfds data set {self.name} is prepared as tfrecord, which must fit in memory, and exceeds "
            f"Dataset.memory_limit_gb = {self.memory_limit_gb:g}; raise the limit or prepare it for random access: "
            f"tfds.builder({self.name!r}, data_dir=..., file_format='array_record').download_and_prepare()"
        )

    def _image_key(self, key):
        import tensorflow_datasets as tfds

        features = self.builder.info.features
        keys = [name for name, feature in features.items() if isinstance(feature, tfds.features.Image)]
        if key is None and not keys:
            raise ConfigError(f"tfds data set {self.name} has no image feature. Found: {', '.join(features)}")
        if key is not None and key not in keys:
            raise ConfigError(
                f"Dataset.image_key must be an image feature of {self.name}: {keys}. Received: {key!r}"
            )
        return key or keys[0]

    def _label_key(self, key):
        import tensorflow_datasets as tfds

        features = dict(self.builder.info.features.items())
        if key is None:
            return "label" if isinstance(features.get("label"), tfds.features.ClassLabel) else None
        feature = features.get(key)
        if feature is None or feature.shape != () or not np.issubdtype(feature.np_dtype, np.integer):
            raise ConfigError(
                f"Dataset.label_key must be an integer feature of {self.name}. "
                f"Received: {key!r}. Features: {', '.join(features)}"
            )
        return key

    def _classes(self, labels):
        """(labels, class names) as the items hold them."""
        if not labels:
            return None, None
        names = getattr(self.builder.info.features[self.label_key], "names", None)
        return np.array(labels, np.int64), list(names) if names else None


class RecordItems(Items):
    """Encoded images, `records[i][key]`, decoded when read."""

    def __init__(self, records, key, labels, class_names):
        self.records, self.key = records, key
        self.labels, self.class_names = labels, class_names

    def __len__(self):
        return len(self.records)

    def name(self, i):
        return f"example {i}"

    def read(self, i):
        return open_image(io.BytesIO(self.content(i)))

    def content(self, i):
        try:
            return self.records[int(i)][self.key]
        except Exception as error:  # those of array_record and of tfds
            raise BadImage(f"its record cannot be read: {readers.reason(error)}") from error

    encoded = content


def _refuse_damaged_descriptions(name, data_dir):
    """Names the file that is damaged, if one is: tfds itself tells of the exception alone."""
    import tensorflow_datasets as tfds

    folder = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser() / name.partition(":")[0]
    for path in sorted(folder.glob("**/*.json")):
        readers.read_json(path, f"a description of the data set {name}")


def _prepared_builder(name, data_dir):
    """The builder, with its data on disk; a failed download is one line that says what to do."""
    import tensorflow_datasets as tfds

    where = data_dir or "the default directory of tfds"
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except Exception as error:  # tfds raises many types, for unknown names as for broken folders
        _refuse_damaged_descriptions(name, data_dir)
        raise ConfigError(
            f"tfds data set {name!r} not found (data_dir: {where}): {first_line(error)}"
        ) from error
    if builder.is_prepared():
        return builder
    try:
        builder.download_and_prepare()
    except Exception as error:  # no network, no disk space, moved files, manual downloads ...
        raise ConfigError(
            f"tfds data set {name!r} is not prepared in {where} and could not be downloaded "
            f"({type(error).__name__}: {first_line(error)}); prepare it where there is a network, "
            f"tfds.builder({name!r}, data_dir=...).download_and_prepare(), and set Dataset.data_dir"
        ) from error
    return builder
