"""From slots to sound: which packet sounds in each slot of 20 ms, and the frame that it makes.

Laws:
1. A slot is taken once and in rising order; what sounds in it is the winner's packet, or nothing of
anybody's.
2. Two broadcasts are never mixed: at a splice the old one is faded out, then the new one in.
3. A missing packet is concealed by what its own broadcast last sounded like, for 100 ms at most.
4. What was played is tallied packet by packet, whether it is decoded or not.

`Timeline` decides and tallies, `Player` decodes. Pure: no clock, no I/O. Both owned by the agent.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..codecs.frame import FRAME_SAMPLES, Pcm, silence
from ..errors import MediaError
from .report import Counters, Tally
from .selector import Active, Selector

FADE_SAMPLES = 480
"""10 ms (DESIGN.md section 3): too short to hear as a fade, long enough not to click."""

GUARD_SAMPLES = 240
"""5 ms in which a sound that was cut off unforeseen dies, before the next one begins to be let through."""

MAX_DECODERS = 4
"""What plays, what it cut off, and two more."""

MAX_FINISHED = 32
"""Stretches kept for the next report while the control link is down; the oldest goes first."""

MAX_CONCEALED = 5
"""Slots in a row that are filled with what came before; then it is silence (see codecs.opus)."""

_FADE_IN = np.concatenate(
    (
        np.zeros(GUARD_SAMPLES, dtype=np.float32),
        np.linspace(0, 1, FADE_SAMPLES, dtype=np.float32),
        np.ones(FRAME_SAMPLES - GUARD_SAMPLES - FADE_SAMPLES, dtype=np.float32),
    )
)
_FADE_OUT = np.concatenate(
    (
        np.ones(FRAME_SAMPLES - FADE_SAMPLES, dtype=np.float32),
        np.linspace(1, 0, FADE_SAMPLES, dtype=np.float32),
    )
)
_TAIL = np.linspace(1, 0, GUARD_SAMPLES, dtype=np.float32)


class Decoder(Protocol):
    """The Opus packets of one program to frames of 960 samples."""

    def decode(self, packet: bytes) -> Pcm: ...

    def conceal(self) -> Pcm: ...

    def close(self) -> None: ...


class Shelf(Protocol):
    """Where the packets of the broadcasts lie."""

    def take(self, broadcast: str, k: int) -> bytes | None:
        """The packet of a broadcast for slot `k`."""
        ...

    def passed(self, k: int) -> None:
        """Slot `k` has sounded; nobody's packet for it or before is wanted any more."""
        ...


@dataclass(frozen=True, slots=True)
class Slot:
    """What sounds in slot `k`; `last` says that another broadcast, or none, follows as far as is known."""

    k: int
    active: Active | None
    packet: bytes | None
    last: bool


class Timeline:
    """`next_k` is the next slot to sound. `finished` holds what is to be reported, oldest dropped beyond its
    bound."""

    def __init__(self, selector: Selector, shelf: Shelf, counters: Counters, next_k: int = 0) -> None:
        self._selector, self._shelf, self._counters = selector, shelf, counters
        self._missing = 0
        self.next_k = next_k
        self.tally: Tally | None = None
        self.finished: deque[Tally] = deque(maxlen=MAX_FINISHED)

    def skip_to(self, k: int) -> None:
        """Slots before `k` will not sound (nothing was on air, or a glitch ate them)."""
        if k > self.next_k:
            self._shelf.passed(k - 1)
            self.next_k = k

    def take(self, sounds_at_us: int) -> Slot:
        """The next slot, which sounds at this network time."""
        k, self.next_k = self.next_k, self.next_k + 1
        active = self._selector.at(k)
        if active is None:
            self._turn_to(None, k)
            self._shelf.passed(k)
            return Slot(k, None, None, True)
        self._turn_to(active, k)
        packet = self._shelf.take(active.broadcast, k)
        after = self._selector.at(k + 1)
        self._shelf.passed(k)
        self._count(k, packet, sounds_at_us)
        return Slot(k, active, packet, after is None or after.broadcast != active.broadcast)

    def _turn_to(self, active: Active | None, k: int) -> None:
        """Another broadcast sounds, or none: the stretch of the one before is complete."""
        now = active.broadcast if active else None
        if now == (self.tally.broadcast if self.tally else None):
            return
        if self.tally and self.tally.frames_played:
            self.finished.append(self.tally)
        self._missing = 0
        self.tally = Tally(active, k) if active else None

    def _count(self, k: int, packet: bytes | None, sounds_at_us: int) -> None:
        tally = self.tally
        if tally is None:
            return
        if packet is not None:
            self._missing = 0
            tally.played(k, packet, sounds_at_us)
        elif tally.frames_played:
            self._missing += 1
            self._counters.add("lost")
            if self._missing <= MAX_CONCEALED:
                self._counters.add("concealed")
                tally.frames_concealed += 1


