"""The FIFO between a network and the grid: sound comes in bursts and goes out by the clock.

Laws: `frame` always returns 960 samples, silence when there are none; the FIFO never holds more than
its capacity; what it keeps in reserve comes back to its target within a second after a glitch, and
follows a clock that runs faster or slower, by leaving out or repeating a few milliseconds where the wave
matches itself; the target rises when the reserve was too small and falls again, between fixed bounds. Pure:
time is the calls of `frame`, one each 20 ms. Owned by its feed.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codecs.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, silence

_MS = SAMPLE_RATE // 1000

START_SAMPLES = 40 * _MS
"""Held before sound begins: the frame that goes out and 20 ms for packets that come late."""

MAX_TARGET_SAMPLES = 200 * _MS
CAPACITY_SAMPLES = 500 * _MS
"""More than this was held up on its way for longer than a loudspeaker can wait; the oldest is dropped."""

RAISE_SAMPLES = 20 * _MS
"""What the target grows by when the FIFO ran dry: one packet."""

STOP_FRAMES = 25
"""Dry for half a second is no jitter: nobody was sending. The next to come begins with the first target."""

LOWER_SAMPLES = 1
"""What it falls by each frame: 20 ms in 19 s. A network that stalls every few seconds keeps its reserve."""

WINDOW_FRAMES = 15
"""The reserve is the least that was left over within 300 ms, so that bursts are not taken for delay."""

SLACK_SAMPLES = 10 * _MS
"""Jitter of the reserve that is left alone."""

BACKLOG_SAMPLES = 60 * _MS
"""More than the target by this much is what a stall held up: made up for twice as fast."""

DRY_SAMPLES = 2 * _MS
"""Less reserve than this runs dry soon: stretch."""

SPLICE_MIN = 5 * _MS
SPLICE_MAX = 10 * _MS
"""How much one splice leaves out or repeats: holds a multiple of the pitch of any voice above 100 Hz."""

OVERLAP = 5 * _MS
FADE_IN = np.linspace(0, 1, OVERLAP, dtype=np.float32)


@dataclass(slots=True)
class JitterCounters:
    underruns: int = 0
    overruns: int = 0
    dropped_samples: int = 0
    shortened: int = 0
    stretched: int = 0


@dataclass(frozen=True, slots=True)
class JitterBounds:
    """What one kind of network wants, in samples. The defaults are those of a microphone."""

    start: int = START_SAMPLES
    most: int = MAX_TARGET_SAMPLES
    capacity: int = CAPACITY_SAMPLES
    step: int = RAISE_SAMPLES
    window_frames: int = WINDOW_FRAMES
    slack: int = SLACK_SAMPLES
    low: int = DRY_SAMPLES
    every: int = 1
    """Frames from one splice to the next: a voice bears one in each, music does not."""


MICROPHONE = JitterBounds()


class JitterFifo:
    def __init__(self, bounds: JitterBounds = MICROPHONE) -> None:
        self.counters = JitterCounters()
        self.target_samples = bounds.start
        self.swing_samples = 0
        """How much of the target is what comes at once, and not reserve."""
        self._bounds = bounds
        self._held: Pcm = silence(0)
        self._flowing = False
        self._dry_frames = 0
        self._since_splice = 0
        self._left_over: deque[int] = deque(maxlen=bounds.window_frames)

    @property
    def held_samples(self) -> int:
        return len(self._held)

    @property
    def flowing(self) -> bool:
        """Whether the last frame was sound that had come."""
        return self._flowing

    def push(self, pcm: Pcm) -> None:
        """Add sound that has come, of any length. Above the capacity all but the target is dropped."""
        self._held = np.concatenate((self._held, pcm))
        if len(self._held) > self._bounds.capacity:
            excess = len(self._held) - self.target_samples
            self.counters.overruns += 1
            self.counters.dropped_samples += excess
            self._held = self._held[excess:]
            self._left_over.clear()

    def frame(self) -> Pcm:
        """The next 960 samples."""
        if not self._flowing:
            return self._begin()
        if len(self._held) < FRAME_SAMPLES:
            return self._run_dry()
        self._recentre()
        self.target_samples = max(self._bounds.start, self.target_samples - LOWER_SAMPLES)
        return self._take()

    def _begin(self) -> Pcm:
        if len(self._held) < self.target_samples:
            self._dry_frames += 1
            if self._dry_frames == STOP_FRAMES:
                self.target_samples = self._bounds.start
            return silence(FRAME_SAMPLES)
        self._flowing, self._dry_frames = True, 0
        frame = self._take()
        return np.concatenate((_scaled(frame[:OVERLAP], FADE_IN), frame[OVERLAP:]))

    def _run_dry(self) -> Pcm:
        """The last samples, faded out, and silence; then gather anew."""
        self.counters.underruns += 1
        self.target_samples = min(self._bounds.most, self.target_samples + self._bounds.step)
        rest, self._held = self._held, silence(0)
        self._flowing = False
        self._left_over.clear()
        fade = np.linspace(1, 0, len(rest), dtype=np.float32)
        return np.concatenate((_scaled(rest, fade), silence(FRAME_SAMPLES - len(rest))))

    def _take(self) -> Pcm:
        frame, self._held = self._held[:FRAME_SAMPLES], self._held[FRAME_SAMPLES:]
        self._left_over.append(len(self._held))
        return frame

    def _recentre(self) -> None:
        """Leave out or repeat a few milliseconds when the reserve has been off its target for a window."""
        self._since_splice += 1
        if len(self._left_over) < self._bounds.window_frames or self._since_splice < self._bounds.every:
            return
        excess = min(self._left_over) - self.target_samples + FRAME_SAMPLES + self.swing_samples
        if excess > self._bounds.slack:
            self._shorten()
            if excess > self._bounds.slack + BACKLOG_SAMPLES - SLACK_SAMPLES:
                self._shorten()
        elif min(self._left_over) < self._bounds.low and len(self._held) >= SPLICE_MAX + OVERLAP:
            self._held = _with_repeat(self._held, _period(self._held))
            self.counters.stretched += 1
            self._since_splice = 0
            self._left_over.clear()

    def _shorten(self) -> None:
        period = _period(self._held)
        self._held = _without(self._held, period)
        left = (reserve - period for reserve in self._left_over)
        self._left_over = deque(left, maxlen=self._bounds.window_frames)
        self.counters.shortened += 1
        self._since_splice = 0


def _period(held: Pcm) -> int:
    """The shift at which the next samples resemble themselves most (normalised correlation, as in WSOLA)."""
    ahead = held[: SPLICE_MAX + OVERLAP].astype(np.float32)
    likeness = np.correlate(ahead[SPLICE_MIN:], ahead[:OVERLAP], "valid")
    energy = np.convolve(ahead[SPLICE_MIN:] ** 2, np.ones(OVERLAP, np.float32), "valid")
    return SPLICE_MIN + int(np.argmax(likeness / np.sqrt(energy + 1)))


def _without(held: Pcm, period: int) -> Pcm:
    joint = _crossed(held[:OVERLAP], held[period : period + OVERLAP])
    return np.concatenate((joint, held[period + OVERLAP :]))


def _with_repeat(held: Pcm, period: int) -> Pcm:
    joint = _crossed(held[period : period + OVERLAP], held[:OVERLAP])
    return np.concatenate((held[:period], joint, held[OVERLAP:]))


def _crossed(out: Pcm, into: Pcm) -> Pcm:
    return np.rint(out * (1 - FADE_IN) + into * FADE_IN).astype(np.int16)


def _scaled(pcm: Pcm, gains: npt.NDArray[np.float32]) -> Pcm:
    return (pcm * gains).astype(np.int16)
