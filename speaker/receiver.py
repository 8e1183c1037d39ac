"""The UDP socket of a speaker.

Laws: one IPv6 socket that takes IPv4 as well (or IPv4 alone, where there is no IPv6); what does not come from
an edge the node named is counted and not looked at; reading never holds the loop for long. Owned by the
agent.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable

from ..errors import ConfigError
from .path import Endpoint
from .report import Counters

READ_AT_ONCE = 64
"""Datagrams per turn of the loop: 10 ms of work at the worst, then others have theirs."""

RECEIVE_BUFFER_BYTES = 256 * 1024
"""Over ten seconds of audio: a loop that stalls for a second loses nothing."""

MAX_SEEN = 256
"""Addresses whose spelling was judged; a flood from many makes us judge again, no more."""

MAX_DATAGRAM_BYTES = 2048
"""More than any of ours, so that one that is too long is seen to be."""


class Receiver:
    def __init__(self, counters: Counters, on_datagram: Callable[[bytes], None]) -> None:
        self._counters, self._on_datagram = counters, on_datagram
        self._socket = _open()
        self._resolved: dict[Endpoint, tuple[str, int]] = {}
        self._edges: frozenset[tuple[str, int]] = frozenset()
        self._seen: dict[tuple[object, ...], bool] = {}
        self._wanted: dict[Endpoint, tuple[str, int]] = {}
        mapped = self._socket.family == socket.AF_INET6
        self._flags = socket.AI_V4MAPPED | socket.AI_ALL if mapped else 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Closing twice is fine."""
        if self._loop is not None and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def aim(self, endpoints: tuple[Endpoint, ...], link_host: str) -> bool:
        """These are the edges now; an empty host is that of the link. True if names are left to `resolve`."""
        self._wanted = {endpoint: (endpoint[0] or link_host, endpoint[1]) for endpoint in endpoints}
        found = {}
        for endpoint, (host, port) in self._wanted.items():
            with contextlib.suppress(OSError):
                found[endpoint] = _address(
                    socket.getaddrinfo(
                        host,
                        port,
                        family=self._socket.family,
                        type=socket.SOCK_DGRAM,
                        flags=self._flags | socket.AI_NUMERICHOST,
                    )[0][4]
                )
        self._use(found)
        return len(found) < len(self._wanted)

    async def resolve(self) -> None:
        """Ask for the addresses of the names among the edges. One that has none is left out."""
        loop, wanted, found = asyncio.get_running_loop(), self._wanted, dict(self._resolved)
        for endpoint, (host, port) in wanted.items():
            if endpoint not in found:
                with contextlib.suppress(OSError):
                    answers = await loop.getaddrinfo(
                        host, port, family=self._socket.family, type=socket.SOCK_DGRAM, flags=self._flags
                    )
                    found[endpoint] = _address(answers[0][4])
        if wanted is self._wanted:
            self._use(found)

    def _use(self, found: dict[Endpoint, tuple[str, int]]) -> None:
        self._resolved = found
        self._edges = frozenset(found.values())
        self._seen.clear()

    def send(self, endpoint: Endpoint, data: bytes) -> None:
        address = self._resolved.get(endpoint)
        if address is None:
            self._counters.add("unsent")
            return
        try:
            self._socket.sendto(data, address)
        except OSError:
            self._counters.add("unsent")

    def _readable(self) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                data, source = self._socket.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._counters.add("icmp")  # an error that an earlier datagram met on its way
                continue
            if not self._is_edge(source):
                self._counters.refused("address")
                continue
            self._on_datagram(data)

    def _is_edge(self, source: tuple[object, ...]) -> bool:
        """Remembers the answer: an address is read letter by letter, and edges send all the time."""
        known = self._seen.get(source)
        if known is None:
            if len(self._seen) >= MAX_SEEN:
                self._seen.clear()
            known = self._seen[source] = _address(source) in self._edges
        return known


def _address(address: tuple[object, ...]) -> tuple[str, int]:
    """Host and port, the host in one spelling."""
    host, port = str(address[0]).partition("%")[0], address[1]
    assert isinstance(port, int)  # noqa: S101 - a socket's address is (host, port, ...)
    return str(ipaddress.ip_address(host)), port


def _open() -> socket.socket:
    opened = _bound(socket.AF_INET6, "::") or _bound(socket.AF_INET, "0.0.0.0")
    if opened is None:
        raise ConfigError("UDP: no socket can be opened, expected IPv4 or IPv6 on this machine")
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return opened


def _bound(family: socket.AddressFamily, host: str) -> socket.socket | None:
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        return None
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind((host, 0))
    except OSError:
        opened.close()
        return None
    return opened
