"""What aired: recordings of programs, and which of them won where and when.

Laws: a change is written once and stays true: from its time on, until the next change that concerns the
place, this won there; adding a recording twice changes nothing. Owns the tables `recording` and `aired`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from ..codecs.frame import FRAME_US
from ..wire.rank import BroadcastClass
from .database import Database, upsert
from .source_schema import AiredRow, RecordingRow


@dataclass(frozen=True, slots=True)
class Recording:
    """Packets of a program, from grid number `first_k` on. `until_us` is None while it is being written."""

    program: str
    first_k: int
    broadcast: str
    cls: BroadcastClass
    file: str
    frames: int = 0
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """From `at_us` on this won at `place`, and at all below it if `whole`. None is silence."""

    place: str
    whole: bool
    at_us: int
    broadcast: str | None
    program: str | None


@dataclass(frozen=True, slots=True)
class Slot:
    """What a place was given to hear, from and until."""

    from_us: int
    until_us: int
    broadcast: str
    program: str


class Recordings:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, recording: Recording) -> None:
        row = RecordingRow
        new = {
            "program": recording.program,
            "first_k": recording.first_k,
            "broadcast": recording.broadcast,
            "cls": int(recording.cls),
            "file": recording.file,
            "frames": recording.frames,
            "until_us": recording.until_us,
        }
        async with self._database.write() as session:
            await session.execute(
                upsert(session, row)
                .values(**new)
                .on_conflict_do_nothing(index_elements=["program", "first_k"])
            )

    async def finish(self, program: str, first_k: int, frames: int) -> None:
        """It is whole now. One without a frame is forgotten."""
        row = RecordingRow
        one = (row.program == program, row.first_k == first_k)
        async with self._database.write() as session:
            if not frames:
                await session.execute(sa.delete(row).where(*one))
                return
            until_us = (first_k + frames) * FRAME_US
            await session.execute(sa.update(row).where(*one).values(frames=frames, until_us=until_us))

    async def unfinished(self) -> tuple[Recording, ...]:
        return await self._found(RecordingRow.until_us.is_(None))

    async def of_programs(
        self, programs: Sequence[str], from_us: int, until_us: int
    ) -> tuple[Recording, ...]:
        """Those that hold something of this time, earliest first."""
        row = RecordingRow
        return await self._found(
            row.program.in_(programs),
            row.first_k < -(-until_us // FRAME_US),
            row.until_us.is_(None) | (row.until_us > from_us),
        )

    async def oldest(
        self, limit: int, *, before_us: int | None = None, emergencies: bool
    ) -> tuple[Recording, ...]:
        """Whole ones that ended before then, emergencies or all others, earliest first."""
        row = RecordingRow
        urgent = row.cls == int(BroadcastClass.EMERGENCY)
        ended = row.until_us.is_not(None) if before_us is None else row.until_us < before_us
        return await self._found(urgent if emergencies else ~urgent, ended, limit=limit)

    async def frames(self) -> int:
        """How many all recordings have together."""
        async with self._database.read() as session:
            return int(await session.scalar(sa.select(sa.func.sum(RecordingRow.frames))) or 0)

    async def remove(self, recordings: Sequence[Recording]) -> None:
        row = RecordingRow
        async with self._database.write() as session:
            for one in recordings:
                await session.execute(
                    sa.delete(row).where(row.program == one.program, row.first_k == one.first_k)
                )

    async def changed(self, changes: Sequence[Change]) -> None:
        async with self._database.write() as session:
            session.add_all(
                AiredRow(
                    place=change.place,
                    whole=change.whole,
                    at_us=change.at_us,
                    broadcast=change.broadcast,
                    program=change.program,
                )
                for change in changes
            )

    async def forget_changes(self, before_us: int) -> None:
        """Older ones than then."""
        async with self._database.write() as session:
            await session.execute(sa.delete(AiredRow).where(AiredRow.at_us < before_us))

    async def slots(self, ancestry: Sequence[str], from_us: int, until_us: int) -> tuple[Slot, ...]:
        """What won at the last place of `ancestry` (root first) in this time, in order."""
        row = AiredRow
        concerns = (row.place == ancestry[-1]) | (row.place.in_(ancestry) & row.whole)
        columns = sa.select(row.at_us, row.broadcast, row.program).where(concerns)
        before = columns.where(row.at_us <= from_us).order_by(row.at_us.desc(), row.number.desc()).limit(1)
        within = columns.where(row.at_us > from_us, row.at_us < until_us).order_by(row.at_us, row.number)
        async with self._database.read() as session:
            found = [*(await session.execute(before)), *(await session.execute(within))]
        slots: list[Slot] = []
        if not found:
            return ()
        ends = [at_us for at_us, _, _ in found[1:]] + [until_us]
        for (at_us, broadcast, program), end_us in zip(found, ends, strict=True):
            begin_us = max(at_us, from_us)
            if broadcast is None or program is None or begin_us >= end_us:
                continue
            if slots and slots[-1].program == program and slots[-1].until_us == begin_us:
                begin_us = slots.pop().from_us
            slots.append(Slot(begin_us, end_us, broadcast, program))
        return tuple(slots)

    async def _found(self, *where: ColumnElement[bool], limit: int | None = None) -> tuple[Recording, ...]:
        rows = sa.select(RecordingRow).where(*where).order_by(RecordingRow.first_k).limit(limit)
        async with self._database.read() as session:
            return tuple(_value(row) for row in await session.scalars(rows))


def _value(row: RecordingRow) -> Recording:
    return Recording(
        program=row.program,
        first_k=row.first_k,
        broadcast=row.broadcast,
        cls=BroadcastClass(row.cls),
        file=row.file,
        frames=row.frames,
        until_us=row.until_us,
    )
