"""WHIP: a microphone calls in by HTTP and WebRTC, from our page, OBS, GStreamer or ffmpeg (RFC 9725).

Laws: nobody calls in without a token that `admit` accepts; a call is one program's microphone, and a second
one for the same program replaces the first (a page that was loaded anew, a laptop that changed networks); a
refusal says what, where and what was expected; when a caller leaves or vanishes the program's owner is told,
once. Owned by the composition root, which runs `run()`.
"""

import secrets
from collections.abc import Callable, Sequence

import structlog
from aiohttp import hdrs, web

from ..clock import Clock
from ..errors import ConflictError, OperatorError, ProtocolError
from .dtls import DtlsIdentity
from .leg import Gone, Send
from .peer import Microphone, Peer
from .peers import Peers
from .sdp import MAX_OFFER_BYTES, Call, Local, accept, build_answer, parse_offer
from .sdp_http import CORS, SDP, TRICKLE, bearer, parse_trickle, reached_at, read_body, refusal, refused

log = structlog.get_logger("whip")

MAX_MICROPHONES = 32
"""A microphone costs about 1 % of a core; more than this at one node is an attack or a mistake."""

MEANT = frozenset({Gone.ENDED_HERE, Gone.REPLACED})
"""Ends that nobody needs to be told of."""


class Whip:
    """`admit(program, token)` gives the microphone or raises DeniedError, NotFoundError or ConflictError;
    `gone(program, how)` is called when a caller has left, vanished or could not be understood;
    `taken(program)` when a call begins, so that one by another way can be let go."""

    def __init__(
        self,
        admit: Callable[[str, str | None], Microphone],
        gone: Callable[[str, Gone], None],
        clock: Clock,
        *,
        port: int = 0,
        addresses: Sequence[str] = (),
        max_peers: int = MAX_MICROPHONES,
        taken: Callable[[str], None] | None = None,
    ) -> None:
        self.peers = Peers(clock, port=port, addresses=addresses)
        self._admit = admit
        self._told = gone
        self._taken = taken
        self._max = max_peers
        self._calls: dict[str, Peer] = {}

    def __len__(self) -> int:
        """Microphones that have called in."""
        return len(self._calls)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/whip/{program}", self.call)
        router.add_options("/whip/{program}", self.preflight)
        router.add_delete("/whip/{program}/{session}", self.hang_up)
        router.add_patch("/whip/{program}/{session}", self.trickle)
        router.add_options("/whip/{program}/{session}", self.preflight)

    async def run(self) -> None:
        """Serve until cancelled; all calls end then."""
        await self.peers.run()

    async def preflight(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers={**CORS, "Accept-Post": SDP, "Accept-Patch": TRICKLE})

    async def call(self, request: web.Request) -> web.StreamResponse:
        """POST an offer: 201 with the answer, or why not."""
        program = request.match_info["program"]
        try:
            microphone = self._admit(program, bearer(request))
            call = accept(parse_offer(await read_body(request, SDP, MAX_OFFER_BYTES)))
        except (OperatorError, ProtocolError) as error:
            return refusal(error)
        try:
            peer, local = self._take(program, call, microphone, reached_at(request))
        except ConflictError as error:
            return refused(503, str(error))
        before = self._calls.pop(program, None)
        if before is not None:
            self.peers.end(before, Gone.REPLACED, "another call for the same program")
        self._calls[program] = peer
        if self._taken is not None:
            self._taken(program)
        answer = build_answer(call, local, secrets.randbits(62))
        response = web.Response(status=201, body=answer.encode(), content_type=SDP, headers=CORS)
        response.headers[hdrs.LOCATION] = f"{request.path}/{peer.id}"
        response.headers[hdrs.ETAG] = f'"{peer.ufrag}"'
        return response

    def let_go(self, program: str) -> None:
        """This program's microphone has called in by another way: end ours, without a word to its owner."""
        peer = self._calls.get(program)
        if peer is not None:
            self.peers.end(peer, Gone.REPLACED, "another call for the same program")

    async def hang_up(self, request: web.Request) -> web.StreamResponse:
        """DELETE a call."""
        peer = self._find(request)
        if peer is None:
            return refused(404, "no such call: it has ended, or never was")
        self.peers.end(peer, Gone.LEFT, "the caller hung up")
        return web.Response(headers=CORS)

    async def trickle(self, request: web.Request) -> web.StreamResponse:
        """PATCH: candidates that a caller found later. Nothing to do: its checks tell us where it is."""
        peer = self._find(request)
        if peer is None:
            return refused(404, "no such call: it has ended, or never was")
        try:
            parse_trickle(await read_body(request, TRICKLE, MAX_OFFER_BYTES), peer.remote_ufrag)
        except (OperatorError, ProtocolError) as error:
            return refusal(error)
        return web.Response(status=204, headers=CORS)

    def _take(self, program: str, call: Call, microphone: Microphone, reached: str) -> tuple[Peer, Local]:
        if len(self._calls) >= self._max and program not in self._calls:
            raise ConflictError(f"{self._max} microphones have called in, expected no more")

        def make(identity: DtlsIdentity, send: Send, now_us: int) -> Peer:
            return Peer(call, identity, microphone, send, now_us)

        return self.peers.take(make, self._over, reached)

    def _find(self, request: web.Request) -> Peer | None:
        peer = self._calls.get(request.match_info["program"])
        known = peer is not None and secrets.compare_digest(peer.id, request.match_info["session"])
        return peer if known else None

    def _over(self, peer: Peer) -> None:
        program = next((name for name, other in self._calls.items() if other is peer), None)
        if program is not None:
            del self._calls[program]
            log.info("microphone gone", program=program, why=peer.why)
            if peer.gone is not None and peer.gone not in MEANT:
                self._told(program, peer.gone)
