"""A program's voice: its packets as signed datagrams, one signature for everyone who hears them.

Laws: a sequence number is used once; a start carries the same audio as the datagram that it stands for; the
first three datagrams of a broadcast and then one a second are starts, so that whoever comes late, or lost the
first, sounds within a second. Sends nothing: `pack` returns parcels. Owned by `Air`.
"""

from collections.abc import Callable
from typing import Final

from ..codecs.frame import FRAME_US
from ..codecs.opus import OPUS_PACKET_BYTES, silence_packet
from ..trust.keys import SigningKey, VerifyKey
from ..wire.datagram import AudioBuilder, End, EndReason, Start, StartBuilder, build_end, room_for_frames
from .fanout import Parcel, Slice
from .program import Program

STARTS_FIRST = 3
"""Three in a row: at 5 % loss, 1 speaker in 8,000 waits for the next second (and has its control link)."""

START_EVERY_US = 1_000_000


class Airing:
    """One broadcast of a program: what its starts say, and when the next is due."""

    def __init__(self, start: Start, sign: Callable[[bytes], bytes]) -> None:
        self.build: Final = StartBuilder(start, sign).build
        self.room: Final = room_for_frames(start, OPUS_PACKET_BYTES)
        self._left = STARTS_FIRST
        self._next_us = 0

    def repeat_soon(self) -> None:
        """The next datagram is to be a start: somebody may hear it who knows nothing."""
        self._left = max(self._left, 1)

    def takes_turn(self, media_us: int) -> bool:
        """Whether the datagram of this time is to be a start; if so, the next is counted from here."""
        if self._left == 0 and media_us < self._next_us:
            return False
        self._left = max(0, self._left - 1)
        self._next_us = media_us + START_EVERY_US
        return True


class Voice:
    """Signs one program. `packing` is the number of 20 ms frames a datagram carries."""

    def __init__(self, program: Program, key: SigningKey, packing: int) -> None:
        self.program = program
        self.next_k = 0
        self._key = key
        self._packing = packing
        self._phase = int(program.id, 16) % packing
        self._audio = AudioBuilder(program.id, key.sign)
        self._sequence = 0
        self._airings: dict[str, Airing] = {}

    @property
    def public(self) -> VerifyKey:
        return self._key.public

    def air(self, start: Start) -> None:
        """Add a broadcast of this program."""
        self._airings[start.broadcast] = Airing(start, self._key.sign)

    def begin(self, k: int) -> None:
        """Sound from frame `k` on, and say anew what this is."""
        self.program.start(k)
        self.next_k = k
        self.repeat_starts()

    def repeat_starts(self) -> None:
        for airing in self._airings.values():
            airing.repeat_soon()

    def due(self, now_k: int) -> bool:
        """Whether `pack` has something to do at tick `now_k`: a reel goes one tick ahead, live when made."""
        k = self.next_k
        return k <= now_k + 1 and self.program.running and self.program.ready(k, self._count(), now_k)

    def pack(self, segments: Callable[[str], list[Slice]]) -> list[Parcel]:
        """The next datagrams and whom each is for; `segments` tells where a broadcast wins now."""
        k, count = self.next_k, self._count()
        read = self.program.opus
        frames = [read(i) or silence_packet() for i in range(k, k + count)]
        sequence, media_us = self._sequence, k * FRAME_US
        self._sequence, self.next_k = sequence + 1, k + count
        parcels: list[Parcel] = []
        plain: list[Slice] = []
        for broadcast, airing in self._airings.items():
            where = segments(broadcast)
            starts = bool(where) and airing.takes_turn(media_us)
            fits = airing.room >= count
            if starts:
                parcels.append(Parcel(airing.build(sequence, media_us, frames if fits else ()), where))
            if not (starts and fits):
                plain += where
        if plain:
            parcels.append(Parcel(self._audio.build(sequence, media_us, frames), plain))
        return parcels

    def greeting(self, broadcast: str) -> bytes:
        """A start without audio, for speakers that may not get the next one."""
        return self._airings[broadcast].build(self._sequence, self.next_k * FRAME_US, ())

    def end(self, broadcast: str, at_us: int, reason: EndReason) -> bytes:
        """The datagram that ends a broadcast at media time `at_us`."""
        last = max(0, self._sequence - 1)
        return build_end(End(broadcast, self.program.id, last, at_us, reason), self._key.sign)

    def _count(self) -> int:
        """Frames in the next datagram: as many as bring it back to this program's phase of the grid.

        Programs of different phases are built at different ticks, so a thousand never fall due together.
        """
        count = self._packing - (self.next_k - self._phase) % self._packing
        left = self.program.left(self.next_k)
        return count if left is None else max(1, min(count, left))
