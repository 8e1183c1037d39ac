"""The places and every path they have or ever had.

Laws:
- one root; no circles; at most `MAX_DEPTH` levels below the root;
- a path that a place ever had leads to that place for as long as the place exists, whoever is renamed or
  moved: no other place is ever given it. When a derived slug would break this, it gets a number; when an
  asked-for one would, the request is refused;
- a place with places or speakers in it is not deleted.
"""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, NotFoundError, OperatorError
from .database import Database, pieces, stream
from .ids import new_id
from .place import MAX_DEPTH, NewPlace, Place, PlaceChange, Unchanged, depth_first
from .schema import PlaceRow, PlaceSlugRow, SpeakerRow
from .settings import TERRITORY_VERSION, Settings, bump
from .slug import MAX_PATH_CHARS, candidates, derives_from, normal_path, slugify


class Places:
    """Owns the tables `place` and `place_slug`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[Place, ...]:
        """All of them, depth first, siblings by position."""
        async with self._database.read() as session:
            return depth_first([_value(*row) async for row in stream(session, _select())])

    async def get(self, place_id: str) -> Place:
        async with self._database.read() as session:
            return await _get(session, place_id)

    async def resolve(self, text: str) -> str | None:
        """The place that has this id, or has or ever had this path; None when nobody did."""
        async with self._database.read() as session:
            if await session.get(PlaceRow, text) is not None:
                return text
            found = sa.select(PlaceSlugRow.place).where(PlaceSlugRow.path == normal_path(text))
            return await session.scalar(found)

    async def paths(self) -> Mapping[str, str]:
        """Every path, present and past, and its place: for who must resolve without waiting."""
        async with self._database.read() as session:
            rows = stream(session, sa.select(PlaceSlugRow.path, PlaceSlugRow.place))
            return {path: place async for path, place in rows}

    async def version(self) -> int:
        """Goes up with each change of the tree or of a speaker's place."""
        return await Settings(self._database).number(TERRITORY_VERSION)

    async def add(self, new: NewPlace, *, now_us: int) -> Place:
        return (await self.add_many((new,), now_us=now_us))[0]

    async def add_many(self, news: Iterable[NewPlace], *, now_us: int) -> Sequence[Place]:
        """All or none, in the order given, so that a parent may come before its children."""
        async with self._database.write() as session:
            made = [await _add(session, new, now_us) for new in news]
            await bump(session, TERRITORY_VERSION)
            return made

    async def change(self, place_id: str, change: PlaceChange, *, now_us: int) -> Place:
        async with self._database.write() as session:
            before = await _get(session, place_id)
            parent = await _new_parent(session, before, change.parent)
            fields = _changed_fields(change)
            if parent is not None and change.position is None and parent.id != before.parent:
                fields["position"] = await _next_position(session, parent.id)
            slug = await _readdress(session, before, change, parent, now_us)
            await session.execute(
                sa.update(PlaceRow)
                .where(PlaceRow.id == place_id)
                .values(slug=slug, parent=parent.id if parent else None, **fields)
            )
            await bump(session, TERRITORY_VERSION)
            return await _get(session, place_id)

    async def delete(self, place_id: str) -> None:
        """Its paths are free afterwards, and enrolment codes that were to lead there are void."""
        async with self._database.write() as session:
            place = await _get(session, place_id)
            if place.parent is None:
                raise ConflictError(
                    f"place {place.name!r} is the root of the territory; it cannot be deleted"
                )
            for row, what in ((PlaceRow.parent, "places"), (SpeakerRow.place, "speakers")):
                inside = await session.scalar(sa.select(sa.func.count()).where(row == place_id))
                if inside:
                    raise ConflictError(
                        f"place {place.name!r} ({place.path}) has {inside} {what} in it; expected none"
                    )
            await session.execute(sa.delete(PlaceRow).where(PlaceRow.id == place_id))
            await bump(session, TERRITORY_VERSION)


def _select() -> sa.Select[str, str | None, str, str, str, int, int | None, str | None, str]:
    row = PlaceRow
    columns = sa.select(
        row.id,
        row.parent,
        row.name,
        row.slug,
        row.kind,
        row.position,
        row.latency_ms,
        row.profile,
        PlaceSlugRow.path,
    )
    return columns.join(PlaceSlugRow, sa.and_(PlaceSlugRow.place == row.id, PlaceSlugRow.until_us.is_(None)))


def _value(
    id: str,
    parent: str | None,
    name: str,
    slug: str,
    kind: str,
    position: int,
    latency_ms: int | None,
    profile: str | None,
    path: str,
) -> Place:
    return Place(id, parent, name, slug, kind, position, latency_ms, profile, path, path.count("/"))


async def _get(session: AsyncSession, place_id: str) -> Place:
    row = (await session.execute(_select().where(PlaceRow.id == place_id))).one_or_none()
    if row is None:
        raise NotFoundError(
            f"place {place_id!r} does not exist; expected the id of a place of this territory"
        )
    return _value(*row)


async def _next_position(session: AsyncSession, parent: str | None) -> int:
    last = await session.scalar(sa.select(sa.func.max(PlaceRow.position)).where(PlaceRow.parent == parent))
    return 0 if last is None else last + 1


