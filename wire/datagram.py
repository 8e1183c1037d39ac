"""Datagrams to bytes and back: start, audio and end, signed once for all who listen; and the four by which a
UDP address attaches.

All begin with 0xC1 (the one byte that MessagePack never uses, so datagrams and control messages share a
WebSocket), version, kind, flags. Big-endian, at most 1200 bytes (fits IPv6's minimum MTU of 1280 with all
headers). The last 64 bytes of start, audio and end are an Ed25519 signature over all bytes before them. Byte
tables: docs/protocol.md.

Laws: the bytes are the same for every listener; each datagram can be verified alone; every byte is
accounted for (targets ascend, reserved flags are zero, nothing follows the last frame), so what the parser
accepts the builder makes again, byte for byte. `parse_datagram` does work bounded by 1200 bytes, and its
only error is ProtocolError. Nothing here verifies: see verify.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from ..errors import ProtocolError
from ..trust.ids import id_bytes
from .messages import (
    AUDIO,
    AUDIO_AT,
    END,
    FRAME,
    MAGIC,
    MAX_DATAGRAM_BYTES,
    MAX_FRAMES,
    MAX_TARGETS,
    OPUS_20MS,
    PREFIX,
    PROBE_BYTES,
    SIGNATURE_BYTES,
    START,
    TARGETS_HASHED,
    VERSION,
    Attached,
    Audio,
    AudioPart,
    Confirm,
    Cookie,
    End,
    EndReason,
    Kind,
    Message,
    Probe,
    Start,
    StartFlags,
    targets_hash,
)
from .rank import BroadcastClass

__all__ = [
    "MAX_DATAGRAM_BYTES",
    "MAX_FRAMES",
    "MAX_TARGETS",
    "Attached",
    "Audio",
    "AudioBuilder",
    "AudioPart",
    "Confirm",
    "Cookie",
    "End",
    "EndReason",
    "Kind",
    "Message",
    "Parsed",
    "Probe",
    "Start",
    "StartBuilder",
    "StartFlags",
    "build_attach",
    "build_audio",
    "build_end",
    "build_start",
    "is_datagram",
    "parse_datagram",
    "room_for_frames",
    "targets_hash",
]

Sign = Callable[[bytes], bytes]
Member = TypeVar("Member", BroadcastClass, EndReason)


def _audio_bytes(sequence: int, media_us: int, codec: int, frames: Sequence[bytes]) -> bytes:
    parts = [AUDIO.pack(sequence, media_us, codec, len(frames))]
    for frame in frames:
        parts.append(FRAME.pack(len(frame)))
        parts.append(frame)
    return b"".join(parts)


def _sealed(body: bytes, sign: Sign) -> bytes:
    if len(body) > MAX_DATAGRAM_BYTES - SIGNATURE_BYTES:
        most = MAX_DATAGRAM_BYTES - SIGNATURE_BYTES
        raise ValueError(
            f"datagram of {len(body)} bytes before its signature, expected at most {most}: fewer frames"
        )
    return body + sign(body)


def _start_prefix(start: Start) -> bytes:
    if isinstance(start.targets, bytes):
        count, targets = TARGETS_HASHED, start.targets
    else:
        count, targets = len(start.targets), b"".join(map(id_bytes, start.targets))
    grant = start.grant.encode("ascii")
    return b"".join(
        (
            PREFIX.pack(MAGIC, VERSION, Kind.START, start.flags, id_bytes(start.program)),
            START.pack(
                id_bytes(start.broadcast),
                start.cls,
                start.detail,
                start.level,
                count,
                start.started_us,
                start.expires_us,
                len(grant),
            ),
            targets,
            grant,
        )
    )


def build_start(start: Start, sign: Sign) -> bytes:
    """ValueError when it does not fit: see `room_for_frames`."""
    audio = start.audio
    return _sealed(
        _start_prefix(start) + _audio_bytes(audio.sequence, audio.media_us, audio.codec, audio.frames), sign
    )


def room_for_frames(start: Start, frame_bytes: int) -> int:
    """How many frames of this size a start has room for (its own audio does not count); 0 may be the
    answer.
    """
    free = MAX_DATAGRAM_BYTES - SIGNATURE_BYTES - AUDIO.size - len(_start_prefix(start))
    return max(0, min(MAX_FRAMES, free // (FRAME.size + frame_bytes)))


class StartBuilder:
    """Repeats one start with new audio: all before the audio is built once."""

    def __init__(self, start: Start, sign: Sign) -> None:
        self._prefix = _start_prefix(start)
        self._sign = sign

    def build(self, sequence: int, media_us: int, frames: Sequence[bytes]) -> bytes:
        return _sealed(self._prefix + _audio_bytes(sequence, media_us, OPUS_20MS, frames), self._sign)


class AudioBuilder:
    """The hot path: 300 programs x 16.7 datagrams a second. No value object per datagram.

    The caller keeps the bounds of `AudioPart` (at most 6 frames, none empty, media time on the grid).
    """

    def __init__(self, program: str, sign: Sign) -> None:
        self._prefix = PREFIX.pack(MAGIC, VERSION, Kind.AUDIO, 0, id_bytes(program))
        self._sign = sign

    def build(self, sequence: int, media_us: int, frames: Sequence[bytes]) -> bytes:
        return _sealed(self._prefix + _audio_bytes(sequence, media_us, OPUS_20MS, frames), self._sign)


def build_audio(audio: Audio, sign: Sign) -> bytes:
    part = audio.audio
    return AudioBuilder(audio.program, sign).build(part.sequence, part.media_us, part.frames)


def build_end(end: End, sign: Sign) -> bytes:
    return _sealed(
        PREFIX.pack(MAGIC, VERSION, Kind.END, 0, id_bytes(end.program))
        + END.pack(id_bytes(end.broadcast), end.last_sequence, end.at_us, end.reason),
        sign,
    )


def build_attach(message: Probe | Cookie | Confirm | Attached) -> bytes:
    """The unsigned four. A probe is padded with zeros."""
    match message:
        case Probe(token):
            return (_head(Kind.PROBE) + token).ljust(PROBE_BYTES, b"\0")
        case Cookie(cookie):
            return _head(Kind.COOKIE) + cookie
        case Confirm(token, cookie):
            return _head(Kind.CONFIRM) + token + cookie
        case Attached(cookie):
            return _head(Kind.ATTACHED) + cookie


def _head(kind: Kind) -> bytes:
    return bytes((MAGIC, VERSION, kind, 0))


@dataclass(frozen=True, slots=True)
class Parsed:
    """`signature` covers `signed`; both are empty for the four messages of attachment."""

    message: Message
    signed: bytes
    signature: bytes


def is_datagram(data: bytes) -> bool:
    """Whether a binary WebSocket message is a datagram (else it is MessagePack)."""
    return data[:1] == b"\xc1"


def parse_datagram(data: bytes) -> Parsed:
    if not 4 <= len(data) <= MAX_DATAGRAM_BYTES:
        raise ProtocolError(f"datagram: {len(data)} bytes, expected 4 to {MAX_DATAGRAM_BYTES}")
    magic, version, kind, flags = data[:4]
    if magic != MAGIC:
        raise ProtocolError(f"datagram: first byte 0x{magic:02x}, expected 0x{MAGIC:02x}")
    if version != VERSION:
        raise ProtocolError(f"datagram: version {version}, expected {VERSION}")
    signed_parser = _SIGNED.get(kind)
    try:
        if signed_parser is not None:
            at = len(data) - SIGNATURE_BYTES
            if at < PREFIX.size:
                raise ProtocolError(f"datagram of kind {kind}: {len(data)} bytes, no room for a signature")
            body = data[:at]
            return Parsed(signed_parser(body, flags), body, data[at:])
        plain_parser = _PLAIN.get(kind)
        if plain_parser is None:
            raise ProtocolError(
                f"datagram: kind {kind}, expected one of {', '.join(str(int(k)) for k in Kind)}"
            )
        if flags:
            raise ProtocolError(f"datagram of kind {kind}: flags {flags}, expected 0")
        return Parsed(plain_parser(data), b"", b"")
    except ValueError as error:
        raise ProtocolError(f"datagram of kind {kind}: {error}") from error


def _parse_audio(body: bytes, flags: int) -> Audio:
    if flags:
        raise ProtocolError(f"audio: flags {flags}, expected 0")
    return Audio(body[4:12].hex(), _parse_part(body, AUDIO_AT))


def _parse_part(body: bytes, at: int) -> AudioPart:
    """The audio at the end of a body: it must reach to the last byte."""
    if len(body) < at + AUDIO.size:
        raise ProtocolError(
            f"audio part at byte {at}: {len(body) - at} bytes, expected at least {AUDIO.size}"
        )
    sequence, media_us, codec, count = AUDIO.unpack_from(body, at)
    if count > MAX_FRAMES:
        raise ProtocolError(f"audio part: {count} frames, expected at most {MAX_FRAMES}")
    at += AUDIO.size
    frames: list[bytes] = []
    for number in range(count):
        if len(body) < at + FRAME.size:
            raise ProtocolError(f"frame {number} at byte {at}: cut off, expected its length")
        start = at + FRAME.size
        at = start + (body[at] << 8 | body[at + 1])
        if len(body) < at:
            raise ProtocolError(f"frame {number} at byte {start}: cut off, expected {at - start} bytes")
        frames.append(body[start:at])
    if at != len(body):
        raise ProtocolError(f"audio part: {len(body) - at} bytes after the last frame, expected none")
    return AudioPart(sequence, media_us, tuple(frames), codec)


def _parse_start(body: bytes, flags: int) -> Start:
    at = PREFIX.size + START.size
    if len(body) < at:
        raise ProtocolError(f"start: {len(body)} bytes, expected at least {at} before the signature")
    broadcast, cls, detail, level, count, started_us, expires_us, grant_bytes = START.unpack_from(
        body, PREFIX.size
    )
    targets, at = _parse_targets(body, at, count)
    grant = body[at : at + grant_bytes]
    if len(grant) != grant_bytes:
        raise ProtocolError(f"start: grant at byte {at}: {len(grant)} bytes, expected {grant_bytes}")
    if not grant.isascii():
        raise ProtocolError(f"start: grant at byte {at}: expected a token in ASCII")
    return Start(
        broadcast=broadcast.hex(),
        program=body[4:12].hex(),
        cls=_member(BroadcastClass, cls, "class"),
        detail=detail,
        level=level,
        flags=StartFlags(flags),
        started_us=started_us,
        expires_us=expires_us,
        targets=targets,
        grant=grant.decode("ascii"),
        audio=_parse_part(body, at + grant_bytes),
    )


def _parse_targets(body: bytes, at: int, count: int) -> tuple[tuple[str, ...] | bytes, int]:
    hashed = count == TARGETS_HASHED
    if not hashed and not 1 <= count <= MAX_TARGETS:
        raise ProtocolError(
            f"start: {count} targets, expected 1 to {MAX_TARGETS}, or {TARGETS_HASHED} for a hash"
        )
    end = at + (32 if hashed else 8 * count)
    if len(body) < end:
        raise ProtocolError(f"start: targets at byte {at}: {len(body) - at} bytes, expected {end - at}")
    if hashed:
        return body[at:end], end
    targets = tuple(body[one : one + 8].hex() for one in range(at, end, 8))
    if any(a >= b for a, b in pairwise(targets)):
        raise ProtocolError("start: targets are not ascending, expected each once and in order")
    return targets, end


def _parse_end(body: bytes, flags: int) -> End:
    if flags or len(body) != PREFIX.size + END.size:
        size = PREFIX.size + END.size
        raise ProtocolError(
            f"end: flags {flags} and {len(body)} bytes, expected 0 and {size} before the signature"
        )
    broadcast, last_sequence, at_us, reason = END.unpack_from(body, PREFIX.size)
    return End(broadcast.hex(), body[4:12].hex(), last_sequence, at_us, _member(EndReason, reason, "reason"))


def _member(kind: type[Member], value: int, what: str) -> Member:
    try:
        return kind(value)
    except ValueError as error:
        raise ProtocolError(f"{what} {value}, expected one of {', '.join(map(repr, kind))}") from error


def _parse_probe(data: bytes) -> Probe:
    _expect(data, PROBE_BYTES)
    if any(data[20:]):
        raise ProtocolError("probe: padding is not zero")
    return Probe(data[4:20])


def _parse_cookie(data: bytes) -> Cookie:
    _expect(data, 20)
    return Cookie(data[4:])


def _parse_confirm(data: bytes) -> Confirm:
    _expect(data, 36)
    return Confirm(data[4:20], data[20:])


def _parse_attached(data: bytes) -> Attached:
    _expect(data, 20)
    return Attached(data[4:])


def _expect(data: bytes, size: int) -> None:
    if len(data) != size:
        raise ProtocolError(f"datagram of kind {data[2]}: {len(data)} bytes, expected {size}")


_SIGNED: Mapping[int, Callable[[bytes, int], Message]] = {
    Kind.START: _parse_start,
    Kind.AUDIO: _parse_audio,
    Kind.END: _parse_end,
}
_PLAIN: Mapping[int, Callable[[bytes], Message]] = {
    Kind.PROBE: _parse_probe,
    Kind.COOKIE: _parse_cookie,
    Kind.CONFIRM: _parse_confirm,
    Kind.ATTACHED: _parse_attached,
}
