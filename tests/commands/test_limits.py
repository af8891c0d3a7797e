"""What no machine holds is refused in one line, and many pictures are made a few at a time."""

import errno
import os

import numpy as np
import pytest
import toys
from PIL import Image

from tfgans import memory
from tfgans.commands import command_line
from tfgans.config import ConfigError
from tfgans.gan import GAN
from tfgans.gan.codes import TOGETHER
from tfgans.run import after, build, directions, look, walks
from tfgans.run.look import Chosen
from tfgans.run.samples import Moving


@pytest.fixture
def model(monkeypatch):
    found = GAN(*toys.image_networks(num_classes=3), num_classes=3, seed=3)
    monkeypatch.setattr(build, "load", lambda *_: (found, 0))
    return found


def test_images_are_written_as_they_are_made(model, tmp_path, monkeypatch):
    """50,000 images of 1024x1024 for FID are 157 GB."""
    wanted, seen, batches = model.generate(30, seed=0), [], model.batches_shown
    assert [len(batch) for batch in batches(model.codes_at(np.arange(30)))] == [TOGETHER] * 3 + [6]

    def counted(codes):
        for batch in batches(codes):
            seen.append(len(list((tmp_path).rglob("image_*.png"))))
            yield batch

    monkeypatch.setattr(model, "batches_shown", counted)
    after.generate("run", tmp_path, 30)
    assert seen == [0, 8, 16, 24]
    found = [np.array(Image.open(path)) for path in sorted((tmp_path / "images").iterdir())]
    np.testing.assert_array_equal(found, wanted[..., 0] if wanted.shape[-1] == 1 else wanted)
    assert Image.open(tmp_path / "grid.png").size[0] > 0


def test_more_than_the_memory_holds_is_refused_before_anything_is_made(model, tmp_path):
    chosen, many = Chosen(count=2), Moving(frames=10**14, kind="gif")
    for make in (
        lambda: after.interpolate("run", tmp_path, 10**15),
        lambda: after.interpolate("run", tmp_path, 2, moving=many),
        lambda: after.mix_styles("run", tmp_path, 10**8, 10**8),
        lambda: after.feed_layers("run", tmp_path, 10**15),
        lambda: walks.walk("run", tmp_path, chosen, moving=many),
        lambda: walks.class_walk("run", tmp_path, chosen, ["0", "1"], moving=many),
        lambda: directions.explore("run", tmp_path, chosen, directions.Along("sefa"), many),
    ):
        with pytest.raises(
            ConfigError, match="at a time need .* GB of memory, and this machine has .*ask for fewer"
        ):
            make()
    with pytest.raises(ConfigError, match="--num_images is at most 1,000,000. Received: 1000001"):
        Chosen(count=1_000_001)
    assert os.listdir(tmp_path) == []


def test_what_pictures_need_is_counted_by_their_sizes_and_codes(model, monkeypatch):
    pixels = int(np.prod(model.sample_shape))
    need = 10 * (6 * pixels * 4 + 4 * model.latent_dim)
    monkeypatch.setattr(memory, "machine_bytes", lambda: need)
    look.refuse_too_many(model, 10, 4)
    monkeypatch.setattr(memory, "machine_bytes", lambda: need - 1)
    with pytest.raises(ConfigError, match="10 pictures"):
        look.refuse_too_many(model, 10, 4)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            MemoryError("Unable to allocate 477. GiB"),
            1,
            "there is not enough memory: Unable to allocate 477. GiB",
        ),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x"), 2, "File name too long: 'x'"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "Permission denied: 'x'"),
        (OSError(errno.EROFS, "Read-only file system", "x"), 2, "Read-only file system: 'x'"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 1, "No space left on device: 'x'"),
    ],
)
def test_what_the_machine_cannot_is_one_line(monkeypatch, capsys, error, code, said):
    def fails(*_):
        raise error

    monkeypatch.setattr(command_line, "_interpreted", fails)
    monkeypatch.setattr(command_line.progress, "talk", lambda: None)
    assert command_line._guarded("describe", None) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(said)
