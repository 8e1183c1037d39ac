"""A door for encoders on a real port, with real workers behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import pytest
from aiohttp import web

from loa.clock import NodeClock
from loa.codecs.frame import Pcm
from loa.errors import DeniedError
from loa.streamer.sources.push_door import PushDoor, server_options
from loa.streamer.sources.push_feed import PushFeed
from loa.streamer.sources.pushes import Pushes

PASSWORD = "dung"
PUSH = "0123456789abcdef"
BASIC = "Basic c291cmNlOmR1bmc="


@dataclass
class Door:
    """The push of the name `xa`."""

    port: int
    pushes: Pushes
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"icecast://source:{PASSWORD}@127.0.0.1:{self.port}/ingest/xa"

    async def connect(self, head: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(head.replace("\n", "\r\n").encode())
        return reader, writer


class Hearing:
    """A broadcast that airs the push: takes a frame each 20 ms, as the pump does."""

    def __init__(self, feed: PushFeed) -> None:
        self.feed = feed
        self.frames: list[Pcm] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Hearing":
        self._task = asyncio.create_task(self._run(), name="hearing")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.feed.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.frames.append(self.feed.frame())
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))

    @property
    def sounding(self) -> int:
        """Frames that were no silence."""
        return sum(1 for frame in self.frames if np.abs(frame).max() > 100)

    def pitch_hz(self) -> float:
        """The strongest of the last half second."""
        last = np.concatenate(self.frames[-25:]).astype(np.float64)
        spectrum = np.abs(np.fft.rfft(last * np.hanning(len(last))))
        return float(np.argmax(spectrum) * 48_000 / len(last))


async def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    """Waits for what must come; how soon is not what is tested."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    while not true():
        assert loop.time() - begun_s < within_s, "it never came"
        await asyncio.sleep(0.02)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    pushes = Pushes(NodeClock(), idle_s=3.0, first_sound_s=10.0)

    async def admit(name: str, user: str, password: str, address: str) -> str:
        if (name, user, password) != ("xa", "source", PASSWORD):
            raise DeniedError("wrong name or password; expected the right ones")
        return PUSH

    made = Door(0, pushes)
    app = web.Application(middlewares=[server_options])
    PushDoor(admit, pushes, lambda push, _address, why: made.failed.append((push, why))).add_routes(
        app.router
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = runner.addresses[0][1]
    yield made
    pushes.close()
    await until(lambda: pushes.sources == 0)
    await runner.cleanup()
