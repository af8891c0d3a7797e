"""Order and augmentation are pure functions of (seed, step, position)."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfgans.config import ConfigError
from tfgans.data import Dataset, philox, to_uint8
from tfgans.data.pipeline import augment, view


def archive(folder, count=23, side=4, **options):
    """A data set whose image i has red level i everywhere, blue its column, and label i % 3."""
    images = np.zeros((count, side, side, 3), np.uint8)
    images[..., 0] = np.arange(count)[:, None, None]
    images[..., 2] = np.arange(side)
    np.savez(folder / "images.npz", images=images, labels=np.arange(count) % 3)
    return Dataset(f"npz:{folder / 'images.npz'}", **options)


def take(dataset, count, discriminator_steps=1, seed=7, **options):
    batches = dataset.batches(discriminator_steps, seed, **options)
    return [
        {name: value.numpy() for name, value in batch.items()} for batch in itertools.islice(batches, count)
    ]


def identities(batch):
    return to_uint8(batch["images"])[..., 0, 0, 0]


def test_elements_are_static_and_labels_stay_with_their_images(tmp_path):
    dataset = archive(tmp_path, batch_size=4)
    spec = dataset.batches(2, 0).element_spec
    assert spec == {
        "images": tf.TensorSpec([2, 4, 4, 4, 3], tf.float32),
        "labels": tf.TensorSpec([2, 4], tf.int32),
    }
    for batch in take(dataset, 5, 2):
        assert (identities(batch) % 3 == batch["labels"]).all()
        assert batch["images"].min() >= -1.0 and batch["images"].max() <= 1.0


def test_an_epoch_has_every_image_at_most_once_and_epochs_differ(tmp_path):
    """23 images, 2 x 5 a step: two steps an epoch, three images left over each time."""
    batches = [identities(batch).ravel() for batch in take(archive(tmp_path, batch_size=5), 40, 2)]
    epochs = [np.concatenate(batches[2 * k : 2 * k + 2]) for k in range(20)]
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 20
    assert set(np.concatenate(epochs)) == set(range(23))


def test_seeds_differ(tmp_path):
    dataset = archive(tmp_path, batch_size=5)
    first, second = (identities(take(dataset, 1, seed=seed)[0]).ravel().tolist() for seed in (0, 1))
    assert first != second
    assert first == identities(take(dataset, 1, seed=0)[0]).ravel().tolist()


OPTIONS = [
    {},
    {"flip": True},
    {"flip": True, "random_area": (0.5, 1.0)},
    {"flip": True, "random_area": (0.5, 1.0), "resolution": 3},
    {"random_area": (0.5, 1.0), "resolution": 3, "memory_limit_gb": 0.0},
    {"memory_limit_gb": 0.0, "flip": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("start", [1, 2, 5, 9])
def test_a_resumed_run_sees_the_same_bits(tmp_path, options, start):
    """Two steps an epoch, so that 2 and more lie beyond the first one."""
    dataset = archive(tmp_path, batch_size=5, **options)
    whole, resumed = take(dataset, 12, 2), take(dataset, 12 - start, 2, start_step=start)
    for expected, found in zip(whole[start:], resumed, strict=True):
        assert (expected["images"] == found["images"]).all()
        assert (expected["labels"] == found["labels"]).all()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_replicas_together_see_what_one_does(tmp_path, options):
    dataset = archive(tmp_path, batch_size=6, **options)
    one = take(dataset, 5, 2)
    two = take(dataset, 10, 2, local_replicas=2, total_replicas=2)
    workers = [take(dataset, 5, 2, first_replica=r, total_replicas=3) for r in range(3)]
    for step in range(5):
        for name in ("images", "labels"):
            assert (
                np.concatenate([two[2 * step][name], two[2 * step + 1][name]], 1) == one[step][name]
            ).all()
            assert (np.concatenate([worker[step][name] for worker in workers], 1) == one[step][name]).all()


def test_replicas_in_order_from_a_later_step(tmp_path):
    """Element e: step 3 + e // 2, replica 1 + e % 2."""
    dataset = archive(tmp_path, batch_size=6)
    whole = take(dataset, 6)
    found = take(dataset, 4, start_step=3, first_replica=1, local_replicas=2, total_replicas=3)
    for e, batch in enumerate(found):
        replica = 1 + e % 2
        assert (batch["images"] == whole[3 + e // 2]["images"][:, 2 * replica : 2 * replica + 2]).all()


def test_memory_or_disk_makes_no_difference(tmp_path):
    kept, read = archive(tmp_path, batch_size=6), archive(tmp_path, batch_size=6, memory_limit_gb=0.0)
    assert (kept._store.in_memory, read._store.in_memory) == (True, False)
    for a, b in zip(take(kept, 4), take(read, 4), strict=True):
        assert (a["images"] == b["images"]).all()


def test_half_of_the_images_are_mirrored(tmp_path):
    """2,000 draws of probability a half: 1,000, standard deviation 22; blue tells the side."""
    batches = take(archive(tmp_path, batch_size=20, flip=True), 100)
    left = np.concatenate([to_uint8(batch["images"])[0, :, 0, 0, 2] for batch in batches])
    assert set(left) == {0, 3}
    assert abs((left == 3).sum() - 1000) < 110


def test_random_crops_cover_all_positions(tmp_path):
    """Images of 4 x 8 at side 4: the left edge is one of five columns, each a fifth of the time."""
    images = np.tile(np.arange(8, dtype=np.uint8), (10, 4, 1))
    np.savez(tmp_path / "wide.npz", images=images)
    dataset = Dataset(f"npz:{tmp_path / 'wide.npz'}", batch_size=10, resolution=4, crop="random")
    found = np.concatenate([to_uint8(batch["images"])[0, :, :, :, 0] for batch in take(dataset, 200)])
    assert (found == found[:, :, :1] + np.arange(4)).all()
    counts = np.bincount(found[:, 0, 0])
    assert len(counts) == 5 and (abs(counts - 400) < 100).all()
    middle = next(dataset.reference())[0][0, 0, :, 0]
    assert middle.tolist() == [2, 3, 4, 5]


def test_random_area():
    """A ramp of slope 1: the window of side s has slope s when enlarged, between sqrt(0.25) and 1."""
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))[..., None]
    draws = philox.uniform((300, 4), 0, philox.AUGMENTATION)
    views = [view(ramp, (64, 64), draw, (0.25, 1.0))[30, :, 0].astype(float) for draw in draws]
    assert all(len(row) == 64 for row in views)
    slopes = np.array([(row[50] - row[13]) / 37 for row in views])
    expected = np.round(64 * np.sqrt(0.25 + 0.75 * draws[:, 3])) / 64
    np.testing.assert_allclose(slopes, expected, atol=0.03)
    assert (view(ramp, (64, 64), draws[0], (1.0, 1.0)) == ramp).all()


