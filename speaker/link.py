"""The control link: a WebSocket to the node that is always there, or always about to be.

Laws: it is tried again for ever, later each time and never in step with others; what is sent waits in a
bounded queue that drops its oldest and counts; a node that takes nothing, or says nothing when asked, is
left. What the messages mean is the handler's affair; only the greeting is ours. Owned by the agent.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol

import aiohttp
import structlog

from ..errors import ProtocolError
from ..trust.keys import SigningKey, key_mark
from ..wire.control import (
    MAX_CONTROL_BYTES,
    VERSIONS,
    Bye,
    Challenge,
    Control,
    Hello,
    build_control,
    hello_bytes,
    parse_control,
)
from .backoff import Backoff
from .report import Counters

RETRY_S = (0.5, 30.0)
"""First and longest pause between tries."""

STABLE_S = 5.0
"""A link that held so long begins its next series of tries with the first pause."""

CONNECT_S = 10.0
CLOSE_S = 1.0
"""For the closing handshake; a node that is gone does not answer it."""

SEND_S = 10.0
"""The deadline of every write."""

PENDING = "pending"
"""The reason of a `Bye` to a speaker that is enrolled and not yet approved."""

MAX_WAITING = 64
"""Messages that wait to be sent; the oldest goes. A report says all that those before it said."""

log = structlog.get_logger("speaker")


class LinkHandler(Protocol):
    async def opened(self, peer: str) -> None:
        """The greeting went out; `peer` is the node's address."""
        ...

    async def heard(self, data: bytes) -> Bye | None:
        """A binary message; a `Bye` is handed back."""
        ...

    def closed(self) -> None: ...


class Link:
    def __init__(
        self,
        url: str,
        speaker: str,
        key: SigningKey,
        *,
        handler: LinkHandler,
        counters: Counters,
        uniform: Callable[[float, float], float],
        software: str,
        audio_output: str,
        tls: ssl.SSLContext | bool = True,
    ) -> None:
        """`url`: http(s) or ws(s), with path. `tls`: as aiohttp's `ssl`; False checks no certificate."""
        self._url, self._speaker, self._key = url, speaker, key
        self._handler, self._counters, self._uniform = handler, counters, uniform
        self._software, self._audio_output = software, audio_output
        self._tls = tls
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING)
        self._scope: asyncio.Timeout | None = None
        self._pending = False
        self.up = False

    def say(self, message: Control) -> None:
        """Send it soon; nothing happens while the link is down."""
        if not self.up:
            return
        if self._waiting.full():
            self._waiting.get_nowait()
            self._counters.add("unsaid")
        self._waiting.put_nowait(build_control(message))

    def welcomed(self) -> None:
        """The node took us in."""
        self._pending = False
        log.info("linked", url=self._url)

    def cut(self) -> None:
        """Leave this node and try again: it is silent."""
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Hold the link until cancelled."""
        pause = Backoff(*RETRY_S, self._uniform)
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as session:
            while True:
                began = loop.time()
                wait_s = await self._once(session)
                if loop.time() - began > STABLE_S or self._pending:
                    pause.reset()
                await asyncio.sleep(max(pause.next_s(), wait_s * self._uniform(1.0, 1.5)))

    async def _once(self, session: aiohttp.ClientSession) -> float:
        """One link from its opening to its end. How long the node asked us to stay away."""
        try:
            async with asyncio.timeout(CONNECT_S):
                ws = await session.ws_connect(
                    self._url,
                    ssl=self._tls,
                    max_msg_size=MAX_CONTROL_BYTES,
                    compress=0,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("no link", url=self._url, error=str(error) or type(error).__name__)
            return 0.0
        async with ws:
            try:
                async with asyncio.timeout(None) as self._scope:
                    return await self._converse(ws)
            except (aiohttp.ClientError, ConnectionError, TimeoutError, ProtocolError) as error:
                log.warning("link lost", url=self._url, error=str(error) or type(error).__name__)
                return 0.0
            finally:
                self._scope = None
                if self.up:
                    self.up = False
                    self._handler.closed()

    async def _converse(self, ws: aiohttp.ClientWebSocketResponse) -> float:
        await self._greet(ws)
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self.up = True
        peer = ws.get_extra_info("peername")
        await self._handler.opened(str(peer[0]) if peer else "")
        writer = asyncio.create_task(self._write(ws), name="speaker-link-writer")
        try:
            return await self._listen(ws)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _greet(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async with asyncio.timeout(CONNECT_S):
            challenge = parse_control(await _receive(ws))
        if not isinstance(challenge, Challenge):
            raise ProtocolError(f"link: {type(challenge).__name__} first, expected challenge")
        if not set(challenge.versions) & set(VERSIONS):
            raise ProtocolError(f"link: node speaks {challenge.versions}, expected one of {VERSIONS}")
        signature = self._key.sign(hello_bytes(challenge.nonce, challenge.node))
        hello = Hello(self._speaker, VERSIONS, signature, self._software, self._audio_output)
        await ws.send_bytes(build_control(hello))

    async def _listen(self, ws: aiohttp.ClientWebSocketResponse) -> float:
        while True:
            bye = await self._handler.heard(await _receive(ws))
            if bye is not None:
                self._part(bye)
                return float(bye.retry_s)

    def _part(self, bye: Bye) -> None:
        """Waiting for a person takes its time: that is said once, and each try is as gentle as the first."""
        waits = bye.reason == PENDING
        if not waits:
            log.info("node says goodbye", reason=bye.reason, retry_s=bye.retry_s)
        elif not self._pending:
            log.info("enrolled, and waits for approval at the console", key=key_mark(self._key.public.key_id))
        self._pending = waits

    async def _write(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        try:
            while True:
                data = await self._waiting.get()
                async with asyncio.timeout(SEND_S):
                    await ws.send_bytes(data)
        except (TimeoutError, ConnectionError, aiohttp.ClientError):
            self.cut()


async def _receive(ws: aiohttp.ClientWebSocketResponse) -> bytes:
    """The next binary message; ConnectionResetError when the node is gone."""
    message = await ws.receive()
    if message.type is aiohttp.WSMsgType.BINARY and isinstance(message.data, bytes):
        return message.data
    if message.type is aiohttp.WSMsgType.TEXT:
        raise ProtocolError("link: a text message, expected binary")
    raise ConnectionResetError(f"link: closed by the node ({message.type.name.lower()})")
