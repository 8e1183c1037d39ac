"""Renders what is due into the output, slot by slot, and measures how loud it was.

Laws: a slot is rendered when it is due, by network time; after a stall all that is due is rendered at once,
each at its own time, unless the stall was so long that nobody could want it; an output that nobody hears
costs no decoding. Pure: `now_us` is network time. Owned by the agent.
"""

import math
from typing import Protocol

import numpy as np

from ..codecs.frame import FULL_SCALE, Pcm
from ..wire.report import SILENCE_DBFS
from .core import Core
from .output import Output
from .player import Player, Slot

STALLED_SLOTS = 50
"""A second: whoever slept longer goes on at the present."""

MEASURE_EVERY = 5
"""One frame in so many is measured: ten a second are enough for a meter."""


class Listener(Protocol):
    """Makes sound of slots (player.Player)."""

    def frame(self, slot: Slot) -> Pcm: ...


class Playout:
    def __init__(self, core: Core, output: Output, player: Player | None, *, sample_every: int = 0) -> None:
        """`player` None: nothing is decoded. `sample_every`: where nobody hears it, decode one packet in so
        many all the same, to report a level; 0 is never.
        """
        self._core, self._output, self._player = core, output, player
        self._sample_every = sample_every
        self._slots = 0
        self.level_dbfs = SILENCE_DBFS

    def step(self, now_us: int) -> int | None:
        """Render all that is due. When to come again (network time); None while nothing is on air."""
        core, timeline = self._core, self._core.timeline
        if timeline is None:
            return None
        due_k = core.due_k(now_us)
        if not core.busy:
            timeline.skip_to(due_k)
            self.level_dbfs = SILENCE_DBFS
            return None
        if due_k - timeline.next_k > STALLED_SLOTS:
            core.counters.add("stalled")
            timeline.skip_to(due_k)
        while timeline.next_k < due_k:
            self._render(now_us)
        return core.sounds_at_us(timeline.next_k) - self._output.lead_us

    def _render(self, now_us: int) -> None:
        core, timeline = self._core, self._core.timeline
        if timeline is None:
            return
        at_us = core.sounds_at_us(timeline.next_k)
        slot = timeline.take(max(at_us, now_us))
        self._slots += 1
        player = self._player
        if player is None:
            return
        if not self._output.wants_sound:
            if self._sample_every and self._slots % self._sample_every == 0:
                self._measure(slot, player.frame(slot))
            return
        frame = player.frame(slot)
        if slot.active:
            gain = core.gain(slot.active.rank.cls)
            frame = frame if gain == 1.0 else _amplified(frame, gain)
        if self._slots % MEASURE_EVERY == 0:
            self._measure(slot, frame)
        self._output.play(frame, at_us)

    def _measure(self, slot: Slot, frame: Pcm) -> None:
        """What leaves for the amplifier; a stretch is as loud as its loudest moment."""
        self.level_dbfs = rms_dbfs(frame) if slot.active else SILENCE_DBFS
        tally = self._core.timeline.tally if self._core.timeline else None
        if tally:
            tally.level_dbfs = max(tally.level_dbfs, self.level_dbfs)


def rms_dbfs(frame: Pcm) -> float:
    """Full scale is a square wave at full scale."""
    power = float(np.mean(np.square(frame, dtype=np.float32))) / FULL_SCALE**2
    return max(SILENCE_DBFS, round(10 * math.log10(power), 1)) if power else SILENCE_DBFS


def _amplified(frame: Pcm, gain: float) -> Pcm:
    return np.asarray(np.clip(frame * np.float32(gain), -FULL_SCALE, FULL_SCALE - 1), dtype=np.int16)
