"""The speakers that were ever enrolled.

Laws: one speaker per public key; each at a place that exists. A key that was a speaker's and is no more (it
was removed or replaced) is void for ever. Deleting a speaker leaves the play log as it is.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, NotFoundError
from .database import Database, pieces, stream
from .ids import new_id
from .schema import EnrolmentCodeRow, PlaceRow, SpeakerKeyRow, SpeakerRow
from .settings import TERRITORY_VERSION, bump
from .speaker import NewSpeaker, Nowhere, Speaker, SpeakerChange, SpeakerState, SpeakerStep, after
from .volumes import forget_volume


class Speakers:
    """Owns the tables `speaker` and `speaker_key`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, places: Iterable[str] | None = None) -> tuple[Speaker, ...]:
        """Those at exactly the given places (all when None), by name within a place."""
        order = (SpeakerRow.place, SpeakerRow.name, SpeakerRow.id)
        async with self._database.read() as session:
            if places is None:
                return tuple([_value(*row) async for row in stream(session, _select().order_by(*order))])
            found: list[Speaker] = []
            for some in pieces(sorted(set(places))):
                rows = stream(session, _select().where(SpeakerRow.place.in_(some)).order_by(*order))
                found.extend([_value(*row) async for row in rows])
            return tuple(found)

    async def get(self, speaker_id: str) -> Speaker:
        async with self._database.read() as session:
            return await get_speaker(session, speaker_id)

    async def by_key(self, public_key: str) -> Speaker | None:
        async with self._database.read() as session:
            return await speaker_by_key(session, public_key)

    async def count(self) -> Mapping[str, int]:
        """How many speakers are at each place that has any."""
        counted = sa.select(SpeakerRow.place, sa.func.count()).group_by(SpeakerRow.place)
        async with self._database.read() as session:
            return {place: count async for place, count in stream(session, counted)}

    async def add(self, new: NewSpeaker, *, now_us: int) -> Speaker:
        return (await self.add_many((new,), now_us=now_us))[0]

    async def add_many(self, news: Iterable[NewSpeaker], *, now_us: int) -> Sequence[Speaker]:
        """All or none."""
        async with self._database.write() as session:
            made = [speaker async for speaker in _add(session, list(news), now_us)]
            await bump(session, TERRITORY_VERSION)
            return made

    async def change(self, speaker_id: str, change: SpeakerChange) -> Speaker:
        fields: dict[str, object] = {
            name: value
            for name, value in (
                ("name", change.name),
                ("place", change.place),
                ("notes", change.notes),
            )
            if value is not None
        }
        if change.position is not None:
            position = (None, None) if isinstance(change.position, Nowhere) else change.position
            fields["lat"], fields["lon"] = position
        async with self._database.write() as session:
            known = await get_speaker(session, speaker_id)
            if change.place is not None:
                await _need_place(session, change.place)
                if change.place != known.place:
                    await drop_replacements(session, speaker_id)
                await bump(session, TERRITORY_VERSION)
            if fields:
                await session.execute(
                    sa.update(SpeakerRow).where(SpeakerRow.id == speaker_id).values(**fields)
                )
            return await get_speaker(session, speaker_id)

    async def step(self, speaker_id: str, step: SpeakerStep) -> Speaker:
        """ConflictError when the speaker is in no state for it (`speaker.after`)."""
        async with self._database.write() as session:
            state = after((await get_speaker(session, speaker_id)).state, step)
            await session.execute(
                sa.update(SpeakerRow).where(SpeakerRow.id == speaker_id).values(state=state.value)
            )
            return await get_speaker(session, speaker_id)

    async def delete(self, speaker_id: str, *, now_us: int) -> None:
        """Its key is void."""
        async with self._database.write() as session:
            known = await get_speaker(session, speaker_id)
            _void(session, known, now_us, "removed")
            await forget_volume(session, speaker_id)
            await session.execute(sa.delete(SpeakerRow).where(SpeakerRow.id == speaker_id))

    async def seen(self, when_us: Mapping[str, int]) -> None:
        """When speakers were last heard of, many at once; never backwards; unknown ones are ignored."""
        known: sa.BindParameter[int] = sa.bindparam("at_us", type_=sa.BigInteger)
        newer = sa.or_(SpeakerRow.last_seen_us.is_(None), SpeakerRow.last_seen_us < known)
        this = SpeakerRow.id == sa.bindparam("speaker_id", type_=sa.String)
        update = sa.update(SpeakerRow).where(this, newer).values(last_seen_us=known)
        async with self._database.write() as session:
            for some in pieces(list(when_us.items())):
                connection = await session.connection()
                await connection.execute(update, [{"speaker_id": id, "at_us": at_us} for id, at_us in some])


async def get_speaker(session: AsyncSession, speaker_id: str) -> Speaker:
    row = (await session.execute(_select().where(SpeakerRow.id == speaker_id))).one_or_none()
    if row is None:
        raise NotFoundError(f"speaker {speaker_id!r} does not exist; expected the id of an enrolled speaker")
    return _value(*row)


