"""Mounts: `GET /listen/<place>.mp3`, `.opus` and `.aac`, for any player, browser or IP speaker; and the
playlists `/listen/<place>.m3u` and `.pls` (of another codec: `<place>.aac.m3u`).

Laws: an answer never ends while the server runs and the player keeps up; a place is named by its id or by
any path of slugs it has or ever had; a player that asked with `Icy-MetaData: 1` gets titles in its MP3; one
address takes no more than its share, and those of this very machine, where proxies are, what they want. Once
it is answered, a connection leaves aiohttp for a lean protocol (`Listener`), so that what aiohttp keeps for a
request (tasks, parser, request, response: several times what the socket needs) is freed. Owned by the
composition root, which runs `run()` and ends it at shutdown.
"""

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address

from aiohttp import hdrs, web

from ..clock import Clock
from ..codecs.icy import METAINT, IcyInserter
from .blocks import Mp3Packing, OggPacking, Packing
from .egress import Egress, EgressCounters, MountSource
from .mount_answer import CORS, StreamAnswer, plain, stream_headers
from .outputs.aac import MAX_PLACES, AacPacking
from .outputs.playlist import M3U_TYPE, PLS_TYPE, m3u, pls
from .pacer import Pace, Pacer

MAX_LISTENERS = 20_000
"""A bound against running out of memory and descriptors, not a measure of what a machine can serve."""

MAX_PER_ADDRESS = 200
"""Behind one address may be a whole commune's office, or a mobile network's gateway."""

OGG_SERIAL = 0x4C6F61
"""Any number will do: the streams of a node are never multiplexed with one another."""

PLAYLISTS = {"m3u": (m3u, M3U_TYPE), "pls": (pls, PLS_TYPE)}


class Mounts:
    def __init__(
        self,
        air: MountSource,
        clock: Clock,
        *,
        pace: Pace | None = None,
        max_listeners: int = MAX_LISTENERS,
        max_per_address: int = MAX_PER_ADDRESS,
    ) -> None:
        self._air = air
        self._max_listeners = max_listeners
        self._max_per_address = max_per_address
        self._by_address: Counter[str] = Counter()
        self.refused = 0
        pacer = pace if pace is not None else Pacer(clock)
        packings: tuple[Packing, ...] = (Mp3Packing(), OggPacking(OGG_SERIAL, clock.now_us()), AacPacking())
        self._egress = {
            packing.suffix: Egress(packing, air, clock, pacer, self._left) for packing in packings
        }

    @property
    def listeners(self) -> int:
        return sum(egress.listeners for egress in self._egress.values())

    @property
    def counters(self) -> dict[str, EgressCounters]:
        """By suffix: "mp3", "opus", "aac"."""
        return {suffix: egress.counters for suffix, egress in self._egress.items()}

    def listeners_of(self, place_id: str) -> int:
        """Who listens at that very place, in any codec."""
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
        """GET and HEAD of a mount or of a playlist."""
        path, _, suffix = request.match_info["path"].rpartition(".")
        if suffix in PLAYLISTS:
            return self._playlist(request, path, suffix)
        egress = self._egress.get(suffix)
        if egress is None:
            return self._no_stream(request.path)
        place = self._air.resolve(path)
        if place is None:
            return _no_place(path)
        address = request.remote or ""
        full = self._full(egress, place, address)
        if full is not None:
            self.refused += 1
            return plain(503, full)
        titled = suffix == Mp3Packing.suffix and request.headers.get("Icy-MetaData") == "1"
        headers = stream_headers(egress.packing, self._air.name_of(place))
        if titled:
            headers["icy-metaint"] = str(METAINT)
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=headers)
        return StreamAnswer(
            headers, lambda head, transport: self._begin(egress, place, titled, address, head, transport)
        )

    def _begin(
        self,
        egress: Egress,
        place: str,
        titled: bool,
        address: str,
        head: bytes,
        transport: asyncio.Transport,
    ) -> None:
        listener, burst = egress.join(place, IcyInserter() if titled else None, address)
        self._by_address[address] += 1
        listener.adopt(transport, egress.packing.bytes_per_s)
        listener.greet(head + egress.packing.head, burst, self._air.title_at(place) if titled else "")

    def _left(self, address: str) -> None:
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def _full(self, egress: Egress, place: str, address: str) -> str | None:
        """Why one more may not listen, if so."""
        if self.listeners >= self._max_listeners:
            return f"all {self._max_listeners} listening places are taken: expected fewer listeners"
        if self._by_address[address] >= self._max_per_address and not _is_local(address):
            return f"{self._max_per_address} listeners have your address: expected fewer from one address"
        new_here = isinstance(egress.packing, AacPacking) and not egress.listeners_of(place)
        if new_here and egress.places >= MAX_PLACES:
            return f"AAC is encoded for {MAX_PLACES} places already: expected .mp3 or .opus"
        return None

    def _playlist(self, request: web.Request, path: str, kind: str) -> web.StreamResponse:
        """Of the MP3 stream, unless the path names another codec."""
        named, _, suffix = path.rpartition(".")
        if suffix not in self._egress:
            named, suffix = path, Mp3Packing.suffix
        place = self._air.resolve(named)
        if place is None:
            return _no_place(named)
        below = request.rel_url.raw_path.rpartition(f".{kind}")[0].removesuffix(f".{suffix}")
        url = f"{request.url.origin()}{below}.{suffix}"
        write, media_type = PLAYLISTS[kind]
        text = write(url, self._air.name_of(place))
        headers = {hdrs.CONTENT_TYPE: f"{media_type}; charset=utf-8", hdrs.CACHE_CONTROL: "no-store", **CORS}
        return web.Response(body=text.encode(), headers=headers)

    def _no_stream(self, path: str) -> web.Response:
        known = [f".{suffix}" for suffix in (*self._egress, *PLAYLISTS)]
        expected = f"{', '.join(known[:-1])} or {known[-1]}"
        return plain(404, f"no stream {path!r}: expected a place followed by {expected}")


def _no_place(path: str) -> web.Response:
    return plain(404, f"no place {path!r}: expected an id or a path of names, as in dong-thap/cao-lanh")


def _is_local(address: str) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback
