"""Blocks: what a mount writes at once, a fixed run of grid frames packed for one codec.

Laws: block `j` covers network time [j, j + 1) x `block_us`, on the same grid for every mount, so a block of a
program is one bytes object whoever listens; a frame that the program does not have is encoded silence, so the
stream neither stops nor starts anew; Ogg page and granule numbers are counted from one origin (the
node's start), so a player may join at any page and go from one program to the next. Pure; `Egress` owns one
`Packing`.
"""

from collections.abc import Sequence
from typing import Protocol

from ..codecs.frame import FRAME_US, MP3_FRAME_US
from ..codecs.mp3 import MP3_FRAME_BYTES, silence_frame
from ..codecs.ogg import OggOpusStream, granule_after
from ..codecs.opus import OPUS_PACKET_BYTES, silence_packet

MP3_BLOCK_FRAMES = 4
"""96 ms: the cost of a write is nearly all kernel, so batch them, and stay below 100 ms of delay."""

OGG_BLOCK_FRAMES = 5
"""100 ms a page: the page header costs 4 % then (20 ms pages: 22 %)."""

OGG_AUDIO_SEQUENCE = 2
"""Pages 0 and 1 are the stream's head."""


ORIGIN_MARGIN_BLOCKS = 16
"""The numbering begins this much earlier, so that the burst of one who listens at once has numbers too."""


class PacketSource(Protocol):
    """A program, as mounts read it: packets by grid number, None where there is none (yet)."""

    @property
    def id(self) -> str: ...

    def opus(self, k: int, /) -> bytes | None: ...

    def mp3(self, k: int, /) -> bytes | None: ...

    def want_mp3(self, wanted: bool, /) -> None:
        """Live programs encode MP3 only while someone needs it: who has said True says False in the end."""
        ...


class Packing(Protocol):
    """How one codec's frames become blocks."""

    @property
    def suffix(self) -> str: ...

    @property
    def content_type(self) -> str: ...

    @property
    def frames(self) -> int:
        """Grid frames in a block."""
        ...

    @property
    def frame_us(self) -> int: ...

    @property
    def block_us(self) -> int: ...

    @property
    def bytes_per_s(self) -> int: ...

    @property
    def head(self) -> bytes:
        """What a listener gets before the first block."""
        ...

    def read(self, source: PacketSource, k: int, /) -> bytes | None: ...

    def want(self, source: PacketSource, wanted: bool, /) -> None:
        """Say that a source's packets are needed, or no longer."""
        ...

    def pack(self, packets: Sequence[bytes | None], j: int, /) -> bytes:
        """The bytes of block `j`; None stands for silence."""
        ...


class Mp3Packing:
    """Bare CBR frames, end to end."""

    suffix = "mp3"
    content_type = "audio/mpeg"
    frames = MP3_BLOCK_FRAMES
    frame_us = MP3_FRAME_US
    block_us = MP3_BLOCK_FRAMES * MP3_FRAME_US
    bytes_per_s = MP3_FRAME_BYTES * 1_000_000 // MP3_FRAME_US
    head = b""

    def __init__(self) -> None:
        self._silence = silence_frame()

    def read(self, source: PacketSource, k: int) -> bytes | None:
        return source.mp3(k)

    def want(self, source: PacketSource, wanted: bool) -> None:
        source.want_mp3(wanted)

    def pack(self, packets: Sequence[bytes | None], j: int) -> bytes:
        return b"".join(packet or self._silence for packet in packets)


class OggPacking:
    """One Ogg page a block, numbered from `started_us`, when the node started."""

    suffix = "opus"
    content_type = "audio/ogg"
    frames = OGG_BLOCK_FRAMES
    frame_us = FRAME_US
    block_us = OGG_BLOCK_FRAMES * FRAME_US
    bytes_per_s = OPUS_PACKET_BYTES * 1_000_000 // FRAME_US * 11 // 10

    def __init__(self, serial: int, started_us: int) -> None:
        self._stream = OggOpusStream(serial)
        self._origin = started_us // (OGG_BLOCK_FRAMES * FRAME_US) - ORIGIN_MARGIN_BLOCKS
        self._silence = silence_packet()
        self.head = self._stream.head()

    def read(self, source: PacketSource, k: int) -> bytes | None:
        return source.opus(k)

    def want(self, source: PacketSource, wanted: bool) -> None:
        """Opus is encoded for the speakers in any case."""

    def pack(self, packets: Sequence[bytes | None], j: int) -> bytes:
        page = j - self._origin
        filled = [packet or self._silence for packet in packets]
        return self._stream.page(filled, OGG_AUDIO_SEQUENCE + page, granule_after((page + 1) * self.frames))


def due_us(packing: Packing, j: int) -> int:
    """When the last frame of block `j` begins: no block is written before."""
    return (j + 1) * packing.block_us - packing.frame_us


def first_undue(packing: Packing, now_us: int) -> int:
    """The earliest block that is not due yet."""
    return (now_us + packing.frame_us) // packing.block_us


def packets_of(packing: Packing, source: PacketSource, j: int) -> list[bytes | None]:
    """The packets of block `j`, as far as the source has them now."""
    first = j * packing.frames
    return [packing.read(source, k) for k in range(first, first + packing.frames)]
