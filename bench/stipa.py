"""STI, the speech transmission index, by the STIPA method of IEC 60268-16 (edition 4): its signal, its meter.

Noise in seven octave bands, each modulated at two rates as speech is; how much of the modulation is left says
how well speech would be understood: 1 all of it, above 0.75 excellent, below 0.3 nothing. Laws: pure. Right
to 0.05 where theory knows the answer: noise of a known level, an exponential decay (tests). The level at the
ear is taken as LEVEL_DBA, for masking and the threshold of hearing.
"""

import numpy as np
import numpy.typing as npt

from ..codecs.frame import SAMPLE_RATE

Sound = npt.NDArray[np.float64]

BANDS_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
_SPEECH_DB = np.array((2.9, 2.9, -0.8, -6.8, -12.8, -18.8, -24.8))
"""Of a male voice, each band against the A-weighted whole."""

_RATES_HZ = ((1.6, 8.0), (1.0, 5.0), (0.63, 3.15), (2.0, 10.0), (1.25, 6.25), (0.8, 4.0), (2.5, 12.5))
_DEPTH = 0.55
_ALPHA = np.array((0.085, 0.127, 0.230, 0.233, 0.309, 0.224, 0.173))
_BETA = np.array((0.085, 0.078, 0.065, 0.011, 0.047, 0.095))
"""What each band is worth, and how much two neighbours say the same (male)."""

_THRESHOLD_DB = np.array((46.0, 27.0, 12.0, 6.5, 7.5, 8.0, 12.0))
LEVEL_DBA = 70.0
_RANGE_DB = 15.0
_ENVELOPE_HZ = 100.0
SECONDS = 20.0


def signal(seconds: float = SECONDS, seed: int = 1) -> Sound:
    """The test signal at 48 kHz, its rms 0.1."""
    samples = round(seconds * SAMPLE_RATE)
    chance, t = np.random.default_rng(seed), np.arange(samples) / SAMPLE_RATE
    whole: Sound = np.zeros(samples)
    for band, (first, second), level_db in zip(BANDS_HZ, _RATES_HZ, _SPEECH_DB, strict=True):
        carrier = _limited(chance.standard_normal(samples), band, half=True)
        swing = np.sin(2 * np.pi * first * t) - np.sin(2 * np.pi * second * t)
        shaped = carrier * np.sqrt(0.5 * (1 + _DEPTH * swing))
        whole += shaped / np.std(shaped) * 10 ** (level_db / 20)
    return whole * (0.1 / np.std(whole))


def sti(heard: Sound, level_dba: float = LEVEL_DBA) -> float:
    """Of the signal after some way, at 48 kHz; a delay does not matter."""
    powers, depths = np.zeros(len(BANDS_HZ)), np.zeros((len(BANDS_HZ), 2))
    for n, (band, rates) in enumerate(zip(BANDS_HZ, _RATES_HZ, strict=True)):
        intensity = _smoothed(np.square(_limited(heard, band, half=False)))
        powers[n] = intensity.mean()
        depths[n] = [_depth(intensity, rate) for rate in rates]
    depths *= _unmasked(powers, level_dba)[:, np.newaxis]
    return _index(np.clip(depths, 1e-6, 1 - 1e-6))


def _index(depths: npt.NDArray[np.float64]) -> float:
    ratio_db = np.clip(10 * np.log10(depths / (1 - depths)), -_RANGE_DB, _RANGE_DB)
    transfer = ((ratio_db + _RANGE_DB) / (2 * _RANGE_DB)).mean(axis=1)
    shared = _BETA * np.sqrt(transfer[:-1] * transfer[1:])
    return float(min(1.0, (_ALPHA * transfer).sum() - shared.sum()))


def _unmasked(powers: npt.NDArray[np.float64], level_dba: float) -> npt.NDArray[np.float64]:
    """What part of each band's intensity is heard beside the band below it and the threshold of hearing."""
    weighting_db = np.array((-16.1, -8.6, -3.2, 0.0, 1.2, 1.0, -1.1))
    scale = 10 ** (level_dba / 10) / float((powers * 10 ** (weighting_db / 10)).sum() + 1e-30)
    intensities = powers * scale
    levels_db = 10 * np.log10(intensities[:-1] + 1e-12)
    masking_db = np.select(
        [levels_db < 63, levels_db < 67, levels_db < 100],
        [0.5 * levels_db - 65, 1.8 * levels_db - 146.9, 0.5 * levels_db - 59.8],
        -10.0,
    )
    masking = np.concatenate(([0.0], intensities[:-1] * 10 ** (masking_db / 10)))
    return np.asarray(intensities / (intensities + masking + 10 ** (_THRESHOLD_DB / 10)), dtype=np.float64)


def _depth(intensity: Sound, rate: float) -> float:
    """Of the modulation at `rate`, over a whole number of its periods, against that of the signal."""
    periods = int(len(intensity) * rate / SAMPLE_RATE)
    used = intensity[: round(periods * SAMPLE_RATE / rate)]
    turn = np.exp(-2j * np.pi * rate / SAMPLE_RATE * np.arange(len(used)))
    return float(2 * abs((used * turn).sum()) / (used.sum() + 1e-30) / _DEPTH)


def _limited(sound: Sound, band: float, *, half: bool) -> Sound:
    """To the octave around `band`, or the middle half of it, without a delay."""
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    width = 2 ** (0.25 if half else 0.5)
    with np.errstate(divide="ignore"):
        off = (hertz / band - band / np.maximum(hertz, 1e-9)) / (width - 1 / width)
    response = 1 / np.sqrt(1 + np.minimum(np.abs(off), 1e3) ** 14)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * response, len(sound)), dtype=np.float64)


def _smoothed(intensity: Sound) -> Sound:
    hertz = np.fft.rfftfreq(len(intensity), 1 / SAMPLE_RATE)
    response = 1 / np.sqrt(1 + (hertz / _ENVELOPE_HZ) ** 8)
    return np.asarray(np.fft.irfft(np.fft.rfft(intensity) * response, len(intensity)), dtype=np.float64)
