"""What datagrams say: the values, and their layout on the wire (the byte tables are in docs/protocol.md).

Laws: values are frozen and valid from construction (ValueError otherwise), so whatever exists can be built;
ids are text here and 8 bytes on the wire; a start's targets are in order and each once, so that equal
starts have equal bytes.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from ..trust.ids import id_bytes
from .rank import BroadcastClass, Rank

MAGIC = 0xC1
VERSION = 1
MAX_DATAGRAM_BYTES = 1200
SIGNATURE_BYTES = 64
MAX_FRAMES = 6
"""120 ms: more delay than any profile wants."""
MAX_TARGETS = 16
TARGETS_HASHED = 0xFF
OPUS_20MS = 1
FRAME_US = 20_000
PROBE_BYTES = 64
"""A probe is longer than every answer to it, so that a forged address gains nothing."""
MAX_SEQUENCE = 2**32 - 1
MAX_TIME_US = 2**53 - 1

PREFIX = struct.Struct(">BBBB8s")
START = struct.Struct(">8sBBBBQQH")
AUDIO = struct.Struct(">IQBB")
FRAME = struct.Struct(">H")
END = struct.Struct(">8sIQB")
AUDIO_AT = PREFIX.size


class Kind(IntEnum):
    START = 1
    AUDIO = 2
    END = 3
    PROBE = 16
    COOKIE = 17
    CONFIRM = 18
    ATTACHED = 19


class StartFlags(IntFlag):
    """DRILL: an exercise, shown and marked as one. TEST: silent; verified and reported, never sounded."""

    NONE = 0
    DRILL = 1
    TEST = 2


class EndReason(IntEnum):
    FINISHED = 1
    STOPPED = 2
    EXPIRED = 3
    LOST = 4
    REPLACED = 5
    REVOKED = 6


@dataclass(frozen=True, slots=True)
class AudioPart:
    """`media_us` is the network time of the first frame; the others follow every 20 ms on the grid."""

    sequence: int
    media_us: int
    frames: tuple[bytes, ...]
    codec: int = OPUS_20MS

    def __post_init__(self) -> None:
        if not 0 <= self.sequence <= MAX_SEQUENCE:
            raise ValueError(f"sequence {self.sequence}, expected 0 to 2^32 - 1")
        if not 0 <= self.media_us <= MAX_TIME_US or self.media_us % FRAME_US:
            raise ValueError(f"media time {self.media_us} us, expected a multiple of {FRAME_US} below 2^53")
        if self.codec != OPUS_20MS:
            raise ValueError(f"codec {self.codec}, expected {OPUS_20MS} (Opus, 48 kHz, mono, 20 ms)")
        if len(self.frames) > MAX_FRAMES:
            raise ValueError(f"{len(self.frames)} frames, expected at most {MAX_FRAMES}")
        if not all(self.frames):
            raise ValueError("a frame of 0 bytes, expected at least 1")


@dataclass(frozen=True, slots=True)
class Start:
    """`targets` are place ids (kept sorted, each once) or the 32 bytes of `targets_hash` of a list sent
    ahead.
    """

    broadcast: str
    program: str
    cls: BroadcastClass
    detail: int
    level: int
    flags: StartFlags
    started_us: int
    expires_us: int
    targets: tuple[str, ...] | bytes
    grant: str
    audio: AudioPart

    def __post_init__(self) -> None:
        Rank(self.cls, self.detail, self.level, self.started_us)
        if isinstance(self.targets, bytes):
            if len(self.targets) != 32:
                raise ValueError(f"target hash of {len(self.targets)} bytes, expected 32")
        else:
            object.__setattr__(self, "targets", tuple(sorted(set(self.targets))))
            if not 1 <= len(self.targets) <= MAX_TARGETS:
                raise ValueError(f"{len(self.targets)} targets, expected 1 to {MAX_TARGETS}, or their hash")
        if not self.started_us < self.expires_us <= MAX_TIME_US:
            raise ValueError(
                f"expires at {self.expires_us} us, expected after its start at {self.started_us}"
            )
        if not 0 <= int(self.flags) <= 3:
            raise ValueError(f"flags {int(self.flags)}, expected some of DRILL (1), TEST (2)")
        if not self.grant or not self.grant.isascii():
            raise ValueError("grant: expected a token in ASCII")

    @property
    def rank(self) -> Rank:
        """Without the position that a commune's list may give it."""
        return Rank(self.cls, self.detail, self.level, self.started_us)


@dataclass(frozen=True, slots=True)
class Audio:
    program: str
    audio: AudioPart


@dataclass(frozen=True, slots=True)
class End:
    """`at_us`: the media time at which silence (or what is beneath) begins."""

    broadcast: str
    program: str
    last_sequence: int
    at_us: int
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Probe:
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cookie:
    cookie: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Confirm:
    token: bytes = field(repr=False)
    cookie: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attached:
    """The answer to a confirm: UDP works both ways. It repeats the cookie, so that none can answer
    blindly.
    """

    cookie: bytes = field(repr=False)


Message = Start | Audio | End | Probe | Cookie | Confirm | Attached


def targets_hash(targets: Iterable[str]) -> bytes:
    """SHA-256 over the sorted ids (8 bytes each, each once): what stands in a start for a list sent ahead."""
    return hashlib.sha256(b"".join(map(id_bytes, sorted(set(targets))))).digest()
