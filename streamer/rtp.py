"""RTP and RTCP, as far as receiving or sending one stream of audio needs them (RFC 3550).

Laws: parsing takes any bytes and raises nothing but ProtocolError; whatever is optional in a packet (padding,
contributors, extensions) is skipped. Pure; `ReceptionReport` keeps the counts that a sender is told.
"""

import struct
from dataclasses import dataclass

from ..errors import ProtocolError

_VERSION = 2
_HEADER = struct.Struct(">BBHII")
_EXTENSION = struct.Struct(">HH")
_RTCP_HEADER = struct.Struct(">BBH")
_SENDER = struct.Struct(">IQ")
_REPORT = struct.Struct(">BBHIIIIIII")
_SENDER_INFO = struct.Struct(">BBHIQIII")
_NTP_EPOCH_S = 2_208_988_800
"""From 1900 to 1970 (RFC 5905)."""
_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _BYE = 200, 201, 202, 203
_CNAME = 1
_RTCP_TYPES = range(192, 224)
"""RFC 5761, section 4: told from RTP by the second byte."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp` is the sender's wall clock, 32.32 bits; we only send its middle back."""

    ssrc: int
    ntp: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]


def is_rtcp(data: bytes) -> bool:
    return len(data) > 1 and data[1] in _RTCP_TYPES


def parse_rtp(data: bytes) -> RtpPacket:
    if len(data) < _HEADER.size:
        raise ProtocolError(f"RTP packet of {len(data)} bytes, expected at least {_HEADER.size}")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != _VERSION:
        raise ProtocolError(f"RTP version {first >> 6}, expected {_VERSION}")
    at, end = _HEADER.size + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if end < at + _EXTENSION.size:
            raise ProtocolError(f"RTP packet of {end} bytes is cut inside its header")
        at += _EXTENSION.size + 4 * _EXTENSION.unpack_from(data, at)[1]
    if first & 0x20:
        end -= data[-1]
    if at > end:
        raise ProtocolError(f"RTP header and padding take {len(data) - end + at} bytes of {len(data)}")
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[at:end])


def parse_rtcp(data: bytes) -> list[SenderReport | Goodbye]:
    """What matters to a receiver in a compound packet; other kinds are passed over."""
    found: list[SenderReport | Goodbye] = []
    at = 0
    while at < len(data):
        if len(data) < at + _RTCP_HEADER.size:
            raise ProtocolError(f"RTCP packet at byte {at} is cut inside its header")
        first, kind, words = _RTCP_HEADER.unpack_from(data, at)
        body = data[at + _RTCP_HEADER.size : at + 4 * (words + 1)]
        if first >> 6 != _VERSION or len(body) < 4 * words:
            raise ProtocolError(f"RTCP packet at byte {at} has version {first >> 6} and {len(body)} bytes")
        if kind == _SENDER_REPORT and len(body) >= _SENDER.size:
            found.append(SenderReport(*_SENDER.unpack_from(body)))
        elif kind == _BYE:
            count = min(first & 0x1F, words)
            found.append(Goodbye(struct.unpack_from(f">{count}I", body)))
        at += 4 * (words + 1)
    return found


def build_rtp(packet: RtpPacket, *, marker: bool = False) -> bytes:
    """`sequence` and `timestamp` are taken modulo 2^16 and 2^32. `marker`: sound begins after a pause."""
    return (
        _HEADER.pack(
            _VERSION << 6,
            marker << 7 | packet.payload_type,
            packet.sequence & 0xFFFF,
            packet.timestamp & 0xFFFF_FFFF,
            packet.ssrc,
        )
        + packet.payload
    )


