"""The door for encoders: `PUT /ingest/<name>` as Icecast's source clients send it, and their titles.

Laws: nobody is told to send before the password was right; the answer says in words what is wrong; a body
without a length (as libshout, ffmpeg and liquidsoap send it) is read from the connection itself until it
ends, one with a length or in chunks as HTTP says; what a source sends too fast waits in its own line.
Sources: Icecast 2.4's documentation, and what its clients were seen to send.
"""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from ...errors import BusyError, DeniedError, ProtocolError
from .pushes import ENDED, TAKEN_OVER, Pushes, Read, Sender, Source
from .radio_icy import clean_title, decoded

INGEST = "/ingest/"
METADATA = "/admin/metadata"
READ_BYTES = 16 * 1024
MAX_UPDATE_BYTES = 16 * 1024
MAX_FIELDS = 20
UPDATE_S = 5.0
KINDS = frozenset(
    {
        "audio/mpeg",
        "audio/mp3",
        "audio/x-mpeg",
        "audio/ogg",
        "audio/opus",
        "audio/vorbis",
        "audio/x-ogg",
        "application/ogg",
        "application/x-ogg",
        "audio/aac",
        "audio/aacp",
        "audio/x-aac",
        "audio/mp4a-latm",
        "application/octet-stream",
        "",
    }
)
"""What it says it is; the bytes decide (ffmpeg says audio/mpeg unless it is told otherwise)."""

ABILITIES = {"Allow": "GET, HEAD, POST, PUT, SOURCE, OPTIONS"}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK_SOURCE = b"HTTP/1.0 200 OK\r\n\r\n"
OK_PUT = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
DONE = (
    '<?xml version="1.0"?>\n<iceresponse><message>Metadata update successful</message>'
    "<return>1</return></iceresponse>\n"
)

log = structlog.get_logger("push")


class Admit(Protocol):
    """The id of the push of this name. DeniedError: wrong name or password. BusyError: too many tries."""

    def __call__(self, name: str, user: str, password: str, address: str, /) -> Awaitable[str]: ...


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r})"


def parse_login(header: str) -> Login:
    """Of `Authorization: Basic ...` (RFC 7617). ProtocolError."""
    kind, _, coded = header.partition(" ")
    if kind.lower() != "basic":
        raise ProtocolError("Authorization: not Basic; expected Basic with source:password")
    try:
        said = decoded(base64.b64decode(coded.strip(), validate=True))
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("Authorization: no base64; expected Basic with source:password") from error
    user, found, password = said.partition(":")
    if not found:
        raise ProtocolError("Authorization: no colon; expected source:password")
    return Login(user, password)


@dataclass(frozen=True, slots=True)
class Update:
    """What an encoder says it plays, and which one it is."""

    name: str
    song: str


