"""The air: what is ordered, what is on, and what follows when one thing overrides another.

Laws: the arbiter decides who wins where; `start` returns when the first datagrams have been handed to the
senders, an emergency's ahead of all else; what was beneath is back within one packet; a recording that is
overridden everywhere stands still meanwhile, a live call that is ends, a radio flows by; a radio claims its
rank when it is first heard, and is waited for as long as its order holds. Runs on the event loop's thread,
never awaits and never blocks; the pump drives it by `tick`, one grid frame at a time.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..clock import Clock
from ..codecs.frame import FRAME_US
from ..errors import ConflictError, NotFoundError, OperatorError
from ..trust.keys import SigningKey, VerifyKey
from ..wire.datagram import EndReason, targets_hash
from ..wire.rank import BroadcastClass
from .arbiter import Arbiter, Change, Claim
from .broadcast import (
    AirEvent,
    BroadcastChanged,
    BroadcastEnded,
    BroadcastStarted,
    LevelHeard,
    OnAir,
    Order,
    Overridden,
    Resume,
)
from .fanout import Parcel, Slice, Volley
from .feed import Feeds, LiveFeed
from .microphone import MicrophoneSource
from .program import Program
from .running import INLINE_TARGETS, Running, prepare
from .territory import Territory

CALL_IN_US = 30_000_000
"""How long an accepted live broadcast waits for its microphone."""

END_REPEATS_K = (2, 10, 50)
"""An end is said again after 40 ms, 200 ms and 1 s: whoever lost it would wait for audio that is over."""

LEVEL_EVERY_K = 5
"""Ten levels a second: what a moving meter needs."""

EXPIRY_EVERY_K = 5

VOLLEY_PARCELS = 32
"""About 2 ms of building and signing; then the loop has its turn."""


class Mint(Protocol):
    """Who signs for this node; a session's grant is no wider than its order."""

    def session(self, key: VerifyKey, order: Order, level: int) -> str: ...

    def priority_order(self, place_id: str, broadcasts: Sequence[str]) -> bytes:
        """The signed control message that tells speakers of a commune's own order."""
        ...


class Egress(Protocol):
    """Where datagrams go. Neither call blocks."""

    def send(self, parcels: Sequence[Parcel], *, urgent: bool) -> None:
        """To whoever listens at the parcels' places, by UDP or WebSocket."""
        ...

    def tell(self, parcel: Parcel, *, urgent: bool) -> None:
        """To every speaker with a link at the parcel's places, by UDP and by its control link."""
        ...

    def control(self, slices: Sequence[Slice], message: bytes) -> None:
        """A control message to every link at these places."""
        ...

    def list_targets(self, slices: Sequence[Slice], targets: Sequence[str], *, urgent: bool) -> None:
        """Send a list of targets ahead of the start that names it by hash."""
        ...


@dataclass(frozen=True, slots=True)
class _Farewell:
    due_k: int
    parcel: Parcel
    urgent: bool