async def _add(session: AsyncSession, new: NewPlace, now_us: int) -> Place:
    place_id = new.id or new_id()
    if await session.get(PlaceRow, place_id) is not None:
        raise ConflictError(f"place id {place_id} is taken; expected a new one")
    parent = await _get(session, new.parent) if new.parent is not None else None
    if parent is None and (
        root := await session.scalar(sa.select(PlaceRow.name).where(PlaceRow.parent.is_(None)))
    ):
        raise ConflictError(f"place {new.name!r}: the territory has its root, {root!r}; expected a parent")
    position = new.position if new.position is not None else await _next_position(session, new.parent)
    path = await _free_path(
        session, place_id, parent, new.slug, slugify(new.name) or place_id, {"": place_id}
    )
    session.add(
        PlaceRow(
            id=place_id,
            parent=new.parent,
            name=new.name,
            slug=path.rpartition("/")[2],
            kind=new.kind,
            position=position,
            latency_ms=new.latency_ms,
            profile=new.profile,
        )
    )
    await session.flush()
    session.add(PlaceSlugRow(path=path, place=place_id, since_us=now_us, until_us=None))
    await session.flush()
    return await _get(session, place_id)


def _changed_fields(change: PlaceChange) -> dict[str, object]:
    fields: dict[str, object] = {
        name: value
        for name, value in (("name", change.name), ("kind", change.kind), ("position", change.position))
        if value is not None
    }
    if not isinstance(change.latency_ms, Unchanged):
        fields["latency_ms"] = change.latency_ms
    if not isinstance(change.profile, Unchanged):
        fields["profile"] = change.profile
    return fields


async def _new_parent(session: AsyncSession, place: Place, wanted: str | None) -> Place | None:
    """The place it will hang under: as before when nothing else is wanted. Refuses circles."""
    if wanted is None:
        return await _get(session, place.parent) if place.parent is not None else None
    parent = await _get(session, wanted)
    if place.parent is None:
        raise ConflictError(
            f"place {place.name!r} is the root of the territory; it cannot be put under another"
        )
    if parent.id == place.id or parent.path.startswith(place.path + "/"):
        raise ConflictError(f"place {place.name!r} cannot be put under {parent.name!r}, which is inside it")
    return parent


async def _readdress(
    session: AsyncSession, place: Place, change: PlaceChange, parent: Place | None, now_us: int
) -> str:
    """Give the place and all inside it the paths that follow from the change; returns the place's slug."""
    base = place.slug
    if change.name is not None and change.name != place.name:
        derived = slugify(change.name) or place.id
        base = place.slug if derives_from(place.slug, derived) else derived
    inside = await _inside(session, place)
    path = await _free_path(session, place.id, parent, change.slug, base, inside)
    if path != place.path:
        await _move_paths(session, {path + ending: owner for ending, owner in inside.items()}, now_us)
    return path.rpartition("/")[2]


async def _inside(session: AsyncSession, place: Place) -> dict[str, str]:
    """Each place inside (itself included): what follows the place's own path in its path, and its id."""
    now = PlaceSlugRow.until_us.is_(None)
    below = PlaceSlugRow.path.startswith(place.path + "/", autoescape=True)
    rows = stream(session, sa.select(PlaceSlugRow.path, PlaceSlugRow.place).where(now, below))
    return {"": place.id} | {path[len(place.path) :]: owner async for path, owner in rows}


async def _free_path(
    session: AsyncSession,
    place_id: str,
    parent: Place | None,
    asked: str | None,
    base: str,
    inside: Mapping[str, str],
) -> str:
    """A path under `parent` such that it and all `inside` are free or their own: exactly `asked`, or near
    `base`.
    """
    above = f"{parent.path}/" if parent else ""
    for slug in (asked,) if asked is not None else candidates(base):
        path = above + slug
        _check_size(path, inside)
        taken = await _taken(session, {path + ending: owner for ending, owner in inside.items()})
        if taken is None:
            return path
    raise ConflictError(
        f"slug {asked!r} of place {place_id}: the address {taken!r} is or was that of another place; "
        "expected a free one (leave it out to have one derived from the name)"
    )


def _check_size(path: str, inside: Mapping[str, str]) -> None:
    if path.count("/") + max(ending.count("/") for ending in inside) > MAX_DEPTH:
        raise OperatorError(
            f"place {path!r}: the territory would be more than {MAX_DEPTH} levels deep below its root"
        )
    if len(path) + max(map(len, inside)) > MAX_PATH_CHARS:
        raise OperatorError(
            f"place {path!r}: an address would have more than {MAX_PATH_CHARS} characters; shorten slugs"
        )


async def _taken(session: AsyncSession, wanted: Mapping[str, str]) -> str | None:
    """The first of the `wanted` paths that leads, or once led, to another place than its owner."""
    for some in pieces(list(wanted)):
        rows = await session.execute(
            sa.select(PlaceSlugRow.path, PlaceSlugRow.place).where(PlaceSlugRow.path.in_(some))
        )
        for path, owner in rows:
            if wanted[path] != owner:
                return path
    return None


async def _move_paths(session: AsyncSession, wanted: Mapping[str, str], now_us: int) -> None:
    """Retire the present paths of the owners and begin (or begin again) the `wanted` ones."""
    for some in pieces(list(wanted)):
        owners = [wanted[path] for path in some]
        row = PlaceSlugRow
        await session.execute(
            sa.update(row).where(row.place.in_(owners), row.until_us.is_(None)).values(until_us=now_us)
        )
        await session.execute(sa.delete(row).where(row.path.in_(some)))
        new = [{"path": path, "place": wanted[path], "since_us": now_us, "until_us": None} for path in some]
        await session.execute(sa.insert(row), new)
