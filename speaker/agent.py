"""One speaker at work: the core with a socket, a control link, an output and a folder.

Laws: only this file and the shells it names do I/O; each effect of the core is carried out in order; nothing
slow (disk, device) runs on the loop; whatever fails outside is counted and tried again, and what plays goes
on. Owned by whoever calls `run`.
"""

import asyncio
import random
import secrets
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import structlog

from ..codecs.opus import OpusDecoder
from ..errors import ConfigError, MediaError, ProtocolError
from ..trust.grants import ChainStore
from ..wire.control import Bye, Problem, TimeAsk, Welcome, parse_control
from ..wire.datagram import is_datagram
from ..wire.report import Transport
from .alarm import Alarm
from .checks import Checks
from .core import Core, Effect, Gauge, Keep, Say, Send, Tell
from .enrol import enrol, invited
from .link import Link
from .mandate import Mandate
from .output import Output, check_output, open_output
from .player import Player
from .playout import Playout
from .receiver import Receiver
from .report import Tally
from .state import Identity, Memory, StateFolder

SOFTWARE = "loa-speaker/1"

IDLE_REPORT_S = 600.0
"""An idle speaker has 50 MB a month; that it is there shows on its link and its UDP address."""

SOUNDED_WITHIN_S = 0.5
"""That it sounds is told within this, spread, so that ten thousand speakers do not tell it at once."""

FLOOR_EVERY_S = 10.0
"""How often what was acted on is stored while something plays."""

UNHEARD_TICK_S = 0.1
"""An output that nobody hears is rendered five slots at a time."""

SILENT_NODE_S = 20.0
"""A node that was asked for the time and said nothing for so long is gone, whatever TCP believes."""

log = structlog.get_logger("speaker")


@dataclass(frozen=True, slots=True)
class SpeakerConfig:
    """`code`: an enrolment code, or the text of its QR code, which names the node as well. `state` None:
    nothing outlives the process (simulations), and `enrolled` is given instead of a code.
    """

    node: str = ""
    state: Path | None = None
    code: str | None = field(default=None, repr=False)
    output: str = "null"
    serial: str = ""
    tls: ssl.SSLContext | bool = True
    sample_every: int = 0
    enrolled: tuple[Identity, Memory] | None = None

    def __post_init__(self) -> None:
        check_output(self.output)
        if (self.state is None) == (self.enrolled is None):
            raise ConfigError("speaker: expected a state folder, or an identity that was given")
        if self.node and not self.node.startswith(("http://", "https://")):
            raise ConfigError(f"--node {self.node!r}: expected a URL that begins with http:// or https://")


@dataclass(frozen=True, slots=True)
class Commons:
    """What speakers of one process share: the work of checking the same bytes."""

    checks: Checks
    store: ChainStore | None = None


