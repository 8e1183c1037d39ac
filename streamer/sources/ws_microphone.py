"""A microphone over WebSocket, for networks that let no UDP through: the same token, the same microphone.

Laws: nothing is taken before the first message has brought a token that `admit` accepts; a message is one
Opus packet of 20 ms or at most 100 ms of PCM16 (48 kHz, mono, little-endian), and one that is neither is
counted, a hundred of them in a row end the call; silence on the line for 3 s is nobody there; a second call
of the same program replaces the first. `gone` is told once, as WHIP tells it. Owned by the composition root.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog
from aiohttp import WSMessage, WSMsgType, web

from ...clock import Clock
from ...codecs.frame import SAMPLE_RATE, Pcm
from ...codecs.opus import OpusDecoder
from ...errors import DeniedError, MediaError, OperatorError, ProtocolError
from ..leg import Gone
from ..peer import Microphone

PATH = "/api/v1/microphone/{program}"
MAX_CALLS = 64
HELLO_S = 5.0
SILENT_S = 3.0
"""As of a microphone by WebRTC."""
MAX_PCM_BYTES = SAMPLE_RATE // 10 * 2
MAX_MESSAGE_BYTES = MAX_PCM_BYTES
MAX_FAULTS = 100
"""In a row: two seconds of what is no sound."""
TELL_EVERY = 50
CODECS = ("opus", "pcm16")

REFUSED, BUSY, REPLACED, NO_SOUND, SILENT, ENDED = 4401, 4503, 4409, 4415, 4408, 4410
"""Close codes: HTTP's, said as an application's (RFC 6455 section 7.4.2)."""

log = structlog.get_logger("microphone")


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message."""

    token: str
    codec: str

    def __repr__(self) -> str:
        return f"Hello({self.codec!r})"


def parse_hello(text: str) -> Hello:
    """`{"token": "...", "codec": "opus"}`. ProtocolError."""
    try:
        said = json.loads(text)
        hello = Hello(str(said["token"]), str(said.get("codec", "opus")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProtocolError('first message: no token; expected {"token": ..., "codec": ...}') from error
    if hello.codec not in CODECS:
        raise ProtocolError(f"codec {hello.codec[:20]!r}; expected one of {', '.join(CODECS)}")
    return hello


def parse_pcm(data: bytes) -> Pcm:
    """int16 mono 48 kHz. ProtocolError."""
    if not data or len(data) % 2 or len(data) > MAX_PCM_BYTES:
        raise ProtocolError(f"PCM of {len(data)} bytes; expected an even number up to {MAX_PCM_BYTES}")
    return np.frombuffer(data, "<i2").astype(np.int16)


class _Ears:
    """Messages become sound."""

    def __init__(self, codec: str, microphone: Microphone) -> None:
        self.heard = self.faults = 0
        self._run = 0
        self._microphone = microphone
        self._decoder = OpusDecoder() if codec == "opus" else None

    def hear(self, data: bytes, now_us: int) -> bool:
        """False when what comes is no longer sound."""
        try:
            pcm = self._decoder.decode(data) if self._decoder is not None else parse_pcm(data)
        except (MediaError, ProtocolError):
            self.faults += 1
            self._run += 1
            return self._run < MAX_FAULTS
        self._microphone.push(pcm, now_us)
        self.heard += 1
        self._run = 0
        return True

    def close(self) -> None:
        if self._decoder is not None:
            self._decoder.close()


class WsMicrophones:
    """`admit(program, token)` gives the microphone or raises an OperatorError; `takes(program)` is called
    when a call begins, so that one by WebRTC can be let go."""

    def __init__(
        self,
        admit: Callable[[str, str | None], Microphone],
        gone: Callable[[str, Gone], None],
        takes: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._admit, self._gone, self._takes, self._clock = admit, gone, takes, clock
        self._calls: dict[str, web.WebSocketResponse] = {}

    @property
    def calls(self) -> int:
        return len(self._calls)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(PATH, self.call)

    def let_go(self, program: str) -> None:
        """Another call has taken this program's microphone: end ours, without a word to its owner."""
        self._calls.pop(program, None)

    async def close(self) -> None:
        """The server stops."""
        for ws in list(self._calls.values()):
            await ws.close(code=1001, message=b"the server stops")

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One microphone, until it hangs up."""
        ws = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES, compress=False, heartbeat=10.0)
        await ws.prepare(request)
        program = request.match_info["program"]
        try:
            async with asyncio.timeout(HELLO_S):
                first = await ws.receive()
            hello = parse_hello(str(first.data) if first.type is WSMsgType.TEXT else "")
            microphone = self._admit(program, hello.token)
        except TimeoutError:
            return await _end(ws, REFUSED, f"no token came within {HELLO_S:.0f} s")
        except (OperatorError, ProtocolError) as error:
            return await _end(ws, REFUSED if isinstance(error, DeniedError) else ENDED, str(error))
        if len(self._calls) >= MAX_CALLS and program not in self._calls:
            return await _end(ws, BUSY, f"{MAX_CALLS} microphones are here already")
        before = self._calls.get(program)
        self._calls[program] = ws
        self._takes(program)
        if before is not None:
            await _end(before, REPLACED, "another call for the same program")
        return await self._listen(program, ws, _Ears(hello.codec, microphone), microphone)

    async def _listen(
        self, program: str, ws: web.WebSocketResponse, ears: _Ears, microphone: Microphone
    ) -> web.StreamResponse:
        how, code, why = Gone.VANISHED, SILENT, f"nothing came for {SILENT_S:.0f} s"
        try:
            await ws.send_json({"ok": True})
            while True:
                async with asyncio.timeout(SILENT_S):
                    message = await ws.receive()
                if self._calls.get(program) is not ws:
                    how, code, why = Gone.REPLACED, REPLACED, "another call for the same program"
                    break
                if microphone.closed:
                    how, code, why = Gone.ENDED_HERE, ENDED, "the broadcast is over"
                    break
                if message.type is not WSMsgType.BINARY:
                    how, code, why = _left(message)
                    break
                if not ears.hear(message.data, self._clock.now_us()):
                    how, code, why = Gone.REFUSED, NO_SOUND, "what comes is no sound"
                    break
                if ears.heard % TELL_EVERY == 1:
                    await ws.send_json({"heard": ears.heard, "faults": ears.faults})
        except TimeoutError:
            pass
        except ConnectionError:
            why = "the connection broke"
        finally:
            ears.close()
            self._over(program, ws, how, why)
        return await _end(ws, code, why)

    def _over(self, program: str, ws: web.WebSocketResponse, how: Gone, why: str) -> None:
        if self._calls.get(program) is not ws:
            return
        del self._calls[program]
        log.info("microphone gone", program=program, why=why)
        if how not in (Gone.REPLACED, Gone.ENDED_HERE):
            self._gone(program, how)


def _left(message: WSMessage) -> tuple[Gone, int, str]:
    if message.type is WSMsgType.CLOSE and message.data in (1000, 1001):
        return Gone.LEFT, 1000, "the caller hung up"
    if message.type is WSMsgType.TEXT:
        return Gone.REFUSED, NO_SOUND, "text after the first message; expected sound"
    return Gone.VANISHED, SILENT, "the connection broke"


async def _end(ws: web.WebSocketResponse, code: int, why: str) -> web.WebSocketResponse:
    with contextlib.suppress(ConnectionError, RuntimeError):
        await ws.close(code=code, message=why.encode()[:120])
    return ws
