"""Chirps: sounds that are found again to the sample, on either side of whatever carried them.

Laws: four kinds, half a second apart, so that a delay below two seconds is never taken for another; a chirp
is found where the normalised correlation with its own kind is best. Pure.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..codecs.frame import SAMPLE_RATE

Sound = npt.NDArray[np.float64]

SPACING_S = 0.5
LENGTH_S = 0.08
SWEEPS_HERTZ = ((500, 1500), (1500, 500), (2000, 3500), (3500, 2000))

ALIKE = 0.6
"""Opus at 32 kb/s and the leveller leave more than 0.9 of a chirp; words and noise have below 0.4."""


def chirp(kind: int, rate: int = SAMPLE_RATE) -> Sound:
    """Full at once, so that its beginning is sharp; it fades at its end."""
    low, high = SWEEPS_HERTZ[kind % len(SWEEPS_HERTZ)]
    t = np.arange(int(LENGTH_S * rate)) / rate
    swept: Sound = np.sin(2 * np.pi * (low * t + (high - low) * t * t / (2 * LENGTH_S)))
    return 0.4 * swept * np.minimum(1, (LENGTH_S - t) / 0.01)


def score() -> Sound:
    """All kinds, each followed by silence; to be heard over and over."""
    sound = np.zeros(int(SPACING_S * SAMPLE_RATE) * len(SWEEPS_HERTZ))
    for kind in range(len(SWEEPS_HERTZ)):
        begin = int(kind * SPACING_S * SAMPLE_RATE)
        sound[begin : begin + int(LENGTH_S * SAMPLE_RATE)] = chirp(kind)
    return sound


def found(sound: Sound, rate: int) -> Iterator[tuple[int, int]]:
    """(kind, sample at which it begins) of all chirps in a recording, kind by kind."""
    window = int(SPACING_S * rate)
    for kind in range(len(SWEEPS_HERTZ)):
        alike = _likeness(sound, chirp(kind, rate))
        while len(alike) and alike[best := int(np.argmax(alike))] > ALIKE:
            yield kind, best
            alike[max(0, best - window) : best + window] = 0


def _likeness(sound: Sound, sample: Sound) -> Sound:
    """Normalised correlation, 0 to 1, at each place where the sample may begin."""
    if len(sound) < len(sample):
        return np.zeros(0)
    size = 1 << (len(sound) + len(sample)).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(sample, size)), size)
    power = np.concatenate(([0.0], np.cumsum(sound**2)))
    energy = power[len(sample) :] - power[: -len(sample)]
    alike: Sound = np.abs(product[: len(energy)]) / np.sqrt(np.maximum(energy, 1e-2) * np.sum(sample**2))
    return alike
