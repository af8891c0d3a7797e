"""Power spectra in a comparison: which are read, what is drawn of them, and what is said of those that lack."""

import copy
import json
import re

import browser
import invented
import numpy as np
import pytest
from left_by_runs import compare, make_run
from matplotlib.figure import Figure
from pages import Page, read, two
from PIL import Image

from tfgans.compare import collect, figures, report, spectra
from tfgans.run import build

REAL = [-3.0, -10.0, -20.0, -30.0]
FREQUENCY = [0.0, 0.25, 0.5, 0.75]


def spectrum(offsets, real=REAL):
    """Generated images this much above the real ones."""
    return {
        "frequency": FREQUENCY,
        "real": real,
        "generated": [r + o for r, o in zip(real, offsets, strict=True)],
    }


def with_spectra(comparison, *offsets):
    """Sets the spectra of the configurations' runs: a row a configuration, of each run its offset or None."""
    for configuration, row in zip(comparison["configurations"], offsets, strict=True):
        for run, offset in zip(configuration["runs"], row, strict=True):
            run["spectrum"] = None if offset is None else spectrum([0.0, 0.0, offset, 2 * offset])
    return comparison


@pytest.fixture
def drawn(small):
    """Two configurations: generated minus real is 0, o, 2 o; one run of the second has no spectrum."""
    return with_spectra(small, (1.0, 2.0, 6.0), (-1.0, None, -3.0))


def lines(comparison):
    """`[(upper panel's lines, bands), (lower panel's)]`, each line as (colour, x, y)."""
    figure = Figure()
    spectra._draw(figure, comparison)
    return [
        (
            [(line.get_color(), *np.array(line.get_data(), float)) for line in axes.get_lines()],
            [path.get_paths()[0].vertices for path in axes.collections],
        )
        for axes in figure.axes
    ]


def leave_spectra(folder, step, real=REAL, generated=REAL):
    """What an evaluation leaves in a run's folder, as far as it is read."""
    (folder / "spectra").mkdir(exist_ok=True)
    numbers = {"frequency": FREQUENCY, "real": {"decibels": real}, "generated": {"decibels": generated}}
    (folder / "spectra" / f"step_{step:08d}.json").write_text(json.dumps(numbers))


def test_the_spectrum_of_the_last_evaluation_is_read(tmp_path):
    folder = make_run(tmp_path / "a", 0, 0.9, [100.0, 20.0, 10.0])
    assert collect.read_run(folder, tmp_path)["spectrum"] is None
    leave_spectra(folder, 10)
    leave_spectra(folder, 30)  # killed before its row was written
    assert collect.read_run(folder, tmp_path)["spectrum"] is None
    leave_spectra(folder, 20, generated=[1.0, 2.0, 3.0, 4.0])
    expected = {"frequency": FREQUENCY, "real": REAL, "generated": [1.0, 2.0, 3.0, 4.0]}
    assert collect.read_run(folder, tmp_path)["spectrum"] == expected
    numbers = json.loads((folder / "spectra/step_00000020.json").read_text())
    further = {"all_frequency": [*FREQUENCY, 1.0, 1.25]}
    further |= {
        side: numbers[side] | {"all_decibels": [*REAL, -35.0, -40.0]} for side in ("real", "generated")
    }
    (folder / "spectra/step_00000020.json").write_text(json.dumps(numbers | further))
    expected = {
        "frequency": further["all_frequency"],
        **dict.fromkeys(("real", "generated"), [*REAL, -35.0, -40.0]),
    }
    assert collect.read_run(folder, tmp_path)["spectrum"] == expected
    leave_spectra(folder, 20, generated=[float("nan")] * 4)
    assert collect.read_run(folder, tmp_path)["spectrum"] is None


