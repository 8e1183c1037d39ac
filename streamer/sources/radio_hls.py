"""HLS from the listener's side: which segments are fetched when (RFC 8216 section 6.3).

Laws: a segment is fetched once, in order; it begins near the live end, and when it fell behind what the list
still has, goes on with what is there; a list that does not change is asked again at half its target, never
faster than each half second; a segment that cannot be had is left out and counted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from yarl import URL

from ...errors import LoaError, PeerError, ProtocolError
from .radio_playlist import MAX_BYTES, HlsMedia, Segment, parse_playlist

Part = bytes | None
"""Bytes of sound; None: what follows is a stream of its own."""

Body = Callable[[URL, int], Awaitable[tuple[bytes, URL]]]

FROM_END = 2
"""Whole segments held when it begins: one to play, one for the time that the next takes to appear."""
SEGMENT_BYTES = 16 << 20
LEAST_POLL_S = 0.5
MOST_MISSED = 3
"""Lists or segments in a row that cannot be had: the address is broken."""


def next_segments(media: HlsMedia, after: int | None) -> tuple[Segment, ...]:
    """Those to fetch now: what is new, or near the end of a live list, or all of one that has ended."""
    if after is None:
        return media.segments if media.ended else media.segments[-FROM_END:]
    newer = tuple(segment for segment in media.segments if segment.sequence > after)
    if not newer and media.segments and media.segments[-1].sequence < after - len(media.segments):
        return media.segments[-FROM_END:]  # the numbers began anew: the encoder was restarted
    return newer


class HlsFollower:
    """`body` fetches. One per connection."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.missed = 0
        self._head: URL | None = None

    async def follow(self, url: URL, media: HlsMedia) -> AsyncIterator[Part]:
        """Until the list ends (PeerError: a radio has no end) or cannot be had."""
        after: int | None = None
        while True:
            for segment in next_segments(media, after):
                restarts = after is not None and segment.sequence <= after
                after = segment.sequence
                if segment.broken or restarts:
                    self._head = None
                    yield None
                async for part in self._segment(segment):
                    yield part
            if media.ended:
                raise PeerError("the HLS list has ended; expected one that goes on")
            await asyncio.sleep(max(LEAST_POLL_S, media.target_s / 2))
            media = await self._again(url, media)

    async def _segment(self, segment: Segment) -> AsyncIterator[Part]:
        try:
            if segment.head is not None and segment.head != self._head:
                data, _ = await self._body(segment.head, SEGMENT_BYTES)
                self._head = segment.head
                yield None
                yield data
            data, _ = await self._body(segment.url, SEGMENT_BYTES)
            self.missed = 0
        except (LoaError, TimeoutError) as error:
            self._miss(error)
            return
        yield without_id3(data)

    async def _again(self, url: URL, media: HlsMedia) -> HlsMedia:
        try:
            data, where = await self._body(url, MAX_BYTES)
            found = parse_playlist(data, where)
        except (LoaError, TimeoutError) as error:
            self._miss(error)
            return media
        if not isinstance(found, HlsMedia):
            raise ProtocolError("the HLS list became something else; expected a media playlist")
        return found

    def _miss(self, error: Exception) -> None:
        self.missed += 1
        if self.missed >= MOST_MISSED:
            raise PeerError(
                f"HLS: {self.missed} in a row cannot be had: {error}; expected segments"
            ) from error


def without_id3(data: bytes) -> bytes:
    """A segment of packed audio without the tag that it begins with (RFC 8216 section 3.4)."""
    if len(data) < 10 or not data.startswith(b"ID3"):
        return data
    size = (data[6] & 127) << 21 | (data[7] & 127) << 14 | (data[8] & 127) << 7 | data[9] & 127
    return data[10 + size :]
