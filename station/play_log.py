"""What every speaker was ordered to play, and what it says it played: proof, not hope.

Laws:
- an order is a stretch of time; an override cuts it, a return begins another;
- a report counts the frames of one stretch from its beginning, so a later report of the same stretch replaces
  an earlier one, the same twice changes nothing, and an earlier one that comes late is ignored;
- what is logged stays when the speaker, the place or the broadcast is gone; names are those of the time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from .database import Database, pieces, stream, upsert
from .heard import Heard
from .schema import PlayHeardRow, PlayOrderedRow


@dataclass(frozen=True, slots=True)
class Listener:
    """A speaker and where and what it was when it was ordered."""

    speaker: str
    place: str
    name: str


@dataclass(frozen=True, slots=True)
class Slice:
    """Network time; `until_us` is None while the order stands."""

    from_us: int
    until_us: int | None


@dataclass(frozen=True, slots=True)
class PlayLogEntry:
    """One speaker's part in one broadcast. `listener` is None when it reports what nobody ordered."""

    broadcast: str
    speaker: str
    listener: Listener | None
    ordered: tuple[Slice, ...]
    heard: tuple[Heard, ...]

    @property
    def frames_played(self) -> int:
        return sum(stretch.frames_played for stretch in self.heard)

    @property
    def frames_concealed(self) -> int:
        return sum(stretch.frames_concealed for stretch in self.heard)

    @property
    def sounded(self) -> bool:
        """Whether it reports to have played at least one verified frame."""
        return self.frames_played > 0


@dataclass(slots=True)
class _Gathered:
    listener: Listener | None = None
    ordered: list[Slice] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)


class PlayLog:
    """Owns the tables `play_ordered` and `play_heard`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ordered(self, broadcast: str, listeners: Iterable[Listener], *, from_us: int) -> None:
        """From `from_us` on these speakers are to play it. Saying so twice changes nothing."""
        async with self._database.write() as session:
            connection = await session.connection()
            insert = upsert(session, PlayOrderedRow).on_conflict_do_nothing()
            for some in pieces(list(listeners)):
                await connection.execute(insert, [_ordered(broadcast, from_us, one) for one in some])

    async def released(self, broadcast: str, *, until_us: int, speakers: Sequence[str] | None = None) -> None:
        """From `until_us` on these speakers (None: all) play it no more: it ended or is outranked."""
        row = PlayOrderedRow
        release = (
            sa.update(row)
            .where(row.broadcast == broadcast, row.until_us.is_(None))
            .values(until_us=sa.case((row.from_us > until_us, row.from_us), else_=until_us))
        )
        async with self._database.write() as session:
            if speakers is None:
                await session.execute(release)
                return
            for some in pieces(speakers):
                await session.execute(release.where(row.speaker.in_(some)))

    async def heard(self, stretches: Iterable[Heard], *, now_us: int) -> None:
        """Reports of any number of speakers, in one transaction."""
        async with self._database.write() as session:
            for some in pieces(list(stretches)):
                await _merge(session, some, now_us)

    async def of_broadcast(self, broadcast: str) -> tuple[PlayLogEntry, ...]:
        """One entry per speaker that was ordered to play it or reports to have played it."""
        gathered: defaultdict[str, _Gathered] = defaultdict(_Gathered)
        async with self._database.read() as session:
            await _gather(session, broadcast, gathered)
        return tuple(
            PlayLogEntry(broadcast, speaker, found.listener, tuple(found.ordered), tuple(found.heard))
            for speaker, found in gathered.items()
        )

    async def missing(self, broadcast: str) -> tuple[Listener, ...]:
        """The speakers that were ordered to play it and have not reported a single frame."""
        row, heard = PlayOrderedRow, PlayHeardRow
        sounded = sa.exists().where(
            heard.broadcast == row.broadcast, heard.speaker == row.speaker, heard.frames_played > 0
        )
        silent = (
            sa.select(row.speaker, row.place, row.name).where(row.broadcast == broadcast, ~sounded).distinct()
        )
        async with self._database.read() as session:
            return tuple([Listener(*found) async for found in stream(session, silent.order_by(row.name))])


def _ordered(broadcast: str, from_us: int, listener: Listener) -> dict[str, object]:
    return {
        "broadcast": broadcast,
        "speaker": listener.speaker,
        "from_us": from_us,
        "until_us": None,
        "place": listener.place,
        "name": listener.name,
    }


async def _merge(session: AsyncSession, stretches: Sequence[Heard], now_us: int) -> None:
    insert = upsert(session, PlayHeardRow)
    new, old = insert.excluded, PlayHeardRow
    names = (
        "last_media_us",
        "frames_played",
        "frames_concealed",
        "digest",
        "level_dbfs",
        "started_at_us",
        "sounded_at_us",
        "reported_us",
    )
    merge = insert.on_conflict_do_update(
        index_elements=[old.broadcast, old.speaker, old.program, old.first_media_us],
        set_={name: new[name] for name in names},
        where=new.frames_played + new.frames_concealed > old.frames_played + old.frames_concealed,
    )
    connection = await session.connection()
    await connection.execute(merge, [stretch.fields() | {"reported_us": now_us} for stretch in stretches])


async def _gather(session: AsyncSession, broadcast: str, into: defaultdict[str, _Gathered]) -> None:
    row = PlayOrderedRow
    orders = sa.select(row.speaker, row.place, row.name, row.from_us, row.until_us)
    async for speaker, place, name, from_us, until_us in stream(
        session, orders.where(row.broadcast == broadcast).order_by(row.name, row.speaker, row.from_us)
    ):
        into[speaker].listener = Listener(speaker, place, name)
        into[speaker].ordered.append(Slice(from_us, until_us))
    said = PlayHeardRow
    reports = sa.select(
        said.speaker,
        said.program,
        said.first_media_us,
        said.last_media_us,
        said.frames_played,
        said.frames_concealed,
        said.digest,
        said.level_dbfs,
        said.started_at_us,
        said.sounded_at_us,
    )
    async for speaker, *stretch in stream(
        session, reports.where(said.broadcast == broadcast).order_by(said.speaker, said.first_media_us)
    ):
        into[speaker].heard.append(Heard(broadcast, speaker, *stretch))
