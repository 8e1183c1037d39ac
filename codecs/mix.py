"""Mixing what is known ahead: edges that do not click, seams that are not heard, music that gives way to a
voice.

Laws: pure; the same input gives the same samples. Samples are float32 at 48 kHz. Times of the voice are
known before it is heard, so music begins to give way ahead of it and no word has to fight its way out.
"""

from collections.abc import Sequence

import numpy as np

from .frame import Samples
from .synth import seconds

FADE_S = 0.03
ALERT_FADE_S = 0.01
"""Edges and seams: 20 to 50 ms are not heard as a cut; in an alert 10 ms, so that no consonant is lost."""

DUCKED_DB = -20.0
"""Music under a voice: 20 dB below it (WCAG 2, criterion 1.4.7), where people who hear badly follow it too.
Broadcast's 8 to 10 is meant for living rooms, not for a square."""

OPEN_DB = -8.0
"""Music alone, against the voice to come: it announces, and nobody turns it down."""

ATTACK_S = 0.3
RELEASE_S = 0.9
_TOGETHER_S = ATTACK_S + RELEASE_S + 0.8
"""Music that comes up for less than that, and goes, is heard as breathing."""

_FROM_NOTHING_DB = -60.0

Span = tuple[int, int]
"""From sample, to sample (not included)."""


def softened(sound: Samples, fade_s: float = FADE_S) -> Samples:
    """With both ends faded over `fade_s` along a raised cosine."""
    fade = min(seconds(fade_s), len(sound) // 2)
    if not fade:
        return sound
    ramp = _rising(fade) ** 2
    shaped = sound.copy()
    shaped[:fade] *= ramp
    shaped[-fade:] *= ramp[::-1]
    return shaped


def cross_faded(first: Samples, then: Samples, fade_s: float = FADE_S) -> Samples:
    """One after the other, overlapping by `fade_s` (or the shorter's length) at equal power."""
    fade = min(seconds(fade_s), len(first), len(then))
    if not fade:
        return np.concatenate((first, then))
    rise = _rising(fade)
    seam = first[-fade:] * rise[::-1] + then[:fade] * rise
    return np.concatenate((first[:-fade], seam, then[fade:]))


class Loop:
    """A sound that goes round and round; its seam is cross-faded."""

    def __init__(self, sound: Samples, fade_s: float = FADE_S) -> None:
        fade = min(seconds(fade_s), len(sound) // 2)
        seam = cross_faded(sound[len(sound) - fade :], sound[:fade], fade_s) if fade else sound[:0]
        self._round: Samples = np.concatenate((seam, sound[fade : len(sound) - fade]))

    def at(self, start: int, samples: int) -> Samples:
        """`samples` of it from sample `start` of its endless course on."""
        places = np.arange(start, start + samples) % len(self._round)
        return np.asarray(self._round[places], dtype=np.float32)


class Ducking:
    """The course of the gain of music that lies under a voice from `start` to `end`.

    `voiced`: when the voice sounds, in order. Linear in decibels between few points, so a block of any length
    costs one interpolation.
    """

    def __init__(
        self, voiced: Sequence[Span], start: int, end: int, *, rise_s: float = 0.5, fall_s: float = 2.0
    ) -> None:
        points: list[tuple[float, float]] = [(start, _FROM_NOTHING_DB)]
        open_from, open_to = start + seconds(rise_s), end - seconds(fall_s)
        points.append((open_from, OPEN_DB))
        for begin, stop in _together(voiced):
            points += [(begin - seconds(ATTACK_S), OPEN_DB), (begin, DUCKED_DB)]
            points += [(stop, DUCKED_DB), (stop + seconds(RELEASE_S), OPEN_DB)]
        points += [(open_to, OPEN_DB), (end, _FROM_NOTHING_DB)]
        self._at = np.maximum.accumulate(np.array([at for at, _ in points], dtype=np.float64))
        self._gains_db = np.array([gain for _, gain in points], dtype=np.float64)
        self._start, self._end = start, end

    def gains(self, start: int, samples: int) -> Samples:
        """Linear gains of samples start to start + samples; 0 outside."""
        at = np.arange(start, start + samples)
        gains = 10 ** (np.interp(at, self._at, self._gains_db) / 20)
        gains[(at < self._start) | (at >= self._end)] = 0
        return np.asarray(gains, dtype=np.float32)


def _together(voiced: Sequence[Span]) -> list[Span]:
    """Spans with so short a gap between that the music stays down."""
    joined: list[Span] = []
    for begin, end in voiced:
        if joined and begin - joined[-1][1] < seconds(_TOGETHER_S):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((begin, end))
    return joined


def _rising(samples: int) -> Samples:
    """0 to 1, whose square and that of its mirror image add up to one."""
    quarter = (np.arange(samples) + 0.5) * (np.pi / 2 / samples)
    return np.asarray(np.sin(quarter), dtype=np.float32)
