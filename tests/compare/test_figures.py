"""Figures of a comparison: what is drawn where, and that it can be told apart."""

import re

import numpy as np
from pages import simple_run, two

from tfgans.compare import figures, report


def test_band_by_step_is_the_t_interval_over_the_seeds_that_have_the_step():
    runs = [
        simple_run(0, {0: 9.0, 100: 1.0, 150: 7.0}),
        simple_run(1, {0: 9.0, 100: 2.0, 200: None}),
        simple_run(2, {0: None, 100: 3.0}),
    ]
    band = figures.band_by_step(runs, "fid")
    np.testing.assert_array_equal(band.x, [0, 100])  # 150 has one seed, 200 none
    np.testing.assert_allclose(band.centre, [9.0, 2.0])
    half = 4.302652729911275 / np.sqrt(3)  # t(0.975, 2) and a standard deviation of 1
    np.testing.assert_allclose(band.low, [9.0, 2.0 - half])
    np.testing.assert_allclose(band.high, [9.0, 2.0 + half])


def test_band_of_one_run_has_no_interval():
    band = figures.band_by_step([simple_run(0, {0: 5.0, 10: 4.0})], "fid")
    np.testing.assert_array_equal(band.centre, [5.0, 4.0])
    assert np.isnan(band.low).all() and np.isnan(band.high).all()


def test_band_by_seconds_interpolates_within_what_all_runs_cover():
    runs = [
        simple_run(0, {0: 10.0, 100: 0.0}, seconds_a_step=0.1),  # 10 - t
        simple_run(1, {0: 12.0, 100: 2.0}, seconds_a_step=0.05),  # 12 - 2 t, to 5 seconds
        simple_run(2, {0: 500.0, 10: 900.0}, outcome="diverged"),
    ]
    band = figures.band_by_seconds(runs, "fid")
    assert (band.x[0], band.x[-1], len(band.x)) == (0.0, 5.0, figures.GRID_POINTS)
    np.testing.assert_allclose(band.centre, 11.0 - 1.5 * band.x)
    half = 12.706204736174698 * np.abs(2.0 - band.x) / 2  # t(0.975, 1) |difference| / 2
    np.testing.assert_allclose(band.high - band.centre, half, atol=1e-12)
    np.testing.assert_allclose(band.centre - band.low, half, atol=1e-12)


def test_median_line_and_a_curve_with_a_gap():
    runs = [{"curves": {"d": [[50, 1.0], [100, 5.0]]}}, {"curves": {"d": [[50, 2.0], [100, None]]}},
            {"curves": {"d": [[50, 9.0], [100, 7.0]]}}, {"curves": {}}]  # fmt: skip
    band = figures.median_by_step(runs, "d")
    np.testing.assert_array_equal(band.x, [50, 100])
    np.testing.assert_array_equal(band.centre, [2.0, 6.0])
    np.testing.assert_array_equal(figures.curve_points(runs[1], "d")[1], [2.0, np.nan])


def luminance(colour):
    part = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in part]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_are_seen_on_light_and_on_dark(written):
    pages = re.findall(r"--page: (#\w{6})", (written[0] / "report.html").read_text())
    assert len(pages) == 2
    for line in figures.COLOURS:
        for ground in pages:
            low, high = sorted((luminance(line), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 3.0, (line, ground)


def test_no_two_configurations_look_the_same():
    looks = {(figures.colour(i), figures.marker(i)) for i in range(20)}
    assert len(looks) == 20 and len({figures.marker(i) for i in range(8)}) == 8


def test_long_labels_keep_both_ends():
    assert figures.short("abc  def\nghi", 11) == "abc def ghi"
    assert figures.short("abcdefghijkl", 11) == "abcde…hijkl"
    assert figures.short("abcdefghijkl", 10) == "abcd…hijkl"
    verdict = report.verdict(two([1.0, 1.1], [3.0, 3.1], labels=("x" * 50 + "1", "y", "z")))
    assert f"{'x' * 19}…{'x' * 19}1 is better than y" in verdict