def build_sender_report(ssrc: int, now_us: int, timestamp: int, packets: int, octets: int) -> bytes:
    """The instant `now_us` (Unix time) is `timestamp` of the stream; with it, as always, who says so."""
    ntp = ((now_us // 1_000_000 + _NTP_EPOCH_S) << 32) | (now_us % 1_000_000 << 32) // 1_000_000
    words = _SENDER_INFO.size // 4 - 1
    report = _SENDER_INFO.pack(
        _VERSION << 6,
        _SENDER_REPORT,
        words,
        ssrc,
        ntp & 0xFFFF_FFFF_FFFF_FFFF,
        timestamp & 0xFFFF_FFFF,
        packets & 0xFFFF_FFFF,
        octets & 0xFFFF_FFFF,
    )
    return report + build_description(ssrc)


def build_description(ssrc: int) -> bytes:
    """SDES with a CNAME, which every compound packet needs (section 6.1); it says nothing (RFC 7022)."""
    name = cname(ssrc).encode()
    item = bytes((_CNAME, len(name))) + name
    item += bytes(4 - len(item) % 4)
    chunk = struct.pack(">I", ssrc) + item
    return _RTCP_HEADER.pack(_VERSION << 6 | 1, _DESCRIPTION, len(chunk) // 4) + chunk


def cname(ssrc: int) -> str:
    return f"loa-{ssrc:08x}"


def build_goodbye(ssrc: int) -> bytes:
    """The stream is over: an empty report, who it was, BYE."""
    empty = _RTCP_HEADER.pack(_VERSION << 6, _RECEIVER_REPORT, 1) + struct.pack(">I", ssrc)
    bye = _RTCP_HEADER.pack(_VERSION << 6 | 1, _BYE, 1) + struct.pack(">I", ssrc)
    return empty + build_description(ssrc) + bye


class ReceptionReport:
    """Counts one sender's packets and writes the reports it is owed (RFC 3550, sections 6.4, A.3, A.8)."""

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self._ssrc = ssrc
        self._clock_rate = clock_rate
        self._first: int | None = None
        self._highest = 0
        self._received = 0
        self._told_expected = 0
        self._told_received = 0
        self._jitter = 0.0
        self._transit = 0
        self._heard_ntp = 0
        self._heard_us = 0

    @property
    def lost(self) -> int:
        """Packets that have not come, as far as is known; less than 0 when some came twice."""
        return self._expected - self._received

    @property
    def _expected(self) -> int:
        return self._highest - self._first + 1 if self._first is not None else 0

    def add(self, sequence: int, timestamp: int, now_us: int) -> None:
        """Count a packet; `sequence` is extended beyond 16 bits by the caller."""
        transit = now_us * self._clock_rate // 1_000_000 - timestamp
        if self._first is None:
            self._first = self._highest = sequence
        else:
            moved = abs((transit - self._transit + 0x8000_0000) % 0x1_0000_0000 - 0x8000_0000)
            self._jitter += (moved - self._jitter) / 16
        self._transit = transit
        self._highest = max(self._highest, sequence)
        self._received += 1

    def heard(self, report: SenderReport, now_us: int) -> None:
        self._heard_ntp, self._heard_us = report.ntp, now_us

    def build(self, our_ssrc: int, now_us: int) -> bytes:
        """The report since the one before."""
        expected = self._expected - self._told_expected
        missing = expected - (self._received - self._told_received)
        self._told_expected, self._told_received = self._expected, self._received
        fraction = min(255, (missing << 8) // expected) if missing > 0 and expected > 0 else 0
        since = (now_us - self._heard_us) * 65_536 // 1_000_000 if self._heard_ntp else 0
        return _REPORT.pack(
            _VERSION << 6 | 1,
            _RECEIVER_REPORT,
            _REPORT.size // 4 - 1,
            our_ssrc,
            self._ssrc,
            fraction << 24 | max(0, min(self.lost, 0x7F_FFFF)),
            self._highest & 0xFFFF_FFFF,
            int(self._jitter) & 0xFFFF_FFFF,
            self._heard_ntp >> 16 & 0xFFFF_FFFF,
            min(since, 0xFFFF_FFFF),
        )
