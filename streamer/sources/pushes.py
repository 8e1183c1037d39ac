"""All encoders that push to this node: one worker process per connection, however many broadcasts air it.

Laws: a source takes the place of the one before it when it is first heard, so whoever listens notices no
more than a fade; one that gives no sound, falls silent on its line or talks nonsense ends and says why;
nothing a worker does reaches the air but 20 ms of sound at a time; what is held is bounded, and a source
that is faster than time is slowed by its own line. Owned by the node; used on the loop.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from ...clock import Clock
from ...codecs.frame import FRAME_SAMPLES
from ...codecs.meter import SILENT, Level
from ...errors import BusyError, ProtocolError
from .push_feed import Allowance, PushFeed
from .push_pipe import PushNews, parse_news
from .radio_icy import clean_title
from .radio_pipe import HEAD, SOUND, STATE, parse_head, parse_sound

COMMAND = (sys.executable, "-P", "-m", "loa.streamer.sources.push_worker")
MAX_SOURCES = 64
"""A worker takes 70 MB (33 of them its own) and 3 to 4 % of a core here, for MP3 at 128 kb/s."""
IDLE_S = 10.0
"""Icecast's own limit; an encoder that is alive sends something within a second."""
FIRST_SOUND_S = 15.0
TAKEN_OVER = "a newer source of the same name has taken over"
ENDED = "the stream ended"

log = structlog.get_logger("push")

Read = Callable[[], Awaitable[bytes]]
"""Some bytes as they come; none at the end, however the connection ended."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who pushes: its address and what it calls itself."""

    address: str
    agent: str = ""


@dataclass(eq=False)
class Source:
    """One connection. `over` is set when it is to end, `why` says why."""

    sender: Sender
    since_us: int
    title: str = ""
    level: Level = SILENT
    news: PushNews = field(default_factory=PushNews)
    sounded: bool = False
    why: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, why: str) -> None:
        """The first reason counts."""
        if not self.over.is_set():
            self.why = why
            self.over.set()


@dataclass
class _Standing:
    """One push: who sounds, who is about to, and who listens."""

    current: Source | None = None
    newcomer: Source | None = None
    feeds: list[PushFeed] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        return self.current is None and self.newcomer is None and not self.feeds


