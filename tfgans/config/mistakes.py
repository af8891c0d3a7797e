"""What is wrong with a line of a gin file, or a binding of the command line, that cannot be read."""

import json
import re
import shlex

import gin
from gin import config_parser

from tfgans.config import names
from tfgans.config.kinds import shown
from tfgans.errors import ConfigError, first_line

_NAME = r"(?:\w+/)*(?:\w+\.)*\w+"
_STRING = r'"(?:[^"\\]|\\.)*"' + "|" + r"'(?:[^'\\]|\\.)*'"
_CONSTANTS = {"true": "True", "false": "False", "none": "None", "null": "None"}
_CLOSING = {")": "(", "]": "[", "}": "{"}
_FORM = "Name.parameter = value"
_LONG = 2000  # signs: of a longer value nothing is guessed


def explained(text, error, flag):
    """One line on a statement that gin's parser refused.

    Args:
        text: the statement, or as much of it as was read.
        error: what the parser raised.
        flag: whether it stood on the command line, where a shell takes quotes away.
    """
    if isinstance(error, ConfigError):  # of a reference: the name in it is wrong
        found = re.match(rf"\s*({_NAME})\s*=", text)
        return f"{found[1]}: {first_line(error)}" if found else first_line(error)
    if isinstance(error, RecursionError) or "too many nested" in str(error):  # the latter from Python 3.12 on
        return f"{_start(text)} is nested too deeply"
    if not text.strip():
        return f"nothing is bound: a binding is {_FORM}"
    block = re.match(rf"\s*({_NAME})\s*:[ \t]*(?:#.*)?\n", text)
    if block:
        below = text.rstrip().splitlines()[1:] or [""]
        inner = below[-1].strip()
        if below[0][:1].isspace() and re.match(rf"{_NAME}\s*=", inner):
            return explained(f"{block[1]}.{inner}", error, flag)
        return f"{block[1]}: below it stand indented lines, parameter = value. Received: {_start(inner)}"
    return _of_statement(text, flag)


def _of_statement(text, flag):
    keyword = re.match(r"\s*(include|import|from)\b(?!\s*=)(.*)", text, re.DOTALL)
    if keyword and keyword[1] == "include":
        path = json.dumps(keyword[2].strip().strip("'\"“”‘’"), ensure_ascii=False)
        return f"{_start(text)}: an included file's name is a text in quotes, include {path}"
    if keyword:
        return f"{_start(text)}: a module is named as in Python, import my_networks"
    left, sign, value = text.partition("=")
    left, value = left.strip(), without_comments(value).strip()
    value = " ".join(value.split()) if "\n" in value else value
    if not sign:
        return f"{_start(text)} is no binding: {_FORM}"
    if not re.fullmatch(_NAME, left) or value.startswith("="):
        return f"{_start(text)} is no binding: {_FORM}, with one '='"
    return _of_value(left, value, flag)


def _of_value(name, value, flag):
    """What is wrong with a value, and how it would be right."""
    try:
        kind = _kind_of(name)
    except ConfigError as error:
        return str(error)
    if not value:
        return f"{name} has no value" + (f": it is {kind.words}" if kind else "")
    broken = unbalanced(value)
    if broken:
        return f"{name}: {broken}. Received: {_start(value)}"
    for right, words in _corrections(value) if len(value) < _LONG else ():
        found = _parsed(right)
        if found is None or not (kind is None or _allows(kind, found[0])):
            continue
        form = f"{name} = {right}"
        if flag:
            form = "--gin_param=" + shlex.quote(f"{name}={right}")
        return f"{name}: {words}, {form}. Received: {_start(value)}"
    if kind is not None:
        return f"{name} is {kind.words}. Received: {_start(value)}"
    return f"{name}: this is no value that can be read: {_start(value)}"


def _kind_of(name):
    """The kind of a parameter, or None, also for a macro."""
    selector, dot, parameter = name.rsplit("/", 1)[-1].rpartition(".")
    return names.kind_of_parameter(selector, parameter) if dot else None


def _corrections(value):
    """Values that may have been meant, likeliest first, each with words that go before it."""
    constant = _CONSTANTS.get(value.lower())
    if constant:
        yield constant, f"gin writes {constant}"
    straight = re.sub("[“”„]", '"', re.sub("[‘’]", "'", value))
    if straight != value:
        yield straight, "quotes are straight ones"
    if value[0] in "([{":
        yield _words_quoted(straight), "texts are written in quotes"
    yield value.replace(",", "."), "a fraction has a point"
    yield json.dumps(value, ensure_ascii=False), "a text is written in quotes"
    yield f"@{value}", "a function or class is named with an @"
    yield f"[{_words_quoted(straight)}]", "a list is written in brackets"


def _allows(kind, value):
    """Whether a value is of a kind; of one that is yet to be made, nothing is known."""
    if isinstance(value, gin.config.ConfigurableReference):
        return value.evaluate or kind.allows(value.scoped_configurable_fn)
    return kind.allows(value)


def _words_quoted(value):
    """A list whose bare words are in quotes."""

    def quoted(match):
        word = match[0].strip()
        if not word or word[0] in "\"'@%" or _parsed(word) is not None:
            return match[0]
        return match[0].replace(word, json.dumps(word, ensure_ascii=False))

    return re.sub(rf"{_STRING}|[^][(){{}},:\"']+", quoted, value)


def _parsed(value):
    """`(value,)` of text that gin can read as one whole value, or None."""
    try:
        parser = config_parser.ConfigParser(f"value = {value}", gin.config.ParserDelegate())
        statement = parser.parse_statement()
        return (statement.value,) if parser.parse_statement() is None else None
    except Exception:  # whatever it is, this is not a value
        return None


def unbalanced(value):
    """Words on a bracket or quote that has no partner, or None."""
    opened, at = [], 0
    while at < len(value) < _LONG:
        sign = value[at]
        if sign in "\"'":
            found = re.match(_STRING, value[at:])
            if not found or "\n" in found[0]:
                return f"a quote {sign} is not closed" if not _inside_word(value, at) else None
            at += found.end()
            continue
        if sign in "([{":
            opened.append(sign)
        elif sign in ")]}" and (not opened or opened.pop() != _CLOSING[sign]):
            return f"nothing opens the bracket {sign}"
        at += 1
    return f"a bracket {opened[-1]} is not closed" if opened else None


def _inside_word(value, at):
    """Whether a quote is an apostrophe, as in `folder:Ann's`."""
    return at > 0 and value[at - 1].isalnum()


def without_comments(value):
    return re.sub(rf"({_STRING})|(?:^|\s)#.*", lambda found: found[1] or "", value)


def _start(text):
    """The first line of a text, as it was written, of at most 100 characters."""
    line = text.strip().splitlines()[0].rstrip() if text.strip() else ""
    line = "".join(sign if sign.isprintable() else shown(sign)[1:-1] for sign in line)
    return line if len(line) <= 100 else line[:97] + "..."
