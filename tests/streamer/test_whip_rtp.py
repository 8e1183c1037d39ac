"""RTP and RTCP against another implementation, each defect once, and random bytes."""

from contextlib import suppress

import pytest
from aiortc import rtp
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import ProtocolError
from loa.streamer.rtp import Goodbye, ReceptionReport, SenderReport, is_rtcp, parse_rtcp, parse_rtp


def packet(payload: bytes = b"sound", *, padding: int = 0, csrc: int = 0, mid: str | None = None) -> bytes:
    made = rtp.RtpPacket(payload_type=111, marker=1, sequence_number=65_535, timestamp=2**32 - 1, ssrc=77)
    made.payload = payload
    made.csrc = list(range(csrc))
    made.extensions.mid = mid
    made.padding_size = padding
    mid_uri = "urn:ietf:params:rtp-hdrext:sdes:mid"
    extensions = rtp.HeaderExtensionsMap()
    extensions.configure(RTCRtpParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(1, mid_uri)]))
    return made.serialize(extensions)


@pytest.mark.parametrize(
    "options", [{}, {"padding": 4}, {"csrc": 3}, {"mid": "0"}, {"csrc": 2, "mid": "audio"}]
)
def test_a_packet_is_read_whatever_else_it_carries(options: dict[str, int | str]) -> None:
    data = packet(**options)  # type: ignore[arg-type]
    read = parse_rtp(data)
    assert (read.payload_type, read.sequence, read.timestamp, read.ssrc) == (111, 65_535, 2**32 - 1, 77)
    assert read.payload == b"sound"
    assert not is_rtcp(data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x80\x6f", "2 bytes"),
        (b"\x40" + packet()[1:], "version 1"),
        (b"\x8f" + packet()[1:], "header and padding"),
        (b"\x90" + packet(b"")[1:], "cut inside its header"),
        (b"\x90" + packet(b"\xbe\xde\xff\xff")[1:], "header and padding"),
        (b"\xa0" + packet(b"\xff")[1:], "header and padding"),
    ],
    ids=["short", "version", "contributors", "extension", "extension-length", "padding"],
)
def test_each_defect_has_its_words(data: bytes, told: str) -> None:
    with pytest.raises(ProtocolError, match=told):
        parse_rtp(data)


def sender_report(ssrc: int = 77, ntp: int = 0x0123_4567_89AB_CDEF) -> bytes:
    info = rtp.RtcpSenderInfo(ntp_timestamp=ntp, rtp_timestamp=0, packet_count=1, octet_count=1)
    return bytes(rtp.RtcpSrPacket(ssrc=ssrc, sender_info=info))


def test_a_compound_packet_is_read_part_by_part() -> None:
    chunk = rtp.RtcpSourceInfo(ssrc=77, items=[(1, b"name")])
    data = (
        sender_report()
        + bytes(rtp.RtcpSdesPacket(chunks=[chunk]))
        + bytes(rtp.RtcpByePacket(sources=[77, 78]))
    )
    assert is_rtcp(data)
    assert parse_rtcp(data) == [SenderReport(77, 0x0123_4567_89AB_CDEF), Goodbye((77, 78))]


@pytest.mark.parametrize(
    "data", [b"\x80", sender_report()[:-1], b"\x00" + sender_report()[1:], b"\x80\xc8\xff\xff"]
)
def test_broken_rtcp_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_rtcp(data)


def test_a_goodbye_that_counts_more_than_it_holds_names_those_it_holds() -> None:
    assert parse_rtcp(b"\x9f\xcb\x00\x01\x00\x00\x00\x07") == [Goodbye((7,))]


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for parse in (parse_rtp, parse_rtcp):
        with suppress(ProtocolError):
            parse(data)


def parsed(report: bytes) -> rtp.RtcpReceiverInfo:
    (made,) = rtp.RtcpPacket.parse(report)
    assert isinstance(made, rtp.RtcpRrPacket)
    assert made.ssrc == 5
    (info,) = made.reports
    return info


def test_a_report_tells_what_was_lost_since_the_one_before() -> None:
    counts = ReceptionReport(77, 48_000)
    for sequence in [10, 11, 13, 14]:
        counts.add(sequence, sequence * 960, sequence * 20_000)
    first = parsed(counts.build(5, 0))
    assert (first.ssrc, first.packets_lost, first.highest_sequence, first.fraction_lost) == (77, 1, 14, 51)
    for sequence in [15, 16]:
        counts.add(sequence, sequence * 960, sequence * 20_000)
    second = parsed(counts.build(5, 0))
    assert (second.packets_lost, second.highest_sequence, second.fraction_lost) == (1, 16, 0)
    assert second.jitter == 0


def test_packets_that_came_twice_do_not_make_a_loss_negative() -> None:
    counts = ReceptionReport(77, 48_000)
    for sequence in [10, 10, 10]:
        counts.add(sequence, 0, 0)
    assert parsed(counts.build(5, 0)).packets_lost == 0


def test_jitter_is_that_of_rfc_3550() -> None:
    counts = ReceptionReport(77, 48_000)
    for k in range(400):
        counts.add(k, k * 960 % 2**32, k * 20_000 + (10_000 if k % 2 else 0))
    assert parsed(counts.build(5, 0)).jitter == pytest.approx(480, abs=1)


def test_jitter_knows_that_timestamps_wrap() -> None:
    counts = ReceptionReport(77, 48_000)
    for k in range(100):
        counts.add(k, (2**32 - 50 * 960 + k * 960) % 2**32, k * 20_000)
    assert parsed(counts.build(5, 0)).jitter == 0


def test_the_sender_gets_its_time_back() -> None:
    counts = ReceptionReport(77, 48_000)
    counts.add(1, 0, 0)
    assert parsed(counts.build(5, 900)).lsr == 0
    counts.heard(SenderReport(77, 0x0123_4567_89AB_CDEF), 1_000_000)
    told = parsed(counts.build(5, 1_500_000))
    assert (told.lsr, told.dlsr) == (0x4567_89AB, 32_768)
