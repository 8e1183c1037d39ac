"""The track of a place: which pieces of which programs its HLS playlist lists, as time goes on.

Laws: pieces lie end to end on the grid of MP3 frames and end where a segment ends (each `SEGMENT_FRAMES` of
the grid, so at the same instants for every place) or where another program takes over, so the piece of one
program is the same for every place that plays it; a piece is listed as soon as it is whole; where the program
changes the list says so; the numbers of entries and of changes never fall, not even when a place is tracked
anew. Pure: the one who holds it says what changes, and which frames are whole. RFC 8216.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...codecs.frame import MP3_FRAME_US

SEGMENT_FRAMES = 84
"""2.016 s: shorter ones cost requests, longer ones delay, of which a player takes three in advance."""

LISTED_FRAMES = 6 * SEGMENT_FRAMES
"""Twelve seconds: twice what a player starts behind (RFC 8216, 6.3.3), so that a late one finds its place."""

TARGET_S = 2
"""The longest entry, rounded to the nearest (RFC 8216, 4.3.3.1)."""

PAST_FRAMES = 3 * SEGMENT_FRAMES
"""What a place lists when it is asked for the first time, so that a player begins at once."""

SILENCE = "silence"
"""Stands for a program where nothing is on air."""

_EPOCH_US = 1_704_067_200_000_000
_NUMBERS_PER_SEGMENT = 4
"""Entries are numbered from the time a place is tracked, counted in quarters of a segment since 2024: higher
than any number before unless programs changed more than three times in every segment."""

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames `first` to `first` + `count` - 1 of a program (or of silence)."""

    program: str
    first: int
    count: int

    @property
    def end(self) -> int:
        return self.first + self.count

    @property
    def path(self) -> str:
        return f"{self.program}/{self.first}-{self.count}.mp3"


@dataclass(frozen=True, slots=True)
class _Entry:
    piece: Piece
    changed: bool


class Track:
    """`past`: programs and from which frame on each played, oldest first; the first at `next` or before."""

    def __init__(self, first: int, past: list[tuple[int, str]]) -> None:
        self.next = first
        self._spans = deque(past)
        self._entries: deque[_Entry] = deque()
        self._listed = 0
        elapsed_us = first * MP3_FRAME_US - _EPOCH_US
        self._number = elapsed_us * _NUMBERS_PER_SEGMENT // (SEGMENT_FRAMES * MP3_FRAME_US)
        self._changes = self._number
        self._last: str | None = None

    @property
    def playing(self) -> str:
        return self._spans[-1][1]

    @property
    def programs(self) -> set[str]:
        """Whose frames are still needed."""
        return {program for _, program in self._spans}

    def change(self, at_us: int, program: str) -> None:
        """From `at_us` on this program plays. What has been listed already stays as it is."""
        first = max(-(-at_us // MP3_FRAME_US), self.next)
        while self._spans and self._spans[-1][0] >= first:
            self._spans.pop()
        if not self._spans or self._spans[-1][1] != program:
            self._spans.append((first, program))

    def due(self, end: int) -> Iterator[Piece]:
        """The pieces that are whole when every frame before `end` is. Each is listed when it is given."""
        while True:
            while len(self._spans) > 1 and self._spans[1][0] <= self.next:
                self._spans.popleft()
            stop = self.next - self.next % SEGMENT_FRAMES + SEGMENT_FRAMES
            if len(self._spans) > 1:
                stop = min(stop, self._spans[1][0])
            if stop > end:
                return
            piece = Piece(self._spans[0][1], self.next, stop - self.next)
            self.next = stop
            self._list(piece)
            yield piece

    def playlist(self, below: str) -> str:
        """The media playlist; `below` comes before the path of each piece."""
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:3",
            f"#EXT-X-TARGETDURATION:{TARGET_S}",
            f"#EXT-X-MEDIA-SEQUENCE:{self._number}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._changes}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        for n, entry in enumerate(self._entries):
            if entry.changed:
                lines.append("#EXT-X-DISCONTINUITY")
            if entry.changed or n == 0:
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_date_time(entry.piece.first)}")
            lines.append(f"#EXTINF:{entry.piece.count * MP3_FRAME_US / 1e6:.3f},")
            lines.append(below + entry.piece.path)
        return "\n".join([*lines, ""])

    def _list(self, piece: Piece) -> None:
        self._entries.append(_Entry(piece, self._last is not None and piece.program != self._last))
        self._last = piece.program
        self._listed += piece.count
        while self._listed - self._entries[0].piece.count >= LISTED_FRAMES:
            gone = self._entries.popleft()
            self._listed -= gone.piece.count
            self._number += 1
            self._changes += gone.changed


def _date_time(frame: int) -> str:
    instant = _UNIX + timedelta(microseconds=frame * MP3_FRAME_US)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
