"""The answer of a mount: its head as Icecast's clients expect it, and how its connection leaves aiohttp.

Laws: names may hold any letters and never a line of their own; a range is no reason for another answer, since
a stream without an end has no bytes of a known number (RFC 9110, 14.2 lets a server ignore it).
"""

import asyncio
from collections.abc import Callable, Iterable

from aiohttp import hdrs, web

from ..codecs.frame import SAMPLE_RATE
from .blocks import Packing

CORS: dict[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Icy-MetaData, Range",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "icy-name, icy-description, icy-genre, icy-br, icy-metaint",
}

GENRE = "Public information"


def stream_headers(packing: Packing, name: str) -> dict[str, str]:
    """What every answer of a mount says of itself. `name`: of the place."""
    kbps = packing.bytes_per_s * 8 // 1000
    return {
        hdrs.CONTENT_TYPE: packing.content_type,
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.ACCEPT_RANGES: "none",
        "icy-name": printable(name),
        "icy-description": printable(name),
        "icy-genre": GENRE,
        "icy-pub": "0",
        "icy-br": str(kbps),
        "ice-audio-info": f"ice-samplerate={SAMPLE_RATE};ice-bitrate={kbps};ice-channels=1",
        **CORS,
    }


def printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


class StreamAnswer(web.StreamResponse):
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
    return "\r\n".join((*map(printable, lines), "", "")).encode()


def plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=CORS)
