"""A peer: one microphone's WebRTC call.

Laws: those of `Leg`; sound goes straight from the packet to the microphone; the call ends within `SILENT_US`
of its last sound, whatever else still arrives. Owned by `Peers`.
"""

import secrets
from typing import Protocol

from ..codecs.frame import Pcm
from .dtls import DtlsIdentity
from .leg import CONNECT_US, Gone, Leg, Send
from .reception import Reception
from .rtp import Goodbye, parse_rtcp, parse_rtp
from .sdp import Call

SILENT_US = 3_000_000
"""A muted browser goes on sending packets of silence, so no packet for 3 s is nobody. (Consent to send, RFC
7675, would take 30 s to run out.)"""

REPORT_US = 1_000_000


class Microphone(Protocol):
    """Where the sound goes; once `closed`, the call ends."""

    @property
    def closed(self) -> bool: ...

    def push(self, pcm: Pcm, now_us: int, /) -> None: ...


class Peer(Leg):
    """See the module."""

    def __init__(
        self, call: Call, identity: DtlsIdentity, microphone: Microphone, send: Send, now_us: int
    ) -> None:
        super().__init__(call, identity, send)
        self.reception = Reception(microphone.push)
        self._microphone = microphone
        self._our_ssrc = secrets.randbits(32)
        self._silent_from_us = now_us + CONNECT_US - SILENT_US
        self._heard = False
        self._report_us = now_us + REPORT_US

    def _turn(self, now_us: int) -> None:
        if self._microphone.closed:
            self.end(Gone.ENDED_HERE, "the broadcast has ended")
        elif now_us - self._silent_from_us > SILENT_US:
            self._give_up()
        elif now_us >= self._report_us:
            self._report_us = now_us + REPORT_US
            self._send_report(now_us)

    def _part(self, gone: Gone) -> None:
        self.reception.close()

    def _heard_rtp(self, plain: bytes, now_us: int) -> None:
        packet = parse_rtp(plain)
        if packet.payload_type != self._call.payload_type:
            self.counters.unexpected += 1
        elif self.reception.receive(packet, now_us):
            self._heard = True
            self._silent_from_us = now_us

    def _heard_rtcp(self, plain: bytes, now_us: int) -> None:
        for told in parse_rtcp(plain):
            if isinstance(told, Goodbye):
                self.end(Gone.LEFT, "the peer said goodbye")
            else:
                self.reception.heard(told, now_us)

    def _give_up(self) -> None:
        if self._heard:
            self.end(Gone.VANISHED, f"no sound for {SILENT_US // 1_000_000} s")
        elif self.reception.counters.undecodable:
            self.end(Gone.REFUSED, "nothing that came could be decoded, expected Opus, 20 ms a packet")
        else:
            self.end(Gone.NEVER_CAME, self._missing())

    def _send_report(self, now_us: int) -> None:
        report = self.reception.report(self._our_ssrc, now_us)
        if report is not None and self._srtp is not None:
            self._say(self._srtp.outbound.protect_rtcp(report))
