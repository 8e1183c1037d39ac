"""A microphone over WebSocket: the same token and the same microphone as by WebRTC."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from loa.clock import NodeClock
from loa.codecs.frame import FRAME_SAMPLES
from loa.codecs.opus import OpusEncoder
from loa.errors import DeniedError, ProtocolError
from loa.streamer.leg import Gone
from loa.streamer.microphone import MicrophoneSource
from loa.streamer.sources.ws_microphone import (
    MAX_FAULTS,
    MAX_PCM_BYTES,
    WsMicrophones,
    parse_hello,
    parse_pcm,
)

PROGRAM = "0123456789abcdef"
TOKEN = "mot-lan"
LOUD = np.full(FRAME_SAMPLES, 8000, np.int16)


@dataclass
class Place:
    """Where microphones call in, and what became of them."""

    client: TestClient[web.Request, web.Application]
    calls: WsMicrophones
    microphone: MicrophoneSource
    gone: list[Gone] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    async def call(self, codec: str = "pcm16", token: str = TOKEN) -> ClientWebSocketResponse:
        ws = await self.client.ws_connect(f"/api/v1/microphone/{PROGRAM}")
        await ws.send_json({"token": token, "codec": codec})
        return ws


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    microphone = MicrophoneSource()

    def admit(program: str, token: str | None) -> MicrophoneSource:
        if (program, token) != (PROGRAM, TOKEN):
            raise DeniedError("microphone: expected the bearer token of the order")
        return microphone

    gone: list[Gone] = []
    taken: list[str] = []
    calls = WsMicrophones(admit, lambda _program, how: gone.append(how), taken.append, NodeClock())
    app = web.Application()
    calls.add_routes(app.router)
    async with TestClient(TestServer(app)) as client:
        yield Place(client, calls, microphone, gone, taken)


async def closed(ws: ClientWebSocketResponse) -> int | None:
    """The code with which the other end closes."""
    async for message in ws:
        assert message.type is WSMsgType.TEXT
    return ws.close_code


async def heard(ws: ClientWebSocketResponse) -> None:
    """Until the other end says that it hears."""
    while "heard" not in await ws.receive_json():
        pass


def pcm() -> Callable[[], bytes]:
    return lambda: LOUD.astype("<i2").tobytes()


def opus() -> Callable[[], bytes]:
    encoder = OpusEncoder()
    return lambda: encoder.encode(LOUD)


@pytest.mark.parametrize(("codec", "sound"), [("pcm16", pcm), ("opus", opus)])
async def test_it_is_heard_and_its_end_is_told(
    place: Place, codec: str, sound: Callable[[], Callable[[], bytes]]
) -> None:
    ws, made = await place.call(codec), sound()
    assert await ws.receive_json() == {"ok": True}
    for _ in range(10):
        await ws.send_bytes(made())
    await heard(ws)
    assert place.taken == [PROGRAM]
    await ws.close()
    await until_gone(place)
    assert place.gone == [Gone.LEFT]
    assert np.concatenate([place.microphone.frame() for _ in range(8)]).any()


async def until_gone(place: Place) -> None:
    """A close is answered by what handles it, which then tells."""
    await place.calls.close()
    assert place.calls.calls == 0


@pytest.mark.parametrize(
    "first",
    ["", "nonsense", "[]", json.dumps({"token": "sai"}), json.dumps({"token": TOKEN, "codec": "mp3"})],
)
async def test_without_the_token_nothing_is_taken(place: Place, first: str) -> None:
    ws = await place.client.ws_connect(f"/api/v1/microphone/{PROGRAM}")
    await ws.send_str(first)
    await ws.send_bytes(LOUD.tobytes())
    assert await closed(ws) in (4401, 4410)
    assert place.microphone.last_heard_us is None
    assert place.gone == []


async def test_sound_before_the_token_is_refused(place: Place) -> None:
    ws = await place.client.ws_connect(f"/api/v1/microphone/{PROGRAM}")
    await ws.send_bytes(LOUD.tobytes())
    assert await closed(ws) == 4410
    assert place.microphone.last_heard_us is None


async def test_a_second_call_replaces_the_first_without_an_end(place: Place) -> None:
    first = await place.call()
    await first.receive_json()
    second = await place.call()
    await second.receive_json()
    assert await closed(first) == 4409
    await second.send_bytes(pcm()())
    await heard(second)
    assert place.gone == []
    await second.close()


async def test_a_call_by_another_way_replaces_it_without_an_end(place: Place) -> None:
    ws = await place.call()
    await ws.receive_json()
    place.calls.let_go(PROGRAM)
    await ws.send_bytes(pcm()())
    assert await closed(ws) == 4409
    assert place.gone == []


async def test_what_is_no_sound_is_counted_and_ends_the_call(place: Place) -> None:
    ws = await place.call("opus")
    await ws.receive_json()
    for _ in range(MAX_FAULTS):
        await ws.send_bytes(b"\xff" * 7)
    assert await closed(ws) == 4415
    assert place.gone == [Gone.REFUSED]


async def test_a_message_that_is_too_large_ends_the_call(place: Place) -> None:
    ws = await place.call()
    await ws.receive_json()
    await ws.send_bytes(bytes(MAX_PCM_BYTES + 2))
    assert await closed(ws) in (1009, 4408)
    assert place.gone == [Gone.VANISHED]


async def test_nobody_on_the_line_is_the_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loa.streamer.sources.ws_microphone.SILENT_S", 0.2)
    ws = await place.call()
    await ws.receive_json()
    assert await closed(ws) == 4408
    assert place.gone == [Gone.VANISHED]


async def test_when_the_broadcast_is_over_the_call_is_too(place: Place) -> None:
    ws = await place.call()
    await ws.receive_json()
    place.microphone.close()
    await ws.send_bytes(pcm()())
    assert await closed(ws) == 4410
    assert place.gone == []


@pytest.mark.parametrize("data", [b"", b"\0", bytes(MAX_PCM_BYTES + 2)])
def test_pcm_of_another_length_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        parse_pcm(data)


def test_a_hello_shows_no_token() -> None:
    assert TOKEN not in repr(parse_hello(json.dumps({"token": TOKEN, "codec": "pcm16"})))