@pytest.mark.parametrize(("width", "highest"), [(100, 1.0), (110, 1 / 1.1), (124, 1 / 1.24)])
def test_random_area_is_a_share_of_the_original(width, highest):
    """Squares out of 100 x width at 40 x 40: a share of the area among those that fit, anywhere it fits."""
    ramp = np.tile(np.arange(width, dtype=np.uint8), (100, 1))[..., None]
    draws = philox.uniform((400, 4), 0, philox.AUGMENTATION)
    views = [view(ramp, (40, 40), draw, (0.8, 1.0)) for draw in draws]
    assert all(picture.shape == (40, 40, 1) for picture in views)
    rows = np.stack([picture[20, :, 0].astype(float) for picture in views])
    sides = (rows[:, 37] - rows[:, 2]) / 35 * 40  # a column of 40 stands for side / 40 columns
    share = 0.8 + (highest - 0.8) * draws[:, 3]
    expected = np.round(np.sqrt(share * 100 * width))
    np.testing.assert_allclose(sides, expected, atol=1.2)
    lefts = rows[:, 20] - (20.5 / 40 * sides - 0.5)
    np.testing.assert_allclose(lefts, np.floor(draws[:, 2] * (width - expected + 1)), atol=1.2)
    assert lefts.min() < 2 and lefts.max() > width - expected.max() - 2


