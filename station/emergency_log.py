"""The emergencies' way into the database: first the journal, synced, then the acknowledgement, then the
database.

Laws:
- `started`, `ended` and `noted` return when it is in the journal; none ever waits for the database;
- at `open` whatever the journal holds and the database does not is put into it; `follow` does the same from
  then on;
- applying a record twice changes nothing, so the mark that says how far the database has come may lag, never
  lead.
State: the journal (owned) and the mark, kept in the database under the journal's own id.
"""

import asyncio
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..errors import NotFoundError
from .audit_entry import NewEntry
from .broadcast import Broadcast, Ended, build_entry, parse_entry
from .journal import Journal
from .record import Record
from .station import Station

RETRY_S = 2.0

log = structlog.get_logger("emergencies")


class EmergencyLog:
    """`await EmergencyLog.open(folder, station)`; run `follow()` in a task; `await close()`.

    `orphans` counts ends of broadcasts that neither the journal nor the database knows.
    """

    def __init__(self, journal: Journal, station: Station) -> None:
        self._journal = journal
        self._station = station
        self._news = asyncio.Event()
        self._catching_up = asyncio.Lock()
        self.orphans = 0
        self.refused = 0

    @classmethod
    async def open(cls, folder: Path, station: Station) -> "EmergencyLog":
        """Replays into the database what a crash kept from it."""
        log = cls(await Journal.open(folder), station)
        try:
            await log.catch_up()
        except BaseException:
            await log.close()
            raise
        return log

    @property
    def journal(self) -> Journal:
        return self._journal

    async def started(self, broadcast: Broadcast) -> None:
        """On the disk when it returns."""
        await self._journal.append(build_entry(broadcast))
        self._news.set()

    async def ended(self, broadcast_id: str, *, at_us: int, reason: str) -> None:
        """On the disk when it returns."""
        await self._journal.append(build_entry(Ended(broadcast_id, at_us, reason)))
        self._news.set()

    async def noted(self, entry: NewEntry) -> None:
        """For the audit log: who raised or stopped it. On the disk when it returns."""
        await self._journal.append(build_entry(entry))
        self._news.set()

    async def follow(self) -> None:
        """Keep the database up with the journal, until cancelled; a database that refuses is asked again."""
        while True:
            self._news.clear()
            try:
                await self.catch_up()
            except (SQLAlchemyError, OSError) as error:
                self.refused += 1
                log.warning("the database took no emergency from the journal", error=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            await self._news.wait()

    async def catch_up(self) -> int:
        """Put into the database what it lacks; returns how many records that were."""
        async with self._catching_up:
            mark = await self._station.settings.number(self._mark_name)
            if mark > self._journal.last:  # the disk lost what was applied: its numbers will be given again
                mark = self._journal.last
                await self._set_mark(mark)
            records = await self._journal.read(after=mark)
            for record in records:
                await self._apply(record)
            if records:
                await self._set_mark(records[-1].sequence)
                await self._journal.retire(records[-1].sequence)
            return len(records)

    async def close(self) -> None:
        await self._journal.close()

    @property
    def _mark_name(self) -> str:
        return f"journal_{self._journal.id}"

    async def _set_mark(self, sequence: int) -> None:
        await self._station.settings.set(self._mark_name, str(sequence))

    async def _apply(self, record: Record) -> None:
        entry = parse_entry(record.payload)
        if isinstance(entry, NewEntry):
            if not await self._station.audit.has(entry):
                await self._station.audit.append([entry])
            return
        if isinstance(entry, Broadcast):
            await self._station.broadcasts.add(entry)
            return
        try:
            await self._station.broadcasts.end(entry.broadcast, at_us=entry.at_us, reason=entry.reason)
        except NotFoundError:
            self.orphans += 1
