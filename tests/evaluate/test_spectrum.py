"""Power spectra: both definitions against goldens and by hand, their mean over a stream, their distance."""

import types

import matplotlib.figure
import numpy as np
import pytest

from tfgans.config import ConfigError
from tfgans.data.digits import digits_split
from tfgans.evaluate import figure_style, spectrum, spectrum_figure
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


@pytest.mark.parametrize(("ring", "high"), [(5, 0.0), (6, 4.0), (7, 4.0)])
def test_the_highest_quarter_by_hand(ring, high):
    """Of 8 rings below Nyquist it is 6 and 7: 4 dB in one of the two are 2 in the mean, sqrt(8) in the distance."""
    flat, other = (
        types.SimpleNamespace(size=16, decibels=np.zeros(8), all_decibels=np.zeros(12)) for _ in "ab"
    )
    other.all_decibels[ring] = 4.0
    found = compare(flat, other)
    assert found["spectrum_difference_high"] == pytest.approx(high / 2)
    assert found["spectrum_distance_high"] == pytest.approx(high / 2**0.5)


def stripes(kind, height, width):
    """+-1 with period 2: of rows, of columns, or of both."""
    row, column = np.indices((height, width))
    return (-1.0) ** {"rows": row, "columns": column, "checkerboard": row + column}[kind]


def photographs(count, height, width, channels, seed=0):
    """Gray values of noise whose amplitude falls with the frequency, as that of photographs does: 128 +- 35."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    frequency[0, 0] = 1.0
    noise = np.random.default_rng(seed).normal(size=(count, channels, height, width))
    values = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    return (128 + 35 * values / values.std()).transpose(0, 2, 3, 1)


def eight_bits(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["rows", "columns", "checkerboard"])
@pytest.mark.parametrize(
    "shape", [(32, 32, 1), (33, 33, 3), (15, 15, 1), (8, 8, 1), (24, 40, 1), (21, 16, 3)]
)
@pytest.mark.parametrize("flat", [True, False])
def test_stripes_and_checkerboards_register_and_more_so_the_stronger_they_are(kind, shape, flat):
    """Of three channels only the first is striped, so that gray values are a third as much."""
    height, width, channels = shape
    clean = np.full((24, *shape), 128.0) if flat else photographs(24, *shape)
    pattern = stripes(kind, height, width)[..., None] * (np.arange(channels) == 0)
    mean = lambda values: MeanSpectrum((height, width)).update(eight_bits(values))  # noqa: E731
    found = [compare(mean(clean), mean(clean + a * pattern)) for a in (0, 4, 8, 16, 30)]
    distances = [each["spectrum_distance_all"] for each in found]
    assert distances[0] < 1e-9 and (np.diff(distances) > 0.005).all() and distances[-1] > 1.0
    if height % 2 == width % 2 == 0:  # what ends below Nyquist's frequency sees nothing but clipping
        assert max(each["spectrum_distance"] for each in found) < 0.1


@pytest.mark.parametrize(("kind", "ring"), [("rows", 16), ("columns", 16), ("checkerboard", 22)])
def test_a_pattern_of_period_2_by_hand(kind, ring):
    """|F|^2 = (a W^2)^2 at one frequency, W / 2 or W / sqrt(2) from 0; flat otherwise, which counts as rounding."""
    size, amplitude = 32, 30 / 255
    image = amplitude * stripes(kind, size, size)[None, :, :, None]
    power = spectrum.all_power_profile(image)[0]
    numbers = np.floor(np.hypot(*(np.indices((size, size)) - size // 2))).astype(int)
    expected = np.zeros(23)
    expected[ring] = (amplitude * size**2) ** 2 / np.count_nonzero(numbers == ring)
    np.testing.assert_allclose(power, expected, atol=1e-6 * expected.max())
    np.testing.assert_array_equal(spectrum.power_profile(image)[0], power[:16])
    floor = size**2 / 255**2 / 12
    distance = compare(mean_spectrum(np.zeros_like(image)), mean_spectrum(image))
    decibels = 10 * np.log10(expected[ring] / floor)
    assert distance["spectrum_distance_all"] == pytest.approx(decibels / np.sqrt(22), rel=1e-6)
    assert distance["spectrum_distance"] == 0.0
    np.testing.assert_allclose(spectrum.all_frequencies(size), np.arange(23) / 16)


def test_oblong_images_have_the_frequencies_of_square_ones():
    """Stripes of period 4 pixels are at half of Nyquist's, along either side."""
    for height, width in ((24, 40), (40, 24)):
        for axis, length in ((0, height), (1, width)):
            wave = np.cos(np.pi * np.arange(length) / 2)
            image = np.broadcast_to(np.expand_dims(wave, 1 - axis), (height, width))
            power = spectrum.all_power_profile(image[None, :, :, None])[0]
            assert np.argmax(power) == 6 and power[6] > 1e6 * power[5]
        assert spectrum.all_frequencies((height, width))[[6, -1]].tolist() == [0.5, 16 / 12]
        assert spectrum.frequencies((height, width)).tolist() == (np.arange(12) / 12).tolist()
    square, oblong = (photographs(30, 64, width, 1) for width in (64, 128))
    gap = MeanSpectrum((64, 128)).update(oblong).all_decibels - mean_spectrum(square).all_decibels
    assert np.abs(np.diff(gap[2:40])).max() < 1.5  # the same shape, whatever the level


