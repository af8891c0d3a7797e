"""What a comparison is to run: configurations, their names, and how long each is trained."""

import dataclasses
import hashlib
import json
import re
import shlex
from pathlib import Path

import gin

from tfgans import config
from tfgans.compare import named_files
from tfgans.config import ConfigError
from tfgans.data import Dataset
from tfgans.evaluate import value_names
from tfgans.evaluate.duality import GAP_VALUES
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.stability import STABILITY
from tfgans.run import build, flag_bindings

_NO_LIMIT = 10**9
_LONGEST_NAME = 200  # of a folder, where file systems allow 255
_PARTS = 5  # evaluations after the one at step 0, unless --evaluate_every says otherwise


def parts(text):
    """`(gin files, bindings)` of a configuration: a file's name, or flags of `train` in one text.

    Raises: ConfigError if flags are others than --gin_file and --gin_param, or there is no file.
    """
    if not text.startswith("--"):
        return [text], []
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--configuration: {error}: {text}") from error
    found = {"--gin_file": [], "--gin_param": []}
    for word in words:
        name, _, value = word.partition("=")
        if name not in found or not value:
            own = name.removeprefix("--") in (*flag_bindings.OF_IMAGES, "steps")
            hint = f"; compare itself takes {name}, for all configurations" if own else ""
            raise ConfigError(
                f"--configuration takes --gin_file=F and --gin_param=B. Received: {word!r}{hint}"
            )
        found[name].append(value)
    if not found["--gin_file"]:
        raise ConfigError(f"--configuration names no --gin_file: {text}")
    return found["--gin_file"], found["--gin_param"]


class Configuration:
    """One configuration of a comparison, parsed once to see that it can be and to know when it has changed.

    Args:
        text: see `parts`. gin_params: bindings for all configurations; they come last.
        steps: generator updates, the flag of `train`; None for what the configuration says. seconds: whether it may
            say nothing of them.
        images: flags of `train` that say of which images the batches are, {"data": ..., "resolution": ..., ...}.
    Raises: ConfigError if it cannot be run, or a binding contradicts `steps` or one of `images`.
    """

    def __init__(self, label, text, gin_params, steps, seconds, images=None):
        self.label, self.images = label, dict(images or {})
        self.gin_files, own = parts(text)
        self.gin_params = [*own, *gin_params]
        plain = self.images | ({} if steps is None else {"steps": steps})
        build.prepare(self.gin_files, self.gin_params, plain)
        if not config.is_bound("Evaluator", "features"):
            raise ConfigError("nothing evaluates: bind Evaluator.features, such as @DigitsFeatures()")
        self._given = config.given()
        self.own_steps, self.steps = steps is None, steps
        if steps is None and seconds is None:
            self.steps = self._number("train.steps", None)
        self.multiple = self._number("build.steps_per_execution", 1)
        evaluator = Evaluator()
        self.features, self.values = _measured_in(evaluator), _values(evaluator)
        self.text = gin.config_str()
        self.contents = named_files.contents(self._given)
        self.length, self.bindings = [], []

    def _number(self, name, default):
        """What is bound to a parameter that is a number."""
        value = flag_bindings.value_of(name, self._given, default)
        if value is default or isinstance(value, int):
            return value
        raise ConfigError(f"{name} must be bound to a number here. Received: {value!r}")

    def set_length(self, seconds, every, parts=_PARTS):
        """How long each run is, and when it is evaluated: every so many updates or seconds, `parts` times if None.

        Steps are the flag of `train`, which sets the macro that schedules take their length from, too. A --gin_param
        says when to evaluate if no flag does. Raises: ConfigError if it says something else than a flag.
        """
        flag = None if every is None else "evaluate_every"
        every = every or (seconds or self.steps) / parts
        if seconds is None:
            every = max(round(every / self.multiple), 1) * self.multiple
            self.length = [] if self.own_steps else [f"--steps={self.steps}"]
            self.bindings = self._bound("evaluate_every", every, flag)
            return
        said = flag_bindings.on_command_line("train.steps", self._given)
        flag_bindings.refuse_contradiction("seconds", seconds, said)
        self.bindings = [
            f"train.steps={_NO_LIMIT}",
            *self._bound("evaluate_every", _NO_LIMIT),
            *self._bound("seconds", seconds, "seconds"),
            *self._bound("evaluate_every_seconds", every, flag),
        ]

    def _bound(self, parameter, value, flag=None):
        """A binding of `train` in a list, empty if a --gin_param says it, which must say the same as a flag."""
        said = flag_bindings.on_command_line(f"train.{parameter}", self._given)
        if said is None:
            return [f"train.{parameter}={value}"]
        if flag is not None:
            flag_bindings.refuse_contradiction(flag, value, said)
        return []

    def flags(self, seed, model_dir):
        """Flags of `train` for one run."""
        flags = [f"--gin_file={path}" for path in self.gin_files]
        flags += [f"--model_dir={model_dir}", f"--seed={seed}", *self.length]
        flags += flag_bindings.texts(self.images)
        return flags + [f"--gin_param={binding}" for binding in (*self.gin_params, *self.bindings)]

    def digest(self):
        """Changes when anything that the configuration says does; what its files say is in `contents`."""
        return hashlib.sha256(json.dumps([self.text, self.bindings]).encode()).hexdigest()


