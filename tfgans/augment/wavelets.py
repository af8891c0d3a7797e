"""The wavelet filters of ADA's pipeline (Karras et al., 2020, appendix B; Daubechies' symlets, as in PyWavelets)."""

import numpy as np

_SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
_SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip

BANDS = 4
ONE_OVER_F = np.array([10.0, 1.0, 1.0, 1.0]) / 13.0  # share of each band in the power of a natural image


def low_pass():
    """The 12 taps of sym6's low-pass, of sum 1, with which maps are doubled and halved: a tuple."""
    return tuple(np.asarray(_SYM6) / np.sum(_SYM6))


def band_filters():
    """Four symmetric filters [4, 43] that add up to the identity, of the lowest octaves first.

    Each is sym2's low-pass and high-pass, taken with its own mirror image and repeated an octave further down.
    """
    low = np.asarray(_SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    low, high = (np.convolve(taps, taps[::-1]) / 2.0 for taps in (low, high))
    bank = np.eye(BANDS, 1)
    for band in range(1, BANDS):
        spread = np.zeros((BANDS, 2 * bank.shape[1] - 1))
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(row, low) for row in spread])
        first = (bank.shape[1] - len(high)) // 2
        bank[band, first : first + len(high)] += high
    return bank
