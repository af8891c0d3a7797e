"""A zip of image files, as StyleGAN's data tool and people make them, read in place.

Of the archive only the directory at its end is read when it is opened. An image is then one read at its offset, which
needs neither a shared position in the file nor a lock, so that any number of threads and of forked processes can do
it. Every image's checksum is compared.
"""

import collections
import contextlib
import functools
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tfgans import readers
from tfgans.config import ConfigError
from tfgans.data import stylegan_labels
from tfgans.data.decode import BadImage, Unreachable, header, open_image
from tfgans.data.hashes import ends_of, ends_read_by
from tfgans.data.items import shown
from tfgans.data.layout import LaidOut, Layout, in_order, is_hidden, sort_out
from tfgans.data.members import Members
from tfgans.files import expanded

_LOCAL = 30  # bytes of the header before a member, without its name and extra field
_HEAD = 1 << 16  # bytes that nearly every image's header is in
_LARGEST = 1 << 30  # bytes of an image file
_DEFLATE_AT_MOST = 1032  # bytes that one compressed byte can stand for
_UTF8, _ENCRYPTED, _WINDOWS = 0x800, 0x1, 0


class Zip:
    """Images in the zip file `path`, by the rules of `Folder`; a zip of one folder alone is that folder.

    Members are stored or deflated. There is only one split, `train`.
    """

    splits = ("train",)
    default_resolution = None

    def __init__(self, path):
        self.path = Path(expanded(path))

    def open(self, split):
        title = f"zip file {self.path}"
        if not self.path.is_file():
            found = "it is not a file" if self.path.exists() else "it does not exist"
            raise ConfigError(f"{title} has no images: {found}")
        with readers.reading(self.path, "a zip file"):
            file = open(self.path, "rb")  # noqa: SIM115 - as long as its images are read
            with zipfile.ZipFile(file) as archive:
                members = _named(archive.infolist(), title)
        files, folders, left_out = _image_files(members)
        size = os.fstat(file.fileno()).st_size
        for path in files:
            _check(members[path], shown(path), size, title)
        labels = members.get(stylegan_labels.FILE)
        read = None if labels is None else functools.partial(self._labels, file, labels)
        layout = Layout(title, files, folders, left_out, read)
        return ZipItems(self.path, file, layout, [members[path] for path in files])

    def _labels(self, file, member, names):
        where = self.path / stylegan_labels.FILE
        with readers.reading(where, "labels of images"):
            content = readers.parse_json(_content(file.fileno(), _Place.of(member)))
        return stylegan_labels.labels_in(content, where, names)


class ZipItems(LaidOut):
    """Image files in a zip, read and decoded when asked for."""

    def __init__(self, path, file, layout, members):
        super().__init__(layout)
        self.file, self.members = file, Members(path, file, len(members))
        columns = [np.fromiter(column, np.int64) for column in zip(*map(_Place.of, members), strict=True)]
        self.places = np.stack(columns, axis=1)

    def content(self, i):
        return self._content(i)

    encoded = content

    def header(self, i):
        rows = self.members.rows
        if not rows["sizes"][i].any():
            size, rows["gray"][i] = self._header(i)
            self.members.note("sizes", i, size)
        return tuple(rows["sizes"][i].tolist()), bool(rows["gray"][i])

    def headers(self, indices):
        bad, indices = {}, np.asarray(indices)
        for place in np.flatnonzero(~self.members.known("sizes", indices)).tolist():
            try:
                self.header(indices[place])
            except BadImage as error:
                bad[place] = error
        return self.members.rows["sizes"][indices], self.members.rows["gray"][indices], bad

    def _header(self, i):
        try:
            return header(open_image(io.BytesIO(self._content(i, _HEAD))))
        except BadImage:  # what it is stands farther behind, or it is bad
            return super().header(i)

    def read(self, i):
        return open_image(io.BytesIO(self.content(i)))

    def digest(self, i):
        found = self.members.rows["digests"]
        if not found[i].any():
            digest = hashlib.sha256(self.content(i)).digest()
            self.members.note("digests", i, np.frombuffer(digest, np.uint8))
        return found[i].tobytes()

    def digests(self, indices):
        known = self.members.known("digests", indices).all()
        return self.members.rows["digests"][indices] if known else None

    def ends(self, indices):
        indices = np.asarray(indices)
        for i in indices[~self.members.known("ends", indices)]:
            self.members.note("ends", i, np.frombuffer(self._ends(i), np.uint8))
        return self.members.rows["ends"][indices]

    def decoded(self, i):
        height, width = self.members.rows["decoded"][i].tolist()
        return (height, width) if height else None

    def note_decoded(self, i, size):
        self.members.note("decoded", i, size)

    def remember(self):
        self.members.remember()

    def _ends(self, i):
        """The light digest of image i, of which no more is read than that takes if it is not packed."""
        place = _Place(*self.places[i].tolist())
        if place.method == zipfile.ZIP_DEFLATED:
            return ends_of(io.BytesIO(self.content(i)))
        return ends_read_by(lambda *span: self._found(_stored_part, place, *span), place.size)

    def _content(self, i, most=None):
        return self._found(_content, _Place(*self.places[i].tolist()), most)

    def _found(self, read, place, *options):
        if not place.size:
            raise BadImage("empty file")
        try:
            return read(self.file.fileno(), place, *options)
        except OSError as error:
            raise Unreachable("cannot be read") from error
        except (ValueError, zlib.error) as error:
            reason = f"damaged in the zip: {readers.one_line(error)}"
            if not self.members.is_unchanged():
                raise Unreachable(f"{reason}, as it has been changed since it was opened") from error
            raise BadImage(reason) from error


