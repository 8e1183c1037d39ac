"""A steady output: one packet each 20 ms of the grid, whatever plays, and in order.

Laws: a frame is given once; one that a live program has not made yet is waited for until a later one is there
or `GRACE_K` frames have passed, then it is given as missing; after a stall of more than `MAX_BEHIND_K` the
output goes on at the present. Pure: the time is a frame number that is handed in. A `Cursor` belongs to one
place of one output.
"""

from typing import Protocol

from ...codecs.frame import FRAME_US

OFFSET_US = 6_000
"""After a frame's beginning, when the pump has made the packets of all live programs (2 ms for twenty)."""

GRACE_K = 2
MAX_BEHIND_K = 10
"""200 ms: what is older no receiver plays any more."""


class OpusSource(Protocol):
    """A program, as it is read here."""

    @property
    def id(self) -> str: ...

    def opus(self, k: int, /) -> bytes | None: ...


def due_us(k: int) -> int:
    """When frame `k` is given."""
    return k * FRAME_US + OFFSET_US


def latest(now_us: int) -> int:
    """The last frame that is due at `now_us`."""
    return (now_us - OFFSET_US) // FRAME_US


class Cursor:
    """`next` is the first frame that has not been given."""

    def __init__(self, k: int) -> None:
        self.next = k
        self.skipped = 0

    def due(self, now_k: int, program: OpusSource | None) -> list[tuple[int, bytes | None]]:
        """The frames up to `now_k` that can be given now; None: nothing sounds, or it never came."""
        if now_k - self.next > MAX_BEHIND_K:
            self.skipped += now_k - self.next
            self.next = now_k
        found: list[tuple[int, bytes | None]] = []
        waiting: list[tuple[int, bytes | None]] = []
        for k in range(self.next, now_k + 1):
            packet = program.opus(k) if program is not None else None
            waiting.append((k, packet))
            if program is None or packet is not None or now_k - k >= GRACE_K:
                found += waiting
                waiting.clear()
        self.next += len(found)
        return found
