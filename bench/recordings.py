"""A real recorded voice, for what measures sound, and what is made from it: a whisper and a shout.

The voice is Debian's (alsa-utils), eleven seconds of a woman. There is no recording of a whisper or a shout
that everybody has, so they are made from hers as a voice makes them: a whisper by noise in place of the
glottis (linear prediction), a shout by its brighter spectrum and higher level, both with half the range
between loud and soft. Pure but for the files.
"""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..codecs.decode import decode
from ..codecs.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, to_float, to_pcm
from ..errors import OperatorError

RECORDED = Path("/usr/share/sounds/alsa")

Sound = npt.NDArray[np.float64]

_ORDER = 40
_RANGE = 0.5
_FAINT = 1e-9


@cache
def voice() -> Pcm:
    """As recorded, at -21 LUFS."""
    files = sorted(path for path in RECORDED.glob("*.wav") if path.stem != "Noise")
    if not files:
        raise OperatorError(f"bench: no recordings in {RECORDED}; expected Debian's alsa-utils")
    return np.concatenate([block for path in files for block in decode(path, max_seconds=60)])


def whisper(peak_dbfs: float) -> Pcm:
    """The same words, whispered: each frame's own spectrum, breathed through."""
    spoken = to_float(voice()).astype(np.float64)
    window, chance = np.hanning(2 * FRAME_SAMPLES), np.random.default_rng(9)
    breath: Sound = np.zeros(len(spoken))
    for start in range(0, len(spoken) - 2 * FRAME_SAMPLES, FRAME_SAMPLES):
        here = slice(start, start + 2 * FRAME_SAMPLES)
        piece = np.diff(spoken[here], prepend=spoken[start]) * window
        energy = float(np.dot(piece, piece)) / len(piece)
        if energy > _FAINT:
            noise = _through(_predictor(piece), chance.standard_normal(2 * FRAME_SAMPLES))
            breath[here] += window * noise / np.std(noise) * energy ** (_RANGE / 2)
    return _at_peak(breath, peak_dbfs)


def shout(peak_dbfs: float) -> Pcm:
    """The same words, shouted: 6 dB an octave brighter from 500 Hz to 2 kHz. Above 0 dBFS it is clipped, as
    microphones do."""
    spoken = to_float(voice()).astype(np.float64)
    hertz = np.fft.rfftfreq(len(spoken), 1 / SAMPLE_RATE)
    tilt_db = np.clip(6 * np.log2(np.maximum(hertz, 1) / 500), 0, 12)
    bright = np.fft.irfft(np.fft.rfft(spoken) * 10 ** (tilt_db / 20), len(spoken))
    power = np.convolve(np.square(bright), np.ones(FRAME_SAMPLES) / FRAME_SAMPLES, "same")
    return _at_peak(bright / (power + 1e-5) ** (_RANGE / 2), peak_dbfs)


def at_level(pcm: Pcm, gain_db: float) -> Pcm:
    return to_pcm(to_float(pcm) * np.float32(10 ** (gain_db / 20)))


def in_room(pcm: Pcm, noise_dbfs: float) -> Pcm:
    """With the noise of a room added."""
    noise = np.random.default_rng(4).standard_normal(len(pcm)) * 10 ** (noise_dbfs / 20)
    return to_pcm(to_float(pcm) + noise.astype(np.float32))


def _predictor(piece: Sound) -> Sound:
    """Linear prediction by autocorrelation."""
    likeness = np.correlate(piece, piece, "full")[len(piece) - 1 : len(piece) + _ORDER]
    likeness[0] *= 1.0001
    rows = np.abs(np.subtract.outer(np.arange(_ORDER), np.arange(_ORDER)))
    return np.asarray(np.linalg.solve(likeness[rows], likeness[1:]), dtype=np.float64)


def _through(predictor: Sound, noise: Sound) -> Sound:
    size = 4 * len(noise)
    shape = np.fft.rfft(np.concatenate(([1.0], -predictor)), size)
    return np.asarray(np.fft.irfft(np.fft.rfft(noise, size) / shape, size)[: len(noise)], dtype=np.float64)


def _at_peak(sound: Sound, peak_dbfs: float) -> Pcm:
    return to_pcm((sound * (10 ** (peak_dbfs / 20) / np.abs(sound).max())).astype(np.float32))
