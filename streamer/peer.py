"""A peer: one microphone's WebRTC call, as the end that answers (ICE-lite, RFC 8445 section 2.5).

Laws: no I/O and no clock: datagrams and the time go in, datagrams come out; a datagram goes only where an ICE
check signed with this call's password came from; sound goes straight from the packet to the microphone; the
call ends within `SILENT_US` of its last sound, whatever else still arrives. Owned by `Peers`.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

import pylibsrtp

from ..codecs.frame import Pcm
from ..errors import PeerError
from .dtls import DtlsIdentity, DtlsSession
from .reception import Reception
from .rtp import Goodbye, is_rtcp, parse_rtcp, parse_rtp
from .sdp import Call
from .stun import BindingRequest, build_success

CONNECT_US = 10_000_000
"""From the answer to the first sound: ICE and DTLS take 100 ms; the rest is for a poor mobile line."""

SILENT_US = 3_000_000
"""A muted browser goes on sending packets of silence, so no packet for 3 s is nobody. (Consent to send, RFC
7675, would take 30 s to run out.)"""

REPORT_US = 1_000_000
MAX_PATHS = 8
"""Addresses that a peer may check from; browsers have two to six."""

_DTLS_BYTES = range(20, 64)
_RTP_BYTES = range(128, 192)
"""First bytes (RFC 7983)."""


class Gone(Enum):
    """Why a call is over."""

    LEFT = "left"
    VANISHED = "vanished"
    NEVER_CAME = "never came"
    REFUSED = "refused"
    ENDED_HERE = "ended here"
    REPLACED = "replaced"


class Microphone(Protocol):
    """Where the sound goes; once `closed`, the call ends."""

    @property
    def closed(self) -> bool: ...

    def push(self, pcm: Pcm, now_us: int, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Path:
    """Where a peer is, and the address of ours that it speaks to, as the socket wants it back."""

    host: str
    port: int
    local: bytes = b""

    @property
    def ip(self) -> IPv4Address | IPv6Address:
        address = IPv6Address(self.host) if ":" in self.host else IPv4Address(self.host)
        return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


@dataclass(slots=True)
class PeerCounters:
    undecryptable: int = 0
    unreadable: int = 0
    unexpected: int = 0


class Peer:
    """`gone` is None while the call lives; `why` then says more."""

    def __init__(
        self,
        call: Call,
        identity: DtlsIdentity,
        microphone: Microphone,
        send: Callable[[bytes, Path], None],
        now_us: int,
    ) -> None:
        self.id = secrets.token_hex(16)
        self.ufrag = secrets.token_hex(4)
        self.password = secrets.token_hex(16)
        self.paths: set[Path] = set()
        self.gone: Gone | None = None
        self.why = ""
        self.counters = PeerCounters()
        self.reception = Reception(microphone.push)
        self._call = call
        self._microphone = microphone
        self._send = send
        self._path: Path | None = None
        self._dtls = DtlsSession(identity, call.fingerprints, active=call.active)
        self._began = False
        self._retransmit_us: int | None = None
        self._our_ssrc = secrets.randbits(32)
        self._silent_from_us = now_us + CONNECT_US - SILENT_US
        self._heard = False
        self._report_us = now_us + REPORT_US

    @property
    def remote_ufrag(self) -> str:
        return self._call.ufrag

    def check(self, request: BindingRequest, path: Path, now_us: int) -> None:
        """Answer an ICE check; the path it came by may be used from now on."""
        known = request.username == f"{self.ufrag}:{self._call.ufrag}" and request.signed_with(self.password)
        if self.gone or not known or (path not in self.paths and len(self.paths) >= MAX_PATHS):
            self.counters.unexpected += 1
            return
        self.paths.add(path)
        if self._path is None or request.use_candidate:
            self._path = path
        self._send(build_success(request.transaction, path.ip, path.port, self.password), path)
        if not self._began:
            self._began = True
            self._post(self._dtls.begin(), now_us)

    def receive(self, data: bytes, now_us: int) -> None:
        """Take a datagram that came by one of `paths` and is not STUN."""
        if self.gone or not data:
            return
        try:
            if data[0] in _DTLS_BYTES:
                self._post(self._dtls.receive(data), now_us)
                if self._dtls.closed:
                    self.end(Gone.LEFT, "the peer ended the call")
            elif data[0] in _RTP_BYTES and self._dtls.srtp is not None:
                self._receive_media(data, self._dtls.srtp.inbound, now_us)
            else:
                self.counters.unexpected += 1
        except PeerError as error:
            self.counters.unreadable += 1
            if self._dtls.srtp is None:
                self.end(Gone.REFUSED, str(error))

    def tick(self, now_us: int) -> None:
        """What time brings: timeouts, retransmissions, reports. Call it some 20 times a second."""
        if self.gone:
            return
        if self._microphone.closed:
            self.end(Gone.ENDED_HERE, "the broadcast has ended")
        elif now_us - self._silent_from_us > SILENT_US:
            self._give_up()
        elif self._retransmit_us is not None and now_us >= self._retransmit_us:
            self._retransmit(now_us)
        elif now_us >= self._report_us:
            self._report_us = now_us + REPORT_US
            self._send_report(now_us)

    def end(self, gone: Gone, why: str) -> None:
        """End the call and tell the peer so. A call that has ended stays as it ended."""
        if self.gone is None:
            self.gone, self.why = gone, why
            self._post(self._dtls.close(), 0)
            self.reception.close()

    def _receive_media(self, data: bytes, inbound: pylibsrtp.Session, now_us: int) -> None:
        rtcp = is_rtcp(data)
        try:
            plain = inbound.unprotect_rtcp(data) if rtcp else inbound.unprotect(data)
        except pylibsrtp.Error:
            self.counters.undecryptable += 1
            return
        if rtcp:
            self._receive_rtcp(plain, now_us)
            return
        packet = parse_rtp(plain)
        if packet.payload_type != self._call.payload_type:
            self.counters.unexpected += 1
        elif self.reception.receive(packet, now_us):
            self._heard = True
            self._silent_from_us = now_us

    def _receive_rtcp(self, plain: bytes, now_us: int) -> None:
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
            missing = "sound" if self._dtls.srtp else "DTLS" if self._began else "ICE check"
            self.end(Gone.NEVER_CAME, f"no {missing} within {CONNECT_US // 1_000_000} s of the answer")

    def _retransmit(self, now_us: int) -> None:
        try:
            self._post(self._dtls.retransmit(), now_us)
        except PeerError as error:
            self.end(Gone.REFUSED, str(error))

    def _send_report(self, now_us: int) -> None:
        report = self.reception.report(self._our_ssrc, now_us)
        if report is not None and self._dtls.srtp is not None:
            self._post([self._dtls.srtp.outbound.protect_rtcp(report)], now_us)

    def _post(self, datagrams: list[bytes], now_us: int) -> None:
        for datagram in datagrams:
            if self._path is not None:
                self._send(datagram, self._path)
        wait_s = self._dtls.timeout_s()
        self._retransmit_us = now_us + int(wait_s * 1_000_000) if wait_s is not None else None
