"""Offers and answers by HTTP, as WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) both have them.

Laws: a body is of one type, bounded in size and time; a refusal says what, where and what was expected; a
page of any origin may ask, since what it may do is decided by what it brings. Stateless.
"""

import asyncio

from aiohttp import hdrs, web

from ..errors import ConflictError, DeniedError, LoaError, NotFoundError, OperatorError, ProtocolError

SDP = "application/sdp"
TRICKLE = "application/trickle-ice-sdpfrag"
BODY_S = 5.0
"""An offer is one packet or two."""

CORS: dict[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "POST, PATCH, DELETE, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "Location, ETag",
}

_STATUS: tuple[tuple[type[LoaError], int], ...] = (
    (DeniedError, 401),
    (NotFoundError, 404),
    (ConflictError, 409),
    (OperatorError, 422),
    (ProtocolError, 400),
)


def bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


async def read_body(request: web.Request, content_type: str, most: int) -> str:
    """The body. ProtocolError when it is no text; a type, a length or a time that will not do is answered."""
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


def parse_trickle(text: str, ufrag: str) -> None:
    """Candidates that a caller found later: nothing to note, its checks tell us where it is. OperatorError
    when they belong to another start of ICE than `ufrag`."""
    if any(line.startswith("a=ice-ufrag:") and line != f"a=ice-ufrag:{ufrag}" for line in text.split()):
        raise OperatorError("ICE is not restarted here, expected a new POST")


def reached_at(request: web.Request) -> str:
    """The address of ours that the request came to."""
    name = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return str(name[0]) if isinstance(name, tuple) else "127.0.0.1"


def refusal(error: LoaError) -> web.Response:
    """What this error is as an answer."""
    return refused(next(status for kind, status in _STATUS if isinstance(error, kind)), str(error))


def refused(status: int, why: str, **more: str) -> web.Response:
    headers = {**CORS, hdrs.WWW_AUTHENTICATE: "Bearer"} if status == 401 else CORS
    return web.Response(status=status, text=why + "\n", headers={**headers, **more})
