"""Which bindings of a run may differ when it goes on: its length, what watches it, where it runs, what it keeps."""

import re

_FREE = (
    "train.",
    "search.",
    "Evaluator.",
    "strategy.",
    "build.accumulation_steps",
    "Dataset.data_dir",
    "Dataset.evaluation_",
    "Dataset.memory_limit_gb",
)
# Where the data lie: free, too, once it is known what they are.
_PLACES = ("Dataset.source", "Dataset.classes_file")
# Which images evaluations compare with decides their numbers, if not the training.
_MEASURED = "Dataset.evaluation_"
# What a network keeps for its backward pass decides no number, but for rounding.
_KEPT = ".recompute"
_OBJECT = re.compile(r"@([\w./]+)\(\)")
_REFERENCE = re.compile(r"@([\w./]+)")


def free_names(bindings, data_known, evaluated_alike=False):
    """The names of those bindings, of one configuration, that do not decide what is trained.

    Those are of what runs and watches the training, and of the objects that are made for that alone, such as an
    evaluator's feature extractor and what this refers to in turn: nothing else of the configuration names them.

    Args:
        bindings: {"Name.parameter": text}, macros in place (`identity.resolved`).
        data_known: whether the folder says what the data are, so that they may lie anywhere.
        evaluated_alike: whether images to compare with must stay the same.
    """
    places = (_PLACES if data_known else ()) + _FREE
    places = tuple(place for place in places if not evaluated_alike or place != _MEASURED)
    free = {name for name in bindings if name.startswith(places) or name.endswith(_KEPT)}
    of_watchers = _reached(bindings, {name for found in free for name in _names(_OBJECT, bindings[found])})
    while True:
        others = [
            text for name, text in bindings.items() if name not in free and _owner(name) not in of_watchers
        ]
        shared = of_watchers & {name for text in others for name in _names(_REFERENCE, text)}
        if not shared:
            return free | {name for name in bindings if _owner(name) in of_watchers}
        of_watchers -= shared


def _reached(bindings, names):
    """`names` and all that their bindings refer to."""
    found, left = set(), set(names)
    while left:
        name = left.pop()
        found.add(name)
        texts = [text for full, text in bindings.items() if _owner(full) == name]
        left |= {each for text in texts for each in _names(_REFERENCE, text)} - found
    return found


def _names(pattern, text):
    return {_short(match[1]) for match in pattern.finditer(text)}


def _owner(binding):
    """What a binding is of, without scope and module."""
    return _short(binding.rpartition(".")[0])


def _short(selector):
    return selector.rsplit("/", 1)[-1].rsplit(".", 1)[-1]
