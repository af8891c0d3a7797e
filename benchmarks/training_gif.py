"""A GIF of a training: the pictures of the same latents that a run has in `samples`, one after the other.

    python benchmarks/training_gif.py runs/glyphs training.gif [--size=614x138] [--frames_per_second=5] [--colors=128]

`--size` keeps that many pixels at the upper left. The last picture stays for two seconds, then it begins again.
"""

import argparse
import os
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from tfgans import files


def frames(run, size=None):
    """Pillow images of a run's samples, in the order of their steps, cut to `size` (width, height) if it is given.

    Raises: FileNotFoundError if there are none.
    """
    found = sorted(Path(run, "samples").glob("step_*.png"), key=files.step_of)
    if not found:
        raise FileNotFoundError(f"no samples of a run in {run}")
    pictures = [Image.open(path).convert("RGB") for path in found]
    return [picture.crop((0, 0, *size)) if size else picture for picture in pictures]


def write(pictures, path, frames_per_second=5.0, colors=128):
    """Writes a GIF that repeats, whole or not at all; all pictures share `colors` colours, undithered."""
    strip = Image.new("RGB", (pictures[-1].width, sum(each.height for each in pictures)))
    for number, picture in enumerate(pictures):
        strip.paste(picture, (0, number * picture.height))
    few = [min(256, side) for side in strip.size]  # enough to choose colours from
    part = strip.resize(few, Image.Resampling.NEAREST)
    palette = part.quantize(colors, Image.Quantize.MEDIANCUT)
    first, *others = (each.quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures)
    durations = [round(1000 / frames_per_second)] * len(others) + [2000]
    with files.replacing(path) as file:
        first.save(
            file, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("path")
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))))
    parser.add_argument("--frames_per_second", type=float, default=5.0)
    parser.add_argument("--colors", type=int, default=128)
    options = parser.parse_args()
    pictures = frames(options.run, options.size)
    write(pictures, options.path, options.frames_per_second, options.colors)
    print(f"{options.path}: {len(pictures)} frames, {os.path.getsize(options.path)} bytes")


if __name__ == "__main__":
    main()