def test_a_comparison_keeps_spectra_and_shows_the_distances_among_the_metrics(tmp_path, monkeypatch):
    distances = {"spectrum_distance": 2.0, "spectrum_distance_high": 3.0, "sliced_wasserstein": 4.0}
    for seed in range(2):
        folder = make_run(tmp_path / "a" / f"seed_{seed}", seed, 0.9, [100.0, 20.0, 10.0], **distances)
        leave_spectra(folder, 20)
    result, problems = compare(tmp_path / "out", monkeypatch, [tmp_path / "a"])
    assert problems == []
    written = json.loads(build.to_json(result))
    assert all(run["spectrum"]["real"] == REAL for run in written["configurations"][0]["runs"])
    assert result["metrics"] == {name: {"higher_is_better": False} for name in ("fid", *distances)}
    page = read(result, tmp_path)
    assert page.count["svg"] == 1 + 2 * 4 + 1 and "sliced Wasserstein (lower is better)" in page.text


def test_bands_are_the_mean_and_range_over_the_runs(drawn):
    generated, difference = spectra.bands(drawn["configurations"][0])
    np.testing.assert_array_equal(generated.x, [0.25, 0.5, 0.75])  # brightness, at 0, is left out
    np.testing.assert_allclose(generated.centre, [-10.0, -17.0, -24.0])
    np.testing.assert_allclose(difference.centre, [0.0, 3.0, 6.0])
    np.testing.assert_allclose(difference.low, [0.0, 1.0, 2.0])
    np.testing.assert_allclose(difference.high, [0.0, 6.0, 12.0])
    _, difference = spectra.bands(drawn["configurations"][1])
    np.testing.assert_allclose(difference.centre, [0.0, -2.0, -4.0])  # of the two runs that have one


def test_each_run_is_set_against_the_real_images_it_was_evaluated_with(drawn):
    drawn["configurations"][0]["runs"][0]["spectrum"] = spectrum([0.0, 0.0, 1.0, 2.0], [5.0] * 4)
    generated, difference = spectra.bands(drawn["configurations"][0])
    np.testing.assert_allclose(generated.centre, [-5.0, (6 - 18 - 14) / 3, (7 - 26 - 18) / 3])
    np.testing.assert_allclose(difference.centre, [0.0, 3.0, 6.0])
    assert [real[1].tolist() for real in spectra.real_spectra(drawn)] == [[5.0] * 3, REAL[1:]]
    assert "Not all runs were evaluated with the same real images" in spectra.caption(drawn)


def test_runs_whose_spectra_end_at_nyquists_frequency_are_drawn_beside_others_that_go_on(drawn):
    further = spectrum([0.0, 0.0, 1.0, 2.0, 3.0, 9.0], [*REAL, -35.0, -40.0])
    further["frequency"] = [*FREQUENCY, 1.0, 1.25]
    drawn["configurations"][0]["runs"][0]["spectrum"] = further
    assert all(band.x.tolist() == FREQUENCY[1:] for band in spectra.bands(drawn["configurations"][0]))
    drawn["configurations"][0]["runs"] = drawn["configurations"][0]["runs"][:1]
    _, difference = spectra.bands(drawn["configurations"][0])
    assert difference.x[-1] == 1.25 and difference.centre[-1] == 9.0
    figure = Figure()
    spectra._draw(figure, drawn)
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 1.02 * 1.25)}


def test_only_runs_that_came_to_their_end_count(drawn):
    first, second = drawn["configurations"]
    first["runs"][0]["suspicious"], first["runs"][1]["outcome"] = "recall 0", "diverged"
    np.testing.assert_allclose(spectra.bands(first)[1].centre, [0.0, 3.5, 7.0])  # of 1 and 6
    assert spectra.caption(drawn).endswith(
        "Not every run came to its end with a spectrum: a: 2 of 3; b: 2 of 3."
    )
    for run in second["runs"]:
        run["outcome"] = "failed"
    assert spectra.bands(second) is None and spectra.caption(drawn).endswith("a: 2 of 3; b: 0 of 3.")
    first["runs"][0]["outcome"] = first["runs"][2]["outcome"] = "failed"
    assert not spectra.measured(drawn)


