"""Every order to air that was ever accepted.

Laws: adding one twice, or ending one twice, changes nothing (the journal may say it again after a crash); a
broadcast stays when its program, places or issuer are gone.
"""

from collections.abc import Collection

import sqlalchemy as sa

from ..errors import NotFoundError
from ..wire.rank import BroadcastClass, Origin, Severity
from .broadcast import Broadcast
from .database import Database, pieces
from .schema import BroadcastRow


class Broadcasts:
    """Owns the table `broadcast`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, broadcast: Broadcast) -> None:
        async with self._database.write() as session:
            if await session.get(BroadcastRow, broadcast.id) is None:
                session.add(_row(broadcast))

    async def end(self, broadcast_id: str, *, at_us: int, reason: str) -> None:
        """The first end is the one that counts. NotFoundError when there never was such a broadcast."""
        async with self._database.write() as session:
            row = await session.get(BroadcastRow, broadcast_id)
            if row is None:
                raise _unknown(broadcast_id)
            if row.ended_us is None:
                row.ended_us, row.reason = at_us, reason

    async def get(self, broadcast_id: str) -> Broadcast:
        async with self._database.read() as session:
            row = await session.get(BroadcastRow, broadcast_id)
            if row is None:
                raise _unknown(broadcast_id)
            return _value(row)

    async def named(self, ids: Collection[str]) -> dict[str, Broadcast]:
        """Those of these that there are."""
        found: dict[str, Broadcast] = {}
        async with self._database.read() as session:
            for some in pieces(sorted(ids)):
                rows = await session.scalars(sa.select(BroadcastRow).where(BroadcastRow.id.in_(some)))
                found |= {row.id: _value(row) for row in rows}
        return found

    async def open(self) -> tuple[Broadcast, ...]:
        """Those that have not ended, oldest first: on air, or left so by a crash."""
        unended = (
            sa.select(BroadcastRow).where(BroadcastRow.ended_us.is_(None)).order_by(BroadcastRow.started_us)
        )
        async with self._database.read() as session:
            return tuple(_value(row) for row in await session.scalars(unended))

    async def list(self, *, before_us: int | None = None, limit: int = 100) -> tuple[Broadcast, ...]:
        """Newest first; `before_us` (the start of the last one seen) turns the page."""
        found = sa.select(BroadcastRow).order_by(BroadcastRow.started_us.desc(), BroadcastRow.id).limit(limit)
        if before_us is not None:
            found = found.where(BroadcastRow.started_us < before_us)
        async with self._database.read() as session:
            return tuple(_value(row) for row in await session.scalars(found))

    async def emergencies(self, *, since_us: int) -> tuple[Broadcast, ...]:
        """Those that began or ended since then, oldest first."""
        row = BroadcastRow
        found = sa.select(row).where(
            row.cls == int(BroadcastClass.EMERGENCY),
            (row.started_us >= since_us) | (row.ended_us >= since_us),
        )
        async with self._database.read() as session:
            return tuple(_value(one) for one in await session.scalars(found.order_by(row.started_us)))


def _unknown(broadcast_id: str) -> NotFoundError:
    return NotFoundError(f"broadcast {broadcast_id!r} does not exist; expected the id of a broadcast")


def _row(broadcast: Broadcast) -> BroadcastRow:
    return BroadcastRow(
        id=broadcast.id,
        program=broadcast.program,
        source=broadcast.source,
        title=broadcast.title,
        cls=broadcast.cls,
        severity=broadcast.severity,
        origin=broadcast.origin,
        drill=broadcast.drill,
        targets=list(broadcast.targets),
        issuer_place=broadcast.issuer_place,
        issuer_account=broadcast.issuer_account,
        resume=broadcast.resume,
        repeat=broadcast.repeat,
        chime=broadcast.chime,
        started_us=broadcast.started_us,
        expires_us=broadcast.expires_us,
        ended_us=broadcast.ended_us,
        reason=broadcast.reason,
    )


def _value(row: BroadcastRow) -> Broadcast:
    return Broadcast(
        id=row.id,
        program=row.program,
        source=row.source,
        title=row.title,
        cls=BroadcastClass(row.cls),
        severity=Severity(row.severity),
        origin=Origin(row.origin),
        drill=row.drill,
        targets=tuple(row.targets),
        issuer_place=row.issuer_place,
        issuer_account=row.issuer_account,
        resume=row.resume,
        repeat=row.repeat,
        chime=row.chime,
        started_us=row.started_us,
        expires_us=row.expires_us,
        ended_us=row.ended_us,
        reason=row.reason,
    )
