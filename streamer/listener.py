"""A listener: one player's connection after its request has been answered.

Laws: what has been handed to a listener is sent in order or the connection ends; a listener holds at most
`MAX_BEHIND_S` of sound in the server, then it is cut off and counted, so each write has a deadline and one
slow player costs only itself. What it still says is not read. Owned by its `Mount`; its transport owns the
bytes.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import cast

from ..codecs.icy import IcyInserter

MAX_BEHIND_S = 5
"""A player that is 5 s behind is no loudspeaker in an emergency; it does better to connect anew."""

KERNEL_SHARE_S = 2
"""How much of that may lie in the kernel, whose default (up to 4 MB) would hold minutes of sound."""

MIN_KERNEL_BYTES = 8 * 1024
"""Some segments on the way and some waiting, so that a long path still gets its rate."""


class Listener(asyncio.Protocol):
    """Takes over the transport of an answered request with `adopt`.

    `write` is the transport's own, for the bytes that all listeners share; those who asked for titles inside
    the stream (`titled`) get theirs through `write_titled`.
    """

    __slots__ = ("_gone", "_inserter", "address", "slow", "transport", "write")

    transport: asyncio.Transport
    write: Callable[[bytes], None]

    def __init__(
        self, gone: Callable[["Listener"], None], inserter: IcyInserter | None = None, address: str = ""
    ) -> None:
        self._gone = gone
        self._inserter = inserter
        self.address = address
        self.slow = False

    @property
    def titled(self) -> bool:
        return self._inserter is not None

    def adopt(self, transport: asyncio.Transport, bytes_per_s: int) -> None:
        """Become the protocol of a connected transport; bound what it may hold."""
        kernel_bytes = max(MIN_KERNEL_BYTES, KERNEL_SHARE_S * bytes_per_s)
        own_bytes = max(bytes_per_s, MAX_BEHIND_S * bytes_per_s - kernel_bytes)
        peer = cast(socket.socket | None, transport.get_extra_info("socket"))
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel_bytes)
        transport.set_write_buffer_limits(high=own_bytes, low=0)
        transport.set_protocol(self)
        self.transport = transport
        self.write = transport.write

    def greet(self, head: bytes, blocks: Sequence[bytes], title: str) -> None:
        """Send the answer's head and the burst, as one write."""
        if self._inserter is not None:
            inserter = self._inserter
            blocks = [inserter.feed(block, title) for block in blocks]
        self.write(head + b"".join(blocks))

    def write_titled(self, block: bytes, title: str) -> None:
        """Send a block with the title woven in where this listener's counter says."""
        if self._inserter is not None:
            self.write(self._inserter.feed(block, title))

    def close(self) -> None:
        """End the connection; what a slow one still holds is dropped."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The transport holds its bound: this player is too slow."""
        self.slow = True
        self.transport.abort()

    def resume_writing(self) -> None:
        """Whoever was paused has been cut off."""

    def data_received(self, data: bytes) -> None:
        """A player has nothing more to say."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone(self)
