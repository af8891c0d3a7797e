"""Windows of images: anywhere they fit, downwards as well as sideways."""

import numpy as np

from tfgans.data.pipeline import view


def test_a_window_lies_anywhere_it_fits_as_often():
    rows, columns = np.indices((8, 5), dtype=np.uint8)
    image = np.stack([rows, columns, rows], -1)
    draws = np.linspace(0.0, 1.0, 600, endpoint=False)
    for place, fixed in ((1, 2), (2, 1)):
        corners = []
        for draw in draws:
            given = np.full(4, 0.999)
            given[place] = draw
            window = view(image, (4, 3), given, None)
            assert window.shape == (4, 3, 3)
            corners.append(window[0, 0, :2])
        counts = [np.bincount(values).tolist() for values in np.transpose(corners)]
        free, other = counts if place == 1 else counts[::-1]
        assert free == ([120] * 5 if place == 1 else [200] * 3)  # of 8 - 4 + 1 rows, of 5 - 3 + 1 columns
        assert other == [0] * (len(other) - 1) + [600] and len(other) == {1: 5, 2: 3}[fixed]