class Air:
    """Owns the arbiter and everything on air."""

    def __init__(
        self,
        clock: Clock,
        territory: Territory,
        *,
        mint: Mint,
        egress: Egress,
        feeds: Feeds,
        packing: int = 3,
    ) -> None:
        self._clock = clock
        self._arbiter = Arbiter(territory)
        self._mint = mint
        self._egress = egress
        self._feeds = feeds
        self._packing = packing
        self._running: dict[str, Running] = {}
        self._by_program: dict[str, Running] = {}
        self._farewells: deque[_Farewell] = deque()
        self._orders: dict[str, bytes] = {}
        self._listeners: list[Callable[[AirEvent], None]] = []
        self._last_started_us = 0

    # --- what people ask

    @property
    def territory(self) -> Territory:
        return self._arbiter.territory

    def on_air(self) -> list[OnAir]:
        """Every broadcast that waits, sounds or stands still, in the order of their orders."""
        return [self._view(running) for running in self._running.values()]

    def get(self, broadcast_id: str) -> OnAir:
        return self._view(self._find(broadcast_id))

    def winning_slices(self, broadcast_id: str) -> Sequence[Slice]:
        """Where it is the highest, in the order of the line; nowhere when it is not on air."""
        return tuple(self._arbiter.segments(broadcast_id))

    def playing_at(self, place_id: str) -> OnAir | None:
        """What a speaker at this very place plays now."""
        winner = self._arbiter.winner_at(self.territory.index(place_id))
        return self._view(self._running[winner]) if winner else None

    def program_at(self, place_id: str) -> Program | None:
        """The program behind `playing_at`, for mounts."""
        if place_id not in self.territory:
            return None
        winner = self._arbiter.winner_at(self.territory.index(place_id))
        return self._running[winner].program if winner else None

    def program_of(self, broadcast_id: str) -> Program | None:
        """The program of a broadcast that is ordered or on air."""
        running = self._running.get(broadcast_id)
        return running.program if running else None

    def greeting(self, place_id: str) -> list[bytes]:
        """For a speaker that has just come: the orders of communes above it, starts of all that covers it."""
        if place_id not in self.territory:
            return []
        above = set(self.territory.ancestry(place_id))
        return [message for place, message in self._orders.items() if place in above] + [
            running.voice.greeting(running.order.id)
            for running in self._running.values()
            if not running.waiting and above.intersection(running.order.targets)
        ]

    def targets_by_hash(self, wanted: bytes) -> Sequence[str] | None:
        """The list of targets that some start on air names by this hash."""
        lists = (running.order.targets for running in self._running.values())
        return next((targets for targets in lists if targets_hash(targets) == wanted), None)

    def microphone(self, program_id: str) -> MicrophoneSource:
        """Where the sound of a live program is to be pushed."""
        running = self._by_program.get(program_id)
        if running is None or not isinstance(running.feed, MicrophoneSource):
            raise NotFoundError(f"program {program_id} is no live call that is ordered or on air")
        return running.feed

    def subscribe(self, listener: Callable[[AirEvent], None]) -> Callable[[], None]:
        """Have `listener` called with every event, on the loop; it must not block. Returns how to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- what people order

    def start(self, order: Order) -> OnAir:
        """Take an order. On air when this returns, unless it waits for its first sound."""
        self._check(order)
        now_us = self._clock.now_us()
        running = prepare(order, SigningKey.generate(), self._packing, self._feeds, now_us)
        self._running[order.id] = self._by_program[order.program_id] = running
        if running.feed is None or order.cls is BroadcastClass.EMERGENCY:
            self._go(running, now_us)
        else:
            self._emit(BroadcastStarted(self._view(running)))
        return self._view(running)

    def stop(self, broadcast_id: str, reason: EndReason = EndReason.STOPPED) -> OnAir:
        """End a broadcast now; what lies beneath is back with the next frame."""
        running = self._find(broadcast_id)
        self._end(running, self._next_k(), reason)
        return self._view(running)

    def hang_up(self, program_id: str, reason: EndReason) -> None:
        """The microphone of a live program is gone, if it is still on."""
        running = self._by_program.get(program_id)
        if running is not None:
            self._end(running, self._next_k(), reason)

    def reorder(self, place_id: str, broadcasts: Sequence[str]) -> None:
        """The commune's own order of the priority class at its places; none: first come, first served."""
        changes = self._arbiter.reorder(place_id, broadcasts)
        self._orders[place_id] = message = self._mint.priority_order(place_id, broadcasts)
        self._egress.control([self.territory.slice(place_id)], message)
        self._settle(changes, self._next_k())

    def set_territory(self, territory: Territory) -> None:
        """Places were added, renamed or moved; broadcasts whose every target is gone end."""
        self._settle(self._arbiter.retarget(territory), self._next_k())
        for running in list(self._running.values()):
            if not any(target in territory for target in running.order.targets):
                self._end(running, self._next_k(), EndReason.STOPPED)

    # --- what the pump drives

    def tick(self, k: int) -> Iterator[Volley]:
        """One frame of the grid: encode, pack, end; emergencies come first and are urgent to the last packet.

        Yields now and then so that the loop can breathe.
        """
        for running in list(self._running.values()):
            running.program.produce(k)
        self._call_in(k)
        emergencies, others = self._by_urgency()
        for some, urgent in ((emergencies, True), (others, False)):
            parcels: list[Parcel] = []
            for running in some:
                parcels += self._packed(running, k)
                if len(parcels) >= VOLLEY_PARCELS:
                    yield Volley(parcels, urgent)
                    parcels = []
            if parcels:
                yield Volley(parcels, urgent)
        self._say_farewell(k)
        self._notice(k)

    # --- how it follows

    def _by_urgency(self) -> tuple[list[Running], list[Running]]:
        emergencies = [r for r in self._running.values() if r.order.cls is BroadcastClass.EMERGENCY]
        return emergencies, [r for r in self._running.values() if r.order.cls is not BroadcastClass.EMERGENCY]

    def _packed(self, running: Running, k: int) -> list[Parcel]:
        """What of a broadcast is due at tick `k`; one that is over ends."""
        parcels: list[Parcel] = []
        while running.ended_us is None and running.voice.due(k):
            if running.program.over(running.voice.next_k):
                self._end(running, running.voice.next_k, EndReason.FINISHED)
            else:
                parcels += running.voice.pack(self._arbiter.segments)
        return parcels

    def _check(self, order: Order) -> None:
        if order.id in self._running or order.program_id in self._by_program:
            raise ConflictError(f"broadcast {order.id} is on air already")
        unknown = [target for target in order.targets if target not in self.territory]
        if not order.targets or unknown:
            what = f"unknown targets {', '.join(unknown)}" if unknown else "no target"
            raise OperatorError(f"order {order.id}: {what}; expected ids of places of this territory")
        if order.expires_us <= self._clock.now_us():
            raise OperatorError(f"order {order.id} expired at {order.expires_us} us; expected a time to come")

    def _go(self, running: Running, now_us: int) -> None:
        order, k = running.order, self._next_k()
        started_us = self._last_started_us = max(now_us, self._last_started_us + 1)
        rank = order.rank(self.territory.depth(order.issuer_place), started_us)
        running.go(rank, self._mint.session(running.voice.public, order, rank.level))
        changes = self._arbiter.start(Claim(order.id, order.program_id, rank, order.targets))
        covered = self.territory.covering(order.targets)
        urgent = order.cls is BroadcastClass.EMERGENCY
        if len(order.targets) > INLINE_TARGETS:
            self._egress.list_targets(covered, order.targets, urgent=urgent)
        running.voice.begin(k)
        if running.voice.due(k - 1):
            self._egress.send(running.voice.pack(self._arbiter.segments), urgent=urgent)
        self._egress.tell(Parcel(running.voice.greeting(order.id), covered), urgent=urgent)
        self._settle(changes, k)
        self._emit(BroadcastStarted(self._view(running)))

    def _end(self, running: Running, k: int, reason: EndReason) -> None:
        if running.ended_us is not None:
            return
        order, on_air = running.order, not running.waiting
        running.ended_us, running.reason = k * FRAME_US, reason
        if running.feed is not None:
            running.feed.close()
        del self._running[order.id], self._by_program[order.program_id]
        self._emit(BroadcastEnded(self._view(running)))
        if on_air:
            urgent = order.cls is BroadcastClass.EMERGENCY
            said = Parcel(
                running.voice.end(order.id, k * FRAME_US, reason), self.territory.covering(order.targets)
            )
            self._egress.tell(said, urgent=urgent)
            self._farewells.extend(_Farewell(k + later, said, urgent) for later in END_REPEATS_K)
            self._settle(self._arbiter.stop(order.id), k)

    def _settle(self, changes: Sequence[Change], k: int) -> None:
        """Pause what has lost its last place, wake what has won one back, end what may not wait."""
        for change in changes:
            self._emit(Overridden([(change.a, change.b)], change.before, change.after, k * FRAME_US))
        touched = dict.fromkeys(name for change in changes for name in (change.before, change.after) if name)
        for running in [self._running[name] for name in touched if name in self._running]:
            wins, sounds = self._arbiter.winning(running.order.id) > 0, running.program.running
            if sounds and not wins:
                self._silence(running, k)
            elif wins and not sounds:
                running.voice.begin(k)
            if running.ended_us is None:
                running.voice.repeat_starts()
                self._emit(BroadcastChanged(self._view(running)))

    def _silence(self, running: Running, k: int) -> None:
        if running.calls or running.order.resume is Resume.DROP:
            self._end(running, k, EndReason.REPLACED)
        else:
            running.program.pause(k, rewind=running.order.resume is Resume.RESTART)

    def _call_in(self, k: int) -> None:
        """Put on air what has been heard; give up on a call that has not, an emergency's as well."""
        now_us = self._clock.now_us()
        for running in [r for r in self._running.values() if r.feed is not None]:
            feed = running.feed
            heard = feed is not None and feed.last_heard_us is not None
            if feed is not None and feed.closed:
                self._end(running, k, EndReason.LOST)
            elif heard and running.waiting:
                self._go(running, now_us)
            elif not heard and running.calls and now_us - running.asked_us > CALL_IN_US:
                self._end(running, k, EndReason.LOST)

    def _say_farewell(self, k: int) -> None:
        due = [f for f in self._farewells if f.due_k <= k]
        for farewell in due:
            self._farewells.remove(farewell)
            self._egress.send([farewell.parcel], urgent=farewell.urgent)

    def _notice(self, k: int) -> None:
        for running in list(self._running.values()):
            if k % EXPIRY_EVERY_K == 0 and running.order.expires_us <= k * FRAME_US:
                self._end(running, k + 1, EndReason.EXPIRED)
            elif running.feed is not None and not running.waiting:
                self._notice_live(running, running.feed, k)

    def _notice_live(self, running: Running, feed: LiveFeed, k: int) -> None:
        speaks, heard = running.spoke or running.program.speaking(k), feed.title
        if (speaks, heard) != (running.spoke, running.heard):
            running.spoke, running.heard = speaks, heard
            self._emit(BroadcastChanged(self._view(running)))
        if k % LEVEL_EVERY_K == 0:
            level, name = feed.level, running.order.id
            remarks = feed.remarks if isinstance(feed, MicrophoneSource) else ()
            self._emit(LevelHeard(name, level.rms_dbfs, level.peak_dbfs, level.clipped, remarks))

    def _view(self, running: Running) -> OnAir:
        name = running.order.id
        return running.view(self._next_k() - 1, self._arbiter.winning(name), self._arbiter.covered(name))

    def _find(self, broadcast_id: str) -> Running:
        running = self._running.get(broadcast_id)
        if running is None:
            raise NotFoundError(f"broadcast {broadcast_id} is not on air (it has ended, or never was)")
        return running

    def _next_k(self) -> int:
        """The first frame of the grid that has not begun."""
        return self._clock.now_us() // FRAME_US + 1

    def _emit(self, event: AirEvent) -> None:
        for listener in list(self._listeners):
            listener(event)
