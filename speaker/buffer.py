"""The jitter buffer of one program: packets by the slot of media time in which they sound.

Laws: a slot sounds once; the first packet for a slot stays, a second is a duplicate; a packet for a slot that
has passed is late; the buffer never holds more than `CAPACITY` slots, and one further ahead is refused.
It does not wait and does not adapt: when a slot is due is the timeline's affair. Pure.
"""

from enum import Enum

CAPACITY = 256
"""Slots of 20 ms: 5.1 s, the oldest media that a speaker accepts, and so the furthest a packet may be
ahead."""


class Put(Enum):
    STORED = "stored"
    DUPLICATE = "duplicate"
    LATE = "late"
    AHEAD = "ahead"


class SlotBuffer:
    def __init__(self, next_k: int) -> None:
        """`next_k` is the next slot to sound; earlier ones have passed."""
        self._next_k = next_k
        self._packets: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def next_k(self) -> int:
        return self._next_k

    def put(self, k: int, packet: bytes) -> Put:
        if k < self._next_k:
            return Put.LATE
        if k >= self._next_k + CAPACITY:
            return Put.AHEAD
        if k in self._packets:
            return Put.DUPLICATE
        self._packets[k] = packet
        return Put.STORED

    def pass_to(self, k: int) -> None:
        """Slots before `k` have passed: forget them. Never goes back."""
        if k <= self._next_k:
            return
        if k - self._next_k < len(self._packets):
            for gone in range(self._next_k, k):
                self._packets.pop(gone, None)
        else:
            self._packets = {ahead: packet for ahead, packet in self._packets.items() if ahead >= k}
        self._next_k = k

    def take(self, k: int) -> bytes | None:
        """The packet of slot `k`, which passes with this."""
        packet = self._packets.pop(k, None)
        self.pass_to(k + 1)
        return packet

    def first(self) -> int | None:
        """The earliest slot held; None when empty."""
        return min(self._packets, default=None)
