"""The audit log: every act, denied ones too, in a chain that shows what was changed, left out or cut.

Laws: entries are only ever added, each chained to the one before (`audit_entry.py`), numbered in the same
transaction that writes it; what `append` has returned for is on the disk; a head is the hash of the latest
entry, signed by the node (`audit_head.py`). Reading goes in pieces, newest first or oldest first, each its
own short transaction: what is only added to needs no longer one.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..trust.keys import SigningKey
from .audit_entry import BEFORE_ALL, AuditEntry, NewEntry, entry_from, follow
from .audit_head import AuditHead, sign_head
from .audit_schema import AuditEntryRow, AuditHeadRow
from .database import Database

PIECE = 500
MAX_LOOKED_AT = 20_000
"""Entries that one page may look through, some 200 ms: who sees little of much asks again from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """None: any. `until_us` is the first moment that is too late."""

    actor: str | None = None
    act: str | None = None
    result: str | None = None
    from_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Newest first. The next page is before number `before`; None when there is no more."""

    entries: tuple[AuditEntry, ...]
    before: int | None


class Audit:
    """Owns the tables `audit_entry` and `audit_head`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entries: Sequence[NewEntry]) -> tuple[AuditEntry, ...]:
        """All of them, in this order, on the disk when it returns."""
        if not entries:
            return ()
        async with self._database.write() as session:
            number, previous = await _end(session)
            made: list[AuditEntry] = []
            for new in entries:
                number += 1
                made.append(follow(previous, number, new))
                previous = bytes.fromhex(made[-1].hash)
            connection = await session.connection()
            await connection.execute(sa.insert(AuditEntryRow), [_columns(entry) for entry in made])
        return tuple(made)

    async def has(self, entry: NewEntry) -> bool:
        """Whether it is there already: the same act at the same time on the same subject."""
        row = AuditEntryRow
        same = sa.select(row.number).where(
            row.at_us == entry.at_us, row.act == entry.act, row.subject == entry.subject
        )
        async with self._database.read() as session:
            return (await session.execute(same.limit(1))).first() is not None

    async def subjects(self, acts: Sequence[str], *, since_us: int) -> frozenset[str]:
        """What these acts were done to since then, whatever came of it."""
        row = AuditEntryRow
        found = sa.select(row.subject).where(row.at_us >= since_us, row.act.in_(acts))
        async with self._database.read() as session:
            return frozenset((await session.scalars(found)).all())

    async def latest(self, act: str) -> AuditEntry | None:
        """The last one of this act."""
        found = await self._read(sa.select(AuditEntryRow).where(AuditEntryRow.act == act), None, 1)
        return found[0] if found else None

    async def page(
        self,
        wanted: AuditFilter,
        keep: Callable[[AuditEntry], bool],
        *,
        before: int | None = None,
        limit: int = 100,
    ) -> AuditPage:
        """Newest first: those of `wanted` that `keep` lets through."""
        kept: list[AuditEntry] = []
        looked_at = 0
        while looked_at < MAX_LOOKED_AT:
            piece = await self._read(_where(wanted), before, PIECE)
            for entry in piece:
                before = entry.number
                if keep(entry):
                    kept.append(entry)
                if len(kept) >= limit:
                    return AuditPage(tuple(kept), before)
            if len(piece) < PIECE:
                return AuditPage(tuple(kept), None)
            looked_at += len(piece)
        return AuditPage(tuple(kept), before)

    async def entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry | AuditHead]:
        """Oldest first, each head behind the entry it signs."""
        while True:
            piece = await self._next(after)
            if not piece:
                return
            last = piece[-1].number
            heads = await self._heads(after, last)
            for entry in piece:
                yield entry
                for head in heads.get(entry.number, ()):
                    yield head
            after = last

    async def end(self) -> tuple[int, str]:
        """The latest entry's number and hash; (0, zeros) when there is none."""
        async with self._database.read() as session:
            number, digest = await _end(session)
        return number, digest.hex()

    async def hash_of(self, number: int) -> str | None:
        """None when there is no such entry. Of 0: what stands before the first."""
        if number == 0:
            return BEFORE_ALL.hex()
        async with self._database.read() as session:
            return await session.scalar(sa.select(AuditEntryRow.hash).where(AuditEntryRow.number == number))

    async def sign(self, key: SigningKey, grants: Sequence[str], *, now_us: int) -> AuditHead | None:
        """Sign the latest entry; None when it is signed already. `grants` are those that lead to `key`."""
        async with self._database.write() as session:
            number, digest = await _end(session)
            if number == 0 or await session.scalar(
                sa.select(AuditHeadRow.number).where(
                    AuditHeadRow.number == number, AuditHeadRow.key_id == key.public.key_id
                )
            ):
                return None
            head = sign_head(key, grants, number=number, at_us=now_us, entry_hash=digest.hex())
            session.add(
                AuditHeadRow(
                    number=head.number,
                    at_us=head.at_us,
                    hash=head.hash,
                    key_id=head.key_id,
                    grants=list(head.grants),
                    signature=head.signature,
                )
            )
        return head

    async def heads(self) -> tuple[AuditHead, ...]:
        """All of them, in order."""
        found = await self._heads(0, 2**62)
        return tuple(head for number in sorted(found) for head in found[number])

    async def _read(
        self, statement: sa.Select[AuditEntryRow], before: int | None, limit: int
    ) -> list[AuditEntry]:
        if before is not None:
            statement = statement.where(AuditEntryRow.number < before)
        async with self._database.read() as session:
            rows = await session.scalars(statement.order_by(AuditEntryRow.number.desc()).limit(limit))
            return [_entry(row) for row in rows]

    async def _next(self, after: int) -> list[AuditEntry]:
        row = AuditEntryRow
        async with self._database.read() as session:
            rows = await session.scalars(
                sa.select(row).where(row.number > after).order_by(row.number).limit(PIECE)
            )
            return [_entry(found) for found in rows]

    async def _heads(self, after: int, upto: int) -> dict[int, list[AuditHead]]:
        row = AuditHeadRow
        found: dict[int, list[AuditHead]] = {}
        async with self._database.read() as session:
            rows = await session.scalars(
                sa.select(row).where(row.number > after, row.number <= upto).order_by(row.number, row.at_us)
            )
            for one in rows:
                found.setdefault(one.number, []).append(_head(one))
        return found


