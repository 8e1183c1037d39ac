"""The desk: everything the handlers work with, and the web's own background work.

Laws: made once by `create_app`; `load` before the first request, `run` until the end. It gives the rooms
below the news of an edit in one order: database, directory, air and roll, the rest of the network, the
pages.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..codecs.marks import encode_signals
from ..errors import LoaError, NotFoundError
from ..station.act import Act
from ..station.content import ContentEvent
from ..station.programs import ProgramState
from ..station.speaker import Speaker
from ..streamer.broadcast import AirEvent, BroadcastEnded
from ..streamer.presence import Seat
from .audit_trail import AuditTrail
from .authority import RoleAuthority
from .census import Census
from .challenges import Challenges
from .costly import CostlyRoutes
from .directory import Directory
from .event_hub import EventHub
from .expiry import ExpiryWatch
from .feed import Feed
from .known_browsers import KnownBrowsers
from .ledger import Ledger
from .log_in_guard import LogInGuard
from .push_book import PushBook
from .radio_book import RadioBook
from .rate_limit import RateLimit
from .reach_book import ReachBook
from .recorder import Recorder
from .recordings import Recordings
from .services import Services
from .session_book import SessionBook
from .unbroken import unbroken
from .view import View

ENROL_BURST, ENROL_REFILL_S = 30, 2.0
"""A technician enrols a commune's clusters from behind one address; 80 random bits need no more than this."""

RESTART_S = 1.0

log = structlog.get_logger("web")