def test_figure_has_the_configurations_in_their_colours_and_real_images_in_ink(drawn):
    (above, upper_bands), (below, lower_bands) = lines(drawn)
    assert [line[0] for line in above] == [line[0] for line in below] == ["black", *figures.COLOURS[:2]]
    np.testing.assert_allclose(above[0][1:], [FREQUENCY[1:], REAL[1:]])
    np.testing.assert_allclose(above[1][2], [-10.0, -17.0, -24.0])
    np.testing.assert_allclose(below[0][2], 0.0)
    np.testing.assert_allclose(below[1][2], [0.0, 3.0, 6.0])
    np.testing.assert_allclose(below[2][2], [0.0, -2.0, -4.0])
    assert [(band[:, 1].min(), band[:, 1].max()) for band in lower_bands] == [(0.0, 12.0), (-6.0, 0.0)]
    assert len(upper_bands) == 2


def test_page_has_the_figure_and_says_what_lacks(drawn, tmp_path):
    report.write(tmp_path, drawn)
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert page.count["svg"] == 3 + 1 and "spectra" in page.ids and len(set(page.ids)) == len(page.ids)
    assert spectra.caption(drawn) in page.text and "b: 2 of 3." in page.text
    assert "a: 3 of 3" not in page.text
    svg = re.search(r'<h2 id="spectra">.*?(<svg.*?</svg>)', text, re.DOTALL)[1]
    assert "currentColor" in svg and all(colour in svg for colour in figures.COLOURS[:2])
    assert 'aria-label="power spectra' in svg and "generated minus real (dB)" in svg
    assert "real images" in svg
    with Image.open(tmp_path / "spectra.png") as image:
        assert image.size == (1500, 960)
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels[-1, -1] == 255).all()
    for colour in figures.COLOURS[:2]:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == wanted).all(axis=-1).sum() > 500
    markdown = (tmp_path / "report.md").read_text()
    assert "](spectra.png)" in markdown and "b: 2 of 3." in markdown


def test_the_same_spectra_give_the_same_picture_and_without_any_it_is_removed(drawn, tmp_path):
    report.write(tmp_path, drawn)
    first = (tmp_path / "spectra.png").read_bytes()
    (tmp_path / "spectra.png").write_bytes(b"old")
    report.write(tmp_path, copy.deepcopy(drawn))
    assert (tmp_path / "spectra.png").read_bytes() == first
    report.write(tmp_path, with_spectra(drawn, [None] * 3, [None] * 3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md", "report.png"]
    page = Page((tmp_path / "report.html").read_text())
    assert page.count["svg"] == 3 and "spectra" not in page.ids and spectra.TITLE not in page.text
    assert "spectra" not in (tmp_path / "report.md").read_text()


@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")
def test_images_of_two_sizes_and_labels_that_are_no_markup(tmp_path):
    comparison = two([10.0], [20.0], labels=("<b>a_1</b>", "_b", "c"))
    with_spectra(comparison, (1.0,), (None,))
    small = np.arange(8) / 8
    comparison["configurations"].append(
        invented.configuration("eight", [copy.deepcopy(comparison["configurations"][0]["runs"][0])])
    )
    run = comparison["configurations"][2]["runs"][0]
    run["spectrum"] = {"frequency": small.tolist(), "real": (-small).tolist(), "generated": small.tolist()}
    comparison = invented.summarised(comparison["configurations"], comparison["metrics"])
    report.write(tmp_path, comparison)
    text = (tmp_path / "report.html").read_text()
    assert "<b>" not in text and len(spectra.real_spectra(comparison)) == 2
    assert "\\_b: 0 of 1" in (tmp_path / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(400, True), (1400, False)])
def test_figure_in_a_browser(drawn, tmp_path, width, dark):
    report.write(tmp_path, drawn)
    found, console = browser.measure(tmp_path / "report.html", width, tmp_path, dark)
    assert console == [] and found["page"] == width and found["outside"] == []
    wide, high = found["figures"][3]
    assert 360 <= wide <= 600 and high == pytest.approx(wide * 4.8 / 5, rel=0.01)
