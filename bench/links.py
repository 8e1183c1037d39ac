"""What one datagram to thousands of control links costs, and what it costs to have them all come back.

Our way (one prebuilt frame to each transport, in chunks) beside aiohttp's `send_bytes` to each, and beside
the floor: a bare `write(2)` of the same bytes to the same number of sockets. The receivers run on the same
machine, so a part of every figure is the kernel's work for them.

    python -m loa.bench.links 5000
"""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

from aiohttp import web

from ..clock import NodeClock
from ..streamer.admission import Enrolled
from ..streamer.link import binary_frame
from ..streamer.links import Links
from ..streamer.territory import Place, Territory
from ..trust.keys import SigningKey
from ..trust.statements import Placement, sign_statement
from ..wire.report import Report
from .link_clients import key_of, speaker_of

PLACES = 100
DATAGRAM = b"\xc1" + bytes(360)
"""As long as 60 ms of signed audio."""
VOLLEYS = 20
ACCEPTS_A_TURN = 16
"""asyncio accepts as many as its backlog in one turn of the loop; the kernel's queue is set apart from it."""


class Nobody:
    """Hears the events."""

    def linked(self, speaker_id: str) -> None: ...
    def unlinked(self, speaker_id: str) -> None: ...
    def via(self, speaker_id: str, transport: str) -> None: ...
    def reported(self, speaker_id: str, report: Report) -> None: ...


class Enrolment:
    def __init__(self, speakers: int, node: SigningKey) -> None:
        self._enrolled: dict[str, Enrolled] = {}
        for number in range(speakers):
            speaker, place = speaker_of(number), f"{number % PLACES:016x}"
            placement = sign_statement(Placement(speaker, 1, (place,), 500), node)
            self._enrolled[speaker] = Enrolled(speaker, "", place, key_of(number).public, placement)

    def find(self, speaker_id: str) -> Enrolled | None:
        return self._enrolled.get(speaker_id)


class Crowd:
    """The clients' process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._ask = cast(asyncio.StreamWriter, process.stdin)
        self._answers = cast(asyncio.StreamReader, process.stdout)

    async def ready(self) -> None:
        await self._answers.readline()

    async def received(self) -> int:
        """The first call makes them connect."""
        self._ask.write(b"?\n")
        return int(await self._answers.readline())

    async def has(self, received: int) -> None:
        while await self.received() < received:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)


@asynccontextmanager
async def crowd(port: int, count: int, path: str) -> AsyncIterator[Crowd]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loa.bench.link_clients", str(port), str(count), path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    clients = Crowd(process)
    await clients.ready()
    try:
        yield clients
    finally:
        process.kill()
        await process.wait()


async def serve(
    stack: AsyncExitStack, path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> int:
    """The port on which `handler` answers."""
    app = web.Application()
    app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    line = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, line, backlog=ACCEPTS_A_TURN).start()
    line.listen(8192)
    return int(line.getsockname()[1])


class Turns:
    """How long the loop kept a timer waiting, at worst."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + 0.001
            await asyncio.sleep(0.001)
            self.worst_s = max(self.worst_s, loop.time() - due_s)


def resident_kib() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // 1024


async def volleys(crowd: Crowd, links: int, once: Callable[[], Coroutine[None, None, None]]) -> float:
    """CPU of this process per datagram and link, in microseconds."""
    want = await crowd.received()
    spent_s = 0.0
    for _ in range(VOLLEYS):
        begun_s = time.process_time()
        await once()
        spent_s += time.process_time() - begun_s
        want += links * len(binary_frame(DATAGRAM))
        await crowd.has(want)
    return spent_s / VOLLEYS / links * 1e6


async def ours(speakers: int) -> dict[str, float]:
    key, clock = SigningKey.generate(), NodeClock()
    links = Links(
        clock=clock,
        node_key=lambda: key,
        node_id=key.public.key_id,
        grants=lambda: ["g" * 530] * 4,
        clock_id=clock.clock_id,
        roster=Enrolment(speakers, key),
        events=Nobody(),
        udp=lambda: [("", 7400)],
        greeting=lambda _place: [],
    )
    links.retarget(Territory(Place(f"{n:016x}", None, f"{n:03}", f"p{n}", "commune") for n in range(PLACES)))
    turns = Turns()
    async with AsyncExitStack() as stack:
        port = await serve(stack, "/speaker/link", links.handler)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(links.run(), name="links"), group.create_task(turns.watch(), name="turns")]
        clients = await stack.enter_async_context(crowd(port, speakers, "/speaker/link"))
        memory_kib, begun_s, cpu_s = resident_kib(), time.perf_counter(), time.process_time()
        await clients.received()
        linked_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
        memory_kib = resident_kib() - memory_kib
        handshake_ms, turns.worst_s = turns.worst_s * 1e3, 0.0

        async def once() -> None:
            links.send([(0, PLACES)], DATAGRAM, everyone=True, urgent=True)
            while links.backlog():  # noqa: ASYNC110 - asked rarely, so that asking costs nothing
                await asyncio.sleep(0.002)

        send_us = await volleys(clients, speakers, once)
        for task in tasks:
            task.cancel()
    return {
        "linked_s": linked_s,
        "cpu_us_per_handshake": cpu_s / speakers * 1e6,
        "kib_per_link": memory_kib / speakers,
        "worst_wait_ms_handshakes": handshake_ms,
        "worst_wait_ms_sending": turns.worst_s * 1e3,
        "cpu_us_per_send": send_us,
    }


async def theirs(speakers: int) -> dict[str, float]:
    """`send_bytes` to one after the other, and the same bytes by `write(2)`, to links without a handshake."""
    opened: list[tuple[web.WebSocketResponse, int]] = []

    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        opened.append((ws, ws.get_extra_info("socket").fileno()))
        await ws.receive()
        return ws

    async def by_aiohttp() -> None:
        for ws, _ in opened:
            await ws.send_bytes(DATAGRAM)

    async def by_hand() -> None:
        frame = binary_frame(DATAGRAM)
        for _, descriptor in opened:
            os.write(descriptor, frame)

    async with AsyncExitStack() as stack:
        port = await serve(stack, "/plain", handler)
        clients = await stack.enter_async_context(crowd(port, speakers, "/plain"))
        return {
            "cpu_us_per_send_bytes": await volleys(clients, speakers, by_aiohttp),
            "floor_us_per_send": await volleys(clients, speakers, by_hand),
        }


async def measure(speakers: int) -> dict[str, float]:
    """The metrics of the benchmark `links`."""
    found = await ours(speakers) | await theirs(speakers)
    ratio = found["cpu_us_per_send"] / found["floor_us_per_send"]
    return {"speakers": speakers} | found | {"ratio": ratio}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]))), indent=1))
