"""The process that decodes one pushed stream: hostile bytes and codec work, apart from the air.

`python -P -m loa.streamer.sources.push_worker` reads the encoder's bytes from standard input and writes
messages of `push_pipe.py` to standard output. Laws: what it holds is bounded, and it reads no further while
the node does not take what it has; it ends with its input, so with its parent; it is niced, the first to go
when memory ends, and may write no file.
"""

import asyncio
import contextlib
import os
import resource
import sys
from pathlib import Path

import av
import numpy as np

from ...codecs.frame import FRAME_SAMPLES, Pcm, silence
from ...codecs.leveller import LiveLeveller
from ...codecs.meter import LevelMeter
from .push_pipe import PushNews, build_news
from .radio_decode import StreamDecoder
from .radio_pipe import build_sound

NICENESS = 5
READ_BYTES = 16 * 1024
"""A second of the usual stream: a source that is faster is slowed by what waits before us."""
MAX_MEMORY_BYTES = 2 << 30
"""Of address space, of which 360 MB are in use while it decodes."""
FADE_IN = np.linspace(0, 1, FRAME_SAMPLES, dtype=np.float32)


class Worker(asyncio.Protocol):
    """One stream, and the protocol of the pipe to the node. `run` until its bytes end."""

    def __init__(self) -> None:
        self._leveller, self._meter = LiveLeveller(), LevelMeter()
        self._rest: Pcm = silence(0)
        self._begun = False
        self._told: PushNews | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._gone = asyncio.Event()
        self._why: str | None = None
        self._over = asyncio.Event()
        self._out: asyncio.WriteTransport | None = None
        self._decoder: StreamDecoder | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = transport  # type: ignore[assignment]  # a pipe that is written to

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.set()
        self._gone.set()
        self._over.set()

    async def run(self, data: asyncio.StreamReader) -> None:
        """Everything that comes, then why it is over."""
        decoder = self._decoder = StreamDecoder(self._sound, self._ended)
        feeding = asyncio.create_task(self._feed(decoder, data), name="bytes")
        await self._over.wait()
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
        self._tell(error=self._why or "")
        if self._out is not None:
            self._out.close()
            await self._gone.wait()

    async def _feed(self, decoder: StreamDecoder, data: asyncio.StreamReader) -> None:
        while more := await data.read(READ_BYTES):
            await self._room.wait()
            await decoder.feed(more)
            if decoder.faults or decoder.format_changes:
                self._tell()
        await decoder.finish()

    def _sound(self, pcm: Pcm) -> None:
        self._tell()
        held = np.concatenate((self._rest, pcm))
        whole = len(held) - len(held) % FRAME_SAMPLES
        for at in range(0, whole, FRAME_SAMPLES):
            self._say(held[at : at + FRAME_SAMPLES])
        self._rest = held[whole:]

    def _say(self, frame: Pcm) -> None:
        level, out = self._meter.measure(frame), self._leveller.process(frame)
        if not self._begun:
            self._begun, out = True, (out * FADE_IN).astype(np.int16)
        if self._out is not None and not self._out.is_closing():
            self._out.write(build_sound(out, level))

    def _ended(self, why: str) -> None:
        self._why = why
        self._over.set()

    def _tell(self, error: str = "") -> None:
        decoder = self._decoder
        if decoder is None or self._out is None or self._out.is_closing():
            return
        news = PushNews(decoder.codec, decoder.faults, decoder.format_changes, error[:300])
        if news != self._told:
            self._told = news
            self._out.write(build_news(news))


async def _main(out_fd: int) -> None:
    loop = asyncio.get_running_loop()
    data = asyncio.StreamReader(limit=READ_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(data), os.fdopen(0, "rb", buffering=0))
    worker = Worker()
    await loop.connect_write_pipe(lambda: worker, os.fdopen(out_fd, "wb", buffering=0))
    await worker.run(data)


def _give_way() -> None:
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # Linux only
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    out_fd = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes where errors go
    _give_way()
    av.logging.set_level(None)
    asyncio.run(_main(out_fd))
    os._exit(0)  # the decoder's thread may wait for bytes that never come


if __name__ == "__main__":
    sys.exit(main())
