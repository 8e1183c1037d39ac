"""A leg: our end of one WebRTC call, whoever sends, as the end that answers (ICE-lite, RFC 8445 section 2.5).

Laws: no I/O and no clock: datagrams and the time go in, datagrams come out; a datagram goes only where an ICE
check signed with this call's password came from; a call that has ended stays as it ended, and the other end
has been told. What travels on it is the work of its kinds: `Peer` brings sound, `Viewer` takes it away.
Owned by `Peers`.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

import pylibsrtp

from ..errors import PeerError
from .dtls import DtlsIdentity, DtlsSession, Srtp
from .rtp import is_rtcp
from .sdp import Call
from .stun import BindingRequest, build_success

CONNECT_US = 10_000_000
"""From the answer to the first sound: ICE and DTLS take 100 ms; the rest is for a poor mobile line."""

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


Send = Callable[[bytes, Path], None]


@dataclass(slots=True)
class LegCounters:
    undecryptable: int = 0
    unreadable: int = 0
    unexpected: int = 0


class Leg(ABC):
    """`gone` is None while the call lives; `why` then says more."""

    def __init__(self, call: Call, identity: DtlsIdentity, send: Send) -> None:
        self.id = secrets.token_hex(16)
        self.ufrag = secrets.token_hex(4)
        self.password = secrets.token_hex(16)
        self.paths: set[Path] = set()
        self.gone: Gone | None = None
        self.why = ""
        self.counters = LegCounters()
        self._call = call
        self._send = send
        self._path: Path | None = None
        self._dtls = DtlsSession(identity, call.fingerprints, active=call.active)
        self._began = False
        self._retransmit_us: int | None = None
        self._checked_us = 0

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
        self._checked_us = now_us
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
        self._turn(now_us)
        if self.gone is None and self._retransmit_us is not None and now_us >= self._retransmit_us:
            self._retransmit(now_us)

    def end(self, gone: Gone, why: str) -> None:
        """End the call and tell the peer so. A call that has ended stays as it ended."""
        if self.gone is None:
            self._part(gone)
            self.gone, self.why = gone, why
            self._post(self._dtls.close(), 0)

    @property
    def _srtp(self) -> Srtp | None:
        return self._dtls.srtp

    def _missing(self) -> str:
        """What has not come yet, and how long it was waited for."""
        missing = "sound" if self._srtp else "DTLS" if self._began else "ICE check"
        return f"no {missing} within {CONNECT_US // 1_000_000} s of the answer"

    # --- what the kinds do

    @abstractmethod
    def _heard_rtp(self, plain: bytes, now_us: int) -> None:
        """A packet of the peer's; PeerError if it cannot be read."""

    @abstractmethod
    def _heard_rtcp(self, plain: bytes, now_us: int) -> None: ...

    @abstractmethod
    def _turn(self, now_us: int) -> None:
        """End what is over, say what is due."""

    @abstractmethod
    def _part(self, gone: Gone) -> None:
        """Just before the end: last words."""

    # --- the way there

    def _receive_media(self, data: bytes, inbound: pylibsrtp.Session, now_us: int) -> None:
        rtcp = is_rtcp(data)
        try:
            plain = inbound.unprotect_rtcp(data) if rtcp else inbound.unprotect(data)
        except pylibsrtp.Error:
            self.counters.undecryptable += 1
            return
        if rtcp:
            self._heard_rtcp(plain, now_us)
        else:
            self._heard_rtp(plain, now_us)

    def _say(self, datagram: bytes) -> None:
        """Something that is protected already."""
        if self._path is not None:
            self._send(datagram, self._path)

    def _retransmit(self, now_us: int) -> None:
        try:
            self._post(self._dtls.retransmit(), now_us)
        except PeerError as error:
            self.end(Gone.REFUSED, str(error))

    def _post(self, datagrams: list[bytes], now_us: int) -> None:
        """Flights of DTLS."""
        for datagram in datagrams:
            self._say(datagram)
        wait_s = self._dtls.timeout_s()
        self._retransmit_us = now_us + int(wait_s * 1_000_000) if wait_s is not None else None
