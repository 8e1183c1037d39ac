"""The journal's bytes: whole or nothing, and damage in the middle is never taken for a torn tail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.station.record import (
    MAX_PAYLOAD_BYTES,
    RECORD_OVERHEAD_BYTES,
    SEGMENT_HEADER_BYTES,
    Position,
    Segment,
    build_record,
    build_segment_header,
    parse_segment,
)

START = Position.start(bytes(range(8)))
PAYLOADS = [b"one", b"two" * 20, b"\xf5LJR" * 3, b"four"]


def build(payloads: list[bytes], begin: Position = START) -> tuple[bytes, list[int], Position]:
    """A segment, the offset where each record ends, and where it leaves the journal."""
    data, position, ends = build_segment_header(begin), begin, []
    for payload in payloads:
        more, position = build_record(position, payload)
        data += more
        ends.append(len(data))
    return data, ends, position


def whole(data: bytes) -> Segment:
    segment = parse_segment(data, "x")
    assert segment is not None
    return segment


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=8), st.integers(0, 2**40))
@settings(max_examples=50, deadline=None)
def test_what_is_built_is_parsed(payloads: list[bytes], earlier: int) -> None:
    begin = Position(START.journal, earlier, START.chain)
    data, _, end = build(payloads, begin)
    segment = whole(data)
    assert [record.payload for record in segment.records] == payloads
    assert [record.sequence for record in segment.records] == list(
        range(earlier + 1, earlier + 1 + len(payloads))
    )
    assert (segment.begin, segment.end, segment.whole_bytes) == (begin, end, len(data))


def test_cut_at_every_byte_the_whole_records_before_the_cut_are_there_and_no_other() -> None:
    data, ends, _ = build(PAYLOADS)
    for cut in range(len(data)):
        segment = parse_segment(data[:cut], "x")
        if cut < SEGMENT_HEADER_BYTES:
            assert segment is None
            continue
        assert segment is not None
        count = sum(end <= cut for end in ends)
        assert [record.payload for record in segment.records] == PAYLOADS[:count]
        assert segment.whole_bytes == ([SEGMENT_HEADER_BYTES, *ends])[count]


def test_a_changed_byte_is_an_error_in_the_middle_and_a_torn_tail_in_the_last_record() -> None:
    data, ends, _ = build(PAYLOADS)
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        if at < ends[-2]:
            with pytest.raises(ProtocolError):
                parse_segment(damaged, "x")
        else:
            segment = whole(damaged)
            assert len(segment.records) == len(PAYLOADS) - 1
            assert segment.whole_bytes == ends[-2]


@pytest.mark.parametrize("garbage", [bytes(500), b"\xff" * 500, b"\xf5LJR" * 125])
def test_garbage_after_the_last_record_is_a_torn_tail(garbage: bytes) -> None:
    data, ends, _ = build(PAYLOADS)
    segment = whole(data + garbage)
    assert (len(segment.records), segment.whole_bytes) == (len(PAYLOADS), ends[-1])


def test_a_record_left_out_swapped_or_slipped_in_breaks_the_chain() -> None:
    data, ends, _ = build(PAYLOADS)
    header, first, second = (
        data[:SEGMENT_HEADER_BYTES],
        data[SEGMENT_HEADER_BYTES : ends[0]],
        data[ends[0] : ends[1]],
    )
    forged, _ = build_record(START, b"forged")
    for tampered in (
        header + second,
        header + second + first,
        header + forged + second,
        header + first + first,
    ):
        with pytest.raises(ProtocolError, match="unbroken chain"):
            parse_segment(tampered, "x")


def test_a_header_of_something_else_is_an_error_and_not_an_empty_segment() -> None:
    data, _, _ = build(PAYLOADS)
    for wrong in (b"RIFF" + data[4:], data[:20] + b"\x01" + data[21:], bytes(len(data))):
        with pytest.raises(ProtocolError, match="not those of a segment"):
            parse_segment(wrong, "x")


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_random_bytes_raise_nothing_but_protocol_error(garbage: bytes) -> None:
    header = build_segment_header(START)
    for data in (garbage, header + garbage, header + b"\xf5LJR" + garbage):
        try:
            parse_segment(data, "x")
        except ProtocolError:
            continue


def test_payloads_have_their_bounds() -> None:
    for payload in (b"", bytes(MAX_PAYLOAD_BYTES + 1)):
        with pytest.raises(ValueError, match="a record holds"):
            build_record(START, payload)
    data, after = build_record(START, bytes(MAX_PAYLOAD_BYTES))
    assert (len(data), after.sequence) == (MAX_PAYLOAD_BYTES + RECORD_OVERHEAD_BYTES, 1)
