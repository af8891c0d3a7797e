"""Images that another library holds, as sources: Hugging Face's datasets, Keras's PyDataset, and tf.data."""

import io

import numpy as np

from tfgans.config import ConfigError, FilePath, configurable
from tfgans.config.kinds import Kind
from tfgans.data.decode import BadImage, open_file, open_image
from tfgans.data.items import ArrayItems, Items
from tfgans.files import expanded

_IS_TABLE = Kind(
    "a datasets.Dataset",
    lambda v: all(hasattr(v, wanted) for wanted in ("features", "cast_column", "__getitem__")),
)
_IS_SPLITS = Kind(
    "a dictionary of them",
    lambda v: isinstance(v, dict) and bool(v) and all(map(_IS_TABLE.allows, v.values())),
)
_IMAGES, _LABELS = ("image", "images"), ("label", "labels")


@configurable
class HuggingFace:
    """A `datasets.Dataset` (arrow tables), of which an image is read by its row when it is needed.

    Args:
        data: a `datasets.Dataset`, which is the split `train`; a dictionary of them by split; or the path of one that
            `save_to_disk` has written.
        image: the column of images, of the feature `datasets.Image`; None for the first one.
        label: the column of classes, integers; None for the first one of the feature `datasets.ClassLabel`, if any.
    Raises: ConfigError for data without such columns.
    """

    default_resolution = None

    def __init__(
        self,
        data: _IS_TABLE | _IS_SPLITS | FilePath | None = None,
        image: str | None = None,
        label: str | None = None,
    ):
        if data is None:
            raise ConfigError("HuggingFace.data is missing: a datasets.Dataset, or the path of one")
        self._splits = _loaded(data) if FilePath.allows(data) else data
        if not isinstance(self._splits, dict):
            self._splits = {"train": self._splits}
        self.splits, self.image, self.label = tuple(self._splits), image, label

    def open(self, split):
        data = self._splits[split]
        image = self._column(data, self.image, "image", "Image")
        if image is None:
            raise ConfigError(
                f"HuggingFace: there is no column of images. Columns: {', '.join(data.features)}"
            )
        label = self._column(data, self.label, "label", "ClassLabel")
        names = None if label is None else getattr(data.features[label], "names", None)
        labels = None if label is None else np.asarray(data[label][:])
        if labels is not None and labels.dtype.kind not in "iu":
            raise ConfigError(
                f"HuggingFace.label is a column of integers. Received: {label!r}, {labels.dtype}"
            )
        encoded = data.cast_column(image, type(data.features[image])(decode=False))
        return RowItems(encoded, image, labels, None if names is None else list(names))

    def _column(self, data, wanted, parameter, kind):
        """The column that is wanted, or else the first one of a kind of feature; None if there is none."""
        if wanted is not None and wanted not in data.features:
            columns = ", ".join(data.features)
            raise ConfigError(f"HuggingFace.{parameter} is one of {columns}. Received: {wanted!r}")
        found = [name for name, feature in data.features.items() if type(feature).__name__ == kind]
        if parameter == "image" and wanted is not None and wanted not in found:
            raise ConfigError(f"HuggingFace.image is a column of images: {found}. Received: {wanted!r}")
        return wanted or (found[0] if found else None)


def _loaded(path):
    """What `save_to_disk` has written."""
    try:
        import datasets
    except ImportError as error:
        raise ConfigError(
            "HuggingFace needs the library datasets: pip install 'tfgans[huggingface]'"
        ) from error
    try:
        return dict(found) if isinstance(found := datasets.load_from_disk(expanded(path)), dict) else found
    except Exception as error:  # whatever arrow says of damaged files
        raise ConfigError(
            f"{path} cannot be read as a data set: {str(error).splitlines()[0][:200]}"
        ) from error


