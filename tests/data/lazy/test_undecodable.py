"""Images that cannot be used: found by their headers before training, or while they are trained on."""

import os

import numpy as np
import pytest
from PIL import Image
from small_folders import opened, save, take

from tfgans.config import ConfigError


def cut(path):
    """Truncates an image so that its header still says what it did."""
    noise = np.random.RandomState(0).randint(0, 256, (4, 4), np.uint8)
    Image.fromarray(noise).save(path, compress_level=0)
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize("replicas", [1, 2])
def test_an_image_that_does_not_decode_is_replaced_by_the_next(folder, many, caplog, replicas):
    """Of level 50 the next one is 60, whose class is another one; of 110 that is 0."""
    cut(folder / "a" / "05.png")
    cut(folder / "b" / "11.png")
    dataset = opened(folder, on_bad_image="skip")
    assert dataset.skipped == 0 and dataset.num_examples == 12
    levels, labels = take(dataset, 9 * replicas, local_replicas=replicas, total_replicas=replicas)
    if replicas == 2:
        levels, labels = (np.concatenate(np.split(each, 18), 1).reshape(9, 4) for each in (levels, labels))
    for epoch in range(3):
        found = sorted(levels[3 * epoch : 3 * epoch + 3].ravel())
        assert found == [0, 0, 10, 20, 30, 40, 60, 60, 70, 80, 90, 100]
    np.testing.assert_array_equal(labels, levels >= 60)
    lines = sorted(record.getMessage() for record in caplog.records)
    assert dataset.skipped == 2 and [line.partition(": ")[2] for line in lines] == [
        "a/05.png cannot be used (truncated); the next one takes its place",
        "b/11.png cannot be used (truncated); the next one takes its place",
    ]
    again = take(opened(folder, on_bad_image="skip"), 4, start_step=5)
    np.testing.assert_array_equal(again, (levels[5:], labels[5:]))
    images, labels = next(dataset.reference())
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 60, 60, 70, 80, 90, 100, 0]
    assert labels.tolist() == [0] * 5 + [1] * 6 + [0]


def test_the_next_image_is_one_that_is_trained_on(folder, many):
    cut(folder / "a" / "05.png")
    options = {"fraction": 0.5, "fraction_order": "first", "batch_size": 3, "on_bad_image": "skip"}
    dataset = opened(folder, **options)
    assert sorted(take(dataset, 2)[0].ravel()) == [0, 0, 10, 20, 30, 40]
    images, labels = next(dataset.examples())
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 0] and labels.tolist() == [0] * 6


def message(dataset):
    with pytest.raises(ConfigError) as caught:
        for _ in dataset.reference(batch_size=1):
            pass
    return str(caught.value).partition(": ")[2]


def test_images_that_end_the_run(folder, many):
    cut(folder / "a" / "05.png")
    assert message(opened(folder)) == (
        "a/05.png cannot be used (truncated); Dataset.on_bad_image = 'skip' takes the next image in its place"
    )
    for path in folder.rglob("*.png"):
        cut(path)
    assert message(opened(folder, on_bad_image="skip")) == "none of 12 images can be used"


def test_a_file_that_vanishes_or_is_replaced_is_not_passed_over(folder, many):
    """What becomes of a file in the meantime is no property of the data: who resumes would see others."""
    dataset = opened(folder, on_bad_image="skip")
    (folder / "a" / "00.png").unlink()
    assert message(dataset) == "a/00.png cannot be read any more (cannot be opened)"
    save(folder / "a" / "00.png", 0)
    os.utime(folder / "a" / "01.png", (1, 1))
    list(dataset.reference())  # the same bytes at another time
    save(folder / "a" / "02.png", 21)
    assert message(dataset) == "a/02.png cannot be read any more (it has been replaced since it was checked)"


def test_bad_headers_are_found_before_training_whatever_the_number(folder, many, caplog):
    (folder / "a" / "02.png").write_text("no image")
    with pytest.raises(
        ConfigError, match="1 of 12 images cannot be used: a/02.png .not a jpg.*leaves them out"
    ):
        opened(folder)
    dataset = opened(folder, on_bad_image="skip")
    assert (dataset.skipped, dataset.num_examples) == (1, 11)