async def _end(session: AsyncSession) -> tuple[int, bytes]:
    row = AuditEntryRow
    found = (
        await session.execute(sa.select(row.number, row.hash).order_by(row.number.desc()).limit(1))
    ).first()
    return (found[0], bytes.fromhex(found[1])) if found else (0, BEFORE_ALL)


def _where(wanted: AuditFilter) -> sa.Select[AuditEntryRow]:
    row, statement = AuditEntryRow, sa.select(AuditEntryRow)
    for column, value in ((row.actor, wanted.actor), (row.act, wanted.act), (row.result, wanted.result)):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.from_us is not None:
        statement = statement.where(row.at_us >= wanted.from_us)
    if wanted.until_us is not None:
        statement = statement.where(row.at_us < wanted.until_us)
    return statement


def _columns(entry: AuditEntry) -> dict[str, object]:
    return entry.fields() | {"places": list(entry.places), "detail": dict(entry.detail), "hash": entry.hash}


def _entry(row: AuditEntryRow) -> AuditEntry:
    return entry_from({name: getattr(row, name) for name in AuditEntry.__slots__})


def _head(row: AuditHeadRow) -> AuditHead:
    return AuditHead(
        number=row.number,
        at_us=row.at_us,
        hash=row.hash,
        key_id=row.key_id,
        grants=tuple(row.grants),
        signature=row.signature,
    )
