"""A data set of TensorFlow Datasets that is made here."""

import numpy as np
import tensorflow_datasets as tfds


class TinySquares(tfds.core.GeneratorBasedBuilder):
    """Image i of a split is 9 wide and 8 + i high, of level 10 i, label i % 2."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "picture": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["even", "odd"]),
            "size": np.int64,
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(6), "test": self._generate_examples(2)}

    def _generate_examples(self, count):
        for i in range(count):
            yield i, {"picture": np.full((8 + i, 9, 3), 10 * i, np.uint8), "label": i % 2, "size": i}
