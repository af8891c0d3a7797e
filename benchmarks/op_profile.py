"""Where a step's time goes: milliseconds by kind of TensorFlow operation, summed over the threads that ran them."""

import collections
import glob
import os
import tempfile

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2  # has no public name


def captured(run, times):
    """TensorFlow's profile (XSpace) of so many calls of `run`, which has been compiled before, and its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(times):
            run()
        tf.profiler.experimental.stop()
        (path,) = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
        with open(path, "rb") as file:
            data = file.read()
    space = xplane_pb2.XSpace()
    space.ParseFromString(data)
    return space, data


def operation_times(run, times=3):
    """{kind of operation: milliseconds a call of `run`}, largest first; `run` must have been compiled before."""
    space, _ = captured(run, times)
    totals = collections.Counter()
    for plane in space.planes:
        names = plane.event_metadata
        for line in plane.lines:
            for event in line.events:
                operation, _, kernel = names[event.metadata_id].name.partition(":")
                if kernel and "::" not in names[event.metadata_id].name and " " not in kernel:
                    kind = kernel.removeprefix("_MklNative") if kernel else operation
                    totals[kind] += event.duration_ps / 1e9 / times
    return dict(totals.most_common())
