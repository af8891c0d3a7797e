"""What a GPU does during updates: how long it works, by how many kernels, and which of TensorFlow's operations ask.

For `gpu_case.py`. Of a profile by `tf.profiler`, whose file is kept if there is a name for it.
"""

import collections
import gzip

from op_profile import captured


def stat_of(plane, event, name):
    """A text that the profiler noted of an event, or None."""
    for stat in event.stats:
        if plane.stat_metadata[stat.metadata_id].name == name:
            return stat.str_value or plane.stat_metadata[stat.ref_value].name
    return None


def kernels(space):
    """(start, end, kernel, operation) of what ran on the first GPU, times in picoseconds, by their start."""
    found = []
    for plane in space.planes:
        if not plane.name.startswith("/device:GPU:0"):
            continue
        for line in plane.lines:
            if not line.name.startswith("Stream"):
                continue
            for event in line.events:
                start = 1000 * line.timestamp_ns + event.offset_ps
                kernel = plane.event_metadata[event.metadata_id].name
                operation = stat_of(plane, event, "tf_op") or ""
                found.append((start, start + event.duration_ps, kernel, operation))
    return sorted(found)


def covered(intervals):
    """The length of the union of intervals (start, end, ...), which are sorted."""
    total, reached = 0, float("-inf")
    for start, end, *_ in intervals:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def summary(space, updates, most=12):
    """Of an update, in milliseconds: how long the GPU worked, and longest for what.

    Returns:
        {"gpu_ms", "kernels", "copies", "span_ms": from the first to the end of the last, "operations": {kind of
        operation: ms}, "kernel_names": {kernel: ms}}, the last two of the `most` that took longest.
    """
    events = kernels(space)
    if not events:
        return {"kernels": 0}
    operations, names = collections.Counter(), collections.Counter()
    for start, end, kernel, operation in events:
        kind = operation.rpartition(":")[2] or operation
        operations[kind or "?"] += (end - start) / 1e9 / updates
        names[kernel[:80]] += (end - start) / 1e9 / updates
    copies = sum("memcpy" in kernel.lower() for _, _, kernel, _ in events)
    return {
        "gpu_ms": round(covered(events) / 1e9 / updates, 3),
        "span_ms": round((max(event[1] for event in events) - events[0][0]) / 1e9 / updates, 3),
        "kernels": round((len(events) - copies) / updates),
        "copies": round(copies / updates),
        "operations": {kind: round(ms, 3) for kind, ms in operations.most_common(most)},
        "kernel_names": {kind: round(ms, 3) for kind, ms in names.most_common(most)},
    }


def profile(run, updates, path=None):
    """`summary` of so many calls of `run(1)`; the profile is kept, packed, where `path` says."""
    space, data = captured(lambda: run(1), updates)
    if path:
        with gzip.open(path, "wb") as file:
            file.write(data)
    return summary(space, updates)