class _Place(collections.namedtuple("_Place", "start, packed, size, sum, method")):
    """Where a member begins, with its header; its bytes there and unpacked; their CRC-32; how it is packed."""

    @classmethod
    def of(cls, member):
        return cls(
            member.header_offset, member.compress_size, member.file_size, member.CRC, member.compress_type
        )


def _content(descriptor, place, most=None):
    """The bytes of a member, or at most the first `most`, which are not checked then.

    Raises: OSError, ValueError and zlib.error.
    """
    if place.size > _LARGEST:
        raise ValueError(f"{place.size:,} bytes are no image")
    if most is not None and most >= place.size:
        most = None
    wanted = place.packed if most is None else min(most, place.packed)
    slack = 512  # for the name and the extra field, of which the directory does not know the length
    data = os.pread(descriptor, _LOCAL + slack + wanted, place.start)
    start = _header_length(data)
    missing = start + wanted - len(data)
    if missing > 0:
        data += os.pread(descriptor, missing, place.start + len(data))
    data = memoryview(data)[start : start + wanted]
    if place.method == zipfile.ZIP_DEFLATED:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most or place.size + 1)
    if most is None and (len(data) != place.size or zlib.crc32(data) != place.sum):
        raise ValueError("truncated" if len(data) < place.size else "its checksum is wrong")
    return bytes(data)


def _stored_part(descriptor, place, start, end):
    """The bytes between two places of a member that is stored as it is, not checked. Raises: as `_content`."""
    if place.size > _LARGEST:
        raise ValueError(f"{place.size:,} bytes are no image")
    behind = place.start + _header_length(os.pread(descriptor, _LOCAL, place.start))
    data = os.pread(descriptor, end - start, behind + start)
    if len(data) < end - start:
        raise ValueError("truncated")
    return data


def _header_length(data):
    """The length of the header before a member, of which `data` has at least 30 bytes. Raises ValueError."""
    if len(data) < _LOCAL or data[:4] != b"PK\3\4":
        raise ValueError("no file begins where it should")
    return _LOCAL + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")


def _named(members, title):
    """{path below the root: member}, folders with None; without what is hidden. Raises ConfigError for bad names."""
    found = {}
    for member in members:
        name = _name(member)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts:
            raise ConfigError(f"{title} has a file outside itself: {readers.one_line(name)}")
        if not parts or any(map(is_hidden, parts)):  # without parts it is the root itself, `./`
            continue
        path = "/".join(parts)
        if name.endswith("/"):
            found.setdefault(path)
        elif found.get(path) is not None:
            raise ConfigError(f"{title} has two files of the name {readers.one_line(name)}")
        else:
            found[path] = member
    return _without_top(found)


def _name(member):
    """A member's name; those that claim to be of DOS and are UTF-8 are UTF-8, as macOS writes them."""
    name = member.filename
    if not member.flag_bits & _UTF8 and not name.isascii():
        with contextlib.suppress(ValueError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/") if member.create_system == _WINDOWS else name


def _without_top(found):
    """The same, below the one folder that everything is in, if there is one."""
    top = next(iter(found), "").partition("/")[0]
    if not all(path.startswith(f"{top}/") or (path == top and found[path] is None) for path in found):
        return found
    return {path[len(top) + 1 :]: member for path, member in found.items() if path != top}


def _image_files(members):
    """Paths of the images, names of the folders at the root, {extension: number} of images that are not read."""
    files, folders, left_out = [], set(), collections.Counter()
    for path, member in members.items():
        top, below, _ = path.partition("/")
        if below or member is None:
            folders.add(top)
        if member is not None and sort_out(path, left_out):
            files.append(path)
    return in_order(files), sorted(folders), left_out


def _check(member, name, size, title):
    """Raises ConfigError for an image that cannot be read from a zip, or is not where the directory says."""
    if member.flag_bits & _ENCRYPTED:
        raise ConfigError(f"{title} is encrypted, such as {name}: unpack it")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = zipfile.compressor_names.get(member.compress_type, f"method {member.compress_type}")
        raise ConfigError(f"{title} is packed by {method}, such as {name}: only stored and deflated are read")
    most = 1 if member.compress_type == zipfile.ZIP_STORED else _DEFLATE_AT_MOST
    if member.file_size > member.compress_size * most:
        raise ConfigError(
            f"{title} is damaged: {name} declares {member.file_size:,} bytes, more than it can hold"
        )
    if member.header_offset < 0 or member.header_offset + _LOCAL + member.compress_size > size:
        raise ConfigError(f"{title} is truncated or damaged: {name} lies behind its end")
