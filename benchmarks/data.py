"""Images a second from each kind of source, beside tf.data reading TFRecords and a loader as PyTorch's with Pillow.

    python benchmarks/data.py [--quick] [--side=256] [--threads=2] [--rounds=5]

The images are crops of scikit-learn's two photographs, as JPEG of quality 90 and as PNG, of 64, 256 and 1024 pixels:

- `memory`, `packed`, `zip`, `folder`: `Dataset`'s store, batches at random places, by so many threads; all but the
  first decode every image whenever it is read, and compare its hash or checksum where the source has one.
- `tf.data`: `TFRecordDataset`, one after the other, the format's decoder of `tf.io`, batched, in a pool of so many
  threads.
- `pillow`: files opened, converted and made arrays of by so many processes, in shared memory, as PyTorch's loader
  does.

All take turns in each round. Prints a table, then one JSON object: images/s, and ratios, medians over rounds: of
images/s, and of images in a second of the processor (`cpu`), which other work on the machine changes less. Goals:
`packed` at least 1.0 of tf.data, `memory` at least 50 times `folder`.
"""

import argparse
import json
import mmap
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
SIDES, THREADS, FORMATS = (64, 256, 1024), (1, 2), ("jpeg", "png")
PIXELS = 64 * 256 * 256  # of the images of a round, about


def make_images(folder, side, kind, count):
    """Writes `count` files; returns their paths."""
    from sklearn.datasets import load_sample_image

    photos = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    random, paths = np.random.default_rng(side), []
    for i in range(count):
        cut = min(max(side, 128), 400)
        left, top = (int(random.integers(0, length - cut + 1)) for length in photos[0].size)
        image = photos[i % 2].crop((left, top, left + cut, top + cut)).resize((side, side))
        paths.append(folder / f"{i:05}.{kind}")
        image.save(paths[-1], **({"quality": 90} if kind == "jpeg" else {}))
    return paths


class Ours:
    """`Dataset` of a source, by its store."""

    def __init__(self, source, side, batch, threads, memory):
        from tfgans.data import Dataset

        dataset = Dataset(source, resolution=side, batch_size=1, memory_limit_gb=8.0 if memory else 0.0)
        self.store, self.batch = dataset._store, batch
        if not memory:
            self.store.pool.shutdown()
            self.store.pool = ThreadPoolExecutor(threads)

    def __call__(self, order):
        for start in range(0, len(order), self.batch):
            self.store.read(order[start : start + self.batch])


class TensorFlows:
    """tf.data with its own decoder."""

    def __init__(self, paths, side, batch, threads):
        import tensorflow as tf

        path = paths[0].parent.parent / f"{paths[0].suffix[1:]}.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for each in paths:
                feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[each.read_bytes()]))
                features = tf.train.Features(feature={"image": feature})
                writer.write(tf.train.Example(features=features).SerializeToString())
        decode = tf.io.decode_jpeg if paths[0].suffix == ".jpeg" else tf.io.decode_png

        def parse(record):
            found = tf.io.parse_single_example(record, {"image": tf.io.FixedLenFeature([], tf.string)})
            return tf.ensure_shape(decode(found["image"], channels=3), (side, side, 3))

        data = tf.data.TFRecordDataset(str(path)).map(parse, num_parallel_calls=threads).batch(batch)
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        options.threading.max_intra_op_parallelism = 1
        self.data = data.with_options(options)

    def __call__(self, order):
        for _ in self.data:
            pass


_shared = {}


def _begin(memory, shape):
    _shared["batch"] = np.frombuffer(memory, np.uint8).reshape(shape)


def _load(job):
    slot, paths = job
    for k, path in enumerate(paths):
        with open(path, "rb") as file:
            _shared["batch"][slot, k] = np.asarray(Image.open(file).convert("RGB"))
    return slot


