"""The speaker without its sockets, files and devices: what comes in, and what is to be done about it.

Laws: takes bytes, messages and times, returns effects to carry out in order; nothing here waits. A broadcast
sounds only after its effect `Keep` was carried out and answered with `kept`. Without network time nothing
sounds. Losing the control link changes nothing that is on air.
Pure but for the randomness it is handed; `local_us` is the monotonic clock. Owned by the agent.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..codecs.frame import FRAME_US, SAMPLE_RATE
from ..codecs.opus import PRE_SKIP
from ..errors import ProtocolError, RefusedError
from ..trust.replay import Freshness
from ..wire.control import Control as ControlMessage
from ..wire.control import Problem, TimeReply, UnknownKind, Via, Want, Welcome
from ..wire.datagram import Attached, Confirm, Cookie, Kind, Probe, build_attach, parse_datagram
from ..wire.rank import BroadcastClass
from ..wire.report import SILENCE_DBFS, Heard, Report, State, Transport
from .checks import Checks
from .delay import Delay
from .intake import Began, Event, Flowed, Intake, Lacking
from .mandate import Mandate
from .orders import Orders
from .path import Action, Endpoint, Path, SendConfirm, SendProbe, TurnTo
from .pen import Pen
from .player import Timeline
from .report import Counters, Tally
from .selector import Active, slot_after, slot_of
from .state import Memory
from .sync import TimeSync

PRE_SKIP_US = PRE_SKIP * 1_000_000 // SAMPLE_RATE
"""A decoder is this late by nature; frames are played earlier by it, so that sound lies on the grid."""

WANT_AGAIN_US = 2_000_000
"""What is lacking is asked for this often, however many starts need it."""

MAX_NEWS = 32

_ATTACHMENT = frozenset((Kind.COOKIE, Kind.ATTACHED))


@dataclass(frozen=True, slots=True)
class Say:
    """Send on the control link; pointless once it is down."""

    message: ControlMessage


@dataclass(frozen=True, slots=True)
class Send:
    """Send by UDP. The host may be empty: that of the control link."""

    endpoint: Endpoint
    data: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """Store `memory()`; then `stored` with it, and, if a broadcast is named, `kept(broadcast)`."""

    broadcast: str | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """A report is due within so long."""

    within_s: float


Effect: TypeAlias = Say | Send | Keep | Tell


@dataclass(frozen=True, slots=True)
class Gauge:
    """What the output says about itself, for a report."""

    level_dbfs: float = SILENCE_DBFS
    error_us: int = 0
    broken: bool = False


class Core:
    def __init__(
        self,
        mandate: Mandate,
        memory: Memory,
        checks: Checks,
        *,
        uniform: Callable[[float, float], float],
        number: Callable[[], int],
        born_us: int,
    ) -> None:
        """`born_us`: local time at which this process began. `uniform`, `number`: see path.Path and
        sync.TimeSync. Set `lead_us` (output.Output) when it is known.
        """
        self._uniform, self._checks = uniform, checks
        self._born_local_us = born_us
        self.lead_us = 0
        self._stored_floor_us = memory.floor_us
        self.mandate = mandate
        self.counters = Counters()
        self.freshness = Freshness(memory.floor_us)
        self.sync = TimeSync(uniform, number)
        self.path = Path(uniform)
        self.delay = Delay(0)
        self.orders = Orders(mandate, memory, self.counters, memory.floor_us)
        self._retarget()
        self.intake: Intake | None = None
        self.timeline: Timeline | None = None
        self._early = Pen()
        self._wanted_us: dict[bytes, int] = {}
        self._news: deque[Heard] = deque(maxlen=MAX_NEWS)
        self._told: dict[str, int] = {}
        self.report_s = 60.0

    # --- time

    def now_us(self, local_us: int) -> int | None:
        return self.sync.now_us(local_us)

    def sounds_at_us(self, k: int) -> int:
        """Network time at which slot `k` leaves the output."""
        return k * FRAME_US + self.delay.delay_us - PRE_SKIP_US

    def due_k(self, now_us: int) -> int:
        """The first slot whose time to be rendered has not passed."""
        return slot_after(now_us - self.delay.delay_us + PRE_SKIP_US + self.lead_us)

    @property
    def busy(self) -> bool:
        """Something is on air here, or its last sound has not been rendered."""
        if self.intake is None or self.timeline is None:
            return False
        return bool(len(self.intake.selector)) or self.timeline.tally is not None

    # --- what comes in

    def datagram(self, data: bytes, via: Transport, local_us: int) -> Sequence[Effect]:
        """From anybody."""
        if via is Transport.UDP and data[2:3] and data[2] in _ATTACHMENT:
            return self._attachment(data, local_us)
        now_us = self.now_us(local_us)
        if self.intake is None or self.timeline is None or now_us is None:
            self.counters.refused_each(self._early.hold("clock", data, local_us, "clock"))
            return ()
        if not self.busy:
            self.timeline.skip_to(self.due_k(now_us))
        return self._effects(self.intake.receive(data, now_us), via, now_us, local_us)

    def control(self, message: ControlMessage, local_us: int) -> Sequence[Effect]:
        """From the node, over the link."""
        try:
            match message:
                case Welcome():
                    return self._welcomed(message, local_us)
                case TimeReply():
                    return self._told_time(message, local_us)
                case UnknownKind(kind):
                    return [Say(Problem(f"unknown kind {kind!r}", "control link", "a kind of version 1"))]
                case _:
                    return self._ordered(message, local_us)
        except RefusedError as error:
            self.counters.refused(error.reason)
        except ProtocolError:
            self.counters.refused("malformed")
        return ()

    def unlinked(self) -> None:
        """The control link is down. What plays goes on."""
        self.sync.unlinked()

    def kept(self, broadcast: str, local_us: int) -> None:
        """The memory that was to be stored before this broadcast sounds has been stored."""
        now_us = self.now_us(local_us)
        if self.intake and self.timeline and now_us is not None:
            if not self.busy:
                self.timeline.skip_to(self.due_k(now_us))
            self.intake.arm(broadcast)
            self._listen(now_us, local_us)

    def stored(self, memory: Memory, local_us: int) -> Sequence[Effect]:
        """This memory has been stored, or the disk has failed: roots that it holds count from now on."""
        if memory.roots is None or not self.mandate.awaits(memory.roots):
            return ()
        self.orders.pin(memory.roots, self.now_us(local_us))
        self._retarget()
        self._judge_anew(local_us)
        return [Keep(), Tell(0)]

    def tick(self, local_us: int) -> Sequence[Effect]:
        """What is due by now. `due_us` says when."""
        effects: list[Effect] = []
        ask_us = self.sync.due_us()
        if ask_us is not None and ask_us <= local_us:
            effects.append(Say(self.sync.ask(local_us, playing=self.busy)))
        now_us = self.now_us(local_us)
        self.counters.refused_each(self._early.expire(local_us))
        if self.intake and now_us is not None:
            self._listen(now_us, local_us)
            self.intake.expire(now_us)
        return [*effects, *_moves(self.path.tick(local_us))]

    def due_us(self) -> int | None:
        """Local time of the next `tick` that has something to do."""
        return min((us for us in (self.sync.due_us(), self.path.due_us()) if us is not None), default=None)

    # --- what goes out

    def memory(self) -> Memory:
        return replace(self.orders.memory(), floor_us=max(self._stored_floor_us, self.freshness.floor_us))

    def report(self, local_us: int, gauge: Gauge) -> Report:
        """All that is new since the last one."""
        timeline = self.timeline
        tally = timeline.tally if timeline else None
        heard = [*self._news]
        if timeline:
            heard += [done.heard() for done in timeline.finished]
            timeline.finished.clear()
        if tally and tally.frames_played:
            heard.append(tally.heard())
        self._news.clear()
        counts = self.counters.snapshot()
        news = {name: count for name, count in counts.items() if count != self._told.get(name)}
        self._told.update(news)
        state = State.FAULT if gauge.broken else State.PLAYING if tally else State.SILENT
        return Report(
            state=state,
            via=self.path.via,
            broadcast=tally.broadcast if tally else None,
            program=tally.program if tally else None,
            level_dbfs=gauge.level_dbfs if tally else SILENCE_DBFS,
            delay_ms=(self.delay.delay_us + gauge.error_us) / 1000 if tally else None,
            offset_us=self.sync.error_us(local_us),
            counters=news,
            heard=tuple(heard),
        )

    def gain(self, cls: BroadcastClass) -> float:
        """The factor for samples of this class."""
        return self.orders.volumes.gain(cls, self.mandate.speaker, self.mandate.ancestry)

    # --- parts of it

    def _effects(
        self, events: Sequence[Event], via: Transport, now_us: int, local_us: int
    ) -> Sequence[Effect]:
        effects: list[Effect] = []
        for event in events:
            match event:
                case Began(active, silent):
                    self._news.append(Tally(active, active.from_k).heard())
                    effects.append(Tell(0))
                    if not silent:
                        effects.append(Keep(active.broadcast))
                case Flowed():
                    self._flowed(event, via, now_us, local_us)
                case Lacking():
                    effects += self._want(event, local_us)
        return effects

    def _flowed(self, flowed: Flowed, via: Transport, now_us: int, local_us: int) -> None:
        if via is Transport.UDP:
            self.path.heard_udp(local_us)
        winner = self._winner(now_us)
        if winner is None or winner.broadcast not in flowed.broadcasts or self.timeline is None:
            return
        if self.delay.arrived(flowed.newest_us, now_us + PRE_SKIP_US + self.lead_us):
            self.timeline.skip_to(self.due_k(now_us))

    def _listen(self, now_us: int, local_us: int) -> None:
        on_air = self._winner(now_us) is not None
        self.path.listening(local_us, program=on_air)
        if not on_air and not self.busy:
            self.delay.reset()

    def _winner(self, now_us: int) -> Active | None:
        """Whose datagrams the node sends here now."""
        return self.intake.selector.at(slot_of(now_us)) if self.intake else None

    def _want(self, lacking: Lacking, local_us: int) -> Sequence[Effect]:
        asked_us = self._wanted_us.get(lacking.digest)
        if asked_us is not None and local_us - asked_us < WANT_AGAIN_US:
            return ()
        if len(self._wanted_us) > MAX_NEWS:
            self._wanted_us.clear()
        self._wanted_us[lacking.digest] = local_us
        return [Say(Want(lacking.kind, lacking.digest))]

    def _attachment(self, data: bytes, local_us: int) -> Sequence[Effect]:
        try:
            message = parse_datagram(data).message
        except ProtocolError:
            self.counters.refused("malformed")
            return ()
        match message:
            case Cookie(cookie):
                return _moves(self.path.cookie(cookie, local_us))
            case Attached(cookie):
                return _moves(self.path.attached(cookie, local_us))
        return ()

    def _welcomed(self, welcome: Welcome, local_us: int) -> Sequence[Effect]:
        self.report_s = welcome.report_s
        self.orders.welcome(welcome, self.now_us(local_us))
        effects: list[Effect] = [*_moves(self.path.welcome(welcome.udp, welcome.token, local_us))]
        self._retarget()
        self._judge_anew(local_us)
        self.sync.linked(local_us)
        return [*effects, *self.tick(local_us), Keep(), Tell(0)]

    def _told_time(self, reply: TimeReply, local_us: int) -> Sequence[Effect]:
        self.mandate.check_time(reply, max(self._stored_floor_us, self.freshness.floor_us))
        self.sync.answered(reply, local_us)
        now_us = self.now_us(local_us)
        if now_us is None or self.intake is not None:
            return ()
        born_us = max(now_us - (local_us - self._born_local_us), self._stored_floor_us + 1)
        self.intake = Intake(self.mandate, self.freshness, self._checks, self.counters, born_us)
        self.orders.apply(self.intake.selector)
        self.timeline = Timeline(self.intake.selector, self.intake, self.counters, slot_after(born_us))
        self.timeline.skip_to(self.due_k(now_us))
        early = self._early.release("clock")
        events = [event for data in early for event in self.intake.receive(data, now_us)]
        return self._effects(events, Transport.WS, now_us, local_us)

    def _ordered(self, message: ControlMessage, local_us: int) -> Sequence[Effect]:
        lacking = self.orders.take(message, self.now_us(local_us))
        if lacking is None:
            return ()
        self._retarget()
        self._judge_anew(local_us)
        effects: list[Effect] = [] if lacking.transient else [Keep()]
        now_us = self.now_us(local_us)
        if self.intake is None or now_us is None:
            return effects
        for kind, digest in lacking.filled:
            events = self.intake.released(kind, digest, now_us)
            effects += self._effects(events, Transport.WS, now_us, local_us)
        return effects

    def _judge_anew(self, local_us: int) -> None:
        now_us = self.now_us(local_us)
        if self.intake is not None and now_us is not None:
            self.intake.replaced(now_us)
            self.orders.apply(self.intake.selector)

    def _retarget(self) -> None:
        placement = self.mandate.placement
        if placement and placement.latency_ms * 1000 != self.delay.target_us:
            self.delay.retarget(placement.latency_ms * 1000)


def _moves(actions: Sequence[Action]) -> list[Effect]:
    effects: list[Effect] = []
    for action in actions:
        match action:
            case SendProbe(endpoint, token):
                effects.append(Send(endpoint, build_attach(Probe(token))))
            case SendConfirm(endpoint, token, cookie):
                effects.append(Send(endpoint, build_attach(Confirm(token, cookie))))
            case TurnTo(via, why):
                effects.append(Say(Via(via, why)))
    return effects
