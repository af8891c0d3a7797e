"""What draws and measures for docs/gallery.md."""

import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "benchmarks"))

import glyphs_accuracy
import training_gif

from tfgans.data.glyphs import Glyphs


def test_a_gif_of_a_training_has_the_samples_in_order(tmp_path):
    (tmp_path / "samples").mkdir()
    colors = {0: (250, 0, 0), 50: (0, 250, 0), 1000: (0, 0, 250)}
    for step, color in colors.items():
        Image.new("RGB", (40, 20), color).save(tmp_path / "samples" / f"step_{step:08d}.png")
    for name in ("raw_step_00000050", "real"):
        Image.new("RGB", (40, 20)).save(tmp_path / "samples" / f"{name}.png")
    assert [each.size for each in training_gif.frames(tmp_path)] == [(40, 20)] * 3
    pictures = training_gif.frames(tmp_path, (30, 10))
    training_gif.write(pictures, tmp_path / "a.gif", frames_per_second=4, colors=8)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (3, (30, 10), 0)
        durations = []
        for frame, color in enumerate(colors.values()):
            gif.seek(frame)
            durations.append(gif.info["duration"])
            np.testing.assert_allclose(np.asarray(gif.convert("RGB"))[5, 5], color, atol=8)
    assert durations == [250, 250, 2000]
    with pytest.raises(FileNotFoundError, match="no samples of a run in"):
        training_gif.frames(tmp_path / "samples")


class Shifted:
    """Makes real glyphs of the test part, of the class `by` places after the one that is asked for."""

    def __init__(self, by):
        self.by, self.items = by, Glyphs().open("test")

    def generate(self, count, labels, seed):
        wanted = np.resize(list(labels), count)
        assert seed == 0 and wanted[:3].tolist() == [0, 1, 2]
        chosen = (wanted + self.by) % 36 + 36 * (np.arange(count) // 36)
        return np.stack([np.asarray(self.items.read(i)) for i in chosen])


@pytest.mark.slow
def test_the_accuracy_of_samples_is_that_of_the_class_that_was_asked_for():
    of_all, of_each = glyphs_accuracy.accuracy(Shifted(0), 180)
    assert of_all > 0.9 and of_each["A"] == 1.0 and len(of_each) == 36
    assert of_all == pytest.approx(np.mean(list(of_each.values())))
    assert glyphs_accuracy.accuracy(Shifted(1), 180)[0] < 0.1
