"""The bytes of the journal: segments of records, each framed, checked and chained to the one before. Pure.

    segment  "LOAJRNL1" | journal id 8 | first sequence u64 | chain so far 32 | crc32 of these
    record   0xF5 "LJR" | length u32 | sequence u64 | crc32 u32 | payload | chain 32
             chain = SHA-256(chain before | length | sequence | payload); crc32 over all but itself

Laws:
- a record is whole or it is none: length, CRC, sequence and chain must all fit;
- what follows the last whole record of a segment is a torn tail, unless a whole record comes after it: then
  the damage is in the middle, something that was accepted is gone, and that is an error;
- nothing can be changed, left out or put in between without breaking the chain.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ProtocolError

MAX_PAYLOAD_BYTES = 1 << 20
"""An order to 16,384 places takes about 320 KiB of JSON."""
CHAIN_BYTES = 32
JOURNAL_ID_BYTES = 8

_SEGMENT_MAGIC = b"LOAJRNL1"
_SEGMENT = struct.Struct(f">8s{JOURNAL_ID_BYTES}sQ{CHAIN_BYTES}s")
_CRC = struct.Struct(">I")
SEGMENT_HEADER_BYTES = _SEGMENT.size + _CRC.size
_MARKER = b"\xf5LJR"
_RECORD = struct.Struct(">4sIQ")
_RECORD_HEADER_BYTES = _RECORD.size + _CRC.size
RECORD_OVERHEAD_BYTES = _RECORD_HEADER_BYTES + CHAIN_BYTES


@dataclass(frozen=True, slots=True)
class Record:
    """`sequence` counts from 1 over the journal's life."""

    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Where a journal stands: the last sequence written (0: none) and the chain up to it."""

    journal: bytes
    sequence: int
    chain: bytes

    @classmethod
    def start(cls, journal: bytes) -> "Position":
        return cls(journal, 0, hashlib.sha256(b"loa-journal\0" + journal).digest())


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment holds. `whole_bytes` of it are good; more than that is a torn tail."""

    begin: Position
    end: Position
    records: tuple[Record, ...]
    whole_bytes: int


def build_segment_header(begin: Position) -> bytes:
    head = _SEGMENT.pack(_SEGMENT_MAGIC, begin.journal, begin.sequence + 1, begin.chain)
    return head + _CRC.pack(zlib.crc32(head))


def build_record(before: Position, payload: bytes) -> tuple[bytes, Position]:
    """The bytes of the next record, and where the journal then stands."""
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise ValueError(f"a record holds 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    after = _next(before, payload)
    head = _RECORD.pack(_MARKER, len(payload), after.sequence)
    crc = _CRC.pack(zlib.crc32(after.chain, zlib.crc32(payload, zlib.crc32(head))))
    return b"".join((head, crc, payload, after.chain)), after


def parse_segment(data: bytes, name: str) -> Segment | None:
    """The whole records of a segment; None when not even its header is whole. ProtocolError for damage
    inside.
    """
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    begin = _parse_header(data, name)
    at, position = SEGMENT_HEADER_BYTES, begin
    records: list[Record] = []
    while (found := _record_at(data, at)) is not None:
        record, chain = found
        after = _next(position, record.payload)
        if record.sequence != after.sequence or chain != after.chain:
            raise ProtocolError(
                f"journal {name}, byte {at}: record {record.sequence} does not continue record "
                f"{position.sequence}; expected an unbroken chain"
            )
        records.append(record)
        at, position = at + RECORD_OVERHEAD_BYTES + len(record.payload), after
    if (later := next(_records_after(data, at), None)) is not None:
        raise ProtocolError(
            f"journal {name}, byte {at}: damaged after record {position.sequence}; record {later.sequence} "
            "after that is whole; expected damage at the end only, as a crash leaves it"
        )
    return Segment(begin, position, tuple(records), at)


def _next(before: Position, payload: bytes) -> Position:
    sequence = before.sequence + 1
    digest = hashlib.sha256(before.chain)
    digest.update(struct.pack(">IQ", len(payload), sequence))
    digest.update(payload)
    return Position(before.journal, sequence, digest.digest())


def _parse_header(data: bytes, name: str) -> Position:
    magic, journal, first, chain = _SEGMENT.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _SEGMENT.size)
    if magic != _SEGMENT_MAGIC or crc != zlib.crc32(data[: _SEGMENT.size]) or first == 0:
        raise ProtocolError(
            f"journal {name}: its first {SEGMENT_HEADER_BYTES} bytes are not those of a segment"
        )
    return Position(journal, first - 1, chain)


def _record_at(data: bytes, at: int) -> tuple[Record, bytes] | None:
    """The record that begins at `at`, and the chain it claims; None when there is no whole one."""
    if len(data) - at < RECORD_OVERHEAD_BYTES:
        return None
    marker, length, sequence = _RECORD.unpack_from(data, at)
    end = at + RECORD_OVERHEAD_BYTES + length
    if marker != _MARKER or not 0 < length <= MAX_PAYLOAD_BYTES or end > len(data):
        return None
    (crc,) = _CRC.unpack_from(data, at + _RECORD.size)
    body = at + _RECORD_HEADER_BYTES
    if crc != zlib.crc32(data[body:end], zlib.crc32(data[at : at + _RECORD.size])):
        return None
    return Record(sequence, data[body : body + length]), data[body + length : end]


def _records_after(data: bytes, at: int) -> Iterator[Record]:
    """Every whole record that begins after `at`, wherever: chance makes one of garbage once in 2^64."""
    while (at := data.find(_MARKER, at + 1)) >= 0:
        if (found := _record_at(data, at)) is not None:
            yield found[0]
