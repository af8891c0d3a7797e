"""A cache of its own for every test, few images that count as many, and a folder of twelve."""

import pytest
from small_folders import save

from tfgans.data import contents, hashes, headers, store


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache, which keeps facts about files however young they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(hashes, "_TOO_YOUNG_NS", 0)
    return tmp_path / "cache" / "tfgans"


@pytest.fixture
def many(monkeypatch):
    """Four images are too many to decode all before training, three too many to list."""
    monkeypatch.setattr(store, "CHECKED_ONCE", 3)
    monkeypatch.setattr(contents, "_LISTED", 3)


@pytest.fixture
def seen(monkeypatch):
    """Counts of files whose header is read and of images that are decoded, by those names."""
    counts = {"headers": 0, "decoded": 0}

    def counted(name, function):
        def call(*args):
            counts[name] += 1
            return function(*args)

        return call

    monkeypatch.setattr(headers, "header", counted("headers", headers.header))
    monkeypatch.setattr(store, "decode", counted("decoded", store.decode))
    return counts


@pytest.fixture
def folder(tmp_path):
    """Twelve images of levels 0, 10, 20 ... in two classes of six."""
    for k in range(12):
        save(tmp_path / "images" / "ab"[k // 6] / f"{k:02d}.png", 10 * k)
    return tmp_path / "images"
