"""Reads gin files and bindings statement by statement, so that what is wrong can be named with its file and line.

gin's own reader stops at a file as a whole, looks for included files in the working directory alone, and does not
say which line gave a value; the language itself is read by gin's parser.
"""

import dataclasses
import os
import re
from pathlib import Path

import gin
from gin import config_parser

from tfgans import files
from tfgans.config import gin_internals, modules, names, retired
from tfgans.config import mistakes as gin_mistakes
from tfgans.errors import ConfigError, first_line

PACKAGE = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Place:
    """Where something is said: a line of a file, or a binding of the command line, which has no file.

    `part` is true of a file that another one includes, and of one before the last.
    """

    file: str | None = None
    line: int = 0
    part: bool = False
    binding: str | None = None

    def __str__(self):
        return f"{self.file}, line {self.line}: " if self.file else ""


class _Placed(ConfigError):
    """A mistake whose message says where it is."""


@dataclasses.dataclass(frozen=True)
class Given:
    """A binding's value and its place."""

    value: object
    place: Place


def find(path, beside=None):
    """The gin file of a name: beside the including file, in the working directory, in a checkout, in the package.

    Raises: ConfigError if there is none.
    """
    path = files.expanded(path)
    places = [*([beside] if beside else []), Path.cwd(), PACKAGE.parent, PACKAGE]
    for place in places:
        if os.path.isfile(place / path):  # unlike pathlib's, it takes any text for a name
            return place / path
    if os.path.isdir(path):
        raise ConfigError(f"no such gin file: {path} is a folder")
    shipped = [
        str(p.relative_to(root)) for root in places[-2:] for p in (root / "gin_configs").rglob("*.gin")
    ]
    meant = names.meant(path, shipped)
    if "gin_configs" in Path(path).parts:  # an experiment's name need not be that of a file
        meant = f"{meant or ':'} docs/configurations.md has the flags of each experiment"
    raise ConfigError(f"no such gin file: {path}{meant}")


class _Delegate(gin.config.ParserDelegate):
    def configurable_reference(self, scoped_selector, evaluate):
        try:
            return super().configurable_reference(scoped_selector, evaluate)
        except (ValueError, KeyError):
            names.target_of(scoped_selector.rsplit("/", 1)[-1], "@")  # raises, with the nearest name
            raise