class RowItems(Items):
    """Images in the rows of a table: `rows[i][column]` is {"bytes", "path"}, of which one is there."""

    def __init__(self, rows, column, labels, class_names):
        self.rows, self.column = rows, column
        self.labels, self.class_names = labels, class_names

    def __len__(self):
        return len(self.rows)

    def name(self, i):
        return f"row {i}"

    def content(self, i):
        try:
            found = self.rows[int(i)][self.column]
            if found["bytes"] is not None:
                return found["bytes"]
            with open_file(found["path"]) as file:
                return file.read()
        except (OSError, TypeError, KeyError) as error:  # a row of null is None
            raise BadImage("it has no image") from error

    encoded = content

    def read(self, i):
        return open_image(io.BytesIO(self.content(i)))


class FromKeras:
    """The images of a `keras.utils.PyDataset`, read once into memory.

    Args:
        data: its batches are images, (images, labels), or a dictionary of `image` or `images` and, if you like,
            `label` or `labels`; images uint8 [n, H, W, C], labels integers [n]. class_names: of the labels, or None.
    Raises: ConfigError for batches of another kind, and a data set without end.
    """

    splits, default_resolution = ("train",), None

    def __init__(self, data, class_names=None):
        self.data, self.class_names = data, class_names

    def open(self, split):
        try:
            count = self.data.num_batches
        except (AttributeError, NotImplementedError) as error:  # Keras's, where there is no __len__ either
            raise ConfigError(
                f"FromKeras.data is a keras.utils.PyDataset with `__len__` or `num_batches`. Received: {self.data!r}"
            ) from error
        if count is None:
            raise ConfigError("FromKeras takes a data set that ends: its num_batches is None")
        return _held((self.data[i] for i in range(count)), self.class_names, "FromKeras")


class FromTensorFlow:
    """The images of a `tf.data.Dataset`, read once into memory.

    Args:
        data: its elements are as the batches of `FromKeras`, or such of one image, uint8 [H, W, C].
        class_names: of the labels, or None.
    Raises: ConfigError for elements of another kind, and a data set without end.
    """

    splits, default_resolution = ("train",), None

    def __init__(self, data, class_names=None):
        self.data, self.class_names = data, class_names

    def open(self, split):
        if not hasattr(self.data, "cardinality"):
            raise ConfigError(f"FromTensorFlow.data is a tf.data.Dataset. Received: {self.data!r}")
        if int(self.data.cardinality()) == -1:
            raise ConfigError("FromTensorFlow takes a data set that ends: this one is repeated for ever")
        return _held(self.data.as_numpy_iterator(), self.class_names, "FromTensorFlow")


def _held(elements, class_names, title):
    """The `ArrayItems` of elements, or batches of them."""
    images, labels = [], []
    for element in elements:
        pixels, label = (None if each is None else np.asarray(each) for each in _parts(element, title))
        if pixels is None:
            raise ConfigError(f"{title}: an element has no images. Received: None")
        if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or not 1 <= pixels.shape[-1] <= 4:
            raise ConfigError(
                f"{title}: images are uint8 [H, W, C] or [n, H, W, C], C from 1 to 4. "
                f"Received: {pixels.dtype} {list(pixels.shape)}"
            )
        batch = pixels if pixels.ndim == 4 else pixels[None]
        images += list(batch)
        if label is not None:
            if label.dtype.kind not in "iu" or label.size != len(batch):
                raise ConfigError(
                    f"{title}: labels are integers, one an image. Received: {label.dtype} {list(label.shape)} "
                    f"for {len(batch)}"
                )
            labels.append(label.reshape(-1))
    if not images:
        raise ConfigError(f"{title}: the data set has no image")
    found = np.concatenate(labels).astype(np.int64) if labels else None
    if found is not None and len(found) != len(images):
        raise ConfigError(f"{title}: {len(found)} of {len(images)} images have a label")
    return ArrayItems(images, found, class_names if found is not None else None)


def _parts(element, title):
    """(images, labels or None) of an element."""
    if isinstance(element, dict):
        values = [next((element[key] for key in keys if key in element), None) for keys in (_IMAGES, _LABELS)]
        if values[0] is None:
            raise ConfigError(f"{title}: an element has no 'image'. Received: {', '.join(map(str, element))}")
        return values
    return tuple(element)[:2] if isinstance(element, tuple | list) else (element, None)
