"""WHEP: what a place hears, with the least delay, in any browser or player that speaks it
(draft-ietf-wish-whep).

Laws: whoever may listen to the mounts of a place may listen here; a packet is read once for a place and sent
as it is to all who listen there; what is silent is sent as silence, so a listener's stream never stops; there
are never more than `max_viewers`, nor more than `MAX_PER_ADDRESS` from one address, and they take no room
from microphones; the loop is given back every `SLICE_SENDS` sends. Owned by the composition root, which runs
`run()`.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import hdrs, web

from ...clock import Clock
from ...codecs.opus import silence_packet
from ...errors import NotFoundError, OperatorError, ProtocolError
from ..dtls import DtlsIdentity
from ..leg import Gone, Send
from ..pacer import Pace, Pacer
from ..peers import Peers
from ..sdp import MAX_OFFER_BYTES, Call, Local, accept_listener, build_answer, parse_offer
from ..sdp_http import CORS, SDP, TRICKLE, parse_trickle, reached_at, read_body, refusal, refused
from .steady import Cursor, OpusSource, due_us, latest
from .viewer import Viewer

log = structlog.get_logger("whep")

MAX_VIEWERS = 128
"""Monitors of a console, not a public: for the public there are mounts and HLS. At 50 packets a second and
9 us a packet (built, encrypted and sent on loopback; 2-core machine) they take 6 % of a core."""

MAX_PER_ADDRESS = 16
"""An office behind one address, some pages each."""

SLICE_SENDS = 64
"""0.6 ms."""


class PlaceSource(Protocol):
    """What is on air where; `Mounts` have the same."""

    def resolve(self, path: str, /) -> str | None: ...

    def program_at(self, place_id: str, /) -> OpusSource | None: ...


@dataclass(slots=True)
class WhepCounters:
    """Since the start; for /metrics."""

    joined: int = 0
    left: int = 0
    refused: int = 0
    packets: int = 0
    silent: int = 0
    skipped: int = 0


class _Monitor:
    """All who listen at one place."""

    def __init__(self, k: int) -> None:
        self.cursor = Cursor(k)
        self.viewers: dict[str, Viewer] = {}


class Whep:
    """See the module."""

    def __init__(
        self,
        source: PlaceSource,
        peers: Peers,
        clock: Clock,
        *,
        pace: Pace | None = None,
        max_viewers: int = MAX_VIEWERS,
    ) -> None:
        self.counters = WhepCounters()
        self._source = source
        self._peers = peers
        self._clock = clock
        self._pace = pace if pace is not None else Pacer(clock)
        self._max = max_viewers
        self._silence = silence_packet()
        self._viewers: dict[str, Viewer] = {}
        self._monitors: dict[str, _Monitor] = {}
        self._someone = asyncio.Event()

    def __len__(self) -> int:
        return len(self._viewers)

    def listeners_of(self, place_id: str) -> int:
        monitor = self._monitors.get(place_id)
        return len(monitor.viewers) if monitor is not None else 0

    def add_routes(self, router: web.UrlDispatcher) -> None:
        session = "/whep/{path:.+}/{session:[0-9a-f]{32}}"
        router.add_delete(session, self.leave)
        router.add_patch(session, self.trickle)
        router.add_post("/whep/{path:.+}", self.join)
        router.add_options("/whep/{path:.+}", self.preflight)

    async def run(self) -> None:
        """Send what is due until cancelled; rest while nobody listens. `Peers` ends the calls."""
        k = latest(self._clock.now_us()) + 1
        while True:
            if not self._viewers:
                self._someone.clear()
                await self._someone.wait()
                k = latest(self._clock.now_us()) + 1
            await self._pace.until(due_us(k))
            k = max(k, latest(self._clock.now_us()))
            await self._send(k)
            k += 1

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers={**CORS, "Accept-Post": SDP, "Accept-Patch": TRICKLE})

    async def join(self, request: web.Request) -> web.StreamResponse:
        """POST an offer: 201 with the answer, or why not."""
        path = request.match_info["path"]
        try:
            place = self._source.resolve(path)
            if place is None:
                raise NotFoundError(
                    f"no place {path!r}: expected an id or a path of names, as in dong-thap/cao-lanh"
                )
            call = accept_listener(parse_offer(await read_body(request, SDP, MAX_OFFER_BYTES)))
        except (OperatorError, ProtocolError) as error:
            return refusal(error)
        address = request.remote or ""
        full = self._full(address)
        if full is not None:
            self.counters.refused += 1
            return full
        try:
            viewer, local = self._take(call, place, address, reached_at(request))
        except OperatorError as error:
            return refused(503, str(error))
        answer = build_answer(call, local, secrets.randbits(62))
        response = web.Response(status=201, body=answer.encode(), content_type=SDP, headers=CORS)
        response.headers[hdrs.LOCATION] = f"/whep/{place}/{viewer.id}"
        response.headers[hdrs.ETAG] = f'"{viewer.ufrag}"'
        return response

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """DELETE a call."""
        viewer = self._viewers.get(request.match_info["session"])
        if viewer is None:
            return refused(404, "no such call: it has ended, or never was")
        self._peers.end(viewer, Gone.LEFT, "the listener hung up")
        return web.Response(headers=CORS)

    async def trickle(self, request: web.Request) -> web.StreamResponse:
        """PATCH: candidates that a listener found later."""
        viewer = self._viewers.get(request.match_info["session"])
        if viewer is None:
            return refused(404, "no such call: it has ended, or never was")
        try:
            parse_trickle(await read_body(request, TRICKLE, MAX_OFFER_BYTES), viewer.remote_ufrag)
        except (OperatorError, ProtocolError) as error:
            return refusal(error)
        return web.Response(status=204, headers=CORS)

    def _full(self, address: str) -> web.Response | None:
        if len(self._viewers) >= self._max:
            return refused(503, f"all {self._max} listening places are taken: expected fewer", **_LATER)
        if sum(viewer.address == address for viewer in self._viewers.values()) >= MAX_PER_ADDRESS:
            return refused(429, f"{MAX_PER_ADDRESS} listen from this address, expected no more", **_LATER)
        return None

    def _take(self, call: Call, place: str, address: str, reached: str) -> tuple[Viewer, Local]:
        def make(identity: DtlsIdentity, send: Send, now_us: int) -> Viewer:
            return Viewer(call, identity, send, now_us, place=place, address=address)

        viewer, local = self._peers.take(make, self._over, reached)
        self._viewers[viewer.id] = viewer
        if place not in self._monitors:
            self._monitors[place] = _Monitor(latest(self._clock.now_us()) + 1)
        self._monitors[place].viewers[viewer.id] = viewer
        self.counters.joined += 1
        self._someone.set()
        return viewer, Local(local.ufrag, local.password, local.fingerprint, local.addresses, viewer.ssrc)

    async def _send(self, now_k: int) -> None:
        """Everything up to frame `now_k`, place by place."""
        sends = 0
        for place, monitor in list(self._monitors.items()):
            before = monitor.cursor.skipped
            frames = monitor.cursor.due(now_k, self._source.program_at(place))
            self.counters.skipped += monitor.cursor.skipped - before
            for k, packet in frames:
                self.counters.silent += packet is None
                for viewer in list(monitor.viewers.values()):
                    viewer.give(k, packet or self._silence, self._clock.now_us())
                    sends += 1
                    if sends % SLICE_SENDS == 0:
                        await asyncio.sleep(0)
        self.counters.packets += sends

    def _over(self, viewer: Viewer) -> None:
        del self._viewers[viewer.id]
        monitor = self._monitors[viewer.place]
        del monitor.viewers[viewer.id]
        if not monitor.viewers:
            del self._monitors[viewer.place]
        self.counters.left += 1
        log.info("listener gone", place=viewer.place, why=viewer.why)


_LATER = {"Retry-After": "10"}
