"""Pictures that move: MP4 (H.264, by the ffmpeg that imageio-ffmpeg brings) and GIF."""

import subprocess
import tempfile

import numpy as np

from tfgans import files, pictures
from tfgans.errors import ConfigError

KINDS = {"mp4": ("mp4",), "gif": ("gif",), "both": ("mp4", "gif")}
FASTEST = 50.0  # frames per second: faster GIFs are slow in browsers


def check(kind, frames_per_second):
    """Raises ConfigError unless films of a kind, a key of `KINDS`, can be made at this speed, before they are."""
    if kind not in KINDS:
        raise ConfigError(f"--video is {', '.join(KINDS)}. Received: {kind!r}")
    if not 1.0 <= frames_per_second <= FASTEST:
        raise ConfigError(f"--frames_per_second is in [1, {FASTEST:.0f}]. Received: {frames_per_second}")
    if "mp4" in KINDS[kind]:
        _encoder()


def save(path, frames, kind="both", frames_per_second=20.0, back=False):
    """Writes a film as files `path`.mp4 and `path`.gif, each whole or not at all; returns their paths.

    Args:
        path: without an ending.
        frames: uint8 pictures [F, H, W, 1 to 4]; what has alpha is put on white.
        kind: a key of `KINDS`.
        back: goes back to the first frame, the ends shown once. The GIF goes on for ever; the MP4 is played once.
    """
    frames = [*frames, *(frames[-2:0:-1] if back else [])]
    paths = [path.with_name(f"{path.name}.{ending}") for ending in KINDS[kind]]
    for each in paths:
        if each.suffix == ".mp4":
            save_mp4(each, frames, frames_per_second)
        else:
            pictures.save_gif(each, frames, frames_per_second, back=False)
    return paths


def save_mp4(path, frames, frames_per_second=20.0):
    """Writes uint8 pictures [F, H, W, 1 to 4] as an MP4 that every browser and player takes, whole or not at all.

    H.264 with 4:2:0 colours (BT.709), nearly without loss (CRF 12). Sides that are odd, which these colours cannot
    have, get a copy of their last line. Raises: ConfigError without ffmpeg, OSError if it fails.
    """
    encoder, frames = _encoder(), [_even(frame) for frame in frames]
    height, width = frames[0].shape[:2]
    colours = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
    tags = [f"-{name}" for name in ("colorspace", "color_primaries", "color_trc")]
    command = [encoder, "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-r", f"{frames_per_second:.6f}", "-i", "-", "-an", "-c:v", "libx264", "-crf", "12"]
    command += ["-vf", colours, *(word for tag in tags for word in (tag, "bt709"))]
    command += ["-movflags", "+faststart", "-f", "mp4"]
    with files.replacing(path) as file, tempfile.TemporaryFile() as said:
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        with subprocess.Popen([*command, file.name], **pipes, start_new_session=True) as process:
            _feed(process, frames)
        if process.returncode:
            said.seek(0)
            _fail(path, said.read().decode(errors="replace"))


def _feed(process, frames):
    try:
        for frame in frames:
            process.stdin.write(frame.tobytes())
        process.stdin.close()
    except BrokenPipeError:  # what ffmpeg said tells why
        pass
    except BaseException:
        process.kill()
        raise


def _fail(path, said):
    if "No space left on device" in said:
        raise OSError(28, "No space left on device", str(path))
    lines = [line for line in said.splitlines() if line.strip()] or ["it says nothing"]
    raise OSError(f"{path} could not be written: ffmpeg: {lines[-1]}")


def _even(frame):
    """A picture [H, W, 1 to 4] as RGB with even sides."""
    frame = pictures.opaque(frame)
    frame = frame.repeat(3, -1) if frame.shape[-1] == 1 else frame
    height, width = frame.shape[:2]
    return np.ascontiguousarray(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), "edge"))


def _encoder():
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            "there is no ffmpeg for MP4 files: pip install imageio-ffmpeg, or --video=gif"
        ) from error
