"""The feed: turns what happens below into live events, gathered and a little late, so that sound never
waits.

Laws: a listener called from below only marks what has changed (O(1), or one range of places); bodies are
made a tick later, a few milliseconds at a time, each once for all clients; with nobody watching, none at
all. Every event says what is now, so a mark may be made twice and costs one event. Runs on the loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import cache
from typing import TypeVar

from ..clock import Clock
from ..errors import NotFoundError
from ..station.speaker import SpeakerState as Admission
from ..streamer.air import Air
from ..streamer.broadcast import (
    AirEvent,
    BroadcastChanged,
    BroadcastEnded,
    BroadcastStarted,
    LevelHeard,
    OnAir,
    Overridden,
)
from ..streamer.presence import Presence, PresenceEvent, Roll, SpeakerReported
from ..streamer.territory import Territory
from .breath import Breath
from .census import Census, Standing
from .directory import Directory
from .event_hub import Client, EventHub
from .ledger import Ledger
from .live_models import (
    BroadcastEvent,
    HelloEvent,
    LevelEvent,
    ProgramEvent,
    ProgramGoneEvent,
    ReachEvent,
    SpeakersEvent,
    TerritoryEvent,
)
from .model import SpeakerState, moment
from .reach_book import ReachBook
from .reach_line import ReachLine
from .scope import Scope
from .telling import PlacesTelling, Telling, event_bytes, whole
from .view import View, speaker_state

TICK_S = 0.1
"""A meter that moves ten times a second looks alive; and an emergency's datagrams are long gone by then."""

T = TypeVar("T")
CHUNK = 100
"""Places or speakers in one event: about 0.5 ms to make, 15 KB to send."""


