"""A piece of the archive on its way to who asked: Ogg-Opus out of the files, or FLAC out of a process.

Laws: files are read by a thread, a few seconds at a time; FLAC is made by a niced process that ends with its
reader; only so many pieces go out at a time; who does not read is let go.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

from aiohttp import web

from ..codecs.frame import FRAME_US
from ..errors import BusyError
from ..station.archive import Archive, Run
from ..station.recordings import Slot

AT_ONCE = 8
PAGES_AT_ONCE = 10
"""Ten seconds of sound, 40 KB."""
WRITE_S = 30.0
FLAC_BYTES = 64 * 1024
FLAC_COMMAND = (sys.executable, "-P", "-m", "loa.station.flac_worker")


class Format(StrEnum):
    OPUS = "opus"
    FLAC = "flac"


MEDIA = {Format.OPUS: "audio/ogg", Format.FLAC: "audio/flac"}


class Counter:
    """How many pieces are on their way."""

    def __init__(self, most: int = AT_ONCE) -> None:
        self.now, self._most = 0, most

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """BusyError when there are as many as may be."""
        if self.now >= self._most:
            raise BusyError(f"{self.now} pieces of the archive are on their way, expected fewer", 30)
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1


COUNTER: web.AppKey[Counter] = web.AppKey("archive", Counter)


def pad(slots: Sequence[Slot], kept: Sequence[Sequence[Run]], from_us: int, until_us: int) -> list[Run]:
    """The runs of a piece, with silence where nothing aired."""
    runs, at = list[Run](), from_us // FRAME_US
    for slot, some in zip(slots, kept, strict=True):
        if slot.from_us // FRAME_US > at:
            runs.append(Run(slot.from_us // FRAME_US - at))
        runs += some
        at = slot.until_us // FRAME_US
    if until_us // FRAME_US > at:
        runs.append(Run(until_us // FRAME_US - at))
    return runs


async def send_audio(
    request: web.Request,
    archive: Archive,
    runs: Sequence[Run],
    kind: Format,
    name: str,
    dress: Callable[[web.StreamResponse], None],
) -> web.StreamResponse:
    """Answer with the sound. `dress` adds headers; `name` is that of the file, without its ending."""
    with request.app[COUNTER].one():
        ending = "opus" if kind is Format.OPUS else "flac"
        response = web.StreamResponse(
            headers={"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
        )
        response.content_type = MEDIA[kind]
        dress(response)
        await response.prepare(request)
        pieces = _ogg(archive, runs) if kind is Format.OPUS else _flac(archive, runs)
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                async with asyncio.timeout(WRITE_S):
                    await response.write(piece)
        await response.write_eof()
    return response


async def _ogg(archive: Archive, runs: Sequence[Run]) -> AsyncGenerator[bytes, None]:
    pages = archive.ogg(runs)
    while piece := await asyncio.to_thread(lambda: b"".join(islice(pages, PAGES_AT_ONCE))):
        yield piece


async def _flac(archive: Archive, runs: Sequence[Run]) -> AsyncGenerator[bytes, None]:
    process = await asyncio.create_subprocess_exec(*FLAC_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    feeding = asyncio.create_task(_feed(archive, runs, process), name="archive: flac")
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        while piece := await process.stdout.read(FLAC_BYTES):
            yield piece
        await feeding
    finally:
        feeding.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(feeding, return_exceptions=True)
        await process.communicate()


async def _feed(archive: Archive, runs: Sequence[Run], process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    packets = archive.packets(runs)

    def some() -> bytes:
        return b"".join(packet for second in islice(packets, PAGES_AT_ONCE) for packet in second)

    with contextlib.suppress(ConnectionError):
        while data := await asyncio.to_thread(some):
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.close()