class Desk:
    """See the module. `document` is the OpenAPI document as bytes."""

    def __init__(self, services: Services, document: bytes = b"{}") -> None:
        self.services, self.document = services, document
        self.restarts = 0
        self._stops: list[Callable[[], None]] = []
        self._editing = asyncio.Lock()
        self._settled: set[str] = set()
        self._some_settled = asyncio.Event()
        self.clock, self.station, self.air, self.roll = (
            services.clock,
            services.station,
            services.air,
            services.roll,
        )
        self.directory = Directory(services.station)
        self.census = Census(services.air.territory)
        self.ledger = Ledger()
        self.reach_book = ReachBook()
        self.hub = EventHub(lambda person: self.authority.scope(person, Act.SEE))
        self.view = View(
            self.air,
            self.roll,
            self.directory,
            self.census,
            self.ledger,
            self.reach_book,
            self.services.content.progress,
        )
        self.radios = RadioBook(self.station, services.relays, self.hub)
        self.pushes = PushBook(self.station, self.hub, services.pushes, self.clock)
        self.feed = self._make_feed()
        self.recorder = Recorder(
            self.station, services.emergencies, self.air, self.roll, self.directory, self.clock
        )
        self.recordings = Recordings(services.clip)
        self.sessions = SessionBook(services.station, services.clock)
        self.trail = AuditTrail(services.station.audit, services.clock)
        self.log_ins = LogInGuard(services.clock)
        self.challenges = Challenges()
        self.browsers = KnownBrowsers(self.station.key("browsers"))
        self.people = asyncio.Lock()
        """One edit of somebody's account after the other."""
        self.expiry = ExpiryWatch(services)
        self.enrolments = RateLimit(ENROL_BURST, ENROL_REFILL_S)
        self.costly = CostlyRoutes(services.clock)
        self.authority = RoleAuthority(self.station.roles, self.directory, self.air)

    def _make_feed(self) -> Feed:
        return Feed(
            clock=self.services.clock,
            clock_id=self.services.clock_id,
            software=self.services.software,
            air=self.air,
            roll=self.roll,
            directory=self.directory,
            census=self.census,
            ledger=self.ledger,
            reach_book=self.reach_book,
            view=self.view,
            hub=self.hub,
        )

    async def load(self) -> None:
        """Read what the database holds; the roll learns the rest. From here on nothing is missed."""
        await self.directory.load()
        self._stops.append(await self.radios.load())
        self._stops.append(await self.pushes.load())
        await self.station.roles.ensure()
        self._stops.append(await self.authority.load())
        self._stops.append(self.authority.subscribe(self.feed.scopes_changed))
        await asyncio.to_thread(encode_signals)
        for speaker in self.directory.speakers.values():
            if speaker.id not in self.roll.states:
                self.roll.enrol(seat_of(speaker))
        self.census.set_territory(self.air.territory)
        for name in self.directory.speakers:
            self.feed.count(name)
        self.feed.attach()
        self.recorder.attach()
        self._stops.append(self.air.subscribe(self._on_air))
        self._stops.append(self.services.content.subscribe(self._on_content))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, work in (
                ("web feed", self.feed.run),
                ("web radios", self.radios.run),
                ("web pushes", self.pushes.run),
                ("web recorder", self.recorder.run),
                ("web sessions", self.sessions.run),
                ("web content", self._follow_content),
                ("web expiry", self.expiry.run),
                ("audit trail", self.trail.run),
            ):
                tasks.create_task(self._supervise(name, work), name=name)

    async def close(self) -> None:
        """After `run`: write what is left."""
        for stop in self._stops:
            stop()
        self.feed.detach()
        self.recorder.detach()
        self.recordings.close()
        try:
            await self.recorder.journal_ends()
            await self.recorder.drain()
        except (LoaError, SQLAlchemyError, OSError) as error:
            log.error("lines of the play log are lost", lines=self.recorder.waiting, error=str(error))
        try:
            await self.trail.drain()
        except (SQLAlchemyError, OSError) as error:
            log.error("entries of the audit log are lost", entries=self.trail.waiting, error=str(error))

    def _on_air(self, event: AirEvent) -> None:
        """A microphone whose broadcast is over may call in no more."""
        if isinstance(event, BroadcastEnded):
            self.services.tokens.revoke(event.on_air.order.program_id)

    def _on_content(self, event: ContentEvent) -> None:
        if event.state is not ProgramState.PREPARING:
            self._settled.add(event.program)
            self._some_settled.set()
        self.feed.program_changed(event.program)

    async def _follow_content(self) -> None:
        """Programs that are ready, or have failed, as the database has them."""
        while True:
            await self._some_settled.wait()
            self._some_settled.clear()
            for name in list(self._settled):
                try:
                    program = await unbroken(self.station.programs.get(name), "web content: read")
                    self.directory.put_program(program)
                    self.feed.program_changed(name)
                except NotFoundError:
                    self.feed.program_changed(name)
                    self.directory.drop_program(name)
                self._settled.discard(name)

    async def _supervise(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """A part that fails is told, counted and begun again: sound does not depend on it."""
        while True:
            try:
                await work()
            except Exception as error:
                self.restarts += 1
                log.error("a part of the web failed and begins again", part=name, exc_info=error)
            await asyncio.sleep(RESTART_S)

    def air_has(self, broadcast_id: str) -> bool:
        """Whether it is on air, paused, or waits for its microphone."""
        return self.ledger.playing(broadcast_id) is not None

    async def places_changed(self) -> None:
        """The database has other places than before. One edit after the other: the last one stands."""
        async with self._editing:
            territory = await self.directory.reload_places()
            self.air.set_territory(territory)
            await self.services.network.places_changed(territory, self.directory.places)
            self.feed.territory_changed()

    def speaker_changed(self, speaker: Speaker) -> None:
        """The database has enrolled, renamed or moved it."""
        self.directory.put_speaker(speaker)
        self.roll.enrol(seat_of(speaker))
        self.services.network.speaker_changed(speaker)
        self.feed.territory_changed()

    def speaker_removed(self, speaker_id: str) -> None:
        self.directory.drop_speaker(speaker_id)
        self.census.remove(speaker_id)
        self.services.network.speaker_removed(speaker_id)
        self.roll.remove(speaker_id)
        self.feed.territory_changed()


def seat_of(speaker: Speaker) -> Seat:
    return Seat(speaker.id, speaker.place, speaker.name)
