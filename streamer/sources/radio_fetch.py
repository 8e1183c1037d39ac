"""Getting what a radio's address leads to: redirects, playlists, ICY titles, HLS; then bytes of sound.

Laws: every URL that is asked for passed `Reach`; at most 5 redirects and 3 playlists deep, never one twice; a
body is read with a bound, a wait has an end; nothing of the environment (proxies, cookies, .netrc) is used.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from ...errors import LoaError, PeerError, ProtocolError
from .radio_hls import HlsFollower, Part
from .radio_icy import IcyStripper, clean_title
from .radio_playlist import MAX_BYTES, Addresses, HlsMaster, HlsMedia, is_playlist, parse_playlist
from .radio_reach import CheckedResolver, Network, Reach, shown

MAX_REDIRECTS = 5
MAX_DEPTH = 3
CONNECT_S = 4.0
HEAD_S = 6.0
READ_S = 10.0
"""A stream that is silent on the wire for so long is over; what hears it has given it up before."""
SEGMENT_BYTES = 16 << 20
SEGMENT_S = 30.0
AGENT = "Loa"


@dataclass
class Tuned:
    """What an address turned out to be. `target_s`: how long HLS segments are, 0 for a stream."""

    name: str = ""
    title: str = ""
    content_type: str = ""
    target_s: float = 0.0
    changed: Callable[[], None] = field(default=lambda: None, repr=False)


class Fetcher:
    """`async with Fetcher(networks) as fetcher: async for data in fetcher.sound(address, tuned)`."""

    def __init__(self, private: Sequence[Network] = ()) -> None:
        self._reach = Reach(private)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Fetcher":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=CheckedResolver(self._reach), use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S),
            headers={"User-Agent": AGENT},
            auto_decompress=True,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def sound(self, address: str, tuned: Tuned) -> AsyncGenerator[Part, None]:
        """Bytes of sound; None where what follows is a stream of its own. PeerError, DeniedError."""
        async with contextlib.aclosing(self._sound(_url(address), tuned, ())) as parts:
            async for part in parts:
                yield part

    async def _sound(self, url: URL, tuned: Tuned, seen: tuple[URL, ...]) -> AsyncGenerator[Part, None]:
        if url in seen:
            raise PeerError(f"the playlist {shown(url)} points to itself; expected an address of sound")
        if len(seen) > MAX_DEPTH:
            raise PeerError(f"playlists lie more than {MAX_DEPTH} deep at {shown(url)}; expected sound")
        async with self._get(url, {"Icy-MetaData": "1"}) as response:
            first = await response.content.readany()
            kind = response.headers.get("Content-Type", "")
            if not is_playlist(first, kind, response.url.path):
                async for part in _stream(response, first, tuned):
                    yield part
                return
            body, base = await _rest(response, first, MAX_BYTES), response.url
        async for part in self._listed(body, base, tuned, (*seen, url)):
            yield part

    async def _listed(
        self, body: bytes, base: URL, tuned: Tuned, seen: tuple[URL, ...]
    ) -> AsyncGenerator[Part, None]:
        match parse_playlist(body, base):
            case HlsMedia() as media:
                tuned.target_s, tuned.content_type = max(media.target_s, 1.0), "HLS"
                tuned.changed()
                async for part in HlsFollower(self.body).follow(base, media):
                    yield part
            case HlsMaster() as master:
                async for part in self._sound(master.best(), tuned, seen):
                    yield part
            case Addresses(urls):
                async for part in self._first(urls, tuned, seen):
                    yield part

    async def _first(
        self, urls: Sequence[URL], tuned: Tuned, seen: tuple[URL, ...]
    ) -> AsyncGenerator[Part, None]:
        """The first of a list that gives anything."""
        problem: LoaError | None = None
        for url in urls:
            came = False
            try:
                async for part in self._sound(url, tuned, seen):
                    came = True
                    yield part
            except LoaError as error:
                problem = error
            if came:
                break
        if problem is not None:
            raise problem

    async def body(self, url: URL, most: int = SEGMENT_BYTES) -> tuple[bytes, URL]:
        """All of a playlist or a segment, and where it was found."""
        async with asyncio.timeout(SEGMENT_S), self._get(url, {}) as response:
            return await _rest(response, b"", most), response.url

    @contextlib.asynccontextmanager
    async def _get(self, url: URL, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer at the end of the redirects; PeerError when it is none to listen to."""
        if self._session is None:
            raise PeerError("not open")
        try:
            for _ in range(MAX_REDIRECTS + 1):
                request = self._session.get(
                    self._reach.check_url(url), headers=headers, allow_redirects=False
                )
                async with asyncio.timeout(HEAD_S):
                    response = await request
                async with response:
                    if response.status in (301, 302, 303, 307, 308):
                        url = _target(url, response)
                        continue
                    if response.status != 200:
                        raise PeerError(f"{shown(url)} answers {response.status}; expected 200")
                    yield response
                    return
            raise PeerError(f"{shown(url)} is the end of {MAX_REDIRECTS} redirects; expected sound")
        except TimeoutError as error:
            raise PeerError(f"{shown(url)} does not answer; expected an answer in {HEAD_S:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise PeerError(f"{shown(url)}: {_said(error)}; expected a server that sends sound") from error


def _url(address: str) -> URL:
    try:
        return URL(address)
    except ValueError as error:
        raise ProtocolError(f"address {address[:80]!r}: {error}; expected https://host/path") from error


def _target(url: URL, response: aiohttp.ClientResponse) -> URL:
    where = response.headers.get("Location", "")
    try:
        return url.join(URL(where))
    except (ValueError, TypeError) as error:
        raise ProtocolError(f"{shown(url)} redirects to {where[:80]!r}; expected an address") from error


def _said(error: Exception) -> str:
    return str(error)[:160] or type(error).__name__


async def _stream(response: aiohttp.ClientResponse, first: bytes, tuned: Tuned) -> AsyncGenerator[Part, None]:
    tuned.content_type = response.headers.get("Content-Type", "")[:80]
    tuned.name = clean_title(response.headers.get("icy-name", ""))
    tuned.changed()
    stripper = _stripper(response.headers)
    data = first
    while data:
        if stripper is not None:
            data = stripper.feed(data)
            if stripper.title is not None and stripper.title != tuned.title:
                tuned.title = stripper.title
                tuned.changed()
        if data:
            yield data
        data = await response.content.readany()
    raise PeerError("the stream has ended; expected one that goes on")


def _stripper(headers: CIMultiDictProxy[str]) -> IcyStripper | None:
    metaint = headers.get("icy-metaint", "0").strip()
    if not (metaint.isascii() and metaint.isdigit() and len(metaint) < 9):
        raise ProtocolError(f"icy-metaint is {metaint[:40]!r}; expected a number")
    return IcyStripper(int(metaint)) if int(metaint) else None


async def _rest(response: aiohttp.ClientResponse, first: bytes, most: int) -> bytes:
    data = bytearray(first)
    async for part in response.content.iter_any():
        data += part
        if len(data) > most:
            raise ProtocolError(f"{shown(response.url)} has more than {most} bytes; expected less")
    return bytes(data)