def test_no_share_fits_a_long_image():
    """80 % of 100 x 140 is more than the 100 x 100 that fit: the middle, whatever is drawn."""
    ramp = np.tile(np.arange(140, dtype=np.uint8), (100, 1))[..., None]
    for draw in philox.uniform((5, 4), 0, philox.AUGMENTATION):
        assert (view(ramp, (100, 100), draw, (0.8, 1.0)) == ramp[:, 20:120]).all()


def test_random_area_of_a_data_set_of_larger_images(tmp_path):
    """Images of 8 x 9 at side 4; the reference is that of the middle crop, and so is what it is known by."""
    images = np.tile(np.arange(0, 90, 10, dtype=np.uint8), (12, 8, 1))
    np.savez(tmp_path / "large.npz", images=images)
    source = f"npz:{tmp_path / 'large.npz'}"
    options = {"resolution": 4, "batch_size": 6}
    dataset = Dataset(source, random_area=(0.8, 1.0), flip=True, **options)
    plain = Dataset(source, **options)
    assert dataset.item_shape == plain.item_shape == (4, 4, 1)
    assert dataset.fingerprint() == plain.fingerprint()
    for mine, theirs in zip(dataset.reference(), plain.reference(), strict=True):
        assert (mine[0] == theirs[0]).all()
    found = np.concatenate([to_uint8(batch["images"])[0, ..., 0] for batch in take(dataset, 60)]).astype(int)
    # All sides that fit are 8 (0.8 * 72 = 57.6 is 7.6 squared), so the window is columns 0 to 7 or 1 to 8:
    # the squeezed ramps begin 10 apart.
    assert abs((found[:, 0, 0] > found[:, 0, 3]).sum() - 180) < 60
    upright = np.where(found[:, :1, :1] < found[:, :1, 3:], found, found[:, :, ::-1])
    first = np.bincount(upright[:, 0, 0]).nonzero()[0]
    assert len(first) == 2 and first[1] - first[0] == 10
    squashed = Dataset(source, random_area=(0.5, 0.5), crop="none", **options)
    reference = Dataset(source, crop="none", **options)
    assert squashed.fingerprint() == reference.fingerprint()


def test_mirroring_leaves_the_stored_images_alone():
    images = np.arange(8, dtype=np.uint8).reshape(1, 2, 4, 1)
    draws = np.array([[0.2, 0.0, 0.0, 0.0]])
    assert augment(images.copy(), (2, 4), draws, True, None)[0, 0, :, 0].tolist() == [3, 2, 1, 0]
    dataset = Dataset("digits", flip=True)
    before = dataset.fingerprint("train")
    take(dataset, 30)
    assert dataset.fingerprint("train") == before


def test_permutations_are_uniform():
    """Where 0 goes in 6,000 epochs, six places of 1,000 each; chi square of 5 degrees stays below 20.5 (0.1 %)."""
    places = [np.flatnonzero(philox.permutation(6, 3, philox.ORDER, epoch) == 0)[0] for epoch in range(6000)]
    counts = np.bincount(places, minlength=6)
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5


def test_the_stream_never_changes():
    """Golden: a change here would silently change every data order."""
    assert philox.permutation(8, 5, philox.ORDER, 2).tolist() == [7, 3, 5, 6, 0, 4, 2, 1]


def test_normal_pairs_are_normal():
    pairs = philox.normal_pairs(20000, 0, philox.POINTS)
    np.testing.assert_allclose(pairs.mean(0), 0.0, atol=0.03)
    np.testing.assert_allclose(np.cov(pairs.T), np.eye(2), atol=0.05)
    np.testing.assert_allclose((pairs**4).mean(), 3.0, atol=0.2)


