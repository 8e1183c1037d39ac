"""Datagrams: there and back, byte for byte; each defect by its name; noise is a ProtocolError and nothing
else.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.trust.keys import SigningKey
from loa.wire.datagram import (
    MAX_DATAGRAM_BYTES,
    Attached,
    Audio,
    AudioBuilder,
    AudioPart,
    Confirm,
    Cookie,
    End,
    EndReason,
    Message,
    Probe,
    Start,
    StartBuilder,
    StartFlags,
    build_attach,
    build_audio,
    build_end,
    build_start,
    is_datagram,
    parse_datagram,
    room_for_frames,
    targets_hash,
)
from loa.wire.messages import PROBE_BYTES, Kind
from loa.wire.rank import MAX_DETAIL, BroadcastClass

KEY = SigningKey.from_bytes(b"k" * 32)
MEDIA_US = 1_800_000_000_000_000
ids = st.binary(min_size=8, max_size=8).map(bytes.hex)
sixteen = st.binary(min_size=16, max_size=16)
frames = st.lists(st.binary(min_size=1, max_size=80), max_size=6).map(tuple)
parts = st.builds(
    AudioPart, st.integers(0, 2**32 - 1), st.integers(0, 2**53 // 20_000).map(lambda k: k * 20_000), frames
)


@st.composite
def starts(draw: st.DrawFn) -> Start:
    cls = draw(st.sampled_from(BroadcastClass))
    started_us = draw(st.integers(0, 2**53 - 2))
    return Start(
        broadcast=draw(ids),
        program=draw(ids),
        cls=cls,
        detail=draw(st.integers(0, MAX_DETAIL[cls])),
        level=draw(st.integers(0, 15)),
        flags=draw(st.sampled_from([StartFlags(value) for value in range(4)])),
        started_us=started_us,
        expires_us=draw(st.integers(started_us + 1, 2**53 - 1)),
        targets=draw(st.lists(ids, min_size=1, max_size=16).map(tuple) | st.binary(min_size=32, max_size=32)),
        grant=draw(st.text("abcXYZ019-_.", min_size=1, max_size=200)),
        audio=draw(parts),
    )


ends = st.builds(
    End, ids, ids, st.integers(0, 2**32 - 1), st.integers(0, 2**53 - 1), st.sampled_from(EndReason)
)
attachments = st.one_of(
    st.builds(Probe, sixteen),
    st.builds(Cookie, sixteen),
    st.builds(Confirm, sixteen, sixteen),
    st.builds(Attached, sixteen),
)
messages = starts() | st.builds(Audio, ids, parts) | ends | attachments


def no_signature(_data: bytes) -> bytes:
    return bytes(range(64))


def build(message: Message) -> bytes:
    match message:
        case Start():
            return build_start(message, no_signature)
        case Audio():
            return build_audio(message, no_signature)
        case End():
            return build_end(message, no_signature)
        case _:
            return build_attach(message)


@given(messages)
def test_there_and_back(message: Message) -> None:
    data = build(message)
    parsed = parse_datagram(data)
    assert parsed.message == message
    assert len(data) <= MAX_DATAGRAM_BYTES
    assert is_datagram(data)
    if isinstance(message, Start | Audio | End):
        assert (parsed.signed, parsed.signature) == (data[:-64], bytes(range(64)))
    else:
        assert (parsed.signed, parsed.signature) == (b"", b"")


def parse_then_build(data: bytes) -> bytes | None:
    """None for a ProtocolError; any other error is the parser's fault and fails the test."""
    try:
        parsed = parse_datagram(data)
    except ProtocolError as error:
        return None if str(error) else b"says nothing"
    rebuilt = build(parsed.message)
    return rebuilt[:-64] + parsed.signature if parsed.signature else rebuilt


@given(st.binary(max_size=1300) | st.binary(max_size=300).map(lambda rest: b"\xc1\x01" + rest))
def test_random_bytes(data: bytes) -> None:
    assert parse_then_build(data) in (None, data)


