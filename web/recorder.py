"""Writes down what has happened on the air: how broadcasts ended, who was ordered to play what, who heard
what.

Laws: nothing on the air waits for it; the end of an emergency goes to the journal at once, all else to the
database a little later, in order; what it holds is bounded, and when the database stands still for long,
the play log loses its oldest lines (counted) before anything else is lost; a database that refuses is asked
again later. Runs on the loop.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..clock import Clock
from ..errors import LoaError, ProtocolError
from ..station.broadcast import Ended
from ..station.heard import Heard
from ..station.play_log import Listener
from ..station.station import Station
from ..streamer.air import Air
from ..streamer.broadcast import AirEvent, BroadcastEnded, Overridden
from ..streamer.presence import PresenceEvent, Roll, SpeakerReported
from ..wire.rank import BroadcastClass
from ..wire.report import Heard as Reported
from .directory import Directory
from .services import EmergencyLog
from .unbroken import unbroken

PATIENCE_S = 0.5
"""Gathered so long: one transaction for many reports, and none while an emergency's first packets go out."""
MAX_STEPS = 20_000
MAX_HEARD = 100_000
"""Bounds for a database that stands still: some 40 MB, about an hour of a busy province."""
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
HEARD_AT_ONCE = 500
SPEAKERS_AT_ONCE = 250
"""Rows made between two looks at the loop: about 1 ms of it."""
SEEN_EVERY_S = 60.0

log = structlog.get_logger("recorder")


@dataclass(frozen=True, slots=True)
class _Override:
    """At these places (ids) one broadcast took over from another."""

    places: tuple[str, ...]
    before: str | None
    after: str | None
    at_us: int


@dataclass(frozen=True, slots=True)
class _End:
    ended: Ended
    emergency: bool


_Step = _End | _Override


