"""One program as one session signs it: its key, what was seen of it, and the packets that wait for their
slot.

Laws: a datagram is taken once (replay window), and only after its signature was checked against `key`; the
bounds are those of the window and of the slot buffer. Pure; owned by the intake.
"""

from ..trust.keys import VerifyKey
from ..trust.replay import ReplayWindow
from ..wire.messages import FRAME_US, AudioPart
from .buffer import Put, SlotBuffer
from .report import Counters


class Stream:
    def __init__(self, program: str, key: VerifyKey, next_k: int) -> None:
        self.program, self.key = program, key
        self.window = ReplayWindow()
        self.buffer = SlotBuffer(next_k)
        self.broadcasts: set[str] = set()

    def store(self, audio: AudioPart, counters: Counters) -> None:
        """Put the frames of a verified, fresh datagram into their slots."""
        k = audio.media_us // FRAME_US
        puts = {self.buffer.put(k + offset, frame) for offset, frame in enumerate(audio.frames)}
        if Put.STORED in puts:
            counters.add("verified")
        elif Put.LATE in puts:
            counters.add("late")
        elif Put.AHEAD in puts:
            counters.refused("future")
        else:
            counters.add("duplicate")
