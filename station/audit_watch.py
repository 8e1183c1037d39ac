"""The node's own part in its audit log: that it began, that it ended, what a crash kept out of it, its heads.

Laws: an emergency of the last run that has no entry gets one, from what the journal brought into the
database; a head is signed at each start, every hour in which something happened, and at the end; a database
that refuses ends nothing here.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..clock import Clock
from ..errors import NotFoundError
from ..trust.keys import SigningKey
from .audit_entry import NewEntry, Scalar
from .broadcast import Broadcast
from .station import Station

NODE_START, NODE_STOP = "node_start", "node_stop"
STARTS = ("start_emergency", "resume_broadcast")
STOPS = ("stop_emergency", "stop_broadcast")
"""Operations of the API that begin and stop an emergency."""
STOPPED = "stopped"
ALL_CLEAR = "all_clear"
"""The chime of what is sounded by a stop, which has its own entry."""
SIGN_EVERY_S = 3600.0

log = structlog.get_logger("audit")


class Keys(Protocol):
    """What signs a head, and the grants by which it is believed."""

    @property
    def node(self) -> SigningKey: ...
    @property
    def grants(self) -> Sequence[str]: ...
    @property
    def other_grants(self) -> Sequence[str]: ...


class AuditWatch:
    """`begin`, when the journal has been replayed; `run` until cancelled; `end`, when all else has."""

    def __init__(self, station: Station, keys: Keys, clock: Clock, software: str) -> None:
        self._station, self._keys, self._clock, self._software = station, keys, clock, software

    async def begin(self) -> None:
        missed = await self._missed()
        key_id = self._keys.node.public.key_id
        detail: dict[str, Scalar] = {"software": self._software, "key": key_id, "recovered": len(missed)}
        began = NewEntry(at_us=self._clock.now_us(), act=NODE_START, detail=detail)
        await self._station.audit.append([*missed, began])
        await self.sign()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SIGN_EVERY_S)
            try:
                await self.sign()
            except (SQLAlchemyError, OSError) as error:
                log.warning("database does not take the head of the audit log", error=str(error))

    async def end(self) -> None:
        try:
            await self._station.audit.append([NewEntry(at_us=self._clock.now_us(), act=NODE_STOP)])
            await self.sign()
        except (SQLAlchemyError, OSError) as error:
            log.error("the audit log ends without its last entry and head", error=str(error))

    async def sign(self) -> None:
        """Sign the latest entry, if it is not signed."""
        grants = (*self._keys.grants, *self._keys.other_grants)
        await self._station.audit.sign(self._keys.node, grants, now_us=self._clock.now_us())

    async def _missed(self) -> list[NewEntry]:
        """Emergencies since the last start whose entries a crash prevented."""
        before = await self._station.audit.latest(NODE_START)
        if before is None:
            return []
        since_us, audit = before.at_us, self._station.audit
        starts = await audit.subjects(STARTS, since_us=since_us)
        stops = await audit.subjects(STOPS, since_us=since_us)
        missed: list[NewEntry] = []
        for found in await self._station.broadcasts.emergencies(since_us=since_us):
            if found.id not in starts and found.started_us >= since_us and found.chime != ALL_CLEAR:
                missed.append(await self._start(found))
            if found.id not in stops and found.reason == STOPPED and (found.ended_us or 0) >= since_us:
                missed.append(_recovered(found, "stop_emergency", found.ended_us or 0))
        return missed

    async def _start(self, found: Broadcast) -> NewEntry:
        name = ""
        if found.issuer_account is not None:
            try:
                name = (await self._station.accounts.get(found.issuer_account)).name
            except NotFoundError:
                log.warning("an emergency of an account that is gone", broadcast=found.id)
        return _recovered(found, "start_emergency", found.started_us, found.issuer_account, name)


def _recovered(found: Broadcast, act: str, at_us: int, actor: str | None = None, name: str = "") -> NewEntry:
    return NewEntry(
        at_us=at_us,
        act=act,
        actor=actor,
        actor_name=name,
        subject=found.id,
        places=found.targets,
        detail={"recovered": True, "title": found.title, "drill": found.drill},
    )
