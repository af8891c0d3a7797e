"""What the bindings of a configuration refer to, and which of them nothing used."""

import gin

from tfgans.config import gin_internals, names
from tfgans.errors import ConfigError

MACRO = "gin.macro"


class _Unknown(Exception):
    """A value that is only made when the run is."""


def name_of(scope, full, parameter):
    """A binding's name as a user writes it."""
    if full == MACRO:
        return scope
    return f"{scope}/" * bool(scope) + f"{full.rsplit('.', 1)[-1]}.{parameter}"


def references(value):
    """Every reference in a value: to functions, classes and macros."""
    if isinstance(value, gin.config.ConfigurableReference):
        yield value
    elif isinstance(value, dict):
        for item in value.items():
            yield from references(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from references(item)


def check(given):
    """Raises ConfigError for the first value that names an unknown macro or is not what its parameter takes."""
    macros = {scope: bound["value"].value for (scope, full), bound in given.items() if full == MACRO}
    for (scope, full), bound in given.items():
        for parameter, one in bound.items():
            name = name_of(scope, full, parameter)
            try:
                value = _value(one.value, macros, ())
                kind = None if full == MACRO else names.kind_of_parameter(full, parameter)
                if kind is not None:
                    kind.check(name, value)
            except _Unknown:
                continue
            except ConfigError as error:
                raise _placed(error, name, one, given) from error


def _value(value, macros, within):
    """A value with its macros in place; raises _Unknown if a part of it is yet to be made."""
    if isinstance(value, gin.config.ConfigurableReference):
        name = "/".join(value.scopes)
        if value.config_key[1] != MACRO:
            if value.evaluate:
                raise _Unknown
            return value.scoped_configurable_fn
        if name in within:
            raise ConfigError(f"macros stand for each other in a circle: %{', %'.join([*within, name])}")
        if name not in macros:
            raise ConfigError(f"no macro is called %{name}{names.meant(name, macros, '%')}")
        return _value(macros[name], macros, (*within, name))
    if isinstance(value, dict):
        return {_value(k, macros, within): _value(v, macros, within) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_value(item, macros, within) for item in value)
    return value


def _placed(error, name, one, given):
    """An error with the place of the binding, or of the macro that the value comes from."""
    text, place = str(error), one.place
    if not text.startswith(name):
        text = f"{name}: {text}"
    if isinstance(one.value, gin.config.ConfigurableReference) and one.value.config_key in given:
        macro = "/".join(one.value.scopes)
        text, place = f"{text} (%{macro})", given[one.value.config_key]["value"].place
    return ConfigError(f"{place}{text}")


def unused(given, used):
    """`[(key, parameter)]` of the bindings that nothing used.

    Args:
        given: see `Reader`.
        used: `{(scope, full name): {parameter: value}}`, what gin has handed to calls.
    """
    found = []
    for (scope, full), bound in given.items():
        applied = set().union(*(values for key, values in used.items() if _within(key, scope, full)))
        found += [((scope, full), parameter) for parameter in bound if parameter not in applied]
    return found


def _within(key, scope, full):
    """Whether a call is of a configurable, in a scope or one inside it."""
    at, name = key
    return name == full and (at == scope or not scope or at.startswith(scope + "/"))


def may_go(given, replaced, used, unused):
    """Those of the unused bindings that are no mistake.

    They are of a configurable (in its scope) or macro that nothing here uses, and stand in a file that is a part of
    the configuration, or served what a later line replaced: bindings of a method that `build.methods` no longer
    names. Those of the command line are never among them.
    """
    gone = _reached([value for _, value in replaced], given, replaced)
    found = []
    for (scope, full), parameter in unused:
        place = given[scope, full][parameter].place
        called = any(_within(key, scope, full) for key in used)
        served = (scope if full == MACRO else full) in gone
        if place.file is not None and not called and (place.part or served):
            found.append(((scope, full), parameter))
    return found


def without(unused, given, names):
    """The unused bindings that are not of some configurables, nor of what these refer to."""
    own = {key: bound for key, bound in given.items() if key[1].rsplit(".", 1)[-1] in names}
    reached = _reached([one.value for bound in own.values() for one in bound.values()], given)
    return [
        ((scope, full), parameter)
        for (scope, full), parameter in unused
        if (scope, full) not in own and (scope if full == MACRO else full) not in reached
    ]


def _reached(values, given, replaced=()):
    """Full names and macros that values refer to, directly or by the bindings of what they refer to."""
    of = {}
    for (scope, full), bound in given.items():
        of.setdefault(scope if full == MACRO else full, []).extend(one.value for one in bound.values())
    for (scope, full), value in replaced:
        of.setdefault(scope if full == MACRO else full, []).append(value)
    found, left = set(), list(values)
    while left:
        for reference in references(left.pop()):
            for name in _served_by(reference):
                if name not in found:
                    found.add(name)
                    left += of.get(name, [])
    return found


def _served_by(reference):
    """The name whose bindings a reference uses; those of a class's bases as well."""
    scope, full = reference.config_key
    if full == MACRO:
        return ["/".join(reference.scopes)]
    target = reference.configurable.wrapped
    bases = target.__mro__[1:] if isinstance(target, type) else ()
    known = [gin_internals.configurable_of(base) for base in bases]
    return [full, *(each.selector for each in known if each is not None)]


def spelled(name, given):
    """`name`, and the one that may have been meant: another macro, or the same in a scope that is referred to."""
    scope, slash, rest = name.rpartition("/")
    if "." not in name:
        found = names.nearest(name, {at for at, full in given if full == MACRO} - {name})
    elif slash:
        values = [one.value for bound in given.values() for one in bound.values()]
        scopes = {
            "/".join(r.scopes) for value in values for r in references(value) if r.config_key[1] != MACRO
        }
        near = None if scope in scopes else names.nearest(scope, scopes - {""})
        found = near and f"{near}/{rest}"
    else:
        found = None
    return f"{name} (did you mean {found}?)" if found else name