class Player:
    """Slots to frames. Each broadcast has its own decoder: a fresh one is exact from a program's first packet
    on, and one that is taken up again is nearer than one that has played something else meanwhile.
    """

    def __init__(self, decoder: Callable[[], Decoder], on_garbage: Callable[[MediaError], None]) -> None:
        """`decoder` makes one. `on_garbage` is told of a packet that was verified and is no Opus."""
        self._make, self._on_garbage = decoder, on_garbage
        self._decoders: OrderedDict[str, Decoder] = OrderedDict()
        self._sounding: str | None = None
        self._concealed = 0
        self._faded = True

    def frame(self, slot: Slot) -> Pcm:
        """960 samples: what is heard in this slot."""
        broadcast = slot.active.broadcast if slot.active else None
        goes_on = broadcast is not None and broadcast == self._sounding
        tail = None if goes_on or self._faded else self._dying()
        if not goes_on:
            self._sounding, self._concealed, self._faded = broadcast, 0, True
        pcm = None if broadcast is None else self._pcm(self._decoder(broadcast), slot.packet)
        if pcm is None:
            self._faded = True
            return _with_tail(silence(FRAME_SAMPLES), tail)
        if self._faded:
            pcm = _with_tail(np.asarray(pcm * _FADE_IN, dtype=np.int16), tail)
        self._faded = slot.last
        return np.asarray(pcm * _FADE_OUT, dtype=np.int16) if slot.last else pcm

    def close(self) -> None:
        for decoder in self._decoders.values():
            decoder.close()
        self._decoders.clear()

    def _decoder(self, broadcast: str) -> Decoder:
        decoder = self._decoders.get(broadcast)
        if decoder is None:
            decoder = self._decoders[broadcast] = self._make()
            if len(self._decoders) > MAX_DECODERS:
                self._decoders.popitem(last=False)[1].close()
        self._decoders.move_to_end(broadcast)
        return decoder

    def _pcm(self, decoder: Decoder, packet: bytes | None) -> Pcm | None:
        """The frame of this packet, or one that continues the last; None when there is nothing to
        continue."""
        if packet is not None:
            try:
                pcm = decoder.decode(packet)
            except MediaError as error:
                self._on_garbage(error)
            else:
                self._concealed = 0
                return pcm
        if self._faded or self._concealed >= MAX_CONCEALED:
            return None
        self._concealed += 1
        return decoder.conceal()

    def _dying(self) -> Pcm:
        """The last 5 ms of a sound that was cut off unforeseen."""
        if self._sounding is None:
            return silence(GUARD_SAMPLES)
        decoder = self._decoder(self._sounding)
        return np.asarray(decoder.conceal()[:GUARD_SAMPLES] * _TAIL, dtype=np.int16)


def _with_tail(frame: Pcm, tail: Pcm | None) -> Pcm:
    if tail is not None:
        frame[:GUARD_SAMPLES] = tail
    return frame
