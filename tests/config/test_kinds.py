"""Every number, switch and text of every configurable is checked, by a caller in Python and in gin files."""

import inspect
import math
import pathlib

import gin
import numpy as np
import pytest

from tfgans import config
from tfgans.config import (
    AtLeast,
    ConfigError,
    Count,
    FilePath,
    Function,
    Instance,
    Made,
    Natural,
    NotNegative,
    Number,
    OneOf,
    Positive,
    Seed,
    Several,
    Share,
    Within,
    kind_of,
    names,
)

config.import_rooms()
OWN = {
    selector.rsplit(".", 1)[-1]: found.wrapper
    for selector, found in gin.config._REGISTRY.items()
    if selector.startswith(("tfgans.", "keras."))
}
CONFIGURABLES = sorted(OWN)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Count, (1, 10**9, np.int64(3)), (0, -1, 1.0, True, "1", None, math.nan, [1])),
        (Natural, (0, 5), (-1, 0.0, False, None)),
        (AtLeast(6), (6, 7), (5, 6.0)),
        (Seed, (0, 2**32 - 1), (-1, 2**32, 2**63, 1.0, True)),
        (Number, (-1.5, 0, np.float32(2)), (math.nan, math.inf, "1", True, None, 1j)),
        (Positive, (1e-9, 3), (0, 0.0, -1, math.inf, math.nan, True)),
        (NotNegative, (0, 0.5), (-1e-9, math.inf, math.nan, "0")),
        (Share, (0, 1, 0.5), (-0.1, 1.1, math.nan, True)),
        (Within("[0, 1)"), (0.0, 0.999), (1.0, 1, math.nan, "0.5")),
        (Within("(0, inf]"), (1e-9, math.inf), (0, -1, math.nan)),
        (OneOf("a", "b"), ("a", "b"), ("c", "A", None, 1)),
        (OneOf(0, 1) | None, (0, 1, None), (True, False, 0.0, 2, "0")),
        (kind_of(bool), (True, False), (0, 1, "True", None, [])),
        (kind_of(bool | None), (True, None), (0, "None")),
        (kind_of(str), ("", "a"), (1, None, b"a", ["a"])),
        (str | Count, ("a", 2), (0, 2.0, None)),
        (FilePath, ("a", pathlib.Path("a")), ("", 3, None)),
        (Several(Count), ((), [1, 2], (3,)), (1, "12", [0], [1, 2.0], None, {1: 2})),
        (Several(Share, 2) | None, ((0, 1), [0.5, 0.5], None), ((0.5,), (0, 1, 1), (0, 2), 0.5)),
        (Function("@f"), (print, Count.check, dict), (3, "print", None)),
        (Made("@f()"), (print, object(), Count), (3, "a", None, [print], True)),
        (Instance("@f()"), (object(), Count), (print, dict, 3, None)),
    ],
    ids=lambda value: value.words if hasattr(value, "words") else "",
)
def test_kinds_take_what_they_say(kind, right, wrong):
    assert [value for value in right if not kind.allows(value)] == []
    assert [value for value in wrong if kind.allows(value)] == []


def test_a_refusal_is_one_short_line():
    with pytest.raises(ConfigError) as raised:
        Count.check("thing.count", np.zeros((300, 300)))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 300
    with pytest.raises(
        ConfigError, match=r"^a.b is a list of 2 \(each a number in \[0, 1\]\) or None. Received: 'x'$"
    ):
        (Several(Share, 2) | None).check("a.b", "x")


# Values of another type than the default's, with an infinite and a negative number for numbers. All counts, and all
# numbers but those named below, are at least 0.
WRONG = {
    int: ("2", 2.5, True, None, [1], -1, math.nan, math.inf),
    float: ("0.5", True, None, [0.5], -2.0, math.nan, math.inf),
    bool: ("True", 1, 0.0, None, [True]),
    str: (3, None, True, ["a"]),
    tuple: ("x", 3, None, {1: 2}),
}
TAKEN = {  # of those what a parameter takes all the same
    "residual_gain": (-2.0,),
    "beta_high": (-2.0,), "beta_low": (-2.0,), "first": (-2.0,), "last": (-2.0,),
    "ramp.start": (-2.0,), "ramp.end": (-2.0,),
    "ada_speed": (math.inf,), "apa_speed": (math.inf,), "clip_limit": (math.inf,),
    "channel_multiplier": (2.5,), "LinearDecay.start": (2.5,), "CosineAnnealing.start": (2.5,),
    "stage_steps": ([1],), "kernel_size": ([1],), "fade_share": ([0.5],),
    "minibatch_group": (None,), "ema_ramp": (3,),
    "balance_lower": (-2.0,), "balance_upper": (-2.0,),
    **{f"r3gan_{network}.{name}": ([1],) for network in ("generator", "discriminator")
       for name in ("width", "blocks", "group_width")},
}  # fmt: skip


