"""Saving and restoring a whole run, bit for bit.

A checkpoint is one `.npz` file with every variable a step depends on: both networks with their statistics, the
average, every optimizer, the state of the methods, the position of the random streams and of the data, which
are functions of the step. Keras's own formats each lose some of it. A file is complete or absent, and carries a
sum of all it holds: one that was damaged later is found when it is read, whichever byte it is.
"""

import fcntl
import hashlib
import json
import logging
import math
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfgans import distribute, files, readers
from tfgans.config import ConfigError

logger = logging.getLogger(__name__)

_NAME = re.compile(r"step_(\d{8,})\.npz$")
_ABOUT, _NAMES = "about", "names"


def variables_of(model):
    """Every variable of a run by a name that does not depend on how many models a process has made."""
    named = {f"model/{i:04d}": variable for i, variable in enumerate(model.variables)}
    for name, optimizer in model.optimizers().items():
        named |= {f"optimizer/{name}/{i:04d}": v for i, v in enumerate(optimizer.variables)}
    return named


def names_of(model):
    """`{part: {name of a variable: its name in a checkpoint}}` of what another run can begin with."""
    keys = {id(variable): key for key, variable in variables_of(model).items()}
    return {
        part: {name: keys[id(variable)] for name, variable in named.items()}
        for part, named in model.carried_over().items()
    }


def read_state(model):
    """The values of `variables_of(model)` as arrays; [replicas, n, ...] for those that differ by replica."""
    separate = {id(v) for v in model.per_replica_variables()}
    return {
        name: gather(variable) if id(variable) in separate else as_array(variable)
        for name, variable in variables_of(model).items()
    }


def as_array(variable):
    """A variable's value; the first replica's, if there are several."""
    return tf.convert_to_tensor(variable.value).numpy()


def check_finite(state):
    """Raises FloatingPointError naming the first array with a number that is not finite."""
    for name, value in state.items():
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise FloatingPointError(f"a weight ({name}) is not finite")


def write_state(model, state, replicas=True):
    """Sets every variable from `read_state`'s arrays.

    Args:
        replicas: also set what differs by replica; training needs it, a trained generator does not.
    Raises: ConfigError if the arrays are not exactly those of this model.
    """
    named = variables_of(model)
    separate = {id(v) for v in model.per_replica_variables()}
    if set(named) != set(state):
        odd = sorted(set(named) ^ set(state))
        raise ConfigError(
            f"the checkpoint is of another model: {len(odd)} variables differ, such as {odd[0]}"
        )
    for name, variable in named.items():
        value, split = state[name], id(variable) in separate
        if split:
            if replicas:
                scatter(variable, value)
            continue
        if tuple(value.shape) != tuple(variable.shape):
            raise ConfigError(
                f"the checkpoint is of another model: {variable.path} has shape {tuple(variable.shape)}, "
                f"the file's {tuple(value.shape)}"
            )
        variable.assign(value)


def gather(variable):
    """A per-replica variable's values over all workers, [replicas, n, ...]."""
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync == 1:
        return as_array(variable)[None]
    local = strategy.run(lambda: tf.convert_to_tensor(variable.value)[None])
    return strategy.gather(local, axis=0).numpy()


def scatter(variable, values):
    """Gives every replica of this worker its own part of [replicas, n, ...].

    The n rows of all replicas, one replica after the other, are those of the global batch: of a run that was saved
    on another number of replicas they are cut anew.
    Raises: ConfigError if there are not as many rows as this run's replicas have.
    """
    replicas, shape = tf.distribute.get_strategy().num_replicas_in_sync, tuple(variable.shape)
    if values.shape[2:] != shape[1:] or math.prod(values.shape[:2]) != replicas * shape[0]:
        raise ConfigError(
            f"the checkpoint holds the state of {len(values)} replicas, {tuple(values.shape[1:])} each of "
            f"{variable.path}; this run has {replicas} of {shape}"
        )
    values = values.reshape(replicas, *shape)
    first, count = distribute.local_replicas(tf.distribute.get_strategy())
    parts = getattr(variable.value, "values", [variable.value])
    for replica in range(count):
        parts[replica].assign(values[first + replica])


