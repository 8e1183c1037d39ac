"""Reception: packets in any order, with losses, from senders that start anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, Pcm
from loa.codecs.opus import OpusEncoder
from loa.streamer.reception import MAX_CONCEALED, Reception
from loa.streamer.rtp import RtpPacket, SenderReport

ENCODER = OpusEncoder()
SOUND = [
    ENCODER.encode(np.asarray(8000 * np.sin((np.arange(960) + k * 960) / 20), dtype=np.int16))
    for k in range(60)
]


class Ear:
    def __init__(self) -> None:
        self.frames: list[Pcm] = []
        self.times: list[int] = []
        self.reception = Reception(self.push)

    def push(self, pcm: Pcm, now_us: int) -> None:
        assert pcm.shape == (FRAME_SAMPLES,)
        self.frames.append(pcm)
        self.times.append(now_us)

    def hear(self, *sequences: int, ssrc: int = 7, now_us: int = 0) -> list[bool]:
        return [self.reception.receive(packet(number, ssrc), now_us) for number in sequences]


def packet(number: int, ssrc: int = 7, payload: bytes | None = None) -> RtpPacket:
    sound = SOUND[number % len(SOUND)] if payload is None else payload
    return RtpPacket(111, number % 65_536, number * 960 % 2**32, ssrc, sound)


def test_each_packet_is_sound_the_moment_it_comes() -> None:
    ear = Ear()
    for number in range(5):
        assert ear.hear(number, now_us=number * 20_000) == [True]
        assert len(ear.frames) == number + 1
    assert ear.times == [0, 20_000, 40_000, 60_000, 80_000]
    assert np.abs(ear.frames[-1]).max() > 4000


@pytest.mark.parametrize("lost", range(1, MAX_CONCEALED + 1))
def test_what_is_lost_is_concealed_so_that_time_is_kept(lost: int) -> None:
    ear = Ear()
    ear.hear(*range(10), 10 + lost)
    assert len(ear.frames) == 11 + lost
    assert ear.reception.counters.concealed == lost
    assert np.abs(ear.frames[10]).max() > 1000


def test_a_longer_gap_is_left_empty() -> None:
    ear = Ear()
    ear.hear(*range(10), 10 + MAX_CONCEALED + 1)
    assert len(ear.frames) == 11
    assert ear.reception.counters.concealed == 0


def test_late_and_repeated_packets_sound_no_second_time() -> None:
    ear = Ear()
    assert ear.hear(0, 1, 3, 2, 3, 1, 4) == [True, True, True, False, False, False, True]
    assert ear.reception.counters.late == 3
    assert len(ear.frames) == 5


def test_numbers_wrap() -> None:
    ear = Ear()
    ear.hear(65_533, 65_534, 65_535, 65_536, 65_537)
    assert len(ear.frames) == 5
    assert ear.reception.counters.concealed == 0


def test_a_sender_that_starts_anew_is_followed() -> None:
    ear = Ear()
    ear.hear(100, 101)
    ear.hear(40_000, 40_001)
    ear.hear(5, 6, ssrc=8)
    assert len(ear.frames) == 6
    assert ear.reception.counters.restarts == 2
    assert ear.reception.counters.concealed == 0


@pytest.mark.parametrize("payload", [b"", b"\xff", bytes(2000), b"\x00" * 50])
def test_what_is_no_opus_is_concealed_and_counted(payload: bytes) -> None:
    ear = Ear()
    ear.hear(0, 1)
    assert ear.reception.receive(packet(2, payload=payload), 0) is False
    assert ear.hear(3) == [True]
    assert len(ear.frames) == 4
    assert ear.reception.counters.undecodable == 1


def test_reports_begin_with_the_first_packet_and_know_their_sender() -> None:
    ear = Ear()
    assert ear.reception.report(5, 0) is None
    ear.reception.heard(SenderReport(7, 1 << 40), 0)
    ear.hear(0, 2)
    ear.reception.heard(SenderReport(99, 1 << 40), 0)
    report = ear.reception.report(5, 0)
    assert report is not None
    assert report[12] == 85, "a third was lost"
    assert report[24:28] == bytes(4), "a stranger's report counts for nothing"
    ear.reception.heard(SenderReport(7, 1 << 40), 0)
    again = ear.reception.report(5, 0)
    assert again is not None
    assert again[24:28] != bytes(4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2), st.binary(max_size=90)), max_size=40))
def test_nothing_that_comes_breaks_it_or_makes_sound_without_end(
    packets: list[tuple[int, int, bytes]],
) -> None:
    ear = Ear()
    for number, ssrc, payload in packets:
        ear.reception.receive(packet(number, ssrc, payload), 0)
    assert len(ear.frames) <= len(packets) * (MAX_CONCEALED + 1)
