"""What makes a run the one it is: its configuration, the files that this names, and the data it is trained on.

`data.json` in the run's folder says what the run is trained on: `fingerprint`, `images`, `source`, `classes` (names);
`items`, of each image its name, 16 digits of its digest and its label, or instead of them, of many, `blocks`, see
`contents.Blocks`; `digests`, their kind if that is not `sha256`, see `hashes`, which stays that of the run;
`evaluation`, hashes of the images and of the features that evaluations compare with, and the kind; `files`, hashes of
what files such as genotypes say; and `history`, one entry for the start and for each change that was accepted:
`step`, from which it holds, `fingerprint`, `images`, `changes`.
"""

import dataclasses
import hashlib
import json
import logging
import re
from pathlib import Path

from tfgans import config, distribute, files, inputs, readers
from tfgans.config import ConfigError, names
from tfgans.data.contents import Blocks, Contents
from tfgans.data.hashes import ENDS, WHOLE
from tfgans.run.free import free_names

logger = logging.getLogger(__name__)

_WHAT = "what the run is trained on (without the file, it is taken for the present data)"
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


class Identity:
    """A run's identity as the present process has it, to be compared with what the folder says.

    Args:
        folder: the run's. configuration: the operative one, text. dataset: what is trained on.
    """

    def __init__(self, folder, configuration, dataset):
        self.folder, self.path = Path(folder), Path(folder) / "data.json"
        self.configuration, self.dataset = configuration, dataset
        self.contents = dataset.contents()
        self._kept, self._changes, self._evaluation = None, None, None

    def check_workers(self, strategy):
        """Raises ConfigError, in every worker, if the workers have different configurations, seeds or data."""
        if _differ(strategy, _digest(self.configuration)):
            raise ConfigError(
                "the workers have different configurations or seeds: all take the same flags, but for --task; runs "
                "apart from each other are started one by one, with SLURM by srun --ntasks=1"
            )
        if _differ(strategy, self.contents.fingerprint):
            raise ConfigError(
                f"the workers have different data in {self.dataset.source}: this one has {self.contents.count} "
                f"images with the fingerprint {self.contents.fingerprint[:8]}"
            )

    def check_resumed(self, strategy, step):
        """Raises ConfigError, in every worker, if the workers have found checkpoints of different steps, or None.

        None goes on, and writes, before all have looked.
        """
        found = set(distribute.of_replicas(strategy, -1 if step is None else step))
        if len(found) > 1:
            raise ConfigError(
                f"the workers find different checkpoints in {self.folder}, which must be one folder for all of them: "
                + ", ".join("none" if each < 0 else f"step {each}" for each in sorted(found))
            )

    def check(self, accept_changed_data=False):
        """Raises ConfigError if the folder's run is of another configuration or, unless accepted, of other data."""
        text = self.folder / "operative.gin"
        self._kept = read(self.folder)
        if text.exists():
            self._refuse_other_configuration(readers.read_text(text, "the run's configuration"))
        elif any((self.folder / "checkpoints").glob("step_*.npz")):
            logger.warning(
                "%s has checkpoints and has lost its operative.gin: they are taken for the present configuration's",
                self.folder,
            )
        if self._kept is None:
            return
        kept = _contents_of(self._kept)
        if (kept.kind, kept.blocks is None) != (self.contents.kind, self.contents.blocks is None):
            self.contents = self.dataset.contents(kept)
        self._changes = kept.changes(self.contents)
        if self._changes and not accept_changed_data:
            then, now = self._kept["source"], self.dataset.source
            place = now if then == now else f"{now} (before: {then})"
            raise ConfigError(
                f"the data of {self.folder} have changed, in {place}: {self._changes}; --accept_changed_data goes on "
                "with them"
            )

    def _refuse_other_configuration(self, text):
        then, now = resolved(config.bindings_of(text)), resolved(config.bindings_of(self.configuration))
        deciding = {name for each in (then, now) for name in each.keys() - free_names(each, bool(self._kept))}
        known = self._kept["files"] if self._kept else {}
        differing = [
            key
            for key in sorted(deciding)
            if _said(then.get(key), known) != _said(now.get(key), _files(now)) and not _is_new(key, then, now)
        ]
        if differing:
            key = differing[0]
            edited = " (the file says something else now)" if then.get(key) == now.get(key) else ""
            raise ConfigError(
                f"{self.folder} holds a run of another configuration: {len(differing)} bindings differ, such as "
                f"{key} = {then.get(key)} there, {now.get(key)} here{edited}"
            )

    @property
    def is_new_to_folder(self):
        """Whether the folder does not say yet what the present data are, and where."""
        return self._kept is None or bool(self._changes) or self._kept["source"] != self.dataset.source

    def write(self, step, evaluator=None):
        """Writes `operative.gin` and `data.json`; `step` is the one that the run goes on from, 0 at its start."""
        evaluation = _evaluation(evaluator, self.dataset, (self._kept or {}).get("evaluation", {}))
        kept, operative = self._kept, self.folder / "operative.gin"
        history = [entry | {"step": min(entry["step"], step)} for entry in kept["history"]] if kept else []
        if kept is None and operative.exists():
            logger.info(
                "%s did not say what the run is trained on: it is taken for the present data", self.path
            )
        if kept is None or self._changes:
            entry = {"step": step, "fingerprint": self.contents.fingerprint, "images": self.contents.count}
            history.append(entry | ({"changes": self._changes} if self._changes else {}))
        if self._changes:
            logger.info("the data have changed, accepted from step %d on: %s", step, self._changes)
        if kept and _note_other_evaluation(kept["evaluation"], evaluation):
            history.append({"step": step, "evaluation": evaluation})
        files.write_text(operative, self.configuration)
        text = json.dumps(self._record(evaluation or (kept or {}).get("evaluation", {}), history)) + "\n"
        if readers.text_or_none(self.path) != text:
            files.write_text(self.path, text)

    def _record(self, evaluation, history):
        contents = self.contents
        record = {
            "fingerprint": contents.fingerprint,
            "images": contents.count,
            "source": str(self.dataset.source),
            "classes": contents.class_names,
            "evaluation": evaluation,
            "files": _files(resolved(config.bindings_of(self.configuration))),
            "history": history,
            "items": {"names": contents.names, "hashes": contents.hashes, "labels": contents.labels},
        }
        kind = {} if contents.kind == WHOLE else {"digests": contents.kind}
        blocks = {} if contents.blocks is None else {"blocks": dataclasses.asdict(contents.blocks)}
        return record | kind | blocks


