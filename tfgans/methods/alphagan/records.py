"""What the genotypes of all spaces have in common: JSON files, tables, and how they are chosen from weights."""

import json
import os
from dataclasses import asdict

import numpy as np

from tfgans import files, inputs, readers
from tfgans.config import ConfigError


class Record:
    """A part of genotypes, dataclasses whose fields JSON takes; empty fields are left out of their files."""

    def text(self):
        """What stands in its JSON file."""
        fields = {name: value for name, value in asdict(self).items() if value}
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def save(self, path):
        """Writes its JSON file, whole or not at all."""
        files.write_text(path, self.text())


def read_record(path, cls, what, required, optional=()):
    """The genotype in a JSON file that `Record.save` wrote.

    Args:
        cls: of the genotype.
        what: says in the error which fields it has.
        required, optional: names of the fields.
    Raises: ConfigError, in one line, if the file is not one.
    """
    path = files.expanded(path)
    fields = readers.read_json(path, "a genotype")
    if not isinstance(fields, dict) or not set(required) <= set(fields) <= {*required, *optional}:
        found = ", ".join(fields) if isinstance(fields, dict) else type(fields).__name__
        raise ConfigError(f"{path}: {what}. Received: {readers.one_line(found)}")
    with readers.reading(path, "a genotype"):
        try:
            record = cls(**fields)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error  # a line, to its end: that has what was received
    inputs.note(path, record.text())
    return record


def named(value, cls, published, kind, read):
    """The genotype that a value stands for.

    Args:
        value: a name, the path of a JSON file, or a genotype.
        cls, published: class of the genotypes, and those there are by name.
        kind: says in the error what kind of genotype it is. read: reads a file.
    Raises: ConfigError, in one line, if there is no such genotype or file, or the file is not one.
    """
    if isinstance(value, cls):
        return value
    if isinstance(value, str) and value in published:
        return published[value]
    if isinstance(value, (str, os.PathLike)) and os.path.isfile(files.expanded(value)):
        return read(files.expanded(value))
    value = files.expanded(value) if isinstance(value, (str, os.PathLike)) else value
    names = f"{'one of ' * (len(published) > 1)}{', '.join(published)}"
    raise ConfigError(f"{kind} is {names} or a JSON file that exists. Received: {readers.one_line(value)}")


def checked_operations(owner, names, count, allowed):
    """The names of an owner's operations as a tuple.

    Raises: ConfigError, in one line, if they are not as many as `count`, or one is not among those allowed.
    """
    if not isinstance(names, (list, tuple)) or len(names) != count:
        raise ConfigError(f"genotype: {owner} has {count} operations. Received: {readers.one_line(names)}")
    for name in names:
        if not isinstance(name, str) or name not in allowed:
            raise ConfigError(
                f"genotype: {owner}: an operation is one of {', '.join(allowed)}. Received: "
                f"{readers.one_line(repr(name))}"
            )
    return tuple(names)


def checked_lists(field, part, lists, parts, count, allowed):
    """The operations of a field in each of its parts, such as `cell` 1, 2 and 3, as tuples in a tuple.

    Raises: ConfigError, in one line, if there is not a list for each, and as `checked_operations`.
    """
    if not isinstance(lists, (list, tuple)) or len(lists) != len(parts):
        raise ConfigError(
            f"genotype: {field} has one list for each of {len(parts)} {part}s. Received: {readers.one_line(lists)}"
        )
    return tuple(
        checked_operations(f"{field}, {part} {i}", names, count, allowed) for i, names in enumerate(lists, 1)
    )


def aligned(rows):
    """Rows of texts as a table, the first one its head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows = [rows[0], tuple("-" * width for width in widths), *rows[1:]]
    lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def largest(arrays, rows):
    """The operations of the largest weight on every edge, the first one of equals: names by architecture weight.

    Args:
        arrays: architecture weights [edges, operations], in the order of `rows`.
        rows: (number of edges, names of the operations) of each, by name.
    Raises: ConfigError if the shapes do not go with the rows.
    """
    expected = [(edges, len(operations)) for edges, operations in rows.values()]
    received = [np.shape(array) for array in arrays]
    if received != expected:
        raise ConfigError(f"architecture weights have shapes {expected}. Received: {received}")
    return _names({name: np.argmax(array, -1) for name, array in zip(rows, arrays, strict=True)}, rows)


def drawn(seed, rows):
    """Operations drawn uniformly, as `largest` gives them; a function of `seed` (an int or a tuple of ints)."""
    generator = np.random.default_rng(seed)
    return _names(
        {name: generator.integers(len(pool), size=edges) for name, (edges, pool) in rows.items()}, rows
    )


def _names(columns, rows):
    return {name: tuple(pool[column] for column in columns[name]) for name, (_, pool) in rows.items()}
