"""What a run keeps of the contents of many images, and what of them has changed."""

import hashlib
import io

import numpy as np
import pytest
from small_folders import opened, save, take

from tfgans.config import ConfigError
from tfgans.data import contents, hashes, store
from tfgans.run.identity import Identity


def identity(run, dataset):
    return Identity(run, "Dataset.batch_size = 4\n", dataset)


class Evaluator:
    class features:
        name, fingerprint = "some", staticmethod(lambda: "w")


@pytest.mark.parametrize("first", [0.0, 4.0])
def test_a_run_goes_on_whatever_the_memory(folder, many, tmp_path, caplog, first):
    (tmp_path / "run").mkdir()
    begun = opened(folder, memory=first)
    identity(tmp_path / "run", begun).write(0, Evaluator())
    before = (tmp_path / "run" / "data.json").read_text()
    assert ('"digests": "ends"' in before) == (first == 0.0) and '"blocks"' in before
    other = opened(folder, memory=4.0 - first)
    assert (
        other.contents().kind != begun.contents().kind
        and other.contents().fingerprint != begun.contents().fingerprint
    )
    assert begun.fingerprint() != other.fingerprint() == begun.fingerprint(kind=other.reference_kind())
    resumed = identity(tmp_path / "run", other)
    resumed.check()
    resumed.write(4, Evaluator())
    assert (tmp_path / "run" / "data.json").read_text() == before and "not comparable" not in caplog.text
    for found, expected in zip(take(other, 4, start_step=2), take(begun, 6), strict=True):
        np.testing.assert_array_equal(found, expected[2:])
    save(folder / "a" / "03.png", 99)
    with pytest.raises(
        ConfigError, match="have changed.*12 images before, 12 now; what differs is among 12 of them"
    ):
        identity(tmp_path / "run", opened(folder, memory=4.0 - first)).check()


def test_runs_of_earlier_versions_go_on(folder, tmp_path, monkeypatch):
    """Their `data.json` lists every image, and names no kind of digest."""
    (tmp_path / "run").mkdir()
    identity(tmp_path / "run", opened(folder)).write(0)
    before = (tmp_path / "run" / "data.json").read_text()
    assert '"digests"' not in before and '"blocks"' not in before
    monkeypatch.setattr(store, "CHECKED_ONCE", 3)
    monkeypatch.setattr(contents, "_LISTED", 3)
    again = identity(tmp_path / "run", opened(folder))
    again.check()
    again.write(4)
    assert (tmp_path / "run" / "data.json").read_text() == before
    save(folder / "a" / "03.png", 99)
    with pytest.raises(ConfigError, match=r"have changed.*: 1 changed \(a/03.png\)"):
        identity(tmp_path / "run", opened(folder)).check()


def test_a_light_digest_is_of_the_length_and_both_ends():
    data = bytes(range(256)) * 40
    digest = hashes.ends_of(io.BytesIO(data))
    assert digest == hashlib.sha256((10240).to_bytes(8, "little") + data[:4096] + data[-4096:]).digest()
    for place, same in ((0, False), (4095, False), (4096, True), (6143, True), (6144, False), (10239, False)):
        other = bytearray(data)
        other[place] ^= 1
        assert (hashes.ends_of(io.BytesIO(bytes(other))) == digest) == same
    whole = [hashes.ends_of(io.BytesIO(data[:size])) for size in (0, 1, 4096, 4097, 8192)]
    assert whole[3] == hashlib.sha256((4097).to_bytes(8, "little") + data[:4097]).digest()
    assert (
        whole[4] == hashlib.sha256((8192).to_bytes(8, "little") + data[:8192]).digest()
        and len(set(whole)) == 5
    )


def blocks(digests, labels=None):
    """`Contents` of items with these digests."""

    class Some:
        kind = hashes.WHOLE

        def content(self, indices, kind):
            return digests[indices].tobytes()

        def names(self, indices):
            return [f"{i:04d}" for i in indices]

    return contents.Contents.of(Some(), np.arange(len(digests)), labels, None)


def test_changes_among_many_images(monkeypatch):
    """5,000 items in blocks that they cut themselves: a change alters its own block alone."""
    monkeypatch.setattr(contents, "_LISTED", 100)
    digests = np.random.RandomState(0).randint(0, 256, (5000, 32), np.uint8)
    labels = np.zeros(5000, np.int32)
    before = blocks(digests, labels)
    counts, starts = before.blocks.counts, np.cumsum([0, *before.blocks.counts])
    assert 3 <= len(counts) <= 8 and sum(counts) == 5000 and before.names is before.labels is None
    changed = digests.copy()
    changed[1234, 20] ^= 1
    place = np.searchsorted(starts, 1234, "right") - 1
    line = f"5,000 images before, 5,000 now; what differs is among {counts[place]:,} of them"
    line = f"{line}, from {starts[place]:04d} on"
    assert before.changes(blocks(changed, labels)) == line
    added = blocks(np.insert(digests, 1234, 7, 0), np.zeros(5001, np.int32))
    assert before.changes(added) == line.replace("5,000 now", "5,001 now").replace(
        f"{counts[place]:,} of", f"{counts[place] + 1:,} of"
    )
    other = labels.copy()
    other[4999] = 1
    assert before.changes(blocks(digests, other)).endswith(f"of them, from {starts[-2]:04d} on")
    first, second, third = starts[1:4]
    swapped = np.concatenate([digests[:first], digests[second:third], digests[first:second], digests[third:]])
    line = f"the images come in another order, from {first:04d} on"
    assert before.changes(blocks(swapped, labels)) == line
    assert before.changes(blocks(digests, labels)) is None
