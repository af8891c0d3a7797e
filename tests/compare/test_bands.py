"""Lines over several runs: their centres and intervals."""

import numpy as np
from pages import simple_run

from tfgans.compare import bands


def test_band_by_step_is_the_t_interval_over_the_seeds_that_have_the_step():
    runs = [
        simple_run(0, {0: 9.0, 100: 1.0, 150: 7.0}),
        simple_run(1, {0: 9.0, 100: 2.0, 200: None}),
        simple_run(2, {0: None, 100: 3.0}),
    ]
    band = bands.band_by_step(runs, "fid")
    np.testing.assert_array_equal(band.x, [0, 100])  # 150 has one seed, 200 none
    np.testing.assert_allclose(band.centre, [9.0, 2.0])
    half = 4.302652729911275 / np.sqrt(3)  # t(0.975, 2) and a standard deviation of 1
    np.testing.assert_allclose(band.low, [9.0, 2.0 - half])
    np.testing.assert_allclose(band.high, [9.0, 2.0 + half])


def test_band_of_one_run_has_no_interval():
    band = bands.band_by_step([simple_run(0, {0: 5.0, 10: 4.0})], "fid")
    np.testing.assert_array_equal(band.centre, [5.0, 4.0])
    assert np.isnan(band.low).all() and np.isnan(band.high).all()


def test_band_by_seconds_interpolates_within_what_all_runs_cover():
    runs = [
        simple_run(0, {0: 10.0, 100: 0.0}, seconds_a_step=0.1),  # 10 - t
        simple_run(1, {0: 12.0, 100: 2.0}, seconds_a_step=0.05),  # 12 - 2 t, to 5 seconds
        simple_run(2, {0: 500.0, 10: 900.0}, outcome="diverged"),
    ]
    band = bands.band_by_seconds(runs, "fid")
    assert (band.x[0], band.x[-1], len(band.x)) == (0.0, 5.0, bands.GRID_POINTS)
    np.testing.assert_allclose(band.centre, 11.0 - 1.5 * band.x)
    half = 12.706204736174698 * np.abs(2.0 - band.x) / 2  # t(0.975, 1) |difference| / 2
    np.testing.assert_allclose(band.high - band.centre, half, atol=1e-12)
    np.testing.assert_allclose(band.centre - band.low, half, atol=1e-12)


def test_median_line_and_a_curve_with_a_gap():
    runs = [{"curves": {"d": [[50, 1.0], [100, 5.0]]}}, {"curves": {"d": [[50, 2.0], [100, None]]}},
            {"curves": {"d": [[50, 9.0], [100, 7.0]]}}, {"curves": {}}]  # fmt: skip
    band = bands.median_by_step(runs, "d")
    np.testing.assert_array_equal(band.x, [50, 100])
    np.testing.assert_array_equal(band.centre, [2.0, 6.0])
    np.testing.assert_array_equal(bands.curve_points(runs[1], "d")[1], [2.0, np.nan])