class Pushes:
    """See the module. `feed` for each broadcast, `receive` for each connection."""

    def __init__(
        self,
        clock: Clock,
        command: Sequence[str] = COMMAND,
        *,
        idle_s: float = IDLE_S,
        first_sound_s: float = FIRST_SOUND_S,
    ) -> None:
        self._clock, self._command = clock, tuple(command)
        self._idle_s, self._first_sound_s = idle_s, first_sound_s
        self._standings: dict[str, _Standing] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._sources = 0
        self._closed = False
        self.takeovers = 0

    def current(self, push: str) -> Source | None:
        """Who sounds there now, or is about to if nobody does."""
        standing = self._standings.get(push)
        return (standing.current or standing.newcomer) if standing else None

    @property
    def sources(self) -> int:
        return self._sources

    def subscribe(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Called with the push's id when its state has changed; must not block."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def feed(self, push: str) -> PushFeed:
        """What this push sounds like to one broadcast."""
        standing = self._standing(push)
        title = standing.current.title if standing.current else ""
        feed = PushFeed(lambda gone: self._let_go(push, gone), title)
        standing.feeds.append(feed)
        return feed

    def name_title(self, push: str, title: str) -> None:
        """What its encoder says it plays."""
        standing = self._standings.get(push)
        source = (standing.newcomer or standing.current) if standing else None
        if standing is None or source is None:
            return
        source.title = clean_title(title)
        if source is standing.current:
            for feed in standing.feeds:
                feed.title = source.title
        self._tell(push)

    def end(self, push: str, why: str) -> None:
        """Send its sources away: its password is another one, or it is gone."""
        standing = self._standings.get(push)
        for source in (standing.current, standing.newcomer) if standing else ():
            if source is not None:
                source.end(why)

    def close(self) -> None:
        """The node stops."""
        self._closed = True
        for push in list(self._standings):
            self.end(push, "the server stops")

    async def receive(self, push: str, sender: Sender, read: Read) -> Source:
        """A source, from its first byte to its end. BusyError when there are too many."""
        if self._sources >= MAX_SOURCES or self._closed:
            raise BusyError(f"{self._sources} sources push already, expected fewer", 10)
        source, standing = Source(sender, self._clock.now_us()), self._standing(push)
        if standing.newcomer is not None:
            standing.newcomer.end(TAKEN_OVER)
        standing.newcomer = source
        self._sources += 1
        self._tell(push)
        try:
            async with self._worker() as worker, asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._give(source, worker, read), name="push bytes"),
                    group.create_task(self._hear(push, source, worker), name="push sound"),
                    group.create_task(self._watch(source), name="push watch"),
                ]
                await source.over.wait()
                for task in tasks:
                    task.cancel()
        finally:
            source.end("the connection was given up")
            self._sources -= 1
            self._leave(push, source)
        log.info("source gone", push=push, address=sender.address, why=source.why)
        return source

    # --- one connection

    async def _give(self, source: Source, worker: Process, read: Read) -> None:
        """The encoder's bytes to the worker, no faster than it takes them."""
        if worker.stdin is None:
            return source.end("its worker has no pipe")
        try:
            while True:
                async with asyncio.timeout(self._idle_s):
                    data = await read()
                if not data:
                    break
                worker.stdin.write(data)
                await worker.stdin.drain()
            worker.stdin.close()
        except TimeoutError:
            source.end(f"nothing came for {self._idle_s:.0f} s, expected sound all the time")
        except (BrokenPipeError, ConnectionResetError):
            return None  # the worker is gone: who hears it says why
        return None

    async def _hear(self, push: str, source: Source, worker: Process) -> None:
        allowance, now_us = Allowance(self._clock.now_us()), self._clock.now_us
        try:
            while True:
                kind, body = await _message(worker)
                if kind == SOUND:
                    self._sound(push, source, body)
                    await asyncio.sleep(allowance.take(FRAME_SAMPLES, now_us()))
                elif kind == STATE:
                    source.news = parse_news(body)
                    self._tell(push)
        except (asyncio.IncompleteReadError, ProtocolError) as error:
            said = source.news.error or (str(error) if isinstance(error, ProtocolError) else "")
            unheard = "" if source.sounded else "no sound was in it"
            source.end(said or unheard or ENDED)

    def _sound(self, push: str, source: Source, body: bytes) -> None:
        pcm, source.level = parse_sound(body)
        standing, now_us = self._standing(push), self._clock.now_us()
        if not source.sounded:
            source.sounded = True
            self._take_over(push, standing, source)
        if standing.current is source:
            for feed in standing.feeds:
                feed.push(pcm, now_us)

    def _take_over(self, push: str, standing: _Standing, source: Source) -> None:
        before, standing.current, standing.newcomer = standing.current, source, None
        if before is not None:
            self.takeovers += 1
            before.end(TAKEN_OVER)
        for feed in standing.feeds:
            feed.part()
            feed.title = source.title
        log.info("source heard", push=push, address=source.sender.address, codec=source.news.codec)
        self._tell(push)

    async def _watch(self, source: Source) -> None:
        await asyncio.sleep(self._first_sound_s)
        if not source.sounded:
            source.end(f"no sound came within {self._first_sound_s:.0f} s")

    # --- who is there

    def _standing(self, push: str) -> _Standing:
        return self._standings.setdefault(push, _Standing())

    def _leave(self, push: str, source: Source) -> None:
        standing = self._standing(push)
        if standing.current is source:
            standing.current = None
            for feed in standing.feeds:
                feed.part()
                feed.title = ""
        if standing.newcomer is source:
            standing.newcomer = None
        self._forget(push, standing)
        self._tell(push)

    def _let_go(self, push: str, feed: PushFeed) -> None:
        standing = self._standing(push)
        standing.feeds.remove(feed)
        self._forget(push, standing)

    def _forget(self, push: str, standing: _Standing) -> None:
        if standing.idle:
            self._standings.pop(push, None)

    def _tell(self, push: str) -> None:
        for listener in list(self._listeners):
            listener(push)

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[Process]:
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def _message(worker: Process) -> tuple[bytes, bytes]:
    if worker.stdout is None:
        raise ProtocolError("worker has no pipe")
    kind, length = parse_head(await worker.stdout.readexactly(HEAD.size))
    return kind, await worker.stdout.readexactly(length)