@given(messages, st.integers(0, 1199), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_means_something_else(message: Message, at: int, change: int) -> None:
    """What is still accepted would be built again byte for byte: there is one way to say a thing."""
    data = bytearray(build(message))
    data[at % len(data)] ^= change
    assert parse_then_build(bytes(data)) in (None, bytes(data))


@given(messages, st.integers(0, 1199))
def test_a_cut_is_refused_or_means_something_else(message: Message, size: int) -> None:
    data = build(message)[:size]
    assert parse_then_build(data) in (None, data)


@given(messages, st.binary(min_size=1, max_size=9))
def test_nothing_may_follow(message: Message, more: bytes) -> None:
    data = build(message) + more
    assert parse_then_build(data) in (None, data)
    if isinstance(message, Probe | Cookie | Confirm | Attached):
        assert parse_then_build(data) is None


def audio(*frames: bytes, sequence: int = 7) -> AudioPart:
    return AudioPart(sequence, MEDIA_US, frames)


START = Start(
    broadcast="b0" * 8,
    program="a0" * 8,
    cls=BroadcastClass.EMERGENCY,
    detail=4,
    level=14,
    flags=StartFlags.NONE,
    started_us=MEDIA_US - 20_000,
    expires_us=MEDIA_US + 60_000_000,
    targets=("01" * 8, "02" * 8),
    grant="head.claims.signature",
    audio=audio(b"x" * 80, b"y" * 80, b"z" * 80),
)


def test_the_largest_start_of_the_budget_fits() -> None:
    start = replace(START, targets=tuple(f"{n:016x}" for n in range(16)), grant="g" * 530)
    assert len(build_start(start, KEY.sign)) == 1024
    assert room_for_frames(start, 80) == 5


@given(starts(), st.integers(1, 400), st.integers(0, 1100))
def test_room_for_frames_is_what_fits(start: Start, frame_bytes: int, grant_bytes: int) -> None:
    start = replace(start, grant="g" * max(1, grant_bytes))
    room = room_for_frames(start, frame_bytes)
    builder = StartBuilder(start, no_signature)
    if room:
        assert len(builder.build(0, 0, [bytes(frame_bytes)] * room)) <= MAX_DATAGRAM_BYTES
    if room < 6:
        with pytest.raises(ValueError, match="fewer frames"):
            builder.build(0, 0, [bytes(frame_bytes)] * (room + 1))


def test_the_builders_say_what_the_functions_say() -> None:
    part = START.audio
    again = StartBuilder(replace(START, audio=audio()), KEY.sign).build(
        part.sequence, part.media_us, part.frames
    )
    assert again == build_start(START, KEY.sign)
    built = AudioBuilder(START.program, KEY.sign).build(part.sequence, part.media_us, part.frames)
    assert built == build_audio(Audio(START.program, part), KEY.sign)


def test_the_signature_covers_every_byte_before_it() -> None:
    parsed = parse_datagram(build_start(START, KEY.sign))
    assert KEY.public.verify(parsed.signature, parsed.signed)
    for at in range(len(parsed.signed)):
        changed = bytearray(parsed.signed)
        changed[at] ^= 1
        if at % 50 == 0:
            assert not KEY.public.verify(parsed.signature, bytes(changed))


def test_targets_have_one_order() -> None:
    assert replace(START, targets=("02" * 8, "01" * 8, "02" * 8)) == START
    assert targets_hash(["02" * 8, "01" * 8]) == targets_hash(["01" * 8, "02" * 8, "01" * 8])
    assert targets_hash(["01" * 8]) != targets_hash(["02" * 8])


def test_numbers_on_the_wire_are_those_of_the_page() -> None:
    assert [reason.value for reason in EndReason] == [1, 2, 3, 4, 5, 6]
    assert [kind.value for kind in Kind] == [1, 2, 3, 16, 17, 18, 19]
    assert [cls.value for cls in BroadcastClass] == [1, 2, 3]
    assert (StartFlags.DRILL, StartFlags.TEST) == (1, 2)


def test_answers_are_never_longer_than_the_question() -> None:
    probe, confirm = build_attach(Probe(bytes(16))), build_attach(Confirm(bytes(16), bytes(16)))
    assert len(probe) == PROBE_BYTES
    assert len(build_attach(Cookie(bytes(16)))) <= min(len(probe), len(confirm))
    assert len(build_attach(Attached(bytes(16)))) <= len(confirm)


SIGNED_START = build_start(START, no_signature)
SIGNED_AUDIO = build_audio(Audio("a0" * 8, audio(b"x" * 80)), no_signature)
SIGNED_END = build_end(End("b0" * 8, "a0" * 8, 9, MEDIA_US, EndReason.STOPPED), no_signature)


def put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes, expected 4 to 1200"),
        (bytes(1201), "1201 bytes"),
        (put(SIGNED_AUDIO, 0, b"\x81"), "first byte 0x81, expected 0xc1"),
        (put(SIGNED_AUDIO, 1, b"\x02"), "version 2, expected 1"),
        (put(SIGNED_AUDIO, 2, b"\x09"), "kind 9, expected one of"),
        (put(SIGNED_AUDIO, 3, b"\x01"), "audio: flags 1, expected 0"),
        (SIGNED_AUDIO[:60], "no room for a signature"),
        (SIGNED_AUDIO[:80], "audio part at byte 12: 4 bytes, expected at least 14"),
        (put(SIGNED_AUDIO, 16, (MEDIA_US + 1).to_bytes(8, "big")), "a multiple of 20000"),
        (put(SIGNED_AUDIO, 16, b"\xff" * 8), "media time"),
        (put(SIGNED_AUDIO, 24, b"\x02"), "codec 2, expected 1"),
        (put(SIGNED_AUDIO, 25, b"\x07"), "7 frames, expected at most 6"),
        (put(SIGNED_AUDIO, 25, b"\x00"), "82 bytes after the last frame"),
        (put(SIGNED_AUDIO, 25, b"\x02"), "frame 1 at byte 108: cut off, expected its length"),
        (put(SIGNED_AUDIO, 26, b"\x00\x51"), "frame 0 at byte 28: cut off, expected 81 bytes"),
        (put(SIGNED_AUDIO, 26, b"\x00\x4f"), "1 bytes after the last frame"),
        (SIGNED_AUDIO[:26] + b"\x00\x00" + bytes(64), "frame of 0 bytes"),
        (put(SIGNED_START, 3, b"\x04"), "flags 4"),
        (put(SIGNED_START, 20, b"\x00"), "class 0, expected one of <BroadcastClass.ORDINARY: 1>"),
        (put(SIGNED_START, 20, b"\x04"), "class 4, expected"),
        (put(SIGNED_START, 20, b"\x02"), "detail 4 of PRIORITY, expected 0 to 0"),
        (put(SIGNED_START, 21, b"\x05"), "detail 5 of EMERGENCY"),
        (put(SIGNED_START, 22, b"\x10"), "level 16"),
        (put(SIGNED_START, 23, b"\x00"), "0 targets, expected 1 to 16, or 255 for a hash"),
        (put(SIGNED_START, 23, b"\x11"), "17 targets"),
        (put(SIGNED_START, 24, b"\xff" * 8), "started at"),
        (put(SIGNED_START, 32, bytes(8)), "expires at 0 us, expected after its start"),
        (put(SIGNED_START, 32, b"\xff" * 8), "expires at"),
        (put(SIGNED_START, 40, b"\xff\xff"), "grant at byte 58: 281 bytes, expected 65535"),
        (put(SIGNED_START, 40, b"\x00\x00"), "audio part"),
        (put(SIGNED_START, 58, b"\xff"), "a token in ASCII"),
        (put(SIGNED_START, 42, b"\x03"), "targets are not ascending"),
        (put(SIGNED_START, 42, b"\x02" * 8), "targets are not ascending"),
        (SIGNED_START[:100], "start: 36 bytes, expected at least 42"),
        (put(SIGNED_START, 23, b"\xff")[:130], "targets at byte 42: 24 bytes, expected 32"),
        (SIGNED_END + b"\x00", "end: flags 0 and 34 bytes, expected 0 and 33"),
        (put(SIGNED_END, 3, b"\x01"), "end: flags 1"),
        (put(SIGNED_END, 32, b"\x00"), "reason 0, expected one of"),
        (put(SIGNED_END, 32, b"\x07"), "reason 7"),
        (build_attach(Probe(bytes(16)))[:-1], "kind 16: 63 bytes, expected 64"),
        (put(build_attach(Probe(bytes(16))), 63, b"\x01"), "padding is not zero"),
        (put(build_attach(Cookie(bytes(16))), 3, b"\x01"), "flags 1, expected 0"),
        (build_attach(Cookie(bytes(16))) + b"\x00", "kind 17: 21 bytes, expected 20"),
        (build_attach(Confirm(bytes(16), bytes(16)))[:-1], "kind 18: 35 bytes, expected 36"),
        (build_attach(Attached(bytes(16)))[:4], "kind 19: 4 bytes, expected 20"),
    ],
)
def test_golden_bytes_of_each_defect(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_datagram(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": ()},
        {"targets": tuple(f"{n:016x}" for n in range(17))},
        {"targets": b"short"},
        {"grant": ""},
        {"grant": "thư"},
        {"flags": StartFlags(4)},
        {"expires_us": START.started_us},
        {"level": 16},
    ],
)
def test_what_is_no_start(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        replace(START, **changes)  # type: ignore[arg-type]  # one wrong field at a time


@pytest.mark.parametrize(
    ("sequence", "media_us", "frames", "codec"),
    [
        (-1, 0, (), 1),
        (2**32, 0, (), 1),
        (0, 10_000, (), 1),
        (0, -20_000, (), 1),
        (0, 2**53 + 20_000 - 2**53 % 20_000, (), 1),
        (0, 0, (b"x",) * 7, 1),
        (0, 0, (b"",), 1),
        (0, 0, (), 2),
    ],
)
def test_what_is_no_audio(sequence: int, media_us: int, frames: tuple[bytes, ...], codec: int) -> None:
    with pytest.raises(ValueError):
        AudioPart(sequence, media_us, frames, codec)


@pytest.mark.parametrize("wrong", ["", "ab", "AB" * 8, "zz" * 8, "ab ab ab ab ab a"])
def test_an_id_has_one_spelling(wrong: str) -> None:
    with pytest.raises(ValueError, match="16 lower-case hex digits"):
        AudioBuilder(wrong, KEY.sign)
