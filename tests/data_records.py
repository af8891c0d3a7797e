"""What `data.json` of a run's folder says, made up: of a run on one image that nobody has."""

import json


def record(*changes, fingerprint="f", images=1, **more):
    """The file's object.

    Args: changes: entries of its history after the first, {"step": ...} each. more: what it says besides, or instead.
    """
    said = {"fingerprint": fingerprint, "images": images, "source": "folder:a", "classes": None, "files": {}}
    said |= {"evaluation": {}, "items": {"names": None, "hashes": None, "labels": None}}
    start = {"step": 0, "fingerprint": fingerprint, "images": images}
    return said | {"history": [start, *changes]} | more


def measured_anew(folder, *steps):
    """Says in a run's folder that after these steps evaluations compared with other images, and as many."""
    changes = [{"step": step, "evaluation": {"images": "others"}} for step in steps]
    (folder / "data.json").write_text(json.dumps(record(*changes)))