def _values(evaluator):
    """The names of the values that evaluations of the parsed configuration give.

    Raises: ConfigError if its `train.best_metric` is none of them.
    """
    gap = config.is_bound("train", "duality_gap") and gin.query_parameter("train.duality_gap") is not None
    values = [*evaluator.values(), *GAP_VALUES * gap]
    best = flag_bindings.value_of("train.best_metric", config.given(), "fid")
    value_names.check("train.best_metric", best, values, evaluator.values_left_out)
    return values


def refuse_unmeasured(flag, names, configurations):
    """Raises ConfigError, before anything is trained, for metrics that none of the configurations measures.

    Args: names: what the flag says, empty if it was not given.
    """
    known = list(dict.fromkeys(value for each in configurations for value in each.values))
    for name in names:
        value_names.check(flag, name, [*known, STABILITY])


def _measured_in(evaluator):
    """The name of the features that a configuration is measured in, or None.

    Raises: ConfigError if they say nothing about its data, and there are no other metrics.
    """
    name = getattr(evaluator.features, "name", None)
    if hasattr(evaluator.features, "unsuited"):
        reason = evaluator.suit(Dataset())
        if reason and not evaluator.metrics:
            raise ConfigError(f"nothing evaluates: {reason}; Evaluator.features = @InceptionFeatures() does")
    return name


def refuse_different_features(measured):
    """Raises ConfigError where configurations are measured in different features: their numbers do not compare.

    Args:
        measured: (label, name of the features or None) of each configuration.
    """
    names = {}
    for label, name in measured:
        names.setdefault(name, label)
    names.pop(None, None)
    if len(names) > 1:
        each = ", ".join(f"{label} {name}" for name, label in names.items())
        raise ConfigError(f"different features, whose numbers do not compare: {each}")


@dataclasses.dataclass(frozen=True)
class Terms:
    """What holds for all configurations of a comparison.

    Args:
        seeds: how many, from 0; at least 2.
        steps: generator updates of each run; None for what the configurations say, if that is one number.
        seconds: of training, after which each run ends instead.
        own_steps: each configuration trains for its own `train.steps`, such as different numbers that take the
            same time.
        evaluate_every: updates (with `seconds`: seconds of training) between evaluations; a fifth if None.
    """

    seeds: int = 5
    steps: int | None = None
    seconds: float | None = None
    own_steps: bool = False
    evaluate_every: float | None = None

    def check(self):
        """Raises ConfigError if a value leaves its range, or two exclude each other."""
        if self.seeds < 2:
            raise ConfigError(f"--seeds is at least 2: one run shows no spread. Received: {self.seeds}")
        if (self.steps is not None) + (self.seconds is not None) + self.own_steps > 1:
            raise ConfigError("--steps, --seconds and --own_steps exclude each other")
        for name in ("steps", "seconds", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"--{name} is above 0. Received: {value}")

    def check_steps(self, configurations):
        """Refuses configurations that would train for no or for different numbers of steps, unless they may."""
        if self.seconds is not None:
            return
        lengths = {each.label: each.steps for each in configurations}
        missing = [label for label, length in lengths.items() if length is None]
        if missing:
            raise ConfigError(f"{missing[0]}: how long to train is not set: give --steps or bind train.steps")
        if len(set(lengths.values())) > 1 and not self.own_steps:
            given = ", ".join(f"{label} {length}" for label, length in lengths.items())
            raise ConfigError(
                f"the configurations train for different numbers of steps: {given}. Give --steps or --own_steps"
            )


def check_names(labels):
    """Raises ConfigError for a --label that is empty, or there twice: pages tell configurations apart by it."""
    if not all(label.strip() for label in labels):
        raise ConfigError(f"--label is a name. Received: {', '.join(map(repr, labels))}")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ConfigError(f"two configurations are called {twice!r}: give each a --label")


def labels_of(gin_files, labels):
    if labels and len(labels) != len(gin_files):
        raise ConfigError(f"--label: {len(labels)} names for {len(gin_files)} configurations")
    check_names(labels)
    labels = list(labels) or _names_of(gin_files)
    folders = [folder_name(label) for label in labels]
    for index, folder in enumerate(folders):
        if folder in folders[:index]:
            raise ConfigError(f"two configurations are called {labels[index]!r}: give each a --label")
        if len(folder) > _LONGEST_NAME:
            raise ConfigError(f"{folder[:40]}... is too long for the name of a folder: give each a --label")
    return labels


def _names_of(texts):
    """The files' names and the bindings, joined by `+`; with the folders' names if two are the same."""
    found = [parts(text) for text in texts]
    names = ["+".join([*(Path(file).stem for file in files), *bindings]) for files, bindings in found]
    if len(set(names)) == len(names):
        return names
    return [
        "+".join([*(f"{Path(file).parent.name}_{Path(file).stem}" for file in files), *bindings])
        for files, bindings in found
    ]


def folder_name(label):
    """A label as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9.=+-]+", "_", label).strip("._") or "_"
