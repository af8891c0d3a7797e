"""Ways to damage a file: of any bytes, of the members of an archive, and of the words of a text."""

import io
import re
import zipfile

import numpy as np

_WORDS = (
    b"NaN", b"-1", b"1e999", b"9" * 400, b"0", b"2.5", b"null", b"true", b'""', b"[]", b"{}", b"'", b'"', b"\0",
    b"\n", b"\r", b"\xff\xfe", b"\xed\xa0\x80", "ä日本".encode(), b"[" * 3000, b"@", b"%", b"=", b"import os", b"../",
    b"a" * 5000,
)  # fmt: skip


def mutated(data, random):
    """`data`, damaged in one to three ways that `random`, a numpy Generator, chooses."""
    kinds = [_flip, _flip, _cut, _remove, _insert, _overwrite, _blank, _repeat]
    if data.startswith(b"PK"):
        kinds += [_member] * 6
    elif b"\0" not in data[:1000]:
        kinds += [_word] * 4 + [_line] * 2
    for _ in range(random.choice([1, 1, 2, 3])):
        data = kinds[random.integers(len(kinds))](data, random)
    return data


def _span(data, random, longest=200):
    """(first, last) of a part."""
    first = int(random.integers(len(data) + 1))
    return first, min(len(data), first + int(random.integers(1, longest + 1)))


def _flip(data, random):
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 8])):
        changed[random.integers(len(data))] ^= 1 << random.integers(8)
    return bytes(changed)


def _cut(data, random):
    return data[: random.integers(len(data) + 1)]


def _remove(data, random):
    first, last = _span(data, random)
    return data[:first] + data[last:]


def _insert(data, random):
    first, last = _span(data, random)
    return data[:first] + random.bytes(last - first) + data[first:]


def _overwrite(data, random):
    """A part takes the place of another."""
    (first, last), start = _span(data, random), int(random.integers(len(data) + 1))
    return data[:start] + data[first:last] + data[start + last - first :]


def _blank(data, random):
    first, last = _span(data, random)
    return data[:first] + bytes([random.choice([0, 255])]) * (last - first) + data[last:]


def _repeat(data, random):
    first, last = _span(data, random)
    return data[:last] + data[first:last] * int(random.integers(1, 4)) + data[last:]


def _word(data, random):
    words = list(re.finditer(rb"[A-Za-z_]+|-?[0-9.e]+|[^\sA-Za-z0-9]", data))
    if not words:
        return data
    found = words[random.integers(len(words))]
    return data[: found.start()] + _WORDS[random.integers(len(_WORDS))] + data[found.end() :]


def _line(data, random):
    lines = data.split(b"\n")
    first, second = random.integers(len(lines), size=2)
    kind = random.integers(3)
    if kind == 0:
        del lines[first]
    elif kind == 1:
        lines.insert(first, lines[second])
    else:
        lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def _member(data, random):
    """An archive that is sound, with other members: fewer, exchanged, renamed, of another type or size."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members, comment = {name: archive.read(name) for name in archive.namelist()}, archive.comment
    except Exception:  # damaged before
        return data
    names = list(members)
    if not names:
        return data
    first, second = (names[k] for k in random.integers(len(names), size=2))
    kind = random.integers(6)
    if kind == 0:
        del members[first]
    elif kind == 1:
        members[first], members[second] = members[second], members[first]
    elif kind == 2:
        members[f"{first[:-4]}_{random.integers(99)}.npy"] = members.pop(first)
    elif kind == 3:
        members[first] = _array(random)
    elif kind == 4:
        members[first] = _bytes_of(np.zeros(2), {"shape": (2 ** int(random.integers(20, 60)), 2)})
    else:
        members[first] = mutated(members[first], random)
    return _archive(members, random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), comment)


def _array(random):
    """A `.npy` file of some other type and shape."""
    kind = ["f8", "i8", "u1", "?", "U3", "S0", "c16", "M8[s]", "f2", "V4", "O"][random.integers(11)]
    shape = tuple(int(n) for n in random.integers(0, 5, size=random.integers(0, 4)))
    return _bytes_of(np.zeros(shape, kind), {})


def _bytes_of(array, header):
    """A `.npy` file whose header says something else than its data."""
    file = io.BytesIO()
    fields = np.lib.format.header_data_from_array_1_0(array) | header
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue() + (b"" if array.dtype.hasobject else array.tobytes())


def _archive(members, kind, comment):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", int(kind)) as archive:
        archive.comment = comment
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()
