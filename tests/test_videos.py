"""Films: MP4 read back by the library that brings the encoder, and GIF."""

import pathlib

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from tfgans import videos
from tfgans.config import ConfigError


def read(path):
    """`(frames uint8 [F, H, W, 3], frames per second)` of an MP4."""
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    width, height = about["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    return np.stack(frames), about["fps"]


def ramps(count, height, width, channels):
    """Pictures of soft colours, as 4:2:0 keeps them: each frame brighter than the one before."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 2, y * 2, 150 - x][:channels], -1)
    return np.stack([picture + 8 * number for number in range(count)]).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("height", "width", "channels"), [(48, 64, 3), (47, 63, 3), (50, 64, 1)])
def test_an_mp4_has_the_frames_and_their_colours(tmp_path, height, width, channels):
    frames = ramps(7, height, width, channels)
    videos.save_mp4(tmp_path / "a.mp4", frames, 12.5)
    found, speed = read(tmp_path / "a.mp4")
    assert speed == 12.5 and found.shape == (7, height + height % 2, width + width % 2, 3)
    error = found[:, :height, :width].astype(int) - frames
    assert np.abs(error).mean() < 4 and np.abs(error.mean((1, 2))).max() < 2.5
    np.testing.assert_array_equal(np.diff(found.mean((1, 2, 3))) > 5, True)  # in their order
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_put_on_white(tmp_path, channels):
    frames = np.zeros((2, 16, 18, channels), np.uint8)  # nothing shows in the first one
    frames[1, ..., -1] = 255
    videos.save_mp4(tmp_path / "a.mp4", frames)
    found, _ = read(tmp_path / "a.mp4")
    assert found.shape == (2, 16, 18, 3) and found[0].min() > 250 and found[1].max() < 5


@pytest.mark.parametrize(("back", "order"), [(False, [0, 1, 2, 3]), (True, [0, 1, 2, 3, 2, 1])])
def test_both_kinds_have_the_same_frames(tmp_path, back, order):
    frames = ramps(4, 20, 30, 1)
    paths = videos.save(tmp_path / "film", list(frames), "both", 10.0, back)
    assert [path.name for path in paths] == ["film.mp4", "film.gif"]
    found, _ = read(paths[0])
    assert np.abs(found[..., :1].astype(int) - frames[order]).mean() < 3 and len(found) == len(order)
    with Image.open(paths[1]) as image:
        assert (image.n_frames, image.info["loop"], image.info["duration"]) == (len(order), 0, 100)
        for number, frame in enumerate(order):
            image.seek(number)
            np.testing.assert_array_equal(np.asarray(image.convert("L")), frames[frame, ..., 0])
    for kind, names in (("mp4", ["one.mp4"]), ("gif", ["one.gif"])):
        assert [path.name for path in videos.save(tmp_path / "one", list(frames), kind)] == names


def test_an_mp4_is_whole_or_not_there(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"before")
    encoder = tmp_path / "ffmpeg"
    encoder.write_text(
        "#!/bin/sh\ncat > /dev/null\necho 'av_interleaved_write_frame(): No space left on device' >&2\nexit 1\n"
    )
    encoder.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(encoder))
    with pytest.raises(OSError, match=r"\[Errno 28\] No space left on device: '.*a.mp4'"):
        videos.save_mp4(tmp_path / "a.mp4", ramps(3, 8, 8, 3))
    encoder.write_text("#!/bin/sh\necho 'Unknown encoder libx264' >&2\nexit 8\n")  # it does not even read
    with pytest.raises(OSError, match="a.mp4 could not be written: ffmpeg: Unknown encoder libx264"):
        videos.save_mp4(tmp_path / "a.mp4", ramps(300, 80, 80, 3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "ffmpeg"]
    assert (tmp_path / "a.mp4").read_bytes() == b"before"


def test_films_that_cannot_be_made(monkeypatch):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    videos.check("gif", 20.0)
    for arguments, said in (
        (("mp4", 20.0), "there is no ffmpeg for MP4 files: pip install imageio-ffmpeg, or --video=gif"),
        (("both", 20.0), "there is no ffmpeg"),
        (("avi", 20.0), "--video is mp4, gif, both. Received: 'avi'"),
        (("gif", 0.5), r"--frames_per_second is in \[1, 50\]. Received: 0.5"),
        (("gif", 51.0), "Received: 51.0"),
    ):
        with pytest.raises(ConfigError, match=said):
            videos.check(*arguments)
    with pytest.raises(ConfigError, match="there is no ffmpeg"):
        videos.save_mp4(pathlib.Path("never.mp4"), ramps(1, 8, 8, 3))
