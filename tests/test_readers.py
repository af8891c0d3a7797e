"""Whatever is wrong with a file's bytes is one line that names the file and the reason."""

import io
import json
import os
import struct
import threading
import zipfile
import zlib

import numpy as np
import pytest

from tfgans import readers
from tfgans.config import ConfigError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (zlib.error("Error -3 while decompressing data"), "Error -3 while decompressing data"),
        (struct.error("unpack requires 4 bytes"), "unpack requires 4 bytes"),
        (KeyError("mean"), "it has no 'mean'"),
        (PermissionError(13, "Permission denied", "x"), "Permission denied"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "it is not a text file"),
        (RecursionError("maximum recursion depth exceeded"), "it is nested too deeply"),
        (StopIteration(), "StopIteration"),
        (AssertionError(), "AssertionError"),
        (ValueError("one\n  two\x00"), "one two\\x00"),
        (ValueError("x" * 1000), "x" * 300 + " ..."),
    ],
)
def test_any_exception_is_one_line_with_file_and_reason(error, reason):
    with pytest.raises(ConfigError) as caught, readers.reading("a/b.npz", "a checkpoint"):
        raise error
    assert str(caught.value) == f"a/b.npz cannot be read as a checkpoint: {reason}"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit, ConfigError("its own line")])
def test_what_is_not_the_files_fault_passes(error):
    expected = error if isinstance(error, type) else ConfigError
    with pytest.raises(expected) as caught, readers.reading("a", "a checkpoint"):
        raise error
    assert "a checkpoint" not in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    refusals = []

    def read():
        for function in (readers.read_npz, readers.read_json, readers.read_text):
            try:
                function(tmp_path / "a.npz", "a thing")
            except ConfigError as error:
                refusals.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    line = f"{tmp_path / 'a.npz'} cannot be read as a thing: it is not an ordinary file"
    assert refusals == [line] * 3
    with pytest.raises(ConfigError, match="Is a directory"):
        readers.read_text(tmp_path, "a thing")
    with pytest.raises(ConfigError, match="No such file or directory"):
        readers.read_text(tmp_path / "b", "a thing")


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[1e999]", "{", "[" * 10**5, "\ud800"])
def test_what_is_no_json_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError, match="a.json cannot be read as a thing: .") as caught:
        readers.read_json(tmp_path / "a.json", "a thing")
    assert "\n" not in str(caught.value)
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": [1.5, -2, null]}')  # as Windows' editors write it
    assert readers.read_json(tmp_path / "a.json", "a thing") == {"a": [1.5, -2, None]}


def test_arrays_of_every_kind_come_back(tmp_path):
    arrays = {
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), np.int16),
        "text": np.array(["ä", "b"]),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "deep/name": np.arange(3, dtype=">i4"),
        "halves": np.ones((2, 2), np.float16),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = readers.read_npz(tmp_path / "a.npz", "a thing")
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    some = readers.read_npz(tmp_path / "a.npz", "a thing", ("text", "missing"))
    assert some.pop("text").tolist() == ["ä", "b"] and set(some.values()) == {None} and len(some) == 5


def npy(array, **header):
    """A `.npy` file whose header may say something else than its data."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array) | header)
    return file.getvalue() + (b"" if array.dtype.hasobject else array.tobytes())


def archive(path, data, kind=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", kind) as file:
        file.writestr("a.npy", data)


TERABYTES = {"shape": (2**40, 8)}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            npy(np.zeros(2), **TERABYTES),
            "array a is declared as float64 .1099511627776, 8., its data has anothe",
        ),
        (npy(np.zeros(2), shape=(1,)), "its data has another size"),
        (npy(np.zeros(2), shape=(-1, 2)), "its data has another size"),
        (npy(np.zeros(4, "S0"), shape=(2**62,), descr="|S0"), "its data has another size"),
        (npy(np.array([None, {}], object)), "array a holds Python objects"),
        (b"\x93NUMPY\x09\x00" + npy(np.zeros(2))[8:], "array a has the unknown format 9.0"),
        (npy(np.zeros(2))[:20], "."),
        (b"text", "."),
        (b"", "."),
    ],
)
def test_headers_that_lie_are_refused_before_anything_is_allocated(tmp_path, data, reason):
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        archive(tmp_path / "a.npz", data, kind)
        with pytest.raises(ConfigError, match=rf"a.npz cannot be read as a thing: .*{reason}") as caught:
            readers.read_npz(tmp_path / "a.npz", "a thing")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_that_declare_more_than_they_hold_are_refused(tmp_path, monkeypatch, kind):
    path = tmp_path / "a.npz"
    archive(path, npy(np.zeros(1000)), kind)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 2**32 - 2)  # the size in the central directory
    path.write_bytes(bytes(data))
    with pytest.raises(ConfigError, match="a.npy declares 4,294,967,294 bytes, more than the file can hold"):
        readers.read_npz(path, "a thing")
    archive(path, npy(np.zeros(1000)), kind)
    assert readers.read_npz(path, "a thing")["a"].shape == (1000,)
    monkeypatch.setattr(readers, "_memory", lambda: 8000)  # bytes; the array's header is more than that
    with pytest.raises(
        ConfigError, match="its arrays take 8,128 bytes, more than this machine's memory of 8,000"
    ):
        readers.read_npz(path, "a thing")


def test_any_flipped_bit_of_an_archive_is_found_or_makes_no_difference(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {"images": np.arange(64, dtype=np.uint8).reshape(4, 4, 4), "labels": np.arange(4)}
    found = 0
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        data, random = path.read_bytes(), np.random.default_rng(0)
        for place in random.integers(len(data) * 8, size=120):
            damaged = bytearray(data)
            damaged[place // 8] ^= 1 << place % 8
            path.write_bytes(bytes(damaged))
            try:
                read = readers.read_npz(path, "a thing", tuple(arrays))
            except ConfigError as error:
                assert str(error).startswith(f"{path} cannot be read as a thing: ") and "\n" not in str(error)
                found += 1
                continue
            for name in read.keys() & arrays.keys():  # a name may have been hit
                np.testing.assert_array_equal(read[name], arrays[name])
    assert found > 150


def test_text_or_none(tmp_path):
    assert readers.text_or_none(tmp_path / "a") is None
    assert readers.text_or_none(tmp_path) is None
    (tmp_path / "a").write_bytes(b"\xff")
    assert readers.text_or_none(tmp_path / "a") is None
    (tmp_path / "a").write_text(json.dumps("ä"))
    assert readers.text_or_none(tmp_path / "a") == json.dumps("ä")
