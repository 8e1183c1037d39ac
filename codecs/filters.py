"""Filters on a stream of frames: without delay, without a loop over samples.

A filter is a list of second-order sections, used by its impulse response: each frame is filtered in the
spectrum together with the samples before it (overlap-save). Laws: what comes out does not depend on how the
stream was cut; the response is taken to be over after REACH_SAMPLES, where those made here are 90 dB down.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .frame import FRAME_SAMPLES, SAMPLE_RATE, Samples

Section = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Numerator and denominator, in powers of z^-1, at 48 kHz."""

Response = npt.NDArray[np.complex64]

_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_RUMBLE = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))

K_WEIGHTING: Sequence[Section] = (_SHELF, _RUMBLE)
"""How loud the ear finds it: ITU-R BS.1770-5, tables 1 and 2."""

REACH_SAMPLES = 2_640
"""55 ms."""

_SIZE = REACH_SAMPLES + FRAME_SAMPLES
"""3600 = 2^4 * 3^2 * 5^2: a length that a fast transform likes."""


def high_pass(hertz: float) -> Sequence[Section]:
    """Butterworth of the fourth order (24 dB an octave), by the bilinear transform."""
    warped = np.tan(np.pi * hertz / SAMPLE_RATE)
    sections: list[Section] = []
    for angle in (np.pi / 8, 3 * np.pi / 8):
        damping = 2 * np.cos(angle) * warped
        scale = 1 + damping + warped**2
        middle, last = 2 * (warped**2 - 1) / scale, (1 - damping + warped**2) / scale
        sections.append(((1 / scale, -2 / scale, 1 / scale), (1.0, float(middle), float(last))))
    return sections


def response(sections: Sequence[Section], size: int) -> Response:
    """At the size // 2 + 1 frequencies of a real transform of `size` samples."""
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    product = np.ones_like(z)
    for numerator, denominator in sections:
        product *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    return np.asarray(product, dtype=np.complex64)


class FrameFilter:
    """One filter on one stream, owned by who feeds it."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self._response = response(sections, _SIZE)
        self._recent: Samples = np.zeros(_SIZE, dtype=np.float32)

    def process(self, samples: Samples) -> Samples:
        """The next 960 samples, filtered."""
        self._recent[:REACH_SAMPLES] = self._recent[FRAME_SAMPLES:]
        self._recent[REACH_SAMPLES:] = samples
        filtered = np.fft.irfft(np.fft.rfft(self._recent) * self._response, _SIZE)
        return np.asarray(filtered[REACH_SAMPLES:], dtype=np.float32)
