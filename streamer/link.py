"""One speaker's control link, as the server writes to it.

The cheapest correct way to give one datagram to thousands of WebSocket clients: server frames are not masked
(RFC 6455, section 5.3), so without compression a binary message is the same bytes for everyone. The frame is
built once and written straight to each transport. The seams are public ones of aiohttp and asyncio:
`request.transport` (a whole frame in one `write`, so it cannot be torn by aiohttp's own pongs and closes,
which are written whole as well), `request.protocol.writing_paused`, and `set_write_buffer_limits`, after
which "paused" means exactly "the kernel takes no more". `bench/links.py` compares it with `send_bytes`.

Laws: nobody waits for a client; while its connection is blocked everything goes to its `Outbox`; blocked for
`BEHIND_US` without an end, it is cut. Runs on the loop; owned by `Links`.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from enum import Enum
from typing import Protocol

from ..wire.report import Report, Transport
from .outbox import Outbox, Piece

BEHIND_US = 5_000_000
"""A client that took nothing for so long is cut. It comes back by itself and learns everything anew."""

BATCH_BYTES = 16 * 1024
"""What is handed to a connection that flows again, before it is asked whether it still does."""

SEND_BUFFER_BYTES = 16 * 1024
"""In the kernel (which doubles it): the most old audio that an emergency can be stuck behind, 5 s of it."""

DEAD_AFTER_MS = 15_000
"""Sent and unacknowledged for so long, the peer is gone. A 3G dead spot passes sooner."""

KEEPALIVE_S = (20, 5, 2)
"""TCP keep-alive: idle, interval, tries. 30 s to find a link dead, for 0.5 kB a minute of idle line."""


class Flow(Protocol):
    """aiohttp's protocol object, as far as we ask it."""

    @property
    def writing_paused(self) -> bool: ...


class LinkState(Enum):
    FLOWING = "flowing"
    BLOCKED = "blocked"
    CUT = "cut"


class Link:
    """`via` is "ws" until the speaker says that it listens by UDP, so it hears from the first moment."""

    __slots__ = (
        "_counts",
        "_flow",
        "_transport",
        "blocked_us",
        "farewell",
        "index",
        "outbox",
        "place",
        "report",
        "scope",
        "speaker",
        "state",
        "token",
        "via",
    )

    def __init__(
        self,
        speaker: str,
        place: str,
        token: bytes,
        transport: asyncio.WriteTransport,
        flow: Flow,
        counts: Counter[str],
    ) -> None:
        self.speaker = speaker
        self.place = place
        self.token = token
        self.index = -1
        self.via = Transport.WS
        self.report: Report | None = None
        self.state = LinkState.FLOWING
        self.scope: asyncio.Timeout | None = None
        self.farewell = ""
        self.blocked_us = 0
        self.outbox: Outbox | None = None
        self._transport = transport
        self._flow = flow
        self._counts = counts

    def write(self, piece: Piece, now_us: int) -> LinkState:
        """Send, or keep for when the connection flows. Never waits."""
        if self.state is LinkState.FLOWING:
            if self._transport.is_closing():
                return LinkState.CUT
            self._transport.write(piece.frame)
            if self._flow.writing_paused:
                self.state, self.blocked_us = LinkState.BLOCKED, now_us
        elif self.state is LinkState.BLOCKED:
            if self.outbox is None:
                self.outbox = Outbox(self._counts)
            if not self.outbox.put(piece):
                self._cut_slow()
        return self.state

    def flush(self, now_us: int) -> LinkState:
        """Look again at a blocked link: send what waits if it flows, cut it if it has been too long."""
        while self.state is LinkState.BLOCKED:
            if self._transport.is_closing():
                return LinkState.CUT
            if self._flow.writing_paused:
                if now_us - self.blocked_us > BEHIND_US:
                    self._cut_slow()
                break
            self._take_up(now_us)
        return self.state

    def leave(self, farewell: str) -> None:
        """Ask its handler to close it with this reason. Nothing more is written."""
        if self.farewell:
            return
        self.state, self.farewell = LinkState.CUT, farewell
        if self.scope is not None:
            self.scope.reschedule(asyncio.get_running_loop().time())

    def _cut_slow(self) -> None:
        """Close without a word; its handler wakes up and takes it off the list."""
        self.state = LinkState.CUT
        self._counts["cut_slow"] += 1
        self._transport.abort()

    def _take_up(self, now_us: int) -> None:
        frames = self.outbox.take(BATCH_BYTES, now_us) if self.outbox else b""
        if not frames:
            self.state = LinkState.FLOWING
            return
        self._transport.write(frames)
        self.blocked_us = now_us


def binary_frame(data: bytes) -> bytes:
    """A whole, final, unmasked binary message (RFC 6455, section 5.2)."""
    size = len(data)
    if size < 126:
        return bytes((0x82, size)) + data
    if size < 1 << 16:
        return b"\x82\x7e" + size.to_bytes(2, "big") + data
    return b"\x82\x7f" + size.to_bytes(8, "big") + data


def prepare_transport(transport: asyncio.WriteTransport) -> None:
    """Make "paused" mean "the kernel takes no more", keep the kernel's share small, and find dead peers.

    The bound is 1 byte, not 0: asyncio's TLS transport pauses at the bound, a plain one above it, so that at
    0 TLS would pause after every write.
    """
    transport.set_write_buffer_limits(high=1, low=0)
    line = transport.get_extra_info("socket")
    if line is None:
        return
    idle, interval, tries = KEEPALIVE_S
    options = [
        (socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", None), idle),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", None), interval),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", None), tries),
        (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None), DEAD_AFTER_MS),
    ]
    with contextlib.suppress(OSError):  # not every kind of socket has all of them; none is needed
        for level, option, value in options:
            if option is not None:
                line.setsockopt(level, option, value)