class SpeakerAgent:
    def __init__(self, config: SpeakerConfig, commons: Commons | None = None) -> None:
        self._config = config
        self._commons = commons or Commons(Checks())
        self._folder = StateFolder(config.state) if config.state else None
        self._playing, self._timer, self._telling = Alarm(), Alarm(), Alarm()
        self._storing, self._resolving = Alarm(), Alarm()
        self._keep: deque[str] = deque()
        self._tell_at_s: float | None = None
        self._told_at_s = 0.0
        self._heard_at_s = self._asked_at_s = 0.0
        self._sounding: Tally | None = None
        self._peer = ""
        self._problem: Problem | None = None
        self._core: Core | None = None

    @property
    def core(self) -> Core:
        """What it knows; for tests and simulations. There is none before `run` has the identity."""
        if self._core is None:
            raise ConfigError("speaker: not running yet")
        return self._core

    async def run(self) -> None:
        """Until cancelled. ConfigError (in a group, once it runs) for what only an operator can mend."""
        if self._folder:
            await asyncio.to_thread(self._folder.lock)
        try:
            identity, memory = await self._identity()
            await self._work(identity, memory)
        finally:
            if self._folder:
                self._folder.unlock()

    # --- before it works

    async def _identity(self) -> tuple[Identity, Memory]:
        config, folder = self._config, self._folder
        if config.enrolled:
            return config.enrolled
        assert folder is not None  # noqa: S101 - SpeakerConfig has seen to it
        if not folder.enrolled and config.code:
            invitation = invited(config.code)
            node = config.node or invitation.node
            if not node:
                raise ConfigError("no --node: to enrol, expected the URL of the node that made the code")
            key = await asyncio.to_thread(folder.enrolling_key)
            identity, memory = await enrol(node, invitation.code, key, config.serial, SOFTWARE, config.tls)
            await asyncio.to_thread(folder.save_memory, memory)
            await asyncio.to_thread(folder.save_identity, identity)
            log.info("enrolled", speaker=identity.speaker, node=node)
            return identity, memory
        return await asyncio.to_thread(lambda: (folder.load_identity(), folder.load_memory()))

    async def _work(self, identity: Identity, memory: Memory) -> None:
        mandate = Mandate(identity.speaker, identity.roots, self._commons.store)
        self._core = core = Core(
            mandate,
            memory,
            self._commons.checks,
            uniform=random.uniform,
            number=lambda: secrets.randbits(63),
            born_us=local_us(),
        )
        output = await asyncio.to_thread(open_output, self._config.output, lambda: core.now_us(local_us()))
        core.lead_us = output.lead_us
        self._receiver = Receiver(core.counters, self._datagram)
        self._link = self._make_link(identity, core)
        heard = output.wants_sound or self._config.sample_every
        player = Player(OpusDecoder, self._garbage) if heard else None
        self._playout = Playout(core, output, player, sample_every=self._config.sample_every)
        self._receiver.start(asyncio.get_running_loop())
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, work in (
                    ("link", self._link.run()),
                    ("timer", self._run_timer(core)),
                    ("play", self._run_playout(core, output)),
                    ("tell", self._run_reports(core, output)),
                    ("store", self._run_store(core)),
                    ("resolve", self._run_resolve()),
                ):
                    tasks.create_task(work, name=f"speaker-{name}")
        finally:
            self._receiver.close()
            if (now_us := core.now_us(local_us())) is not None:
                output.idle(now_us)
            output.close()
            if player:
                player.close()

    def _make_link(self, identity: Identity, core: Core) -> Link:
        url = urlsplit(self._config.node or identity.node)
        return Link(
            urlunsplit((url.scheme, url.netloc, identity.link, "", "")),
            identity.speaker,
            identity.key,
            handler=self,
            counters=core.counters,
            uniform=random.uniform,
            software=SOFTWARE,
            audio_output=self._config.output.partition(":")[0],
            tls=self._config.tls,
        )

    # --- the link's handler

    async def opened(self, peer: str) -> None:
        self._peer = peer
        self._heard_at_s = asyncio.get_running_loop().time()
        self._asked_at_s = 0.0

    async def heard(self, data: bytes) -> Bye | None:
        at_us = local_us()
        self._heard_at_s = asyncio.get_running_loop().time()
        if is_datagram(data):
            self._carry_out(self.core.datagram(data, Transport.WS, at_us))
            return None
        try:
            message = parse_control(data)
        except ProtocolError as error:
            self.core.counters.refused("malformed")
            log.warning("control message refused", error=str(error))
            return None
        match message:
            case Bye():
                return message
            case Problem():
                self._complain(message)
            case Welcome():
                self._link.welcomed()
                if self._receiver.aim(message.udp, self._peer):
                    self._resolving.ring()
                self._carry_out(self.core.control(message, at_us))
            case _:
                self._carry_out(self.core.control(message, at_us))
                self._playing.ring()
        return None

    def _complain(self, problem: Problem) -> None:
        """Once: what is wrong is still wrong at the next try."""
        if problem != self._problem:
            log.warning(
                "node sees a problem", what=problem.what, where=problem.where, expected=problem.expected
            )
        self._problem = problem

    def closed(self) -> None:
        self.core.unlinked()
        self._timer.ring()

    # --- what comes in, what goes out

    def _datagram(self, data: bytes) -> None:
        self._carry_out(self.core.datagram(data, Transport.UDP, local_us()))

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say(message):
                    self._link.say(message)
                    if isinstance(message, TimeAsk):
                        self._asked_at_s = asyncio.get_running_loop().time()
                case Send(endpoint, data):
                    self._receiver.send(endpoint, data)
                case Keep(broadcast):
                    self._store_soon(broadcast)
                case Tell(within_s):
                    self._tell(within_s)
        if effects:
            self._timer.ring()

    def _store_soon(self, broadcast: str | None) -> None:
        if broadcast is not None:
            if self._folder is None:
                self._kept(broadcast)
                return
            self._keep.append(broadcast)
        self._storing.ring()

    def _kept(self, broadcast: str) -> None:
        self.core.kept(broadcast, local_us())
        self._playing.ring()
        self._timer.ring()

    def _tell(self, within_s: float) -> None:
        at_s = asyncio.get_running_loop().time() + within_s
        if self._tell_at_s is None or at_s < self._tell_at_s:
            self._tell_at_s = at_s
            self._telling.ring()

    def _garbage(self, error: MediaError) -> None:
        self.core.counters.add("garbage")
        log.warning("verified packet does not decode", error=str(error))

    # --- the tasks

    async def _run_timer(self, core: Core) -> None:
        """Questions for the time, keep-alives, fall-backs: what the core does at its own times."""
        loop = asyncio.get_running_loop()
        while True:
            due = [] if (due_us := core.due_us()) is None else [due_us / 1_000_000]
            if self._link.up and self._asked_at_s > self._heard_at_s:
                due.append(self._asked_at_s + SILENT_NODE_S)
            await self._timer.wait(min(due, default=None))
            self._carry_out(core.tick(local_us()))
            if self._asked_at_s > self._heard_at_s and loop.time() > self._asked_at_s + SILENT_NODE_S:
                self._link.cut()
                self._asked_at_s = 0.0

    async def _run_playout(self, core: Core, output: Output) -> None:
        loop = asyncio.get_running_loop()
        least_s = 0.0 if output.wants_sound else UNHEARD_TICK_S
        idle_s = 1.0 if output.wants_sound else None
        while True:
            now_us = core.now_us(local_us())
            if now_us is None:
                await self._playing.wait(loop.time() + 1.0)
                continue
            due_us = self._playout.step(now_us)
            self._after_step(core)
            if due_us is None:
                output.idle(now_us)
                await self._playing.wait(None if idle_s is None else loop.time() + idle_s)
            else:
                await asyncio.sleep(max((due_us - now_us) / 1_000_000, least_s))

    def _after_step(self, core: Core) -> None:
        timeline = core.timeline
        if timeline is None:
            return
        if timeline.finished:
            self._tell(0)
        tally = timeline.tally
        if tally is not self._sounding and (tally is None or tally.frames_played):
            self._sounding = tally
            if tally:
                self._tell(random.uniform(0, SOUNDED_WITHIN_S))  # noqa: S311 - spreads load, hides nothing

    async def _run_reports(self, core: Core, output: Output) -> None:
        loop = asyncio.get_running_loop()
        while True:
            every_s = core.report_s if core.busy else max(core.report_s, IDLE_REPORT_S)
            due_s = self._told_at_s + every_s
            if self._tell_at_s is not None:
                due_s = min(due_s, self._tell_at_s)
            rung = await self._telling.wait(due_s)
            if rung and (self._tell_at_s is None or self._tell_at_s > loop.time()):
                continue
            self._tell_at_s, self._told_at_s = None, loop.time()
            if self._link.up:
                gauge = Gauge(self._playout.level_dbfs, output.error_us, output.broken)
                self._link.say(core.report(local_us(), gauge))

    async def _run_store(self, core: Core) -> None:
        """Keeps what must outlive a restart. A disk that fails does not silence an alert."""
        loop = asyncio.get_running_loop()
        while True:
            await self._storing.wait(loop.time() + FLOOR_EVERY_S if core.busy else None)
            due, self._keep = self._keep, deque()
            memory = core.memory()
            if self._folder:
                try:
                    await asyncio.to_thread(self._folder.save_memory, memory)
                except ConfigError as error:
                    core.counters.add("unstored")
                    log.error("state not stored", error=str(error))
            self._carry_out(core.stored(memory, local_us()))
            for broadcast in due:
                self._kept(broadcast)

    async def _run_resolve(self) -> None:
        """Names of edges, beside everything else: a name server may take its time."""
        while True:
            await self._resolving.wait(None)
            await self._receiver.resolve()


def local_us() -> int:
    """The monotonic clock of this machine."""
    return time.monotonic_ns() // 1000
