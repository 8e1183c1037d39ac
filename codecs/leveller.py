"""Levelling of live sound: a slow gain towards the house's level and a limiter, frame by frame, causal.

Laws: the gain rises only on what stands out from the room (a voice), never on noise or silence: what lies
within _STANDS_OUT_DB of the quietest moment of the last 1.5 s is the room, and there any gain above one is
taken back. It falls on anything that is too loud. No sample, and no true peak between samples, passes
CEILING_DBTP, from the first frame on. The sound is delayed by LATENCY_SAMPLES so that the limiter turns
down before a peak, not at it. One leveller per source, owned by who feeds it.
"""

from collections import deque

import numpy as np

from .frame import FRAME_SAMPLES, Pcm, Samples, require_frame, to_float, to_pcm
from .levels import CEILING_DBTP, FLOOR_DB, TARGET_LUFS, from_db, to_db

_SLOT_SAMPLES = 240
_SLOTS = FRAME_SAMPLES // _SLOT_SAMPLES
"""The limiter decides every 5 ms: shorter is heard as roughness, longer as a hole before a plosive."""

_HALF_TAPS = 24
LATENCY_SAMPLES = _SLOT_SAMPLES + _HALF_TAPS
"""5.5 ms."""

_TARGET_RMS_DB = TARGET_LUFS + 0.7
"""Loudness of a voice is about its rms over the frames in which it speaks, less 0.7 (measured on recorded
speech)."""

_STANDS_OUT_DB = 9.0
_QUIETEST_VOICE_DB = -55.0
_ROOM_FRAMES = 75
"""1.5 s: nobody speaks so long without a gap between words, and a fan, rain or hum has none."""

_MIN_GAIN_DB, _MAX_GAIN_DB = -20.0, 24.0
_UP_DB, _DOWN_DB = 0.12, 0.5
"""Per frame: 6 dB a second up, so that a word is not pulled up alone; 25 dB a second down."""

_MEMORY = 0.02
"""Weight of one frame in the measured level: a second of speech."""

_HOLD_FRAMES = 20
_RETREAT = 0.04
"""After 0.4 s without a voice the lift is taken back within half a second."""

_RELEASE = 0.04
"""Of the limiter's gain, per slot: from half back to one in 60 ms."""

_CEILING = from_db(CEILING_DBTP - 0.5)
"""0.5 dB under the ceiling, since 48 taps see a little less than a longer filter (above 19 kHz, where no
voice is, 0.6)."""

_OVERSHOOT = 2.0
"""True peaks are looked for where samples come within 6 dB of the ceiling."""


def _interpolators() -> list[Samples]:
    offsets = np.arange(2 * _HALF_TAPS) - _HALF_TAPS + 0.5
    window = np.kaiser(2 * _HALF_TAPS, 4.0)
    return [(np.sinc(offsets - shift) * window).astype(np.float32) for shift in (-0.25, 0.0, 0.25)]


class LiveLeveller:
    """Feed frames of 960 samples; each gives a frame, LATENCY_SAMPLES late."""

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=_ROOM_FRAMES)
        self._power = 0.0
        self._weight = 0.0
        self._slow_db = 0.0
        self._since_voice = _HOLD_FRAMES
        self._lift = 0.0
        self._gain = 1.0
        self._filters = _interpolators()
        self._past: Samples = np.zeros(_SLOT_SAMPLES + 2 * _HALF_TAPS, dtype=np.float32)
        self._peaks = [0.0]
        self._edge = 1.0

    @property
    def gain_db(self) -> float:
        """The slow gain of the moment, without the limiter's."""
        return to_db(self._gain)

    def process(self, frame: Pcm) -> Pcm:
        """The frame that is due."""
        require_frame(frame, FRAME_SAMPLES)
        samples = to_float(frame)
        before, self._gain = self._gain, self._next_gain(samples)
        if before != self._gain:
            samples *= np.linspace(before, self._gain, FRAME_SAMPLES, dtype=np.float32)
        elif self._gain != 1.0:
            samples *= np.float32(self._gain)
        return to_pcm(self._limit(samples))

    def _next_gain(self, samples: Samples) -> float:
        power = float(np.dot(samples, samples)) / FRAME_SAMPLES
        level_db = max(FLOOR_DB, 10 * np.log10(power)) if power > 0 else FLOOR_DB
        self._levels.append(level_db)
        voice = level_db > max(min(self._levels) + _STANDS_OUT_DB, _QUIETEST_VOICE_DB)
        if voice or level_db + self._slow_db > _TARGET_RMS_DB:
            self._learn(power)
        self._since_voice = 0 if voice else self._since_voice + 1
        if voice:
            self._lift = 1.0
        elif self._since_voice > _HOLD_FRAMES:
            self._lift = max(0.0, self._lift - _RETREAT)
        return from_db(min(self._slow_db, 0.0) + self._lift * max(self._slow_db, 0.0))

    def _learn(self, power: float) -> None:
        self._weight += _MEMORY * (1 - self._weight)
        self._power += _MEMORY * (power - self._power)
        wanted = _TARGET_RMS_DB - 10 * np.log10(self._power / self._weight)
        wanted = min(max(wanted, _MIN_GAIN_DB), _MAX_GAIN_DB)
        self._slow_db += min(max(wanted - self._slow_db, -_DOWN_DB), _UP_DB)

    def _limit(self, samples: Samples) -> Samples:
        joined = np.concatenate((self._past, samples))
        self._past = joined[FRAME_SAMPLES:]
        due = joined[_HALF_TAPS : _HALF_TAPS + FRAME_SAMPLES]
        peaks = self._peaks + self._slot_peaks(joined)
        self._peaks = peaks[-1:]
        edges = self._edges(peaks)
        if min(edges) == 1.0:
            return due
        curve = np.interp(np.arange(FRAME_SAMPLES), np.arange(_SLOTS + 1) * _SLOT_SAMPLES, edges)
        return due * curve.astype(np.float32)

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
