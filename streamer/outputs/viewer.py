"""A viewer: one who listens by WebRTC.

Laws: those of `Leg`; every packet is the program's own, sent once, never encoded again; sequence numbers have
no gap and time stamps follow the grid, whichever programs the packets come from, so a receiver never notices
a switch; who gives no sign of life for `QUIET_US` is gone. Owned by `Peers`; fed by `Whep`.
"""

import secrets

from ...codecs.frame import FRAME_SAMPLES
from ..dtls import DtlsIdentity
from ..leg import CONNECT_US, Gone, Leg, Send
from ..rtp import Goodbye, RtpPacket, build_goodbye, build_rtp, build_sender_report, parse_rtcp
from ..sdp import Call

QUIET_US = 15_000_000
"""Browsers check every 5 s whether they may still be sent to (RFC 7675) and report as often."""

REPORT_US = 1_000_000


class Viewer(Leg):
    """See the module. `place` is where it listens, `address` who asked."""

    def __init__(
        self, call: Call, identity: DtlsIdentity, send: Send, now_us: int, *, place: str, address: str
    ) -> None:
        super().__init__(call, identity, send)
        self.place, self.address = place, address
        self.ssrc = secrets.randbits(32)
        self.sent = 0
        self._octets = 0
        self._first = secrets.randbits(15)
        self._shift = secrets.randbits(32)
        self._last: tuple[int, int] | None = None
        self._asked_us = now_us
        self._heard_us = now_us
        self._report_us = now_us

    def give(self, k: int, packet: bytes, now_us: int) -> None:
        """Send frame `k`, if there is somebody yet to send it to."""
        if self.gone is not None or self._srtp is None:
            return
        stamp = k * FRAME_SAMPLES + self._shift
        rtp = RtpPacket(self._call.payload_type, self._first + self.sent, stamp, self.ssrc, packet)
        self._say(self._srtp.outbound.protect(build_rtp(rtp, marker=self.sent == 0)))
        self.sent += 1
        self._octets += len(packet)
        self._last = stamp, now_us

    def _turn(self, now_us: int) -> None:
        self._heard_us = max(self._heard_us, self._checked_us)
        if self._srtp is None:
            if now_us - self._asked_us > CONNECT_US:
                self.end(Gone.NEVER_CAME, self._missing())
        elif now_us - self._heard_us > QUIET_US:
            self.end(Gone.VANISHED, f"no sign of life for {QUIET_US // 1_000_000} s")
        elif self._last is not None and now_us >= self._report_us:
            self._report_us = now_us + REPORT_US
            stamp, at_us = self._last
            report = build_sender_report(self.ssrc, at_us, stamp, self.sent, self._octets)
            self._say(self._srtp.outbound.protect_rtcp(report))

    def _part(self, gone: Gone) -> None:
        if self._srtp is not None:
            self._say(self._srtp.outbound.protect_rtcp(build_goodbye(self.ssrc)))

    def _heard_rtp(self, plain: bytes, now_us: int) -> None:
        self.counters.unexpected += 1

    def _heard_rtcp(self, plain: bytes, now_us: int) -> None:
        self._heard_us = now_us
        if any(isinstance(told, Goodbye) for told in parse_rtcp(plain)):
            self.end(Gone.LEFT, "the peer said goodbye")
