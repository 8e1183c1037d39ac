"""What waits for a blocked speaker: order, ages, bounds."""

from collections import Counter

import pytest

from loa.streamer.outbox import AUDIO_AGE_US, MOST_AUDIO, MOST_KEPT, MOST_KEPT_BYTES, Lane, Outbox, Piece

ALL = 1 << 20


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


@pytest.fixture
def outbox(counts: Counter[str]) -> Outbox:
    return Outbox(counts)


def audio(frame: bytes, put_us: int = 0, lane: Lane = Lane.AUDIO) -> Piece:
    return Piece(frame, lane, put_us, perishable=True)


def kept(frame: bytes, lane: Lane = Lane.CONTROL) -> Piece:
    return Piece(frame, lane, 0, perishable=False)


def test_urgent_then_control_then_audio_each_in_its_order(outbox: Outbox) -> None:
    for piece in (audio(b"a1"), kept(b"c1"), kept(b"u1", Lane.URGENT), audio(b"a2"), kept(b"c2")):
        assert outbox.put(piece)
    assert outbox.put(audio(b"u2", lane=Lane.URGENT))
    assert outbox.take(ALL, 0) == b"u1u2c1c2a1a2"
    assert len(outbox) == 0
    assert outbox.take(ALL, 0) == b""


def test_it_is_taken_in_parts_of_whole_frames(outbox: Outbox) -> None:
    for frame in (b"aaaa", b"bbbb", b"cccc"):
        outbox.put(audio(frame))
    assert [outbox.take(5, 0), outbox.take(4, 0), outbox.take(1, 0)] == [b"aaaabbbb", b"cccc", b""]


def test_old_audio_is_dropped_in_every_lane_and_nothing_else(outbox: Outbox, counts: Counter[str]) -> None:
    outbox.put(audio(b"u", 0, Lane.URGENT))
    outbox.put(kept(b"U", Lane.URGENT))
    outbox.put(kept(b"C"))
    outbox.put(audio(b"old", 0))
    outbox.put(audio(b"new", 1))
    assert outbox.take(ALL, AUDIO_AGE_US + 1) == b"UCnew"
    assert counts["dropped_audio"] == 2


def test_too_much_audio_drops_the_oldest_ordinary_first(outbox: Outbox, counts: Counter[str]) -> None:
    outbox.put(audio(b"E", lane=Lane.URGENT))
    for i in range(MOST_AUDIO + 1):
        assert outbox.put(audio(bytes([i])))
    assert len(outbox) == MOST_AUDIO
    assert counts["dropped_audio"] == 2
    assert outbox.take(ALL, 0) == b"E" + bytes(range(2, MOST_AUDIO + 1))


def test_emergency_audio_drops_itself_when_there_is_nothing_less(outbox: Outbox) -> None:
    for i in range(MOST_AUDIO + 1):
        assert outbox.put(audio(bytes([i]), lane=Lane.URGENT))
    assert outbox.take(ALL, 0) == bytes(range(1, MOST_AUDIO + 1))


def test_what_must_not_be_lost_is_refused_beyond_the_bound(outbox: Outbox, counts: Counter[str]) -> None:
    assert outbox.put(kept(bytes(MOST_KEPT_BYTES)))
    assert not outbox.put(kept(b"x", Lane.URGENT))
    assert outbox.put(audio(b"a")), "audio has its own bound"
    assert len(outbox.take(ALL, 0)) == MOST_KEPT_BYTES + 1
    for _ in range(MOST_KEPT):
        assert outbox.put(kept(b"x"))
    assert not outbox.put(kept(b"x"))
    assert counts["dropped_audio"] == 0
