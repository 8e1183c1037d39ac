"""Mounts: `GET /listen/<place>.mp3` and `.opus`, for any player, browser or IP speaker.

Laws: an answer never ends while the server runs and the player keeps up; a place is named by its id or by
any path of slugs it has or ever had; a player that asked with `Icy-MetaData: 1` gets titles in its MP3. Once
it is answered, a connection leaves aiohttp for a lean protocol (`Listener`), so that what aiohttp keeps for a
request (tasks, parser, request, response: several times what the socket needs) is freed. Owned by the
composition root, which runs `run()` and ends it at shutdown.
"""

import asyncio
from collections.abc import Callable, Iterable

from aiohttp import hdrs, web

from ..clock import Clock
from ..codecs.icy import METAINT, IcyInserter
from .blocks import Mp3Packing, OggPacking, Packing
from .egress import Egress, EgressCounters, MountSource
from .pacer import Pace, Pacer

MAX_LISTENERS = 20_000
"""A bound against running out of memory and descriptors, not a measure of what a machine can serve."""

OGG_SERIAL = 0x4C6F61
"""Any number will do: the streams of a node are never multiplexed with one another."""

CORS: dict[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Icy-MetaData, Range",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "icy-name, icy-br, icy-metaint",
}


class Mounts:
    def __init__(
        self,
        air: MountSource,
        clock: Clock,
        *,
        pace: Pace | None = None,
        max_listeners: int = MAX_LISTENERS,
    ) -> None:
        self._air = air
        self._max_listeners = max_listeners
        self.refused = 0
        pacer = pace if pace is not None else Pacer(clock)
        packings: tuple[Packing, ...] = (Mp3Packing(), OggPacking(OGG_SERIAL, clock.now_us()))
        self._egress = {packing.suffix: Egress(packing, air, clock, pacer) for packing in packings}

    @property
    def listeners(self) -> int:
        return sum(egress.listeners for egress in self._egress.values())

    @property
    def counters(self) -> dict[str, EgressCounters]:
        """By suffix: "mp3", "opus"."""
        return {suffix: egress.counters for suffix, egress in self._egress.items()}

    def listeners_of(self, place_id: str) -> int:
        """Who listens at that very place, in either codec."""
        return sum(egress.listeners_of(place_id) for egress in self._egress.values())

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/listen/{path:.+}", self.listen, allow_head=True)
        router.add_options("/listen/{path:.+}", self.preflight)

    async def run(self) -> None:
        """Write what is due until cancelled, then close all connections."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for suffix, egress in self._egress.items():
                    tasks.create_task(egress.run(), name=f"mounts-{suffix}")
        finally:
            self.close()

    def close(self) -> None:
        """End every answer. Needed at shutdown: aiohttp does not know these connections any more."""
        for egress in self._egress.values():
            egress.close()

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        """A browser asks whether a page of another origin may listen: anyone may."""
        return web.Response(status=204, headers=CORS)

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """GET and HEAD of a mount."""
        path, _, suffix = request.match_info["path"].rpartition(".")
        egress = self._egress.get(suffix)
        if egress is None:
            known = " or ".join(f".{suffix}" for suffix in self._egress)
            return _plain(404, f"no stream {request.path!r}: expected a place followed by {known}")
        place = self._air.resolve(path)
        if place is None:
            return _plain(
                404, f"no place {path!r}: expected an id or a path of names, as in dong-thap/cao-lanh"
            )
        if self.listeners >= self._max_listeners:
            self.refused += 1
            return _plain(
                503, f"all {self._max_listeners} listening places are taken: expected fewer listeners"
            )
        titled = suffix == Mp3Packing.suffix and request.headers.get("Icy-MetaData") == "1"
        headers: dict[str, str] = {
            hdrs.CONTENT_TYPE: egress.packing.content_type,
            hdrs.CACHE_CONTROL: "no-store",
            "icy-name": path,
            "icy-br": str(egress.packing.bytes_per_s * 8 // 1000),
            **CORS,
        }
        if titled:
            headers["icy-metaint"] = str(METAINT)
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=headers)
        return _Stream(headers, lambda head, transport: self._begin(egress, place, titled, head, transport))

    def _begin(
        self, egress: Egress, place: str, titled: bool, head: bytes, transport: asyncio.Transport
    ) -> None:
        listener, burst = egress.join(place, IcyInserter() if titled else None)
        listener.adopt(transport, egress.packing.bytes_per_s)
        listener.greet(head + egress.packing.head, burst, self._air.title_at(place) if titled else "")


class _Stream(web.StreamResponse):
    """An answer whose connection is taken from aiohttp instead of being written to.

    `prepare` runs after all middleware, so headers that they add are sent as well. Only public parts of
    aiohttp are used: the protocol is told that its connection is lost, which is true as far as it goes.
    """

    def __init__(self, headers: dict[str, str], begin: Callable[[bytes, asyncio.Transport], None]) -> None:
        super().__init__(headers=headers)
        self._begin = begin

    async def prepare(self, request: web.BaseRequest) -> None:
        transport = request.transport
        if transport is None or transport.is_closing():
            return
        request.protocol.transport = None
        request.protocol.connection_lost(None)
        self.headers[hdrs.CONNECTION] = "close"
        self._begin(_head(self.status, self.reason, self.headers.items()), transport)

    async def write_eof(self, data: bytes = b"") -> None:
        """The end of the request is not the end of the answer."""


def _head(status: int, reason: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """RFC 9112. Names may hold any letters (icy-name): sent as UTF-8, as players expect, without controls."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    clean = ("".join(c for c in line if c.isprintable()) for line in lines)
    return "\r\n".join((*clean, "", "")).encode()


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=CORS)