async def speaker_by_key(session: AsyncSession, public_key: str) -> Speaker | None:
    row = (await session.execute(_select().where(SpeakerRow.public_key == public_key))).one_or_none()
    return _value(*row) if row is not None else None


async def is_void(session: AsyncSession, public_key: str) -> bool:
    """Whether a speaker that was removed or replaced had this key."""
    return await session.get(SpeakerKeyRow, public_key) is not None


async def take_over(session: AsyncSession, speaker_id: str, new: NewSpeaker, now_us: int) -> Speaker:
    """Another device is this speaker from now on: id, place, name, notes and history stay, the old key is
    void. In the caller's transaction.
    """
    known = await get_speaker(session, speaker_id)
    await _need_free(session, (new,))
    _void(session, known, now_us, "replaced")
    await session.execute(
        sa.update(SpeakerRow)
        .where(SpeakerRow.id == speaker_id)
        .values(
            public_key=new.public_key,
            serial=new.serial,
            software=new.software,
            state=new.state.value,
            enrolled_at_us=now_us,
        )
    )
    await drop_replacements(session, speaker_id)
    return await get_speaker(session, speaker_id)


async def drop_replacements(session: AsyncSession, speaker_id: str) -> None:
    """Void the unused codes that would put another device in its place."""
    row = EnrolmentCodeRow
    await session.execute(sa.delete(row).where(row.replaces == speaker_id, row.used_at_us.is_(None)))


def _void(session: AsyncSession, speaker: Speaker, now_us: int, why: str) -> None:
    session.add(SpeakerKeyRow(public_key=speaker.public_key, speaker=speaker.id, until_us=now_us, why=why))


async def add_speaker(session: AsyncSession, new: NewSpeaker, now_us: int) -> Speaker:
    """In the caller's transaction."""
    (speaker,) = [speaker async for speaker in _add(session, (new,), now_us)]
    return speaker


async def _add(session: AsyncSession, news: Sequence[NewSpeaker], now_us: int) -> AsyncIterator[Speaker]:
    """A few hundred at a time: 10,000 in a second."""
    for place_id in sorted({new.place for new in news}):
        await _need_place(session, place_id)
    for some in pieces(news):
        await _need_free(session, some)
        made = [_made(new, now_us) for new in some]
        connection = await session.connection()
        await connection.execute(sa.insert(SpeakerRow), [_fields(speaker) for speaker in made])
        for speaker in made:
            yield speaker


def _made(new: NewSpeaker, now_us: int) -> Speaker:
    return Speaker(
        new.id or new_id(),
        new.place,
        new.name,
        new.public_key,
        new.serial,
        new.software,
        new.notes,
        new.lat,
        new.lon,
        new.state,
        now_us,
        None,
    )


def _fields(speaker: Speaker) -> dict[str, object]:
    return {name: getattr(speaker, name) for name in speaker.__slots__}


async def _need_free(session: AsyncSession, news: Sequence[NewSpeaker]) -> None:
    """ConflictError when a key or an id is that of a speaker that is there, or of two of these."""
    row = SpeakerRow
    for column, what, wanted in (
        (row.public_key, "key", [new.public_key for new in news]),
        (row.id, "id", [new.id for new in news if new.id is not None]),
    ):
        if len(set(wanted)) < len(wanted):
            raise ConflictError(f"speakers: two of {len(news)} have the same {what}; expected one each")
        known = await session.execute(sa.select(column, row.name).where(column.in_(wanted)).limit(1))
        for value, name in known:
            raise ConflictError(f"speaker {what} {value} is taken, by {name!r}; expected a new one")
    voided = sa.select(SpeakerKeyRow.public_key).where(
        SpeakerKeyRow.public_key.in_([new.public_key for new in news])
    )
    for key in await session.scalars(voided.limit(1)):
        raise ConflictError(
            f"speaker key {key} is void, its speaker was removed or replaced; expected a new one"
        )


async def _need_place(session: AsyncSession, place_id: str) -> None:
    if await session.get(PlaceRow, place_id) is None:
        raise NotFoundError(f"place {place_id!r} does not exist; expected the place where the speaker hangs")


def _select() -> sa.Select[
    str, str, str, str, str, str, str, float | None, float | None, str, int, int | None
]:
    row = SpeakerRow
    return sa.select(
        row.id,
        row.place,
        row.name,
        row.public_key,
        row.serial,
        row.software,
        row.notes,
        row.lat,
        row.lon,
        row.state,
        row.enrolled_at_us,
        row.last_seen_us,
    )


def _value(
    id: str,
    place: str,
    name: str,
    public_key: str,
    serial: str,
    software: str,
    notes: str,
    lat: float | None,
    lon: float | None,
    state: str,
    enrolled_at_us: int,
    last_seen_us: int | None,
) -> Speaker:
    return Speaker(
        id,
        place,
        name,
        public_key,
        serial,
        software,
        notes,
        lat,
        lon,
        SpeakerState(state),
        enrolled_at_us,
        last_seen_us,
    )