class Recorder:
    """See the module. `attach`, then `run`; at the end `detach` and `drain`."""

    def __init__(
        self,
        station: Station,
        emergencies: EmergencyLog,
        air: Air,
        roll: Roll,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._station, self._emergencies = station, emergencies
        self._air, self._roll, self._directory, self._clock = air, roll, directory, clock
        self._ended: deque[Ended] = deque()
        self._some_ended = asyncio.Event()
        self._journaling = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._stops: tuple[Callable[[], None], ...] = ()
        self._steps: deque[_Step] = deque()
        self._heard: OrderedDict[tuple[str, str, str, int], Heard] = OrderedDict()
        self._wake = asyncio.Event()
        self._seen_until_us = 0
        self.dropped = 0
        self.refused = 0
        self.retries = 0

    @property
    def waiting(self) -> int:
        """What is not written yet."""
        return len(self._ended) + len(self._steps) + len(self._heard)

    def on_air_event(self, event: AirEvent) -> None:
        match event:
            case BroadcastEnded(on_air) if on_air.ended_us is not None:
                reason = on_air.reason.name.lower() if on_air.reason else "ended"
                ended = Ended(on_air.order.id, on_air.ended_us, reason)
                emergency = on_air.order.cls is BroadcastClass.EMERGENCY
                self._put(_End(ended, emergency))
                if emergency:
                    self._ended.append(ended)
                    self._some_ended.set()
            case Overridden():
                ids = self._air.territory.ids
                places = tuple(place for a, b in event.slices for place in ids[a:b])
                self._put(_Override(places, event.before, event.after, event.at_us))

    def on_presence_event(self, event: PresenceEvent) -> None:
        if not isinstance(event, SpeakerReported) or event.state.report is None:
            return
        for reported in event.state.report.heard:
            self._hear(event.state.seat.id, reported)

    def _hear(self, speaker: str, reported: Reported) -> None:
        try:
            heard = Heard(
                broadcast=reported.broadcast,
                speaker=speaker,
                program=reported.program,
                first_media_us=reported.first_media_us,
                last_media_us=reported.last_media_us,
                frames_played=reported.frames_played,
                frames_concealed=reported.frames_concealed,
                digest=reported.digest.hex(),
                level_dbfs=reported.level_dbfs,
                started_at_us=reported.started_at_us,
                sounded_at_us=reported.sounded_at_us,
            )
        except ProtocolError:
            self.refused += 1
            return
        self._heard[heard.broadcast, speaker, heard.program, heard.first_media_us] = heard
        if len(self._heard) > MAX_HEARD:
            self._heard.popitem(last=False)
            self.dropped += 1
        self._wake.set()

    def _put(self, step: _Step) -> None:
        self._steps.append(step)
        if len(self._steps) > MAX_STEPS:
            self._drop_one()
        self._wake.set()

    def _drop_one(self) -> None:
        """The oldest line of the play log; the oldest of all if there is none."""
        oldest = next((n for n, step in enumerate(self._steps) if isinstance(step, _Override)), 0)
        del self._steps[oldest]
        self.dropped += 1

    # --- what writes

    def attach(self) -> None:
        """From now on nothing is missed."""
        self._stops = self._air.subscribe(self.on_air_event), self._roll.subscribe(self.on_presence_event)

    def detach(self) -> None:
        for stop in self._stops:
            stop()
        self._stops = ()

    async def run(self) -> None:
        """Until cancelled; then `drain` writes what is left."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._journal_ends(), name="recorder: journal")
            tasks.create_task(self._write_on(), name="recorder: play log")
            tasks.create_task(self._note_seen(), name="recorder: last seen")

    async def _journal_ends(self) -> None:
        """An alert that is over must not come back with a restart. A disk that refuses is asked again."""
        while True:
            await self._some_ended.wait()
            self._some_ended.clear()
            try:
                await self.journal_ends()
            except LoaError as error:
                self._some_ended.set()
                log.error("the journal does not take the end of an emergency", error=str(error))
                await asyncio.sleep(RETRY_S[0])

    async def journal_ends(self) -> None:
        """Every end of an emergency until now is on the disk when this returns."""
        async with self._journaling:
            while self._ended:
                ended = self._ended[0]
                await self._emergencies.ended(ended.broadcast, at_us=ended.at_us, reason=ended.reason)
                self._ended.popleft()

    async def _write_on(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            await asyncio.sleep(PATIENCE_S if not failures else RETRY_S[min(failures, len(RETRY_S)) - 1])
            try:
                await self.drain()
                failures = 0
            except (SQLAlchemyError, OSError) as error:
                failures += 1
                self.retries += 1
                log.warning("database does not take the play log", waiting=self.waiting, error=str(error))

    async def drain(self) -> None:
        """Write everything that waits, and wait for what is being written. Raises what the database raises;
        nothing is lost then.
        """
        async with self._writing:
            self._wake.clear()
            try:
                while self._steps:
                    await self._write_first()
                while self._heard:
                    await unbroken(self._write_heard(), "recorder: heard")
            except BaseException:
                self._wake.set()
                raise

    async def _write_first(self) -> None:
        step = self._steps.popleft()
        try:
            await unbroken(self._write(step), "recorder: write")
        except BaseException:
            self._steps.appendleft(step)
            raise

    async def _write(self, step: _Step) -> None:
        try:
            match step:
                case _End(ended, emergency):
                    await self._write_end(ended, emergency)
                case _Override():
                    await self._write_override(step)
        except LoaError as error:
            self.refused += 1
            log.warning("the database refuses a line", step=type(step).__name__, error=str(error))

    async def _write_end(self, ended: Ended, emergency: bool) -> None:
        """The row of an emergency follows the journal, whose log writes it."""
        await self._station.play_log.released(ended.broadcast, until_us=ended.at_us)
        if not emergency:
            await self._station.broadcasts.end(ended.broadcast, at_us=ended.at_us, reason=ended.reason)

    async def _write_override(self, step: _Override) -> None:
        """In pieces: a province made in one go would hold the loop. Half written, it is written again."""
        speakers = list(self._directory.admitted_at(step.places))
        for start in range(0, len(speakers), SPEAKERS_AT_ONCE):
            some = speakers[start : start + SPEAKERS_AT_ONCE]
            if step.before is not None:
                names = [speaker.id for speaker in some]
                await self._station.play_log.released(step.before, until_us=step.at_us, speakers=names)
            if step.after is not None:
                listeners = [Listener(speaker.id, speaker.place, speaker.name) for speaker in some]
                await self._station.play_log.ordered(step.after, listeners, from_us=step.at_us)

    async def _write_heard(self) -> None:
        names = list(islice(self._heard, HEARD_AT_ONCE))
        stretches = {name: self._heard[name] for name in names}
        await self._station.play_log.heard(stretches.values(), now_us=self._clock.now_us())
        for name, stretch in stretches.items():
            if self._heard.get(name) is stretch:
                del self._heard[name]

    async def _note_seen(self) -> None:
        while True:
            await asyncio.sleep(SEEN_EVERY_S)
            seen = {
                name: state.last_seen_us
                for name, state in self._roll.states.items()
                if state.last_seen_us is not None and state.last_seen_us > self._seen_until_us
            }
            if not seen:
                continue
            try:
                await unbroken(self._station.speakers.seen(seen), "recorder: seen")
                self._seen_until_us = max(seen.values())
            except (SQLAlchemyError, OSError) as error:
                log.warning("database does not take when speakers were seen", error=str(error))
