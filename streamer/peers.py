"""Peers: all who call in by WebRTC, with a microphone or to listen, over one UDP port.

Laws: one socket, IPv6 with IPv4 mapped, answers from the very address it was spoken to; what comes is told
apart by the user name of an ICE check, then by the address that it came from; what belongs to nobody is
counted and dropped. `run` owns the socket; a call's end is told once, to whoever took it. How many there may
be of a kind is for those to say who take them.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeVar

from ..clock import Clock
from ..errors import ConflictError, ProtocolError
from .dtls import DtlsIdentity
from .leg import Gone, Leg, Path, Send
from .sdp import Local
from .stun import parse_binding_request

TICK_S = 0.05
MAX_DATAGRAM_BYTES = 1500
BATCH = 64
"""Datagrams taken before the loop is given back: 64 at about 60 us."""

_PKTINFO_BYTES = 20
_STUN_BYTES = range(4)
"""First bytes (RFC 7983)."""

L = TypeVar("L", bound=Leg)


@dataclass(frozen=True, slots=True)
class _Taken:
    leg: Leg
    over: Callable[[], None]


@dataclass(slots=True)
class PeersCounters:
    strangers: int = 0
    malformed: int = 0
    unsent: int = 0


class Peers:
    def __init__(self, clock: Clock, *, port: int = 0, addresses: Sequence[str] = ()) -> None:
        self.counters = PeersCounters()
        self._clock = clock
        self._port = port
        self._addresses = [ip_address(text) for text in addresses]
        self._identity = DtlsIdentity()
        self._socket: socket.socket | None = None
        self._by_ufrag: dict[str, _Taken] = {}
        self._by_path: dict[Path, Leg] = {}
        self._someone = asyncio.Event()

    def __len__(self) -> int:
        return len(self._by_ufrag)

    def take(
        self, make: Callable[[DtlsIdentity, Send, int], L], over: Callable[[L], None], reached: str
    ) -> tuple[L, Local]:
        """Take a call, which is `over` in the end. `reached` is the address of ours at which the caller's
        HTTP request came in."""
        if self._socket is None:
            raise ConflictError("nobody can call in: the node is starting or stopping")
        leg = make(self._identity, self._send, self._clock.now_us())
        self._by_ufrag[leg.ufrag] = _Taken(leg, lambda: over(leg))
        self._someone.set()
        port = self._socket.getsockname()[1]
        candidates = [(address, port) for address in self._addresses or _own_addresses(reached)]
        return leg, Local(leg.ufrag, leg.password, self._identity.fingerprint, candidates)

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
                for taken in list(self._by_ufrag.values()):
                    taken.leg.tick(self._clock.now_us())
                    self._bury(taken.leg)
        finally:
            for taken in list(self._by_ufrag.values()):
                self.end(taken.leg, Gone.ENDED_HERE, "the node is stopping")
            loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def end(self, leg: Leg, gone: Gone, why: str) -> None:
        leg.end(gone, why)
        self._bury(leg)

    def _bury(self, leg: Leg) -> None:
        if leg.gone is None:
            return
        taken = self._by_ufrag.pop(leg.ufrag, None)
        if taken is None:
            return
        for path in leg.paths:
            if self._by_path.get(path) is leg:
                del self._by_path[path]
        taken.over()

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
        leg = self._by_path.get(path)
        if leg is None:
            self.counters.strangers += 1
            return
        leg.receive(data, now_us)
        self._bury(leg)

    def _check(self, data: bytes, path: Path, now_us: int) -> None:
        try:
            request = parse_binding_request(data)
        except ProtocolError:
            self.counters.malformed += 1
            return
        taken = self._by_ufrag.get(request.username.partition(":")[0])
        if taken is None:
            self.counters.strangers += 1
            return
        taken.leg.check(request, path, now_us)
        if path in taken.leg.paths:
            self._by_path[path] = taken.leg

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
