"""Power spectra: both definitions against goldens and by hand, their mean over a stream, their distance."""

import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.data.digits import digits_split
from tfgans.evaluate import spectrum
from tfgans.evaluate.evaluator import Evaluator
from tfgans.evaluate.features import DigitsFeatures, PointFeatures
from tfgans.evaluate.spectrum import MeanSpectrum, compare

TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}


def images(count=6, size=16, channels=3, seed=0):
    """Noise, uint8."""
    return np.random.RandomState(seed).randint(0, 256, (count, size, size, channels)).astype(np.uint8)


def mean_spectrum(array):
    return MeanSpectrum(array.shape[1]).update(array)


def blurred(array):
    """Each pixel the mean of itself and its right neighbour, then its lower one, cyclically."""
    for axis in (1, 2):
        array = (array + np.roll(array, -1, axis)) / 2
    return array


def test_goldens(golden):
    expected = golden("octave_power_spectrum")
    array = expected["img"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(spectrum.gray(array), expected["gray"], **TOLERANCE)
    logarithm = spectrum.durall_log_profile(array)
    np.testing.assert_allclose(logarithm, expected["official.log_profile"], **TOLERANCE)
    np.testing.assert_allclose(spectrum.durall_profile(array), expected["official.minmax"], **TOLERANCE)
    power = spectrum.power_profile(array)
    np.testing.assert_allclose(power, expected["clean.power_profile"], **TOLERANCE)
    np.testing.assert_allclose(power.mean(axis=0), expected["clean.mean_over_batch"], **TOLERANCE)
    relative = spectrum.relative_power_profile(array)
    np.testing.assert_allclose(relative, expected["clean.normalised_by_dc"], **TOLERANCE)
    mean = mean_spectrum(array)
    natural = mean.decibels * np.log(10) / 10 + np.log(16.0**4)  # 0 dB is a white image's (16 * 16)^2
    np.testing.assert_allclose(natural, expected["clean.mean_log"], **TOLERANCE)
    np.testing.assert_allclose(mean.durall, expected["official.minmax"].mean(axis=0), **TOLERANCE)
    np.testing.assert_allclose(mean.durall_std, expected["official.minmax"].std(axis=0), **TOLERANCE)


def test_the_profile_at_128_has_the_length_of_the_papers():
    assert spectrum.durall_log_profile(images(1, 128)).shape == (1, 88)
    assert spectrum.power_profile(images(1, 128)).shape == (1, 64)


@pytest.mark.parametrize("wave", [1, 3, 5, 7])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_cosine_is_in_its_own_ring(wave, axis):
    """cos(2 pi k x / W) has |F|^2 = (W^2 / 2)^2 at its frequencies +-k, and nothing elsewhere."""
    phase = 2 * np.pi * wave * np.arange(16) / 16
    image = np.broadcast_to(np.expand_dims(np.cos(phase), axis), (16, 16))
    power = spectrum.power_profile(image[None, :, :, None])
    row, column = np.indices((16, 16)) - 8
    ring = np.count_nonzero(np.floor(np.hypot(row, column)) == wave)
    expected = np.zeros((1, 8))
    expected[0, wave] = 2 * 128.0**2 / ring
    np.testing.assert_allclose(power, expected, atol=1e-9)
    # Half a pixel away: (8 + k, 8) and (8 - k, 8) are sqrt((k +- 1/2)^2 + 1/4) from (7.5, 7.5). k = 7: 7.5, 6.5
    peaks = {np.floor(np.hypot(wave + side, 0.5)) for side in (0.5, -0.5)}
    logarithm = spectrum.durall_log_profile(image[None, :, :, None])[0]
    assert {index + 1 for index in np.flatnonzero(logarithm > logarithm.min() + 1.0)} == peaks - {0.0}


def test_white_gray_and_black_images():
    """White: F = W^2 at frequency 0, 0 dB. What is missing counts as rounding noise: W^2 / (12 * 255^2) of W^4."""
    array = np.stack([np.full((16, 16, 1), value, np.uint8) for value in (255, 51, 0)])
    floor = 10 * np.log10(1 / (12 * 255**2 * 16**2))
    decibels = spectrum.decibel_profile(array)
    np.testing.assert_allclose(decibels[:, 0], [0.0, 20 * np.log10(0.2), floor], atol=1e-9)
    np.testing.assert_allclose(decibels[:, 1:], floor, atol=1e-9)
    assert not spectrum.durall_profile(array).any()


def test_rounding_to_8_bits_makes_the_noise_that_is_the_floor():
    exact = np.random.RandomState(0).uniform(0.2, 0.8, (200, 16, 16, 1))
    error = np.rint(exact * 255) / 255 - exact
    np.testing.assert_allclose(spectrum.power_profile(error).mean(), 16**2 / (12 * 255**2), rtol=0.05)


def test_one_channel_is_its_own_gray_and_uint8_is_in_parts_of_255():
    plain = images(2, channels=1)
    three = np.repeat(plain, 3, axis=3)
    np.testing.assert_allclose(spectrum.gray(plain), plain[..., 0] / 255)
    np.testing.assert_allclose(spectrum.gray(plain / 255), plain[..., 0] / 255)
    np.testing.assert_allclose(
        spectrum.gray(three), plain[..., 0] / 255 * 0.9999
    )  # what their weights sum to


def test_streamed_is_all_at_once():
    array = images(150)
    array[:, 8:] //= 3
    streamed = MeanSpectrum(16)
    for part in (array[:1], array[1:71], array[71:]):
        streamed.update(part)
    assert streamed.count == 150
    for mean in (streamed, mean_spectrum(array)):
        for name, profiles in (
            ("decibels", spectrum.decibel_profile(array)),
            ("durall", spectrum.durall_profile(array)),
        ):
            np.testing.assert_allclose(getattr(mean, name), profiles.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(getattr(mean, f"{name}_std"), profiles.std(axis=0), rtol=1e-10)


def test_equal_sets_have_no_distance():
    array = images(10)
    assert set(compare(mean_spectrum(array), mean_spectrum(array)).values()) == {0.0}
    near = compare(mean_spectrum(images(2000, 16, 1)), mean_spectrum(images(2000, 16, 1, seed=1)))
    deviation = mean_spectrum(images(2000, 16, 1)).decibels_std[1:]
    expected = np.sqrt(2 / 2000 * np.mean(deviation**2))
    assert 0.4 * expected < near["spectrum_distance"] < 2 * expected


@pytest.mark.parametrize("size", [16, 64])
def test_distances_by_hand(size):
    """Half the contrast is a fourth of the power, 6.02 dB, at every frequency and any size; brightness is none."""
    array = images(20, size, 1) / 255
    decibels = 10 * np.log10(4)
    half = compare(mean_spectrum(array), mean_spectrum(array / 2 + 0.4))
    assert half["spectrum_distance"] == pytest.approx(decibels, abs=1e-6)
    assert half["spectrum_distance_high"] == pytest.approx(decibels, abs=1e-6)
    assert half["spectrum_difference_high"] == pytest.approx(-decibels, abs=1e-6)
    back = compare(mean_spectrum(array / 2 + 0.4), mean_spectrum(array))
    assert back["spectrum_difference_high"] == pytest.approx(decibels, abs=1e-6)


def test_a_blurred_set_lacks_high_frequencies():
    """The blur multiplies |F|^2 by cos^2(pi u / W) cos^2(pi v / W); white noise has the same power everywhere."""
    array = images(300, 32, 1) / 255
    found = compare(mean_spectrum(array), mean_spectrum(blurred(array)))
    row, column = np.indices((32, 32)) - 16
    gain = (np.cos(np.pi * row / 32) * np.cos(np.pi * column / 32)) ** 2
    ring = np.floor(np.hypot(row, column))
    expected = np.array([10 * np.log10(gain[ring == k].mean()) for k in range(16)])
    assert found["spectrum_difference_high"] == pytest.approx(expected[12:].mean(), abs=0.2)
    assert found["spectrum_distance"] == pytest.approx(np.sqrt(np.mean(expected[1:] ** 2)), abs=0.2)
    assert found["spectrum_distance_high"] > found["spectrum_distance"] > 1.0


def test_what_it_cannot_measure_is_refused():
    wrong = (np.zeros((2, 8, 9, 1)), np.zeros((2, 7, 7, 1)), np.zeros((2, 8, 8, 2)), np.zeros((8, 8, 1)))
    for array in (*wrong, np.zeros((2, 8, 8, 1), int)):
        assert not spectrum.has_spectrum(array)
        with pytest.raises(ConfigError, match="a spectrum needs square images"):
            spectrum.power_profile(array)
    with pytest.raises(ConfigError, match=r"are 8 wide. Received: \(6, 16, 16, 3\)"):
        MeanSpectrum(8).update(images())
    with pytest.raises(ConfigError, match="16 and 8 wide cannot be compared"):
        compare(mean_spectrum(images()), mean_spectrum(images(size=8)))


class Held:
    """Held-out digits; counts how often they are read. `reference` is one batch after the other."""

    def __init__(self, array=None):
        held_out = digits_split()[2][:350, ..., None]
        self.images = held_out if array is None else array
        self.reads = 0

    def reference(self):
        self.reads += 1
        for start in range(0, len(self.images), 60):
            yield self.images[start : start + 60], None

    def reference_size(self):
        return len(self.images)

    def fingerprint(self):
        return f"held {self.images.shape}"


def evaluator(folder, features=None, **options):
    off = dict.fromkeys(("inception_score", "kernel_distance", "precision_recall", "density_coverage"), False)
    features = features or DigitsFeatures()
    return Evaluator(features, 100, batch_size=40, cache_dir=folder, **off, **options)


def test_the_evaluator_measures_it(tmp_path):
    train = digits_split()[0][..., None]
    starts = iter([0, 40, 80] * 2)

    def generate(count):
        start = next(starts)
        return train[start : start + count]

    dataset = Held()
    measure = evaluator(tmp_path, spectrum=True, spectrum_samples=70)
    assert measure.spectra is None
    result = measure(generate, dataset)
    assert list(result)[:3] == ["fid", "spectrum_distance", "spectrum_distance_high"]
    chosen = np.linspace(0, 349, 70).astype(int)
    expected = compare(mean_spectrum(dataset.images[chosen]), mean_spectrum(train[:70]))
    for name in ("spectrum_distance", "spectrum_distance_high"):
        assert result[name] == pytest.approx(expected[name], rel=1e-9)
    assert "spectrum_difference_high" not in result  # which has no direction that is better
    assert [side.count for side in measure.spectra] == [70, 70]
    reads = dataset.reads
    assert measure(generate, dataset) == result and dataset.reads == reads
    both = evaluator(tmp_path, spectrum=True, spectrum_samples=70, sliced_wasserstein=True, sliced_samples=30)
    alone = evaluator(tmp_path, sliced_wasserstein=True, sliced_samples=30)
    starts = iter([0, 40, 80] * 2)
    result, sliced = both(generate, dataset), alone(generate, dataset)["sliced_wasserstein"]
    assert result["sliced_wasserstein"] == sliced > 0
    assert result["spectrum_distance"] == pytest.approx(expected["spectrum_distance"], rel=1e-9)


class Means:
    """Features of anything: the mean over pixels."""

    name = "means"

    def __call__(self, array):
        return {"features": array.reshape(len(array), -1)[:, :2].astype(np.float32)}

    def fingerprint(self):
        return "means"


def test_it_is_absent_where_images_do_not_allow_it(tmp_path):
    measure = evaluator(tmp_path, Means(), spectrum=True)
    oblong, square = images(100, 8, 1)[:, :, :6], images(100, 8, 1)
    result = measure(lambda count: square[:count], Held(square))
    assert result["spectrum_distance"] > 0 and measure.spectra is not None
    for real, fake in ((oblong, oblong), (images(100, 16, 1), square), (images(100, 8, 3), square)):
        result = measure(lambda count, fake=fake: fake[:count], Held(real))
        assert list(result) == ["fid", "features", "num_samples", "num_reference"]
        assert measure.spectra is None
    points = np.random.RandomState(0).normal(size=(100, 2)).astype(np.float32)
    measure = evaluator(tmp_path, PointFeatures(), spectrum=True)
    assert "spectrum_distance" not in measure(lambda count: points[:count], Held(points))


def test_counts_out_of_range_are_refused():
    with pytest.raises(
        ConfigError, match="Evaluator.spectrum_samples is an integer of at least 1. Received: 0"
    ):
        Evaluator(PointFeatures(), spectrum_samples=0)