class Feed:
    """See the module. `attach`, then `run`; at the end `detach`."""

    def __init__(
        self,
        *,
        clock: Clock,
        clock_id: str,
        software: str,
        air: Air,
        roll: Roll,
        directory: Directory,
        census: Census,
        ledger: Ledger,
        reach_book: ReachBook,
        view: View,
        hub: EventHub,
    ) -> None:
        self._clock, self._clock_id, self._software = clock, clock_id, software
        self._air, self._roll, self._directory = air, roll, directory
        self._census, self._ledger, self._reach_book = census, ledger, reach_book
        self._view, self._hub = view, hub
        self._wake = asyncio.Event()
        self._stops: tuple[Callable[[], None], ...] = ()
        self._batch = 0
        self._broadcasts: dict[str, OnAir] = {}
        self._uncounted: dict[str, OnAir] = {}
        self._reach: set[str] = set()
        self._levels: dict[str, LevelHeard] = {}
        self._places: dict[str, None] = {}
        self._speakers: dict[str, None] = {}
        self._programs: dict[str, str] = {}
        """And the place of each, which one that is gone no longer has."""
        self._territory = False

    # --- what marks

    def on_air_event(self, event: AirEvent) -> None:
        """For `Air.subscribe`."""
        match event:
            case BroadcastStarted(on_air):
                self._ledger.begin(on_air.order)
                self._broadcasts[on_air.order.id] = self._uncounted[on_air.order.id] = on_air
            case BroadcastChanged(on_air):
                self._broadcasts[on_air.order.id] = on_air
            case BroadcastEnded(on_air):
                self._ledger.end(on_air)
                self._broadcasts[on_air.order.id] = on_air
            case LevelHeard():
                self._levels[event.broadcast] = event
            case Overridden():
                self._mark_slices(event.slices)
        self._wake.set()

    def on_presence_event(self, event: PresenceEvent) -> None:
        """For `Roll.subscribe`."""
        name = event.state.seat.id
        self._speakers[name] = None
        if isinstance(event, SpeakerReported):
            for broadcast in event.newly:
                self._reach_book.sounded(broadcast, name)
                self._reach.add(broadcast)
        self.count(name)
        self._wake.set()

    def count(self, speaker_id: str) -> None:
        """Bring the census up to date with one speaker."""
        speaker = self._directory.speakers.get(speaker_id)
        if speaker is None:
            return
        if speaker.state is not Admission.ACTIVE:
            self._census.remove(speaker_id)
            self._mark_above(speaker.place)
            return
        standing = self._roll.states.get(speaker_id)
        online = standing is not None and standing.presence is Presence.ONLINE
        faulty = online and speaker_state(standing, speaker) is SpeakerState.FAULT
        if self._census.put(speaker_id, Standing(speaker.place, online, faulty)):
            self._mark_above(speaker.place)

    def program_changed(self, program_id: str) -> None:
        """Once more before it is dropped: who may know of it is then still known."""
        program = self._directory.programs.get(program_id)
        if program is not None:
            self._programs[program_id] = program.place
        self._wake.set()

    def scopes_changed(self) -> None:
        """What people may see is not what it was."""
        self._wake.set()

    def territory_changed(self) -> None:
        """Places or speakers were added, changed, moved or removed: count again; pages read again."""
        self._census.set_territory(self._air.territory)
        self._uncounted.update({on_air.order.id: on_air for on_air in self._air.on_air()})
        self._territory = True
        self._wake.set()

    def _mark_slices(self, slices: Iterable[tuple[int, int]]) -> None:
        for a, b in slices:
            self._places.update(dict.fromkeys(self._air.territory.ids[a:b]))

    def _mark_above(self, place_id: str) -> None:
        if place_id in self._air.territory:
            self._places.update(dict.fromkeys(self._air.territory.ancestry(place_id)))

    # --- what tells

    def attach(self) -> None:
        """From now on nothing is missed."""
        self._stops = self._air.subscribe(self.on_air_event), self._roll.subscribe(self.on_presence_event)
        for on_air in self._air.on_air():
            self.on_air_event(BroadcastStarted(on_air))

    def detach(self) -> None:
        for stop in self._stops:
            stop()
        self._stops = ()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(TICK_S)
            await self.flush()

    async def flush(self) -> None:
        """Send what was marked until now."""
        self._wake.clear()
        breath = Breath()
        await self.count_ordered(breath)
        if not len(self._hub):
            self._forget()
            return
        self._hub.follow()
        if self._territory:
            self._territory = False
            changed = TerritoryEvent(version=self._directory.version)
            await self._hub.publish("territory", whole(changed), breath)
        await self._tell_air(breath)
        await self._tell_places(breath)
        await self._tell_speakers(breath)
        await self._tell_programs(breath)

    async def snapshot(self, client: Client) -> AsyncIterator[bytes]:
        """Everything as it is now, for one client."""
        breath = Breath()
        await self.count_ordered(breath)
        now = moment(self._clock.now_us())
        yield event_bytes(HelloEvent(now=now, clock_id=self._clock_id, software=self._software))
        scope = client.scope
        for on_air in self._air.on_air():
            told = self._broadcast(on_air)(scope)
            if told is not None:
                yield told
            await breath.take()
        for a, b in scope.slices:
            for chunk in _chunks(range(a, b)):
                told = self._places_at(scope.territory, chunk)(scope)
                if told is not None:
                    yield told
                await breath.take()
        if client.watching is not None:
            async for speakers in self._speakers_of(client.watching, breath):
                yield event_bytes(speakers)

    async def count_ordered(self, breath: Breath) -> None:
        """Who is to sound what has just started: off the path of the order, and once."""
        started, self._uncounted = self._uncounted, {}
        for on_air in started.values():
            territory = self._air.territory
            names: set[str] = set()
            for a, b in territory.covering(on_air.order.targets):
                for chunk in _chunks(territory.ids[a:b]):
                    names.update(speaker.id for speaker in self._directory.admitted_at(chunk))
                    await breath.take()
            self._reach_book.order(on_air.order.id, frozenset(names))
            self._reach.add(on_air.order.id)

    async def _tell_air(self, breath: Breath) -> None:
        broadcasts, self._broadcasts = self._broadcasts, {}
        for name, on_air in broadcasts.items():
            self._reach.discard(name)
            await self._hub.publish(f"broadcast:{name}", self._broadcast(on_air), breath)
        reach, self._reach = self._reach, set()
        for name in reach:
            await self._hub.publish(f"reach:{name}", self._reached(name), breath)
        levels, self._levels = self._levels, {}
        for name, level in levels.items():
            told = Telling(self._air.territory, self._targets_of(name), self._level(level))
            await self._hub.publish(f"level:{name}", told, breath)

    def _broadcast(self, on_air: OnAir) -> Telling:
        told = self._view.broadcast(on_air)
        line = self._line_of(told.id)

        def part(scope: Scope) -> BroadcastEvent:
            return BroadcastEvent(broadcast=self._view.within(told, scope, line()))

        return Telling(self._air.territory, on_air.order.targets, BroadcastEvent(broadcast=told), part)

    def _reached(self, name: str) -> Telling:
        reach, targets = self._view.reach(name), self._targets_of(name)
        line = self._line_of(name)

        def part(scope: Scope) -> ReachEvent:
            return ReachEvent(broadcast=name, reach=self._view.reach_within(line(), targets, scope))

        return Telling(self._air.territory, targets, ReachEvent(broadcast=name, reach=reach), part)

    def _line_of(self, name: str) -> Callable[[], ReachLine]:
        """Made when the first scope needs it, and once."""
        territory = self._air.territory
        return cache(lambda: self._view.reach_line(name, territory))

    def _targets_of(self, name: str) -> tuple[str, ...]:
        """Nowhere, when nobody knows it (any more)."""
        try:
            return self._air.get(name).order.targets
        except NotFoundError:
            return self._ledger.targets(name)

    def _level(self, heard: LevelHeard) -> LevelEvent:
        return LevelEvent(
            broadcast=heard.broadcast,
            rms_dbfs=round(heard.rms_dbfs, 1),
            peak_dbfs=round(heard.peak_dbfs, 1),
            clipped=heard.clipped,
            remarks=list(heard.remarks),
        )

    async def _tell_places(self, breath: Breath) -> None:
        places, self._places = self._places, {}
        territory = self._air.territory
        line = sorted(index for index in territory.locate(places) if index >= 0)
        for chunk in _chunks(line):
            await self._hub.publish(self._next_batch(), self._places_at(territory, chunk), breath)

    def _places_at(self, territory: Territory, indices: Sequence[int]) -> PlacesTelling:
        live = [self._view.place_live(territory.ids[index]) for index in indices]
        return PlacesTelling(territory, indices, live)

    async def _tell_speakers(self, breath: Breath) -> None:
        speakers, self._speakers = self._speakers, {}
        for watched in self._hub.watched:
            async for event in self._speakers_of(watched, breath, among=speakers):
                await self._hub.publish(self._next_batch(), whole(event), breath, watched=watched)

    async def _speakers_of(
        self, place_id: str, breath: Breath, among: dict[str, None] | None = None
    ) -> AsyncIterator[SpeakersEvent]:
        """The speakers at and below a place; only those `among` the given ones, if any are."""
        territory = self._air.territory
        if place_id not in territory:
            return
        a, b = territory.slice(place_id)
        names = (s.id for s in self._directory.speakers_at(territory.ids[a:b])) if among is None else among
        for chunk in _chunks(list(names)):
            known = [self._directory.speakers[name] for name in chunk if name in self._directory.speakers]
            inside = [s for s in known if s.place in territory and a <= territory.index(s.place) < b]
            await breath.take()
            if inside:
                yield SpeakersEvent(speakers=[self._view.speaker_live(speaker) for speaker in inside])

    async def _tell_programs(self, breath: Breath) -> None:
        programs, self._programs = self._programs, {}
        for name, place in programs.items():
            program = self._directory.programs.get(name)
            gone = ProgramGoneEvent(id=name)
            made = event_bytes(ProgramEvent(program=self._view.program(program)) if program else gone)

            def told(scope: Scope, place: str = place, made: bytes = made) -> bytes | None:
                return made if scope.knows(place) else None

            await self._hub.publish(f"program:{name}", told, breath)

    def _next_batch(self) -> str:
        """A key of its own: two batches hold different places, so neither stands for the other."""
        self._batch += 1
        return f"batch:{self._batch}"

    def _forget(self) -> None:
        for marked in (self._broadcasts, self._levels, self._places, self._speakers, self._programs):
            marked.clear()
        self._reach.clear()
        self._territory = False


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
