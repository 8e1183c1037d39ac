"""Levelling of whole recordings: one gain for all of it, and a true-peak limiter where its peaks would pass
the ceiling.

Laws: what comes out has TARGET_LUFS (within 0.1 LU by our own measure) and no true peak over CEILING_DBTP,
unless that would take more than MAX_GAIN_DB, or more limiting than a voice bears (_MAKE_UP_DB); nothing
quieter than SILENT_LUFS is lifted. The limiter knows the whole recording: it turns down before a peak and
up after it along a raised cosine, so there is no edge to hear. Where it works the loudness falls a little,
so gain and limiter are settled together, on the survey's bins, before any sample is touched. Live sound is
levelled in leveller.py.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import MediaError
from .frame import Pcm, Samples, to_float, to_pcm
from .leveller import LiveLeveller as LiveLeveller
from .levels import CEILING_DBTP, SILENT_LUFS, TARGET_LUFS, from_db, to_db
from .survey import BIN_SAMPLES, Bins, Loudness, integrated, survey

MAX_GAIN_DB = 40.0
"""A whisper at -56 LUFS still comes up; beyond that it is mostly the noise of the room."""

_MAKE_UP_DB = 3.0
"""The most by which gain makes up for what the limiter takes. Where that is not enough, the sound is all
peaks; more gain would flatten it and lift its background, so it stays a little under the target."""

_MARGIN_DB = 0.1
"""Under the ceiling: what rounding to 16 bits and another meter's filter may add."""

_KERNEL = np.hanning(9)[1:-1] / np.hanning(9)[1:-1].sum()
"""The limiter's course: 28 ms from first to last of 7 bins, so that the gain moves slower than the pitch of
a voice. Twice as long, it takes 0.5 LU more from speech of a high crest (18 dB)."""

_HOLD_BINS = len(_KERNEL) // 2 + 2
"""A peak holds the gain down for half a kernel each side, one bin for the interpolation and one for the
delay of the peak's measurement."""

_ROUNDS = 12
_CLOSE_LU = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to a recording, and what will come of it."""

    gains: Bins
    """Linear gain at the centre of each bin; between centres it is interpolated."""

    loudness_lufs: float
    true_peak_dbtp: float

    def gains_at(self, start: int, samples: int) -> Samples | np.float32:
        """For samples start to start + samples: a curve, or one number where the gain rests."""
        first = max(0, start // BIN_SAMPLES - 1)
        near = self.gains[first : (start + samples - 1) // BIN_SAMPLES + 2]
        if not len(near):
            return np.float32(self.gains[-1])
        if near.min() == near.max():
            return np.float32(near[0])
        centres = (first + np.arange(len(near)) + 0.5) * BIN_SAMPLES
        at = np.arange(start, start + samples) + 0.5
        return np.asarray(np.interp(at, centres, near), dtype=np.float32)


def plan(measured: Loudness, target_lufs: float = TARGET_LUFS) -> Plan:
    """MediaError when there is nothing to lift: silence, or next to it."""
    before = measured.lufs
    if before < SILENT_LUFS:
        raise MediaError(
            f"the sound is silent ({before:.0f} LUFS), expected more than {SILENT_LUFS:.0f} LUFS"
        )
    gain_db = min(target_lufs - before, MAX_GAIN_DB)
    most_db = min(gain_db + _MAKE_UP_DB, MAX_GAIN_DB)
    for _ in range(_ROUNDS):
        gains = _limited(measured.peaks, from_db(gain_db))
        after = integrated(measured.energies * np.square(gains))
        if abs(target_lufs - after) < _CLOSE_LU or gain_db >= most_db:
            break
        gain_db = min(gain_db + target_lufs - after, most_db)
    return Plan(gains, after, to_db(float((measured.peaks * _highest_near(gains)).max(initial=0.0))))


@dataclass(frozen=True, slots=True)
class Levelled:
    """A recording at the house's level."""

    pcm: Pcm
    loudness_lufs: float
    true_peak_dbtp: float


def level(pcm: Pcm, target_lufs: float = TARGET_LUFS) -> Levelled:
    """Of a whole recording in memory. MediaError for silence."""
    planned = plan(survey(pcm), target_lufs)
    louder = to_pcm(to_float(pcm) * planned.gains_at(0, len(pcm)))
    return Levelled(louder, planned.loudness_lufs, planned.true_peak_dbtp)


def integrated_loudness(pcm: Pcm) -> float:
    """EBU R128 integrated loudness in LUFS."""
    return survey(pcm).lufs


def true_peak(pcm: Pcm) -> float:
    """In dBTP."""
    return survey(pcm).true_peak_dbtp


def _limited(peaks: Bins, gain: float) -> Bins:
    """`gain`, turned down around each bin whose peak would pass the ceiling."""
    ceiling = from_db(CEILING_DBTP - _MARGIN_DB)
    if float(peaks.max(initial=0.0)) * gain <= ceiling:
        return np.full(len(peaks), gain, dtype=np.float32)
    wanted = (ceiling / np.maximum(peaks, ceiling / gain)).astype(np.float32)
    held = _lowest_near(wanted, _HOLD_BINS)
    padded = np.pad(held, len(_KERNEL) // 2, mode="edge")
    return np.convolve(padded, _KERNEL, "valid").astype(np.float32)


def _lowest_near(values: Bins, reach: int) -> Bins:
    padded = np.pad(values, reach, mode="edge")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1))


def _highest_near(values: Bins) -> Bins:
    padded = np.pad(values, 1, mode="edge")
    return np.maximum(np.maximum(padded[:-2], padded[2:]), values)