def read(folder):
    """What `data.json` of a run's folder says; None if there is none, as in runs of earlier versions.

    Raises: ConfigError if it cannot be read.
    """
    path = Path(folder) / "data.json"
    if not path.exists():
        return None
    kept = readers.read_json(path, _WHAT)
    with readers.reading(path, _WHAT):
        _contents_of(kept).changes(_contents_of(kept))
        for name, kind in {"source": str, "evaluation": dict, "files": dict, "history": list}.items():
            if not isinstance(kept[name], kind):
                raise ValueError(f"{name} is no {kind.__name__}")
        [entry["step"] + 0 for entry in kept["history"]]
    return kept


def evaluation_changes(kept):
    """The steps after which evaluations in training compare with other images, or in other features, than until then.

    Args: kept: what `read` gives, or None.
    """
    return [entry["step"] for entry in kept["history"] if "evaluation" in entry] if kept else []


def refuse_changed_files(folder):
    """Raises ConfigError if a file that the parsed configuration names no longer says what it did in the run."""
    kept = read(folder)
    for path, then in (kept["files"] if kept else {}).items():
        now = inputs.hash_of(path)
        if now is not None and now != then:
            raise ConfigError(f"{path} has been edited since {folder} was trained with it")


def note_evaluation(folder, evaluator, dataset):
    """Logs a line if an evaluation is not comparable with those of the run's training; returns whether it did."""
    kept = read(folder)
    if not kept:
        return False
    then = kept["evaluation"]
    return _note_other_evaluation(then, _evaluation(evaluator, dataset, then))


def _evaluation(evaluator, dataset, then):
    """What evaluations compare with; `then`, what it was before, decides the kind of digest."""
    if evaluator is None:
        return {}
    features, kind = evaluator.features, dataset.reference_kind()
    kind = then.get("digests", WHOLE) if "images" in then else kind
    found = {
        "images": dataset.fingerprint(kind=kind),
        "features": f"{features.name} {features.fingerprint()}",
    }
    return found if kind == WHOLE else found | {"digests": kind}


def _note_other_evaluation(then, now):
    others = [name for name in now if name in then and now[name] != then[name]]
    if others:
        logger.warning(
            "evaluations compare with other %s than the run's before: the numbers are not comparable",
            " and ".join(others),
        )
    return bool(others)


def _contents_of(kept):
    items, kind = kept["items"], kept.get("digests", WHOLE)
    for each in (kind, kept["evaluation"].get("digests", WHOLE)):
        if each not in (WHOLE, ENDS):
            raise ValueError(f"digests of the kind {each!r} are not known")
    blocks = Blocks(**kept["blocks"]) if "blocks" in kept else None
    return Contents(
        kept["fingerprint"], kept["images"], items["names"], items["hashes"], items["labels"], kept["classes"],
        kind, blocks,
    )  # fmt: skip


def resolved(bindings):
    """Bindings as `config.bindings_of` gives them, with what macros stand for in their place."""

    def value(found, depth=0):
        if depth > 20:
            return found
        return re.sub(
            r"%([\w./]+)",
            lambda macro: value(bindings[macro[1]], depth + 1) if macro[1] in bindings else macro[0],
            found,
        )

    return {name: value(found) for name, found in bindings.items() if "." in name}


def _differ(strategy, digest):
    """Whether the workers have brought different digests, hexadecimal ones."""
    return len(set(distribute.of_replicas(strategy, int(digest[:15], 16)))) > 1


def _digest(configuration):
    """A digest of what decides a run, wherever its data lie."""
    bindings = resolved(config.bindings_of(configuration))
    free, known = free_names(bindings, data_known=True), _files(bindings)
    said = {name: _said(bindings[name], known) for name in sorted(bindings.keys() - free)}
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _files(bindings):
    """{path as it is written: hash of what the file says} of the files that the bindings name."""
    texts = [match[1] or match[2] for found in bindings.values() for match in _QUOTED.finditer(found)]
    hashes = {text: inputs.hash_of(text) for text in texts if text}
    return {text: found for text, found in hashes.items() if found is not None}


def _is_new(key, then, now):
    """Whether a binding is of a parameter that an older version did not have, and has its default."""
    if key in then:
        return False
    scoped, _, parameter = key.rpartition(".")
    return repr(names.default_of(scoped.rpartition("/")[2], parameter)) == now[key]


def _said(value, known):
    """A binding's value with the hash of each known file in the place of its path."""
    if value is None:
        return None
    return _QUOTED.sub(lambda match: known.get(match[1] or match[2] or "", match[0]), value)
