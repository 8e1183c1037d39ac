"""WHIP: a microphone calls in by HTTP and WebRTC, from our page, OBS, GStreamer or ffmpeg (RFC 9725).

Laws: nobody calls in without a token that `admit` accepts; a call is one program's microphone, and a second
one for the same program replaces the first (a page that was loaded anew, a laptop that changed networks); a
refusal says what, where and what was expected; when a caller leaves or vanishes the program's owner is told,
once. Owned by the composition root, which runs `run()`.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence

import structlog
from aiohttp import hdrs, web

from ..clock import Clock
from ..errors import ConflictError, DeniedError, NotFoundError, OperatorError, ProtocolError
from .peer import Gone, Microphone, Peer
from .peers import MAX_PEERS, Peers
from .sdp import MAX_OFFER_BYTES, accept, build_answer, parse_offer

log = structlog.get_logger("whip")

SDP = "application/sdp"
TRICKLE = "application/trickle-ice-sdpfrag"
BODY_S = 5.0
"""An offer is one packet or two."""

MEANT = frozenset({Gone.ENDED_HERE, Gone.REPLACED})
"""Ends that nobody needs to be told of."""

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (DeniedError, 401),
    (NotFoundError, 404),
    (ConflictError, 409),
    (OperatorError, 422),
    (ProtocolError, 400),
)

CORS: dict[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "POST, PATCH, DELETE, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "Location, ETag",
}


class Whip:
    """`admit(program, token)` gives the microphone or raises DeniedError, NotFoundError or ConflictError;
    `gone(program, how)` is called when a caller has left, vanished or could not be understood."""

    def __init__(
        self,
        admit: Callable[[str, str | None], Microphone],
        gone: Callable[[str, Gone], None],
        clock: Clock,
        *,
        port: int = 0,
        addresses: Sequence[str] = (),
        max_peers: int = MAX_PEERS,
    ) -> None:
        self.peers = Peers(clock, self._over, port=port, addresses=addresses, max_peers=max_peers)
        self._admit = admit
        self._told = gone
        self._calls: dict[str, Peer] = {}

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
            microphone = self._admit(program, _bearer(request))
            call = accept(parse_offer(await _read(request, SDP, MAX_OFFER_BYTES)))
        except (OperatorError, ProtocolError) as error:
            return _refused(next(status for kind, status in _STATUS if isinstance(error, kind)), str(error))
        try:
            peer, local = self.peers.call(call, microphone, _reached(request))
        except ConflictError as error:
            return _refused(503, str(error))
        before = self._calls.pop(program, None)
        if before is not None:
            self.peers.end(before, Gone.REPLACED, "another call for the same program")
        self._calls[program] = peer
        answer = build_answer(call, local, secrets.randbits(62))
        response = web.Response(status=201, body=answer.encode(), content_type=SDP, headers=CORS)
        response.headers[hdrs.LOCATION] = f"{request.path}/{peer.id}"
        response.headers[hdrs.ETAG] = f'"{peer.ufrag}"'
        return response

    async def hang_up(self, request: web.Request) -> web.StreamResponse:
        """DELETE a call."""
        peer = self._find(request)
        if peer is None:
            return _refused(404, "no such call: it has ended, or never was")
        self.peers.end(peer, Gone.LEFT, "the caller hung up")
        return web.Response(headers=CORS)

    async def trickle(self, request: web.Request) -> web.StreamResponse:
        """PATCH: candidates that a caller found later. Nothing to do: its checks tell us where it is."""
        peer = self._find(request)
        if peer is None:
            return _refused(404, "no such call: it has ended, or never was")
        try:
            lines = (await _read(request, TRICKLE, MAX_OFFER_BYTES)).split()
        except ProtocolError as error:
            return _refused(400, str(error))
        if any(
            line.startswith("a=ice-ufrag:") and line != f"a=ice-ufrag:{peer.remote_ufrag}" for line in lines
        ):
            return _refused(422, "ICE is not restarted here, expected a new POST")
        return web.Response(status=204, headers=CORS)

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


def _bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


async def _read(request: web.Request, content_type: str, most: int) -> str:
    """The body, of one type, bounded in size and time."""
    if request.content_type != content_type:
        raise web.HTTPUnsupportedMediaType(
            text=f"body is {request.content_type}, expected {content_type}\n", headers=CORS
        )
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise web.HTTPRequestEntityTooLarge(
                        most, text=f"body is longer than {most} bytes\n", headers=CORS
                    )
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"body took longer than {BODY_S} s\n", headers=CORS) from None
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"body is not UTF-8 at byte {error.start}, expected SDP") from None


def _reached(request: web.Request) -> str:
    """The address of ours that the request came to."""
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return str(name[0]) if isinstance(name, tuple) else "127.0.0.1"


def _refused(status: int, why: str) -> web.Response:
    headers = {**CORS, hdrs.WWW_AUTHENTICATE: "Bearer"} if status == 401 else CORS
    return web.Response(status=status, text=why + "\n", headers=headers)
