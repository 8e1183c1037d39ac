"""The node's UDP port: speakers attach here, and the fan-out sends from here.

Laws: nothing is sent to an address beyond one answer no longer than its question, until it has returned its
cookie; garbage is counted and answered with nothing; one socket serves IPv6 and IPv4.
"""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from ..clock import Clock
from ..errors import ProtocolError
from ..wire.cookie import check_cookie, make_cookie
from ..wire.datagram import Attached, Confirm, Cookie, Probe, build_attach, parse_datagram
from .attachments import Attachments
from .fanout import Fanout
from .sendmmsg import sockaddr
from .territory import Territory

READ_AT_ONCE = 128
"""Datagrams read in one turn of the loop: about 3 ms of work, then others have theirs."""

SEND_BUFFER_BYTES = 8 << 20
"""Room for a whole province's start, so that the kernel's queue is not what makes an emergency wait."""

EXPIRE_EVERY_S = 5.0


class Owners(Protocol):
    """Who knows which link handed out a token."""

    def token_owner(self, token: bytes) -> str | None: ...


class UdpPort:
    """Owns the socket and the fan-out; what it learns goes into `attachments`."""

    def __init__(
        self,
        clock: Clock,
        owners: Owners,
        place_of: Callable[[str], str | None],
        attachments: Attachments,
        host: str = "::",
        port: int = 0,
    ) -> None:
        self.attachments = attachments
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._owners = owners
        self._place_of = place_of
        self._secret = secrets.token_bytes(32)
        self._sock = _open(host, port)
        self.fanout = Fanout(self._sock)

    @property
    def port(self) -> int:
        return int(self._sock.getsockname()[1])

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_reader(self._sock.fileno(), self._readable)

    async def expire(self) -> None:
        """Give up silent addresses, until cancelled."""
        while True:
            await asyncio.sleep(EXPIRE_EVERY_S)
            self.counts["expired"] += len(self.attachments.expire(self._clock.now_us()))

    def refresh(self, territory: Territory) -> None:
        """Have the fan-out use the present attachments; cheap when nothing changed."""
        table = self.attachments.table(territory)
        if table is not None:
            self.fanout.use(table)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._sock.fileno())
        self.fanout.close()
        self._sock.close()

    def _readable(self) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                data, address = self._sock.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                # an ICMP error of an earlier datagram is reported here; the sender has counted it
                self.counts["icmp"] += 1
                continue
            self._take(data, address)

    def _take(self, data: bytes, address: tuple[str, int, int, int]) -> None:
        try:
            message = parse_datagram(data).message
        except ProtocolError:
            self.counts["malformed"] += 1
            return
        if isinstance(message, Probe):
            self._probed(message, address)
        elif isinstance(message, Confirm):
            self._confirmed(message, address)
        else:
            self.counts["unexpected"] += 1

    def _probed(self, probe: Probe, address: tuple[str, int, int, int]) -> None:
        if self._owners.token_owner(probe.token) is None:
            self.counts["unknown_token"] += 1
            return
        cookie = make_cookie(self._secret, address[:2], probe.token, self._clock.now_us())
        self._answer(build_attach(Cookie(cookie)), address)

    def _confirmed(self, confirm: Confirm, address: tuple[str, int, int, int]) -> None:
        speaker = self._owners.token_owner(confirm.token)
        now_us = self._clock.now_us()
        if speaker is None:
            self.counts["unknown_token"] += 1
            return
        if not check_cookie(self._secret, address[:2], confirm.token, confirm.cookie, now_us):
            self.counts["bad_cookie"] += 1  # it has aged, or was another address's: here is the right one
            fresh = make_cookie(self._secret, address[:2], confirm.token, now_us)
            self._answer(build_attach(Cookie(fresh)), address)
            return
        place = self._place_of(speaker)
        if place is not None:
            self.attachments.attach(speaker, place, sockaddr(*address[:2]), now_us)
            self._answer(build_attach(Attached(confirm.cookie)), address)

    def _answer(self, data: bytes, address: tuple[str, int, int, int]) -> None:
        try:
            self._sock.sendto(data, address)
        except OSError:
            self.counts["unanswered"] += 1


def _open(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, SEND_BUFFER_BYTES)
    sock.setblocking(False)
    sock.bind((host, port))
    return sock
