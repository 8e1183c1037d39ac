"""The pushes in memory, who may push, and the news of them: an encoder that calls waits for no database.

Laws: the database is written first; wrong passwords are told, remembered with the push, and allowed ever more
slowly; an event of a push says all of it as it is now, at most twice a second, to whoever may know its
place. Owned by the desk, used on the loop.
"""

import asyncio
from collections.abc import Callable, Iterator

import structlog

from ..clock import Clock
from ..errors import BusyError, DeniedError, NotFoundError
from ..station.pushes import Push
from ..station.station import Station
from ..streamer.broadcast import PushSource
from ..streamer.sources.push_door import INGEST
from ..streamer.sources.pushes import Pushes
from .breath import Breath
from .event_hub import EventHub
from .live_models import PushEvent, PushGoneEvent
from .model import moment
from .push_models import PushOut, RefusedOut, SourceState
from .rate_limit import RateLimit, address_key
from .scope import Scope
from .telling import event_bytes

GATHER_S = 0.5
USER = "source"
WRONG_BURST, WRONG_REFILL_S = 10, 10.0
"""Per address and name: a box with a wrong password shuts out itself, and no other one behind its router."""
WRONG_PAUSE_S = 1.0
MAX_WAITING = 64
"""Wrong ones that wait for their answer; beyond it they are told to come again."""

log = structlog.get_logger("push")


class PushBook:
    """See the module. Empty until `load`; `run` tells."""

    def __init__(self, station: Station, hub: EventHub, pushes: Pushes, clock: Clock) -> None:
        self._station, self._hub, self._sources, self._clock = station, hub, pushes, clock
        self._pushes: dict[str, Push] = {}
        self._by_name: dict[str, Push] = {}
        self._refused: dict[str, RefusedOut] = {}
        self._marked: dict[str, str] = {}
        """And the place of each, which one that is gone no longer has."""
        self._wake = asyncio.Event()
        self._wrong = RateLimit(WRONG_BURST, WRONG_REFILL_S)
        self._waiting = 0

    async def load(self) -> Callable[[], None]:
        """From the database. Returns how to stop listening to the sources."""
        for push in await self._station.pushes.list():
            self._keep(push)
        return self._sources.subscribe(self.changed)

    def __iter__(self) -> Iterator[Push]:
        """By title."""
        return iter(sorted(self._pushes.values(), key=lambda push: (push.title, push.id)))

    def get(self, push_id: str) -> Push | None:
        return self._pushes.get(push_id)

    def source(self, push_id: str) -> PushSource:
        """For an order. NotFoundError."""
        if push_id not in self._pushes:
            raise NotFoundError(f"push {push_id!r} does not exist, expected the id of one that does")
        return PushSource(push_id)

    def put(self, push: Push) -> None:
        self._forget(push.id)
        self._keep(push)
        self.changed(push.id)

    def drop(self, push_id: str) -> None:
        self.changed(push_id)
        self._forget(push_id)
        self._refused.pop(push_id, None)

    async def admit(self, name: str, user: str, password: str, address: str) -> str:
        """For the door: the id of the push. A wrong password is answered a second later."""
        push = self._by_name.get(name.lower())
        if push is not None and user == USER and push.opens(password):
            return push.id
        key, now_us = f"{address_key(address)} {name[:64]}", self._clock.now_us()
        wait_s = self._wrong.wait_s(key, now_us)
        if wait_s or self._waiting >= MAX_WAITING:
            raise BusyError("too many wrong passwords; expected the right one, later", wait_s or 5)
        self._wrong.spend(key, now_us)
        if push is not None:
            why = "wrong password" if user == USER else f"user {user[:40]!r}, expected {USER!r}"
            self.refused(push.id, address, why)
        log.warning("source refused", name=name[:64], address=address)
        self._waiting += 1
        try:
            await asyncio.sleep(WRONG_PAUSE_S)
        finally:
            self._waiting -= 1
        raise DeniedError(f"wrong name or password; expected the user {USER!r} and the password of the push")

    def refused(self, push_id: str, address: str, why: str) -> None:
        """Somebody could not push, or could no longer."""
        if push_id in self._pushes:
            at = moment(self._clock.now_us())
            self._refused[push_id] = RefusedOut(at=at, address=address, why=why)
            self.changed(push_id)

    def changed(self, push_id: str) -> None:
        """Something about it is to be told."""
        push = self._pushes.get(push_id)
        if push is not None:
            self._marked[push_id] = push.place
            self._wake.set()

    def out(self, push: Push) -> PushOut:
        """As it stands now."""
        return PushOut(
            id=push.id,
            place=push.place,
            name=push.name,
            title=push.title,
            path=INGEST + push.name,
            source=self._state(push.id),
            refused=self._refused.get(push.id),
            created_at=moment(push.created_us),
        )

    def _state(self, push_id: str) -> SourceState | None:
        source = self._sources.current(push_id)
        if source is None:
            return None
        return SourceState(
            since=moment(source.since_us),
            address=source.sender.address,
            agent=source.sender.agent,
            codec=source.news.codec,
            heard=source.title,
            sounding=source.sounded,
            rms_dbfs=round(source.level.rms_dbfs, 1),
            peak_dbfs=round(source.level.peak_dbfs, 1),
            clipped=source.level.clipped,
            faults=source.news.faults,
            format_changes=source.news.format_changes,
        )

    async def run(self) -> None:
        """Tell what was marked, and the level of what is pushed, until cancelled."""
        while True:
            if not self._sources.sources:
                await self._wake.wait()
            await asyncio.sleep(GATHER_S)
            self._wake.clear()
            for push in self._pushes.values() if len(self._hub) else ():
                if self._sources.current(push.id) is not None:
                    self._marked[push.id] = push.place
            marked, self._marked = self._marked, {}
            breath = Breath()
            for name, place in marked.items():
                await self._tell(name, place, breath)

    async def _tell(self, name: str, place: str, breath: Breath) -> None:
        push = self._pushes.get(name)
        made = event_bytes(PushEvent(push=self.out(push)) if push else PushGoneEvent(id=name))

        def told(scope: Scope) -> bytes | None:
            return made if scope.knows(place) else None

        await self._hub.publish(f"push:{name}", told, breath)

    def _keep(self, push: Push) -> None:
        self._pushes[push.id] = self._by_name[push.name] = push

    def _forget(self, push_id: str) -> None:
        push = self._pushes.pop(push_id, None)
        if push is not None:
            self._by_name.pop(push.name, None)