def test_a_batch_that_replicas_cannot_share_or_that_is_larger_than_the_set_is_refused(tmp_path):
    line = "Dataset.batch_size must be a multiple of the number of replicas, 4. Received: 6"
    with pytest.raises(ConfigError, match=line):
        archive(tmp_path, batch_size=6).batches(2, 0, total_replicas=4)
    archive(tmp_path, batch_size=23).check(2)
    with pytest.raises(ConfigError) as caught:
        archive(tmp_path, batch_size=24).batches(2, 0)
    assert str(caught.value) == (
        "too few images for one step: 23, but it takes 48 (batch_size 24 x 2 real batches), "
        "and batch_size is at most the number of images"
    )
    smaller = min(archive(tmp_path, batch_size=12).halves(), key=lambda half: half.num_examples)
    with pytest.raises(ConfigError, match="for one step: 11 in a half of them, but it takes 12 "):
        smaller.check(1)


@pytest.mark.parametrize(("steps", "turns", "often"), [(2, 2, "more than once"), (5, 4, "several times")])
def test_fewer_images_than_a_step_takes_come_again_within_it(tmp_path, caplog, steps, turns, often):
    """5 images: the first of a step's turns have each of them once, the last one some of them, without repetition."""
    dataset = archive(tmp_path, count=5, batch_size=4)
    taken, orders, places, alike = 4 * steps, set(), [], 0
    for batch in take(dataset, 300, discriminator_steps=steps):
        shown = to_uint8(batch["images"])[..., 0, 0, 0].ravel()
        np.testing.assert_array_equal(batch["labels"].ravel(), shown % 3)
        for turn in range(turns):
            part = shown[5 * turn : 5 * turn + 5]
            assert len(set(part)) == len(part) == min(5, taken - 5 * turn)
            orders.add(tuple(part))
        places.append(shown[0])
        alike += (shown[5:8] == shown[:3]).all()
    assert alike < 30  # of 300: one in 60
    assert len(orders) > 100 and (np.bincount(places) > 30).all()  # of 120 whole orders; 60 on average
    told = f"has 5 images and a step takes {taken} (batch_size 4 x {steps} real batches)"
    assert told in caplog.text and f"it sees them {often}" in caplog.text


def test_that_images_come_again_is_said_once(tmp_path, caplog):
    """The picture of training images asks for the same batches as training does."""
    dataset = archive(tmp_path, count=6, batch_size=3)
    for discriminator_steps, count in ((4, 1), (4, 1), (3, 2), (4, 2)):
        dataset.batches(discriminator_steps, 0)
        assert caplog.text.count("has 6 images and a step takes") == count
    dataset.halves()[1].batches(4, 0)
    assert caplog.text.count("has 3 images and a step takes 12") == 1


@pytest.mark.parametrize("balance", [False, True])
def test_small_sets_depend_on_the_step_alone_as_large_ones(tmp_path, caplog, balance):
    dataset = archive(tmp_path, count=5, batch_size=3, balance=balance)
    whole = take(dataset, 7, 4)
    for start, wanted in enumerate(whole):
        (batch,) = take(dataset, 1, 4, start_step=start)
        np.testing.assert_array_equal(batch["images"], wanted["images"])
    shares = [take(dataset, 3, 4, first_replica=k, total_replicas=3) for k in range(3)]
    for step in range(3):
        both = np.concatenate([share[step]["images"] for share in shares], 1)
        np.testing.assert_array_equal(both, whole[step]["images"])
    if balance:
        labels = np.concatenate([batch["labels"].ravel() for batch in whole])
        assert np.bincount(labels).tolist() == [28, 28, 28]
    archive(tmp_path, count=6, batch_size=3).batches(2, 0)
    assert "6 images" not in caplog.text  # a step that takes all once


@pytest.mark.slow
@pytest.mark.parametrize("memory_limit_gb", [4.0, 0.0])
def test_a_process_ends_while_data_is_prefetched(memory_limit_gb):
    """Without quiet_exit most such processes never end: two tries would both have to be lucky."""
    script = (
        "from tfgans.data import Dataset\n"
        f"batches = iter(Dataset('digits', resolution=32, memory_limit_gb={memory_limit_gb}).batches(1, 0))\n"
        "for _ in range(50): next(batches)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True).returncode == 0
