"""Files of arrays, .npz: layouts, and what is damaged or none."""

import numpy as np
import pytest
from opened import everything, message

from tfgans.data import Dataset


def test_npz(tmp_path):
    path = tmp_path / "faces.npz"
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    np.savez(path, images=images)
    dataset = Dataset(f"npz:{path}", batch_size=1)
    assert (dataset.name, dataset.item_shape, dataset.num_classes) == ("faces", (4, 4, 1), None)
    assert (everything(dataset)[0][..., 0] == images).all()
    np.savez(path, images=np.repeat(images[..., None], 3, -1), labels=np.array([[1], [0]]))
    assert everything(Dataset(f"npz:{path}"))[1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"x": np.zeros(2)}, " has no array 'images'. Found: x"),
        (
            {"images": np.zeros((2, 3, 8, 8), np.uint8)},
            ": images must be uint8 [n, h, w] or [n, h, w, c] with c from 1 to 4. Received: uint8 [2, 3, 8, 8]",
        ),
        (
            {"images": np.zeros((2, 8, 8, 3), np.float32)},
            ": images must be uint8 [n, h, w] or [n, h, w, c] with c from 1 to 4. Received: float32 [2, 8, 8, 3]",
        ),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, " has no images: its images are [0, 8, 8]"),
        (
            {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.zeros(3, np.int64)},
            ": labels must be integers [2]. Received: int64 [3]",
        ),
    ],
)
def test_npz_of_other_layouts(tmp_path, arrays, line):
    np.savez(tmp_path / "x.npz", **arrays)
    path = tmp_path / "x.npz"
    assert message(source=f"npz:{path}") == f"npz file {path}{line}"


def test_a_damaged_npz_says_where_and_why(tmp_path):
    path = tmp_path / "x.npz"
    images = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    np.savez_compressed(path, images=images)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40  # zlib's own exception
    path.write_bytes(bytes(data))
    assert message(source=f"npz:{path}").startswith(f"{path} cannot be read as an npz data set: ")
    np.savez(path, images=np.array([images[0], images[1][:4]], dtype=object))
    assert message(source=f"npz:{path}").endswith("data set: array images holds Python objects")
    np.savez(path, images=images, other=np.array([None], object))  # what is not asked for does not matter
    assert Dataset(f"npz:{path}", batch_size=2).num_examples == 4


def test_npz_files_that_are_none(tmp_path):
    path = tmp_path / "x.npz"
    assert message(source=f"npz:{path}") == f"npz file {path} does not exist"
    path.write_text("text")
    assert (
        message(source=f"npz:{path}") == f"{path} cannot be read as an npz data set: File is not a zip file"
    )
    np.save(tmp_path / "y.npy", np.zeros(3))
    assert message(source=f"npz:{tmp_path / 'y.npy'}").endswith("npz data set: File is not a zip file")
