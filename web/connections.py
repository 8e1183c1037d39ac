"""Open connections, so many for each address: counted where the kernel hands them over.

Laws: one that is too many is closed before it costs anything, a TLS handshake least of all; a speaker that
has said hello counts no more, so thousands of them behind one address of a carrier stay linked, and so does
whoever comes from an exempt network (this machine, the operator's proxies). An address of IPv6 is a site of
them (`address_key`). Runs on the loop; owned by the ports.
"""

import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from .hop import Network, parse_address
from .rate_limit import address_key

TURNED_AWAY_AT_ONCE = 256
"""In one turn of the loop: some 3 ms."""

Ends = tuple[Any, Any]
"""The address and port of the other side, and ours."""


class Connections:
    """See the module. `most`: open at a time, from one address."""

    def __init__(self, most: int, exempt: Sequence[Network] = ()) -> None:
        self._most, self._exempt = most, tuple(exempt)
        self._keys: dict[Ends, str] = {}
        self._open: Counter[str] = Counter()
        self.refused = 0

    def __len__(self) -> int:
        """That are counted."""
        return len(self._keys)

    def enter(self, ends: Ends) -> bool:
        """Whether it may come in; then it is counted until `leave`."""
        address = parse_address(str(ends[0][0]))
        if address is not None and any(address in network for network in self._exempt):
            return True
        key = address_key(str(ends[0][0]))
        if self._open[key] >= self._most:
            self.refused += 1
            return False
        self._open[key] += 1
        self._keys[ends] = key
        return True

    def leave(self, ends: Ends) -> None:
        """It counts no more."""
        key = self._keys.pop(ends, None)
        if key is not None:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def vouch(self, request: web.Request) -> None:
        """We know who this is: its connection counts no more."""
        transport = request.transport
        if transport is not None:
            self.leave((transport.get_extra_info("peername"), transport.get_extra_info("sockname")))


class Counted(socket.socket):
    """A connection that leaves the count when it is closed."""

    ends: Ends = (None, None)
    connections: Connections | None = None

    def close(self) -> None:
        super().close()
        if self.connections is not None:
            self.connections.leave(self.ends)
            self.connections = None


class Listening(socket.socket):
    """A bound socket that hands over only connections which may come in."""

    def __init__(self, bound: socket.socket, connections: Connections) -> None:
        """Takes `bound` over."""
        super().__init__(bound.family, bound.type, bound.proto, fileno=bound.detach())
        self._connections = connections

    def accept(self) -> tuple[socket.socket, Any]:
        """As a socket that does not block has it: BlockingIOError when nobody is left at the door."""
        for _ in range(TURNED_AWAY_AT_ONCE):
            found, peer = super().accept()
            ends = (peer, found.getsockname())
            if self._connections.enter(ends):
                counted = Counted(found.family, found.type, found.proto, fileno=found.detach())
                counted.ends, counted.connections = ends, self._connections
                return counted, peer
            found.close()
        raise BlockingIOError
