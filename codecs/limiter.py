"""The last stage of live sound: nothing passes the ceiling.

Laws: no sample, and no true peak between samples, passes CEILING_DBTP, from the first frame on. The sound is
delayed by LATENCY_SAMPLES, so that the limiter turns down before a peak, not at it. One limiter per source,
owned by who feeds it.
"""

import numpy as np

from .frame import FRAME_SAMPLES, Samples
from .levels import CEILING_DBTP, from_db

_SLOT_SAMPLES = 240
_SLOTS = FRAME_SAMPLES // _SLOT_SAMPLES
"""The limiter decides every 5 ms: shorter is heard as roughness, longer as a hole before a plosive."""

_HALF_TAPS = 24
LATENCY_SAMPLES = _SLOT_SAMPLES + _HALF_TAPS
"""5.5 ms."""

_RELEASE = 0.04
"""Of the limiter's gain, per slot: from half back to one in 60 ms."""

_CEILING = from_db(CEILING_DBTP - 0.5)
"""0.5 dB under the ceiling, since 48 taps see a little less than a longer filter (above 19 kHz, where no
voice is, 0.6)."""

_OVERSHOOT = 3.0
"""True peaks are looked for where samples come within 9.5 dB of the ceiling: white noise that was clipped
goes 8 dB over its samples."""


def _interpolators() -> list[Samples]:
    offsets = np.arange(2 * _HALF_TAPS) - _HALF_TAPS + 0.5
    window = np.kaiser(2 * _HALF_TAPS, 4.0)
    return [(np.sinc(offsets - shift) * window).astype(np.float32) for shift in (-0.25, 0.0, 0.25)]


class Limiter:
    """Feed frames of 960 samples; each gives a frame, LATENCY_SAMPLES late."""

    def __init__(self) -> None:
        self._filters = _interpolators()
        self._past: Samples = np.zeros(_SLOT_SAMPLES + 2 * _HALF_TAPS, dtype=np.float32)
        self._peaks = [0.0]
        self._edge = 1.0
        self.kept = 1.0
        """How much of the last frame's power was let through."""

    def process(self, samples: Samples) -> Samples:
        """The frame that is due."""
        joined = np.concatenate((self._past, samples))
        self._past = joined[FRAME_SAMPLES:]
        due = joined[_HALF_TAPS : _HALF_TAPS + FRAME_SAMPLES]
        peaks = self._peaks + self._slot_peaks(joined)
        self._peaks = peaks[-1:]
        edges = self._edges(peaks)
        self.kept = 1.0
        if min(edges) == 1.0:
            return due
        curve = np.interp(np.arange(FRAME_SAMPLES), np.arange(_SLOTS + 1) * _SLOT_SAMPLES, edges)
        limited = due * curve.astype(np.float32)
        power = float(np.dot(due, due))
        self.kept = float(np.dot(limited, limited)) / power if power else 1.0
        return limited

    def _edges(self, peaks: list[float]) -> list[float]:
        """Gain at the borders of the slots that are due: under what the slot on either side of it allows."""
        allowed = [_CEILING / max(peak, _CEILING) for peak in peaks]
        edges = [self._edge]
        for n in range(_SLOTS):
            edges.append(min(allowed[n], allowed[n + 1], edges[-1] + _RELEASE, 1.0))
        self._edge = edges[-1]
        return edges

    def _slot_peaks(self, joined: Samples) -> list[float]:
        """Of the four slots that came in, true peaks included."""
        new = joined[_SLOT_SAMPLES + _HALF_TAPS : -_HALF_TAPS]
        magnitude = np.abs(new)
        if float(magnitude.max()) * _OVERSHOOT > _CEILING:
            around = joined[_SLOT_SAMPLES:]
            for taps in self._filters:
                between = np.abs(np.convolve(around, taps, "valid"))
                np.maximum(magnitude, between[:FRAME_SAMPLES], out=magnitude)
        return [float(peak) for peak in magnitude.reshape(_SLOTS, _SLOT_SAMPLES).max(axis=1)]
