"""Images of a source that are in memory already."""

from tfgans.data.decode import from_array


class ArrayItems:
    """Images held as uint8 [n, H, W, C]."""

    def __init__(self, images, labels=None, class_names=None):
        self.images, self.labels, self.class_names = images, labels, class_names

    def __len__(self):
        return len(self.images)

    def name(self, i):
        return f"image {i}"

    def read(self, i):
        return from_array(self.images[i])

    def content(self, i):
        return self.images[i].tobytes()
