"""All radios on air at this node: one worker process each, however many broadcasts relay it.

Laws: nothing a worker does reaches the air but 20 ms of sound at a time; one that crashes, falls silent on
its pipe or talks nonsense is ended and begun again, with a growing pause; the last broadcast that lets go
ends it. Owned by the node; used on the loop.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType

import structlog

from ...clock import Clock
from ...codecs.frame import FRAME_SAMPLES, Pcm, silence
from ...codecs.meter import SILENT, Level
from ...errors import BusyError, ConflictError, OperatorError, PeerError, ProtocolError
from ..broadcast import RadioSource
from ..jitter import JitterBounds, JitterFifo
from .radio_pipe import (
    HEAD,
    QUIET,
    SOUND,
    Job,
    RadioState,
    build_job,
    parse_head,
    parse_sound,
    parse_state,
)
from .radio_reach import Network

COMMAND = (sys.executable, "-P", "-m", "loa.streamer.sources.radio_worker")
MAX_RADIOS = 64
"""A worker takes some 70 MB and 3 % of a core."""
MAX_TRIES = 2
TRY_S = 20.0
STALL_S = 10.0
"""A worker says something each 20 ms once it has sounded, and its state before; this long it is stuck."""
PAUSES_S = (0.5, 2.0, 5.0, 15.0, 30.0)
_BEFORE_FIRST_S = 60.0

PIPE_BOUNDS = JitterBounds(start=2880, most=9600, capacity=24_000)
"""60 ms: worker and node share a clock, and only the scheduler comes between them."""

log = structlog.get_logger("radio")


class RadioFeed:
    """A radio as one broadcast hears it."""

    def __init__(self, clock: Clock, let_go: Callable[["RadioFeed"], None]) -> None:
        self.last_heard_us: int | None = None
        self.level: Level = SILENT
        self.closed = False
        self.title = ""
        self._fifo = JitterFifo(PIPE_BOUNDS)
        self._clock, self._let_go = clock, let_go

    @property
    def delay_samples(self) -> int:
        return self._fifo.held_samples

    def push(self, pcm: Pcm, level: Level | None) -> None:
        """20 ms from the worker; `level` None: it has none to give."""
        self._fifo.push(pcm)
        self.level = level or SILENT
        if level is not None:
            self.last_heard_us = self._clock.now_us()

    def frame(self) -> Pcm:
        return silence(FRAME_SAMPLES) if self.closed else self._fifo.frame()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._let_go(self)


class _Relay:
    """One worker and who listens to it."""

    def __init__(self, source: RadioSource) -> None:
        self.source = source
        self.feeds: list[RadioFeed] = []
        self.task: asyncio.Task[None] | None = None
        self.state = RadioState()
        self.restarts = 0


class Radios:
    """`run` first; then `feed` for each broadcast."""

    def __init__(
        self, clock: Clock, private: Sequence[Network] = (), command: Sequence[str] = COMMAND
    ) -> None:
        self._clock, self._private, self._command = clock, tuple(private), tuple(command)
        self._relays: dict[tuple[str, tuple[str, ...]], _Relay] = {}
        self._states: dict[str, RadioState] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._group: asyncio.TaskGroup | None = None
        self._trying = 0
        self.restarts = 0

    @property
    def states(self) -> Mapping[str, RadioState]:
        """By radio: how those stand that are on air."""
        return MappingProxyType(self._states)

    def subscribe(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Called with the radio's id when its state has changed; must not block."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def run(self) -> None:
        """Until cancelled; every worker ends with it."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for relay in self._relays.values():
                    self._begin(relay)
                await asyncio.Event().wait()
        finally:
            self._group = None

    def feed(self, source: RadioSource) -> RadioFeed:
        """What this radio sounds like; its worker begins with the first."""
        key = source.radio, source.addresses
        relay = self._relays.get(key)
        if relay is None:
            if len(self._relays) >= MAX_RADIOS:
                raise ConflictError(f"{MAX_RADIOS} radios are on air, expected no more")
            relay = self._relays[key] = _Relay(source)
            self._begin(relay)
        feed = RadioFeed(self._clock, lambda gone: self._let_go(key, gone))
        feed.title = relay.state.title
        relay.feeds.append(feed)
        return feed

    async def find_out(self, address: str) -> RadioState:
        """What an address is, by a worker of its own. BusyError when two are at it."""
        if self._trying >= MAX_TRIES:
            raise BusyError("addresses are being tried already; expected one at a time", 5)
        self._trying += 1
        job, what = Job((address,), self._private, once=True), f"address {address[:80]!r}"
        try:
            async with asyncio.timeout(TRY_S), self._worker(job) as worker:
                kind, body = await _message(worker)
                if kind in (SOUND, QUIET):
                    raise ProtocolError("worker's sound; expected its state")
                return parse_state(body)
        except TimeoutError as error:
            raise OperatorError(f"{what}: no answer in {TRY_S:.0f} s; expected sound") from error
        except (asyncio.IncompleteReadError, PeerError) as error:
            raise OperatorError(f"{what}: it stopped the decoder; expected sound") from error
        finally:
            self._trying -= 1

    # --- one relay

    def _begin(self, relay: _Relay) -> None:
        if self._group is not None:
            relay.task = self._group.create_task(self._supervise(relay), name=f"radio {relay.source.radio}")

    def _let_go(self, key: tuple[str, tuple[str, ...]], feed: RadioFeed) -> None:
        relay = self._relays[key]
        relay.feeds.remove(feed)
        if not relay.feeds:
            del self._relays[key]
            if relay.task is not None:
                relay.task.cancel()
            self._states.pop(relay.source.radio, None)
            self._tell(relay.source.radio)

    async def _supervise(self, relay: _Relay) -> None:
        while True:
            begun_us = self._clock.now_us()
            try:
                await self._relay(relay)
            except (asyncio.IncompleteReadError, TimeoutError, ProtocolError, OSError) as error:
                log.warning("a radio's worker ended", radio=relay.source.name, error=str(error))
            steady = self._clock.now_us() - begun_us > STALL_S * 1e6
            relay.restarts = 1 if steady else relay.restarts + 1
            self.restarts += 1
            await asyncio.sleep(PAUSES_S[min(relay.restarts, len(PAUSES_S)) - 1])

    async def _relay(self, relay: _Relay) -> None:
        async with self._worker(Job(relay.source.addresses, self._private)) as worker:
            patience_s = _BEFORE_FIRST_S
            while True:
                async with asyncio.timeout(patience_s):
                    kind, body = await _message(worker)
                if kind in (SOUND, QUIET):
                    patience_s = STALL_S
                    pcm, level = parse_sound(body) if kind == SOUND else (silence(FRAME_SAMPLES), None)
                    for feed in relay.feeds:
                        feed.push(pcm, level)
                else:
                    self._note(relay, parse_state(body))

    def _note(self, relay: _Relay, state: RadioState) -> None:
        relay.state = self._states[relay.source.radio] = state
        for feed in relay.feeds:
            feed.title = state.title
        self._tell(relay.source.radio)

    def _tell(self, radio: str) -> None:
        for listener in list(self._listeners):
            listener(radio)

    @contextlib.asynccontextmanager
    async def _worker(self, job: Job) -> AsyncIterator[Process]:
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        try:
            if process.stdin is not None:
                process.stdin.write(build_job(job))
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
