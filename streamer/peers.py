"""Peers: all microphones that call in by WebRTC, over one UDP port.

Laws: one socket, IPv6 with IPv4 mapped, answers from the very address it was spoken to; what comes is told
apart by the user name of an ICE check, then by the address that it came from; what belongs to nobody is
counted and dropped; there are never more than `max_peers`. `run` owns the socket; a call's end is told once,
by `gone`.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..clock import Clock
from ..errors import ConflictError, ProtocolError
from .dtls import DtlsIdentity
from .peer import Gone, Microphone, Path, Peer
from .sdp import Call, Local
from .stun import parse_binding_request

MAX_PEERS = 32
"""A microphone costs about 1 % of a core; more than this at one node is an attack or a mistake."""

TICK_S = 0.05
MAX_DATAGRAM_BYTES = 1500
BATCH = 64
"""Datagrams taken before the loop is given back: 64 at about 60 us."""

_PKTINFO_BYTES = 20
_STUN_BYTES = range(4)
"""First bytes (RFC 7983)."""


@dataclass(slots=True)
class PeersCounters:
    strangers: int = 0
    malformed: int = 0
    unsent: int = 0


class Peers:
    def __init__(
        self,
        clock: Clock,
        gone: Callable[[Peer], None],
        *,
        port: int = 0,
        addresses: Sequence[str] = (),
        max_peers: int = MAX_PEERS,
    ) -> None:
        self.counters = PeersCounters()
        self._clock = clock
        self._gone = gone
        self._port = port
        self._addresses = [ip_address(text) for text in addresses]
        self._max_peers = max_peers
        self._identity = DtlsIdentity()
        self._socket: socket.socket | None = None
        self._by_ufrag: dict[str, Peer] = {}
        self._by_path: dict[Path, Peer] = {}
        self._someone = asyncio.Event()

    def __len__(self) -> int:
        return len(self._by_ufrag)

    def call(self, call: Call, microphone: Microphone, reached: str) -> tuple[Peer, Local]:
        """Take a call. `reached` is the address of ours at which the caller's HTTP request came in."""
        if self._socket is None:
            raise ConflictError("no microphone can call in: the node is starting or stopping")
        if len(self._by_ufrag) >= self._max_peers:
            raise ConflictError(f"{self._max_peers} microphones have called in, expected no more")
        peer = Peer(call, self._identity, microphone, self._send, self._clock.now_us())
        self._by_ufrag[peer.ufrag] = peer
        self._someone.set()
        port = self._socket.getsockname()[1]
        candidates = [(address, port) for address in self._addresses or _own_addresses(reached)]
        return peer, Local(peer.ufrag, peer.password, self._identity.fingerprint, candidates)

    async def run(self) -> None:
        """Hold the socket until cancelled."""
        self._socket = _open(self._port)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._read, self._socket)
        try:
            while True:
                if not self._by_ufrag:
                    self._someone.clear()
                    await self._someone.wait()
                await asyncio.sleep(TICK_S)
                for peer in list(self._by_ufrag.values()):
                    peer.tick(self._clock.now_us())
                    self._bury(peer)
        finally:
            for peer in list(self._by_ufrag.values()):
                self.end(peer, Gone.ENDED_HERE, "the node is stopping")
            loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def end(self, peer: Peer, gone: Gone, why: str) -> None:
        peer.end(gone, why)
        self._bury(peer)

    def _bury(self, peer: Peer) -> None:
        if peer.gone is None or self._by_ufrag.pop(peer.ufrag, None) is None:
            return
        for path in peer.paths:
            self._by_path.pop(path, None)
        self._gone(peer)

    def _read(self, ready: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data, extra, flags, address = ready.recvmsg(
                    MAX_DATAGRAM_BYTES, socket.CMSG_SPACE(_PKTINFO_BYTES)
                )
            except OSError:  # nothing more to read, or the echo of something that could not be delivered
                return
            if data and not flags & socket.MSG_TRUNC:
                self._take(data, Path(address[0], address[1], _local(extra)))

    def _take(self, data: bytes, path: Path) -> None:
        now_us = self._clock.now_us()
        if data[0] in _STUN_BYTES:
            self._check(data, path, now_us)
            return
        peer = self._by_path.get(path)
        if peer is None:
            self.counters.strangers += 1
            return
        peer.receive(data, now_us)
        self._bury(peer)

    def _check(self, data: bytes, path: Path, now_us: int) -> None:
        try:
            request = parse_binding_request(data)
        except ProtocolError:
            self.counters.malformed += 1
            return
        peer = self._by_ufrag.get(request.username.partition(":")[0])
        if peer is None:
            self.counters.strangers += 1
            return
        peer.check(request, path, now_us)
        if path in peer.paths:
            self._by_path[path] = peer

    def _send(self, datagram: bytes, path: Path) -> None:
        """Without waiting: a full buffer is a lost packet, as anywhere on the way."""
        if self._socket is None:
            return
        from_there = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, path.local)] if path.local else []
        try:
            self._socket.sendmsg([datagram], from_there, 0, (path.host, path.port))
        except OSError:
            self.counters.unsent += 1


def _open(port: int) -> socket.socket:
    """A socket for both families; for IPv4 alone where the machine has no IPv6."""
    try:
        both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        both.bind(("::", port))
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
    else:
        return both
    old = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    old.bind(("", port))
    return old


def _local(extra: list[tuple[int, int, bytes]]) -> bytes:
    """Our address that was spoken to, as `sendmsg` takes it; with its interface if it is link-local."""
    for level, kind, data in extra:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(data) == _PKTINFO_BYTES:
            return data if IPv6Address(data[:16]).is_link_local else data[:16] + bytes(4)
    return b""


def _own_addresses(reached: str) -> list[IPv4Address | IPv6Address]:
    """Where a caller may send to: the address it reached us by, and those that lead out of this machine."""
    found = [ip_address(reached.partition("%")[0]), *_outward()]
    plain = [address.ipv4_mapped or address if address.version == 6 else address for address in found]
    usable = dict.fromkeys(address for address in plain if not address.is_link_local)
    return sorted(usable, key=lambda address: address.is_loopback)


def _outward() -> list[IPv4Address | IPv6Address]:
    """Addresses of the default routes; connecting a datagram socket sends nothing (RFC 5737, RFC 3849)."""
    found: list[IPv4Address | IPv6Address] = []
    for family, nowhere in ((socket.AF_INET, "198.51.100.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((nowhere, 9))
            found.append(ip_address(probe.getsockname()[0]))
    return found