def test_the_picture_goes_to_the_corner_and_that_of_an_older_run_to_nyquist():
    clean = photographs(4, 16, 16, 1)
    striped = clean + 30 * stripes("checkerboard", 16, 16)[..., None]
    numbers = spectrum.numbers(mean_spectrum(eight_bits(clean)), mean_spectrum(eight_bits(striped)))
    older = {name: value for name, value in numbers.items() if "all" not in name}
    for side in ("real", "generated"):
        older[side] = {name: value for name, value in numbers[side].items() if "all" not in name}
    ranges, shown = [], matplotlib.figure.Figure.add_subplot
    with pytest.MonkeyPatch.context() as patch:
        seen = []
        patch.setattr(figure_style.Figure, "add_subplot", lambda self: seen.append(shown(self)) or seen[-1])
        pictures = [spectrum_figure.picture(each) for each in (numbers, older)]
        ranges = [axes.get_xlim()[1] for axes in seen]
        ends = [axes.get_lines()[1].get_ydata() for axes in seen]
    assert ranges == [pytest.approx(1.02 * 11 / 8), 1.0] and pictures[0].shape == pictures[1].shape
    assert len(ends[0]) == 11 and np.argmax(ends[0]) == 10 and len(ends[1]) == 7
    assert "up to the corner" in seen[0].get_title("left") and "corner" not in seen[1].get_title("left")


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
    wrong = (np.zeros((2, 8, 7, 1)), np.zeros((2, 7, 9, 1)), np.zeros((2, 8, 8, 2)), np.zeros((8, 8, 1)))
    for array in (*wrong, np.zeros((2, 8, 8, 1), int)):
        assert not spectrum.has_spectrum(array)
        with pytest.raises(ConfigError, match="a spectrum needs images"):
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
    features = features or DigitsFeatures()
    return Evaluator(features, 100, batch_size=40, cache_dir=folder, **options)


def test_the_evaluator_measures_it(tmp_path):
    train = digits_split()[0][..., None]
    starts = iter([0, 40, 80] * 2)

    def generate(count):
        start = next(starts)
        return train[start : start + count]

    dataset = Held()
    measure = evaluator(tmp_path, metrics=["fid", "spectrum"], spectrum_samples=70)
    assert measure.spectra is None
    result = measure(generate, dataset)
    names = ["spectrum_distance", "spectrum_distance_high", "spectrum_distance_all"]
    assert list(result)[:4] == ["fid", *names]
    chosen = np.linspace(0, 349, 70).astype(int)
    expected = compare(mean_spectrum(dataset.images[chosen]), mean_spectrum(train[:70]))
    for name in names:
        assert result[name] == pytest.approx(expected[name], rel=1e-9)
    assert "spectrum_difference_high" not in result  # which has no direction that is better
    assert [side.count for side in measure.spectra] == [70, 70]
    reads = dataset.reads
    assert measure(generate, dataset) == result and dataset.reads == reads
    both = evaluator(
        tmp_path,
        metrics=["fid", "spectrum", "sliced_wasserstein"],
        spectrum_samples=70,
        sliced_samples=30,
    )
    alone = evaluator(tmp_path, metrics=["fid", "sliced_wasserstein"], sliced_samples=30)
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
    measure = evaluator(tmp_path, Means(), metrics=["fid", "spectrum"])
    thin, square = images(100, 8, 1)[:, :, :6], images(100, 8, 1)
    result = measure(lambda count: square[:count], Held(square))
    assert result["spectrum_distance"] > 0 and measure.spectra is not None
    oblong = images(100, 16, 1)[:, :8]
    assert measure(lambda count: oblong[:count] // 2, Held(oblong))["spectrum_distance_all"] > 4.0
    assert [side.size for side in measure.spectra] == [(8, 16)] * 2
    for real, fake in (
        (thin, thin),
        (oblong, square),
        (images(100, 16, 1), square),
        (images(100, 8, 3), square),
    ):
        result = measure(lambda count, fake=fake: fake[:count], Held(real))
        assert list(result) == ["fid", "features", "num_samples", "num_reference"]
        assert measure.spectra is None
    points = np.random.RandomState(0).normal(size=(100, 2)).astype(np.float32)
    measure = evaluator(tmp_path, PointFeatures(), metrics=["fid", "spectrum"])
    assert "spectrum_distance" not in measure(lambda count: points[:count], Held(points))


def test_counts_out_of_range_are_refused():
    with pytest.raises(
        ConfigError, match="Evaluator.spectrum_samples is an integer of at least 1. Received: 0"
    ):
        Evaluator(PointFeatures(), spectrum_samples=0)
