"""Seconds and memory until the first batch of data sets of any size, and for the order of an epoch.

    python benchmarks/data_scale.py [--indices=1000,2000] [--folders=1000] [--packed=1000] [--kinds=folder]

`folder` is one of tiny PNG files in 100 classes, at its first start and at the second, when the user's cache has
their headers; `packed` is a packed set of as tiny images, whose packing is timed, too; `index` is a set that knows
sizes and digests of its images without opening them, as packed ones do, without their files.
Nothing is held in memory. Each row is a process of its own: seconds from the time when TensorFlow has been imported
until the data set is open, until its contents are known (`data.json`, with its size) and until the first batch; those
of the order of an epoch; and the peak of memory beyond that of TensorFlow alone. The data lie in a temporary folder,
as does the cache. Prints a table, then one JSON object.
"""

import argparse
import dataclasses
import io
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tfgans.memory import peak_bytes

_CLASSES, _SIDE, _BATCH = 100, 8, 64


def write_folder(root, count):
    """`count` different gray PNG files in folders of 100 classes."""
    from PIL import Image

    for label in range(_CLASSES):
        (root / f"class{label:03d}").mkdir(parents=True)
    for i in range(count):
        file, pixels = io.BytesIO(), np.full((_SIDE, _SIDE), i % 251, np.uint8)
        pixels[0] = np.frombuffer(i.to_bytes(8, "little"), np.uint8)
        Image.fromarray(pixels).save(file, "PNG", compress_level=1)
        (root / f"class{i % _CLASSES:03d}" / f"{i:07d}.png").write_bytes(file.getvalue())


def write_packed(root, count):
    """A packed set of `count` different gray images in 100 classes; returns the seconds it took."""
    from tfgans.data import ArrayItems, packing
    from tfgans.data.looking import look_at
    from tfgans.data.recoding import Form

    class Source:
        splits, default_resolution = ("train",), None

        def open(self, split):
            pixels = np.zeros((count, _SIDE, _SIDE, 1), np.uint8)
            pixels[:, 0] = np.arange(count)[:, None].view(np.uint8).reshape(count, _SIDE, 1)
            return ArrayItems(pixels, np.arange(count) % _CLASSES)

    began = time.perf_counter()
    packing.pack([look_at(Source(), "train", "tiny", Form())], Form(), "tiny", root, packing.Options())
    return time.perf_counter() - began


class Index:
    """A source of `count` images that knows all of them but their pixels."""

    splits = ("train",)

    def __init__(self, count):
        self.count = count

    def open(self, split):
        from tfgans.data import ArrayItems

        class Known(ArrayItems):
            checked = True

            def facts(self):
                return np.full((len(self), 2), _SIDE, np.int32), np.ones(len(self), bool)

            def digests(self, indices):
                numbers = np.asarray(indices).astype(np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
                return np.repeat(numbers, 4, 1).view(np.uint8)

        pixels = np.broadcast_to(np.uint8(7), (self.count, _SIDE, _SIDE, 1))
        return Known(pixels, np.arange(self.count) % _CLASSES)


def measure(source):
    """What the child prints: a dictionary of numbers."""
    import tensorflow as tf

    from tfgans.data import Dataset, philox

    with tf.device("CPU"):
        tf.zeros(1)
    alone, began = peak_bytes(), time.perf_counter()

    def since():
        return round(time.perf_counter() - began, 2)

    dataset = Dataset(
        Index(int(source)) if source.isdigit() else source, batch_size=_BATCH, memory_limit_gb=0.0
    )
    found = {"images": dataset.num_examples, "opened": since()}
    contents = json.dumps(dataclasses.asdict(dataset.contents()))
    found |= {"known": since(), "data_json_megabytes": round(len(contents) / 1e6, 2)}
    next(iter(dataset.batches(1, 0)))
    found["first_batch"] = since()
    began = time.perf_counter()
    philox.permutation(dataset.num_examples, 0, philox.ORDER, 1)
    return found | {"order": since(), "megabytes": round((peak_bytes() - alone) / 1e6)}


def run(source, cache):
    """What a process of its own measures."""
    command = [sys.executable, __file__, f"--child={source}"]
    done = subprocess.run(
        command, env=os.environ | {"XDG_CACHE_HOME": str(cache)}, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def rows(options):
    """Yields (kind, what its process measured)."""
    if "index" in options.kinds:
        for count in options.indices.split(","):
            with tempfile.TemporaryDirectory() as place:
                yield "index", run(count, place)
    if "packed" in options.kinds:
        for count in options.packed.split(","):
            with tempfile.TemporaryDirectory() as place:
                # In a process of its own: the peak of this one's memory would count as that of those it starts.
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    seconds = pool.apply(write_packed, (Path(place) / "packed", int(count)))
                yield f"packed in {seconds:.0f} s", run(f"packed:{place}/packed", Path(place) / "cache")
    if "folder" in options.kinds:
        for count in options.folders.split(","):
            with tempfile.TemporaryDirectory() as place:
                write_folder(Path(place) / "images", int(count))
                time.sleep(2.1)  # of files younger than two seconds nothing is kept
                for start in ("first", "second"):
                    yield f"folder, {start} start", run(f"folder:{place}/images", Path(place) / "cache")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--indices", default="10000,100000,1280000", help="images of each set of kind index")
    parser.add_argument("--folders", default="10000,100000", help="files of each folder")
    parser.add_argument("--packed", default="10000,100000", help="images of each packed set")
    parser.add_argument("--kinds", default="index,packed,folder")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child)))
        return
    found = []
    print(
        "| kind | images | opened | known | first batch | order | MB | data.json, MB |\n" + "|---" * 8 + "|"
    )
    for kind, row in rows(options):
        found.append({"kind": kind} | row)
        names = ("images", "opened", "known", "first_batch", "order", "megabytes", "data_json_megabytes")
        print(f"| {kind} | " + " | ".join(f"{row[name]:,}" for name in names) + " |", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
