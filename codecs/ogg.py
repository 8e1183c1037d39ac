"""Ogg-Opus that never ends: the pages of a mount (RFC 3533, RFC 7845).

Laws: a page depends on its packets, its sequence number and its granule position alone, and these follow
from the grid; so one page's bytes serve every mount of a program and every listener who joins at it. A
listener gets `head()` once, then pages from the present on; the jump in sequence and granule after the head
is what a live capture looks like (RFC 7845 section 4.3: the first granule position need not be zero), and
what ffmpeg, mpv, VLC and browsers play. No page ends the stream, and packets never run over from one page
to the next, so a page that was dropped costs its own packets only. Nothing here keeps state.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import InternalError, ProtocolError
from .frame import FRAME_SAMPLES, SAMPLE_RATE
from .opus import PRE_SKIP

_CAPTURE: Final = b"OggS"
_HEADER = struct.Struct("<4sBBqIIIB")
_CRC_AT, _CRC_END = 22, 26
_FIRST_PAGE: Final = 0x02
_CONTINUED: Final = 0x01
_MAX_SEGMENTS: Final = 255
_LACE: Final = 255
_SEQUENCE_MASK: Final = 0xFFFF_FFFF

_MIRROR: Final = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
"""Each byte with its bits in the other order."""


def checksum(data: bytes | bytearray) -> bytes:
    """Ogg's CRC-32 as it stands in a page. Ogg shifts to the left from zero, zlib's CRC of the same
    polynomial to the right from ones: over mirrored bytes they are one calculation (1 us for a page of 430
    bytes)."""
    mirrored = zlib.crc32(data.translate(_MIRROR), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return mirrored.to_bytes(4, "big").translate(_MIRROR)


def granule_after(packets: int) -> int:
    """Granule position of a page whose last packet is number `packets` of the stream, counted from one."""
    return packets * FRAME_SAMPLES


class OggOpusStream:
    """The pages of one stream serial number."""

    def __init__(self, serial: int) -> None:
        if not 0 <= serial <= 0xFFFF_FFFF:
            raise InternalError(f"Ogg serial is {serial}, expected 32 bits")
        self.serial = serial

    def head(self) -> bytes:
        """The two pages that every listener gets first: OpusHead and OpusTags, sequence numbers 0 and 1."""
        head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, PRE_SKIP, SAMPLE_RATE, 0, 0)
        tags = struct.pack("<8sI3sI", b"OpusTags", 3, b"Loa", 0)
        return self._page((head,), 0, 0, _FIRST_PAGE) + self._page((tags,), 1, 0, 0)

    def page(self, packets: Sequence[bytes], sequence: int, granule: int) -> bytes:
        """One page. `granule`: samples up to the end of its last packet. `sequence` starts at 2 and may
        wrap."""
        return self._page(packets, sequence, granule, 0)

    def _page(self, packets: Sequence[bytes], sequence: int, granule: int, flags: int) -> bytes:
        lacing = b"".join(b"\xff" * (len(p) // _LACE) + bytes((len(p) % _LACE,)) for p in packets)
        if len(lacing) > _MAX_SEGMENTS:
            raise InternalError(f"Ogg page needs {len(lacing)} segments, expected at most {_MAX_SEGMENTS}")
        page = bytearray(
            _HEADER.pack(_CAPTURE, 0, flags, granule, self.serial, sequence & _SEQUENCE_MASK, 0, len(lacing))
        )
        page += lacing + b"".join(packets)
        page[_CRC_AT:_CRC_END] = checksum(page)
        return bytes(page)


@dataclass(frozen=True, slots=True)
class OggPage:
    """One page as it was read."""

    serial: int
    sequence: int
    granule: int
    first: bool
    packets: tuple[bytes, ...]


def parse_pages(data: bytes) -> list[OggPage]:
    """Whole pages laid end to end whose packets are whole, as ours are. ProtocolError says where it is
    otherwise."""
    pages, at = [], 0
    while at < len(data):
        page, at = _parse_page(data, at)
        pages.append(page)
    return pages


def _parse_page(data: bytes, start: int) -> tuple[OggPage, int]:
    body = start + _HEADER.size
    if len(data) < body:
        raise ProtocolError(
            f"Ogg page at byte {start} has {len(data) - start} bytes, expected a header of 27"
        )
    capture, version, flags, granule, serial, sequence, _, segments = _HEADER.unpack_from(data, start)
    if capture != _CAPTURE or version != 0:
        raise ProtocolError(
            f"no Ogg page at byte {start}: {data[start : start + 5]!r}, expected OggS, version 0"
        )
    lacing = data[body : body + segments]
    end = body + segments + sum(lacing)
    if len(lacing) < segments or len(data) < end:
        raise ProtocolError(f"Ogg page at byte {start} is cut at byte {len(data)}, expected {end}")
    if flags & _CONTINUED or (lacing and lacing[-1] == _LACE):
        raise ProtocolError(f"Ogg page at byte {start} holds part of a packet, expected whole packets")
    blank = data[start : start + _CRC_AT] + bytes(4) + data[start + _CRC_END : end]
    if checksum(blank) != data[start + _CRC_AT : start + _CRC_END]:
        raise ProtocolError(f"Ogg page at byte {start} has a wrong checksum")
    packets = _unlace(lacing, data[body + segments : end])
    return OggPage(serial, sequence, granule, bool(flags & _FIRST_PAGE), packets), end


def _unlace(lacing: bytes, body: bytes) -> tuple[bytes, ...]:
    packets, at, length = [], 0, 0
    for lace in lacing:
        length += lace
        if lace < _LACE:
            packets.append(body[at : at + length])
            at, length = at + length, 0
    return tuple(packets)