def parse_update(text: str) -> Update:
    """`mode=updinfo&mount=/ingest/<name>&song=...` as in an address, UTF-8 or Latin-1. ProtocolError."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS)
        said = {key: decoded(value.encode("latin-1", "replace")) for key, value in pairs}
    except ValueError as error:
        raise ProtocolError(f"title: {error}; expected at most {MAX_FIELDS} fields") from error
    mount = said.get("mount", "").lstrip("/")
    if said.get("mode") != "updinfo" or not mount.startswith(INGEST[1:]):
        raise ProtocolError("title: another question; expected mode=updinfo and mount=/ingest/<name>")
    song = said.get("song") or " - ".join(filter(None, (said.get("artist"), said.get("title"))))
    return Update(mount.removeprefix(INGEST[1:]), song)


async def _update(request: web.Request) -> str:
    """In the address, or as a form (libshout)."""
    if request.method != hdrs.METH_POST:
        return request.rel_url.raw_query_string
    body = b""
    try:
        async with asyncio.timeout(UPDATE_S):
            while len(body) <= MAX_UPDATE_BYTES and (more := await request.content.readany()):
                body += more
    except TimeoutError as error:
        raise ProtocolError(f"title: it did not come within {UPDATE_S:.0f} s") from error
    if len(body) > MAX_UPDATE_BYTES:
        raise ProtocolError(f"title: a form of more than {MAX_UPDATE_BYTES} bytes")
    return body.decode("latin-1")


class PushDoor:
    """See the module. `failed(push, address, why)` is told of a stream that was no good."""

    def __init__(self, admit: Admit, pushes: Pushes, failed: Callable[[str, str, str], None]) -> None:
        self._admit, self._pushes, self._failed = admit, pushes, failed

    def add_routes(self, router: web.UrlDispatcher) -> None:
        for method in ("PUT", "SOURCE", "POST"):
            router.add_route(method, INGEST + "{name}", self.receive, expect_handler=_not_yet)
        router.add_route("OPTIONS", INGEST + "{name}", self.abilities)
        router.add_get(METADATA, self.metadata)
        router.add_post(METADATA, self.metadata)

    async def abilities(self, request: web.Request) -> web.StreamResponse:
        """libshout asks before it sends."""
        return web.Response(status=204, headers={"Allow": "PUT, SOURCE, OPTIONS"})

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """An encoder's stream, from its head to its end."""
        refused = _unfit(request)
        if refused is not None:
            return refused
        name = request.match_info["name"]
        push = await self._admitted(request, name)
        if isinstance(push, web.Response):
            return push
        sender = Sender(request.remote or "", clean_title(request.headers.get(hdrs.USER_AGENT, "")))
        log.info("source connects", name=name, address=sender.address, agent=sender.agent)
        try:
            if _has_length(request):
                return await self._whole(request, push, sender)
            return await self._open_ended(request, push, sender)
        except BusyError as error:
            return _refused(503, str(error), {"Retry-After": str(error.retry_s)})

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """A title, as `mode=updinfo` brings it."""
        try:
            said = parse_update(await _update(request))
        except ProtocolError as error:
            return _refused(400, str(error))
        push = await self._admitted(request, said.name)
        if isinstance(push, web.Response):
            return push
        if self._pushes.current(push) is None:
            return _refused(404, "no source is connected there; expected one to give the title to")
        self._pushes.name_title(push, said.song)
        return web.Response(text=DONE, content_type="text/xml")

    async def _admitted(self, request: web.Request, name: str) -> str | web.Response:
        header = request.headers.get(hdrs.AUTHORIZATION)
        if header is None:
            return _refused(401, "no password; expected Basic with source:password")
        try:
            login = parse_login(header)
            return await self._admit(name, login.user, login.password, request.remote or "")
        except ProtocolError as error:
            return _refused(401, str(error))
        except DeniedError as error:
            return _refused(401, str(error))
        except BusyError as error:
            return _refused(429, str(error), {"Retry-After": str(error.retry_s)})

    async def _whole(self, request: web.Request, push: str, sender: Sender) -> web.StreamResponse:
        """A body with a length or in chunks."""
        if _expects(request) and request.transport is not None:
            request.transport.write(CONTINUE)

        async def read() -> bytes:
            try:
                return await request.content.readany()
            except (ConnectionError, web.RequestPayloadError):
                return b""

        source = await self._received(push, sender, read)
        answer = _refused(*_outcome(source.why))
        answer.force_close()
        return answer

    async def _received(self, push: str, sender: Sender, read: Read) -> Source:
        source = await self._pushes.receive(push, sender, read)
        if not _well(source.why):
            self._failed(push, sender.address, source.why)
        return source

    async def _open_ended(self, request: web.Request, push: str, sender: Sender) -> web.StreamResponse:
        """A body until the connection ends: the connection is taken from aiohttp."""
        transport, protocol = request.transport, request.protocol
        if transport is None or transport.is_closing():
            return _Taken()
        reader = asyncio.StreamReader(limit=READ_BYTES)
        reading = asyncio.StreamReaderProtocol(reader)
        protocol.transport = None
        protocol.connection_lost(None)
        transport.set_protocol(reading)
        reading.connection_made(transport)
        with contextlib.suppress(RuntimeError):  # it reads already
            transport.resume_reading()
        expected = _expects(request)
        transport.write(CONTINUE if expected else OK_PUT if request.method == hdrs.METH_PUT else OK_SOURCE)

        async def read() -> bytes:
            try:
                return await reader.read(READ_BYTES)
            except ConnectionError:
                return b""

        try:
            source = await self._received(push, sender, read)
            if expected:
                transport.write(_last_words(*_outcome(source.why)))
        except BusyError as error:
            if expected:
                transport.write(_last_words(503, str(error)))
        finally:
            transport.close()
        return _Taken()


@web.middleware
async def server_options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """`OPTIONS *` (RFC 9110, 9.3.7): what libshout asks first. No resource has that name."""
    if request.method == hdrs.METH_OPTIONS and request.path == "*":
        return web.Response(status=204, headers=ABILITIES)
    return await handler(request)


class _Taken(web.StreamResponse):
    """Stands for an answer whose connection is no longer aiohttp's: nothing is sent."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


async def _not_yet(_request: web.Request) -> web.StreamResponse | None:
    """`Expect: 100-continue` is answered once the password was right."""
    return None


def _expects(request: web.Request) -> bool:
    return request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"


def _has_length(request: web.Request) -> bool:
    return hdrs.CONTENT_LENGTH in request.headers or hdrs.TRANSFER_ENCODING in request.headers


def _unfit(request: web.Request) -> web.Response | None:
    said = request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    if said not in KINDS:
        return _refused(415, f"{said[:80]!r}; expected audio/mpeg, audio/ogg or audio/aac")
    return None


def _outcome(why: str) -> tuple[int, str]:
    """A source that ended by itself did well."""
    return (200 if _well(why) else 422), why


def _well(why: str) -> bool:
    return why in (ENDED, TAKEN_OVER)


def _refused(status: int, why: str, more: dict[str, str] | None = None) -> web.Response:
    headers = dict(more or {})
    if status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Loa source"'
    return web.Response(status=status, text=why + "\n", headers=headers)


def _last_words(status: int, why: str) -> bytes:
    body = why.encode() + b"\n"
    reason = {200: "OK", 422: "Unprocessable Content", 503: "Service Unavailable"}[status]
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
