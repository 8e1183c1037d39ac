"""One program as one session signs it: its key, what was seen of it, and the packets that wait for their
slot.

Laws: a datagram is taken once (replay window), and only after its signature was checked against `key`; the
bounds are those of the window and the slot buffer. Pure; owned by the intake.
"""

from ..trust.keys import VerifyKey
from ..trust.replay import ReplayWindow
from ..wire.messages import FRAME_US, AudioPart
from .buffer import Put, SlotBuffer
from .report import Counters

MAX_AHEAD_US = 5_000_000
"""As old as the oldest accepted: a program sent so far ahead is not on this network's time."""


class Stream:
    def __init__(self, program: str, key: VerifyKey, next_k: int) -> None:
        self.program, self.key = program, key
        self.window = ReplayWindow()
        self.buffer = SlotBuffer(next_k)
        self.broadcasts: set[str] = set()

    def store(self, audio: AudioPart, counters: Counters) -> int:
        """Put a verified, fresh datagram's frames into their slots. Returns how many were stored."""
        k = audio.media_us // FRAME_US
        stored = 0
        for offset, frame in enumerate(audio.frames):
            put = self.buffer.put(k + offset, frame)
            if put is Put.STORED:
                stored += 1
            elif put is Put.AHEAD:
                counters.refused("future")
        if audio.frames and not stored:
            counters.add("late" if k < self.buffer.next_k else "duplicate")
        return stored