class Reader:
    """What gin files and bindings say, handed on to gin as it is read.

    Attributes:
        given: `{(scope, full name): {parameter: Given}}`; a macro is `value` of `gin.macro` in its name's scope.
        replaced: values that a later line replaced, with their keys: `[((scope, full name), value)]`.
        imported: names of the modules that `import` statements name, in their order.
    Args:
        left_open: {name of a macro: value} to take where the macro is "auto".
    """

    def __init__(self, left_open=None):
        self.given, self.replaced, self.imported = {}, [], []
        self._left_open = left_open or {}
        self._retired = {}  # of the record that is being read

    def file(self, path, part=False, within=(), beside=None):
        """Reads a file and those that it includes.

        Args:
            part: whether it is only a part of what is read, see `Place`.
            within: the files that include it, outermost first.
            beside: where a relative name is looked up first.
        """
        path = find(path, beside)
        shown = _shown(path)
        chain = [*within, path.resolve()]
        if path.resolve() in within:
            circle = " includes ".join(_shown(p) for p in chain[within.index(path.resolve()) :])
            raise ConfigError(f"gin files include each other in a circle: {circle}")
        self._read(_text(path, shown), Place(shown, part=part), chain, path.parent)

    def binding(self, text):
        """Reads what one `--gin_param` says."""
        self._read(text, Place(binding=text), [], None)

    def _read(self, text, place, chain, folder):
        with gin_internals.parse_scope() as context:
            for statement, at in _statements(text, place):
                try:
                    self._take(statement, context, at, chain, folder)
                except _Placed:
                    raise
                except ConfigError as error:
                    raise _Placed(f"{at}{first_line(error)}") from error
                except Exception as error:  # a module that is imported may raise anything
                    what = f"{statement.format()}: " if hasattr(statement, "format") else ""
                    raise _Placed(f"{at}{what}{type(error).__name__}: {first_line(error)}") from error
            self._bind_retired(place)
            gin_internals.imports().update(context.imports)

    def _bind_retired(self, place):
        """Binds what stands now for the retired parameters of the file that was just read."""
        for (scope, full), found in self._retired.items():
            own = self.given.get((scope, full), {}).get("metrics")
            value = retired.of_list(names.target_of(full), found, own.value if own else ())
            self._bind(scope, full, "metrics", Given(value, place))
        self._retired = {}

    def _take(self, statement, context, place, chain, folder):
        kind = type(statement)
        if kind is config_parser.IncludeStatement:
            self.file(statement.filename, part=True, within=chain, beside=folder)
        elif kind is config_parser.ImportStatement:
            if not statement.module.startswith("__gin__."):
                modules.check(statement.module)
                self.imported.append(statement.module)
            context.process_import(statement)
        elif kind is config_parser.BlockDeclaration:
            _configurable(statement.selector, context)
        elif not statement.arg_name:
            name = "/".join(part for part in (statement.scope, statement.selector) if part)
            value = statement.value
            value = self._left_open.get(name, value) if value == "auto" else value
            self._bind(name, "gin.macro", "value", Given(value, place))
        else:
            full = _configurable(statement.selector, context).selector
            if statement.arg_name in retired.entries(names.target_of(full)):
                found = self._retired.setdefault((statement.scope, full), {})
                retired.take(names.target_of(full), statement.arg_name, statement.value, place.file, found)
                return
            if retired.means_nothing(full, statement.arg_name, statement.value):
                return
            names.kind_of_parameter(full, statement.arg_name)  # raises if there is no such parameter
            self._bind(statement.scope, full, statement.arg_name, Given(statement.value, place))

    def _bind(self, scope, full, parameter, given):
        gin.bind_parameter((scope, full, parameter), given.value)
        bound = self.given.setdefault((scope, full), {})
        if parameter in bound:
            self.replaced.append(((scope, full), bound[parameter].value))
        bound[parameter] = given


def _configurable(selector, context):
    try:
        found = context.get_configurable(selector)
    except KeyError as error:  # several of one name
        raise ConfigError(str(error.args[0])) from error
    if not found:
        names.target_of(selector)  # raises
    return found


def _statements(text, place):
    """`(statement, its place)`, one after the other."""
    lines, line, parser = text.split("\n"), 1, None
    while True:
        try:
            parser = parser or config_parser.ConfigParser(text, _Delegate())
            line = _next_line(lines, parser.current_token.start[0])
            statement = parser.parse_statement()
        except Exception as error:  # the parser, and Python's below it, raise many sorts
            part = text if place.file is None else _read_so_far(lines, line, parser)
            message = gin_mistakes.explained(part, error, place.file is None)
            raise _Placed(f"{dataclasses.replace(place, line=line)}{message}") from error
        if statement is None:
            return
        number = statement.location.line_num if hasattr(statement, "location") else line
        yield statement, dataclasses.replace(place, line=number)


def _next_line(lines, line):
    """The number of the first line from `line` on that says something."""
    for number in range(line, len(lines) + 1):
        if lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#"):
            return number
    return line


def _read_so_far(lines, line, parser):
    """The statement that begins at `line`: up to where the parser stopped, or to the end of its brackets."""
    last = parser.current_token.start[0] if parser is not None and parser.current_token else line
    last = max(last, line)
    text = "\n".join(lines[line - 1 : last])
    for following in lines[last:]:
        if re.match(r"[\w./]+\s*=", following):  # the next statement
            break
        if not gin_mistakes.unbalanced(gin_mistakes.without_comments(text)):
            break
        text += "\n" + following
    return text


def _text(path, shown):
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{shown} cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{shown}, line {line}: this is not text in UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _shown(path):
    """A path as a user would name it: from the working directory, if it is in there."""
    path = Path(path)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