class Pillows:
    """Processes that write batches into memory they share."""

    def __init__(self, paths, side, batch, threads):
        shape = (2 * threads, batch, side, side, 3)
        memory = mmap.mmap(-1, int(np.prod(shape)))
        # forked before TensorFlow has started a thread
        self.pool = multiprocessing.get_context("fork").Pool(threads, _begin, (memory, shape))
        self.paths, self.batch, self.slots = paths, batch, shape[0]

    def __call__(self, order):
        paths = [self.paths[i] for i in order]
        parts = [paths[start : start + self.batch] for start in range(0, len(paths), self.batch)]
        jobs = [(k % self.slots, part) for k, part in enumerate(parts)]
        for _ in self.pool.imap(_load, jobs):
            pass

    def close(self):
        self.pool.terminate()
        self.pool.join()


def packed(folder, images):
    from tfgans.data import packing, recoding
    from tfgans.run import packs

    packs.pack(packs.Origin(str(images)), folder / "packed", recoding.Form(), packing.Options())
    return f"packed:{folder}/packed"


def zipped(folder, paths):
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        for path in paths:
            archive.write(path, path.name)
    return f"zip:{folder}/x.zip"


def measure(side, kind, threads, count, rounds):
    """{name: [(images/s, images in a second of this process's processors) of each round]}."""
    batch = max(4, min(64, count // 8))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "images").mkdir()
        paths = make_images(folder / "images", side, kind, count)
        pillow = Pillows(paths, side, batch, threads)
        images = f"folder:{folder}/images"
        sources = {
            "memory": images,
            "packed": packed(folder, folder / "images"),
            "zip": zipped(folder, paths),
        }
        contenders = {
            name: Ours(source, side, batch, threads, name == "memory")
            for name, source in (sources | {"folder": images}).items()
        } | {"tf.data": TensorFlows(paths, side, batch, threads), "pillow": pillow}
        found = {name: [] for name in contenders}
        random = np.random.default_rng(0)
        for number in range(-1, rounds):
            order = random.permutation(count)
            for name, contender in contenders.items():
                repeats = 20 if name == "memory" else 1
                began = time.perf_counter(), time.process_time()
                for _ in range(repeats):
                    contender(order)
                seconds = time.perf_counter() - began[0], time.process_time() - began[1]
                if number >= 0:  # the first round only warms up
                    found[name].append(tuple(repeats * count / each for each in seconds))
        pillow.close()
    return found


def ratio(found, one, other, of=0):
    """The median over rounds of how many times as fast one is as the other. Args: of: 1 for the processor's time."""
    return statistics.median(a[of] / b[of] for a, b in zip(found[one], found[other], strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds: about two minutes")
    parser.add_argument("--side", type=int, action="append", help="of 64, 256 and 1024; repeatable")
    parser.add_argument("--threads", type=int, action="append", help="1 and 2 if not given; repeatable")
    parser.add_argument("--format", action="append", choices=FORMATS)
    parser.add_argument("--rounds", type=int)
    given = parser.parse_args()
    rounds, rows = given.rounds or (3 if given.quick else 7), []
    shown = ("packed/tf.data", "cpu", "packed/pillow", "memory/folder")
    names = ("memory", "packed", "zip", "folder", "tf.data", "pillow")
    print(f"{'':>18}" + "".join(f"{name:>10}" for name in names) + "".join(f"{name:>16}" for name in shown))
    for side in given.side or SIDES:
        count = max(24, min(1024, (PIXELS // 4 if given.quick else PIXELS) // side**2))
        for kind in given.format or FORMATS:
            for threads in given.threads or THREADS:
                found = measure(side, kind, threads, count, rounds)
                speeds = {name: statistics.median(speed for speed, _ in found[name]) for name in names}
                ratios = {
                    "packed/tf.data": ratio(found, "packed", "tf.data"),
                    "cpu": ratio(found, "packed", "tf.data", 1),
                    "packed/pillow": ratio(found, "packed", "pillow"),
                    "memory/folder": ratio(found, "memory", "folder"),
                }
                rows.append({"side": side, "format": kind, "threads": threads, **speeds, **ratios})
                print(f"{side:>5} {kind:>5} {threads} thr." + "".join(f"{speeds[name]:>10.0f}" for name in names)
                      + "".join(f"{ratios[name]:>16.2f}" for name in shown), flush=True)  # fmt: skip
    print(json.dumps({"images_per_second": rows}))


if __name__ == "__main__":
    main()