class Checkpoints:
    """The checkpoints of one run, `step_00001000.npz` and so on.

    Args:
        folder: where they are; made when the first is saved.
        keep: how many of the newest stay when older ones are pruned; at least 1, and 2 survive a damaged one.
            Those found damaged do not count.
    """

    def __init__(self, folder, keep=3):
        if keep < 1:
            raise ConfigError(f"the number of checkpoints to keep is at least 1. Received: {keep}")
        self.folder, self.keep = Path(folder), keep
        self._damaged = set()

    def path(self, step):
        """The file of one step."""
        return self.folder / f"step_{step:08d}.npz"

    def steps(self):
        """Steps that have a file, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(int(m.group(1)) for m in map(_NAME.match, os.listdir(self.folder)) if m)

    def save(self, model, step, about, write=True):
        """Saves the run; every worker calls it, and only one, with `write`, has a file to write.

        Args:
            about: what is not a variable, JSON-able, such as seconds trained.
        Raises: FloatingPointError, and saves nothing, if a weight is not finite.
        """
        state = read_state(model)
        check_finite(state)
        if not write:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.replacing(self.path(step), "w+b") as file:
            about = {"step": step, _NAMES: names_of(model)} | about
            np.savez(file, **state, **{_ABOUT: np.array(json.dumps(about))})
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = _sum(archive)
        self._damaged.discard(step)

    def load(self, step):
        """`(state, about)` of one step. Raises: ConfigError if there is no such file or it is damaged."""
        if not self.path(step).exists():
            have = ", ".join(map(str, self.steps())) or "none"
            raise ConfigError(f"no checkpoint of step {step} in {self.folder}. There are: {have}")
        state = readers.read_npz(self.path(step), "a checkpoint")
        with readers.reading(self.path(step), "a checkpoint"), zipfile.ZipFile(self.path(step)) as archive:
            if archive.comment not in (b"", _sum(archive)):  # earlier versions wrote none
                raise ValueError("it is damaged, as its sum says")
            about = json.loads(str(state.pop(_ABOUT)))
            if about["step"] != step:
                raise ValueError(f"it holds step {about['step']}")
        about.pop(_NAMES, None)
        return state, about

    def names(self, step):
        """`names_of` the model that was saved; None of a file of an earlier version. Raises: as `load`."""
        kept = readers.read_npz(self.path(step), "a checkpoint", (_ABOUT,))
        with readers.reading(self.path(step), "a checkpoint"):
            return json.loads(str(kept[_ABOUT])).get(_NAMES)

    def restore(self, model, step=None, replicas=True):
        """Restores one step, or the newest that can be read; what cannot is reported and left where it is.

        Args:
            step: None, or the one step to restore.
            replicas: see `write_state`.
        Returns: what was saved as `about`, with `step`; None if there is no checkpoint.
        Raises: ConfigError if there are checkpoints and none can be read, or not the one asked for, or if it is of
            another model.
        """
        found = self.newest() if step is None else self.load(step)
        if found is None:
            return None
        state, about = found
        write_state(model, state, replicas)
        return about

    def newest(self):
        """`(state, about)` of the newest that can be read; what cannot is reported and left where it is.

        Returns: None if there is no checkpoint.
        Raises: ConfigError if there are some and none can be read.
        """
        damaged = []
        for candidate in reversed(self.steps()):
            try:
                found = self.load(candidate)
            except ConfigError as error:
                logger.warning("%s", error)
                damaged.append(candidate)
                continue
            self._damaged = set(damaged)
            return found
        if damaged:
            names = ", ".join(self.path(candidate).name for candidate in damaged)
            raise ConfigError(f"no checkpoint in {self.folder} can be read: {names}")
        return None

    def prune(self, protected=()):
        """Removes all but the newest `keep` and the `protected` steps; damaged ones are left, and not counted."""
        whole = [step for step in self.steps() if step not in self._damaged]
        for step in whole[: -self.keep]:
            if step not in protected and self.path(step).is_file():
                self.path(step).unlink(missing_ok=True)


def _sum(archive):
    """A sum of the names, lengths and CRCs of all arrays; the archive compares each CRC with the bytes it reads."""
    members = [(member.filename, member.file_size, member.CRC) for member in archive.infolist()]
    return b"sha256 " + hashlib.sha256(json.dumps(members).encode()).hexdigest().encode()


class Lock:
    """Keeps a second trainer out of a folder; the system lets go of it when the process dies."""

    def __init__(self, folder):
        self.path = Path(folder) / "train.lock"

    def __enter__(self):
        self.file = open(self.path, "a+", errors="replace")  # noqa: SIM115 - held until the run ends
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.file.seek(0)
            owner = self.file.read(100).strip() or "unknown"
            self.file.close()
            raise ConfigError(
                f"{self.path.parent} is being trained by another process (number {owner})"
            ) from error
        self.file.truncate(0)
        self.file.write(f"{os.getpid()}\n")
        self.file.flush()
        return self

    def __exit__(self, *error):
        self.file.close()