def parameters(target):
    signature = inspect.signature(target.__init__ if inspect.isclass(target) else target)
    return [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def refusal(target, parameter, value):
    """What a call in Python says of one wrong argument; no other is given, so that nothing is ever built."""
    try:
        target(**{parameter: value})
    except ConfigError as error:
        return config.first_line(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "taken"


@pytest.mark.parametrize("name", CONFIGURABLES)
def test_values_of_another_type_are_refused_before_anything_is_done(name):
    target, wrong = OWN[name], []
    for parameter in parameters(target):
        kind, default = kind_of(parameter.annotation), parameter.default
        values = WRONG.get(type(default), ())
        if default is None and kind is not None:
            values = [
                value for value in ({}, b"x", 1j) if not kind.allows(value)
            ]  # every kind refuses some of them
            assert values and kind.allows(None), parameter.name
        taken = TAKEN.get(f"{name}.{parameter.name}", TAKEN.get(parameter.name, ()))
        for value in values:
            if any(value == each and type(value) is type(each) for each in taken):
                continue
            said = refusal(target, parameter.name, value)
            expected = f"{name}.{parameter.name} is "
            if not said.startswith(expected) or f"Received: {value!r}" not in said:
                wrong.append((parameter.name, value, said))
    assert wrong == []


@pytest.mark.parametrize("name", CONFIGURABLES)
def test_gin_says_the_same_when_it_is_read(name):
    full = "schedule.constant" if name == "constant" else name  # gin has a `constant` of its own
    for parameter in parameters(OWN[name]):
        kind = kind_of(parameter.annotation)
        text, value = ("'a'", "a") if kind is not None and not kind.allows("a") else ("{}", {})
        if kind is None or parameter.name == "name":
            continue
        with pytest.raises(ConfigError) as raised:
            config.parse([], [f"{full}.{parameter.name} = {text}"])
        assert str(raised.value) == f"{name}.{parameter.name} is {kind.words}. Received: {value!r}"


def test_no_parameter_is_left_out():
    """Only networks, tensors and what takes several sorts of arrays have no kind."""
    without = {
        f"{name}.{parameter.name}"
        for name, target in OWN.items()
        for parameter in parameters(target)
        if kind_of(parameter.annotation) is None and parameter.name != "self"
    }
    tensors = {"real_logits", "fake_logits", "class_logits", "labels", "t", "generator", "discriminator"}
    tensors |= {"images", "copies", "embeddings", "proxies"}  # of functions that compare two of them
    left = {name for name in without if name.rsplit(".", 1)[-1] not in tensors}
    assert left == {"GAN.label_shares"}
    assert not {"build.generator", "build.discriminator"} & without


def test_defaults_are_what_they_may_be():
    for name, target in OWN.items():
        for parameter in parameters(target):
            kind = kind_of(parameter.annotation)
            if kind is not None and parameter.default is not parameter.empty:
                assert kind.allows(parameter.default), (name, parameter.name)


def test_a_method_passes_on_the_checks_of_its_base():
    with pytest.raises(
        ConfigError, match=r"^R1GAN.discriminator_steps is an integer of at least 1. Received: 2.0$"
    ):
        config.parse([], ["R1GAN.discriminator_steps = 2.0"])
    with pytest.raises(ConfigError, match=r"^ADAGAN.augment_penalties is True or False. Received: 1$"):
        config.parse([], ["ADAGAN.augment_penalties = 1"])
    assert names.kind_of_parameter("R1GAN", "r1_interval") is Count
