"""What waits for one speaker whose connection takes no more bytes right now.

Laws: urgent goes first, control next, audio last, each in the order it came; what is perishable (audio in any
lane) is dropped, oldest first, when it is too old to be played or too much, and counted; what must not be
lost is never dropped: when that is too much, the owner is told and cuts the link, since a speaker that comes
back learns everything anew. Pure; owned by its `Link`.
"""

from collections import Counter, deque
from dataclasses import dataclass
from enum import IntEnum

AUDIO_AGE_US = 1_000_000
"""A packet this late is behind every speaker's delay: what plays is already elsewhere."""

MOST_AUDIO = 128
"""Frames: a second of 20 ms packets, twice over."""

MOST_KEPT_BYTES = 512 * 1024
"""Two of the largest control messages (256 KiB): more than any speaker needs while it stands still."""

MOST_KEPT = 1024
"""Frames that must not be lost; beyond that the link is cut."""


class Lane(IntEnum):
    """Who overtakes whom, here and in the dispatch to all links."""

    URGENT = 0
    CONTROL = 1
    AUDIO = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """One whole WebSocket frame for one or more links."""

    frame: bytes
    lane: Lane
    put_us: int
    perishable: bool

    def stale(self, now_us: int) -> bool:
        return self.perishable and now_us - self.put_us > AUDIO_AGE_US


class Outbox:
    __slots__ = ("_audio", "_counts", "_kept", "_kept_bytes", "_lanes")

    def __init__(self, counts: Counter[str]) -> None:
        """Drops are counted as `dropped_audio` in `counts`, which all links share."""
        self._counts = counts
        self._lanes: tuple[deque[Piece], ...] = tuple(deque() for _ in Lane)
        self._audio = 0
        self._kept = 0
        self._kept_bytes = 0

    def __len__(self) -> int:
        return self._audio + self._kept

    def put(self, piece: Piece) -> bool:
        """False when the bound of what must not be lost is reached: `piece` was not taken, cut the link."""
        if piece.perishable:
            if self._audio == MOST_AUDIO:
                self._drop_oldest_audio()
            self._audio += 1
        else:
            if self._kept == MOST_KEPT or self._kept_bytes + len(piece.frame) > MOST_KEPT_BYTES:
                return False
            self._kept += 1
            self._kept_bytes += len(piece.frame)
        self._lanes[piece.lane].append(piece)
        return True

    def take(self, most_bytes: int, now_us: int) -> bytes:
        """Frames end to end, about `most_bytes` (at least one frame, if any is fit to be sent)."""
        frames: list[bytes] = []
        size = 0
        for lane in self._lanes:
            while lane and size < most_bytes:
                piece = lane.popleft()
                self._forget(piece)
                if piece.stale(now_us):
                    self._counts["dropped_audio"] += 1
                    continue
                frames.append(piece.frame)
                size += len(piece.frame)
        return b"".join(frames)

    def _forget(self, piece: Piece) -> None:
        if piece.perishable:
            self._audio -= 1
        else:
            self._kept -= 1
            self._kept_bytes -= len(piece.frame)

    def _drop_oldest_audio(self) -> None:
        """Ordinary audio before that of an emergency."""
        for lane in reversed(self._lanes):
            for at, piece in enumerate(lane):
                if piece.perishable:
                    del lane[at]
                    self._forget(piece)
                    self._counts["dropped_audio"] += 1
                    return
