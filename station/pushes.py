"""The encoders that may push: their names, whose they are, and their passwords as hashes.

Laws: a password is 100 random bits, given out once and stored as its hash; a name is in the encoder's
address, so it is a slug and no two are equal.
"""

import hmac
import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, NotFoundError, OperatorError
from .database import Database
from .ids import new_id
from .sessions import hash_token
from .slug import is_slug
from .source_schema import PushRow
from .text import clean_name

MAX_TITLE_CHARS = 120
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 of them, none like another: a technician types this into a box without a keyboard."""
_GROUPS, _GROUP_CHARS = 5, 4


@dataclass(frozen=True, slots=True)
class Push:
    """`name` is in its address, `title` is what people call it. A repr does not show the hash."""

    id: str
    place: str
    name: str
    title: str
    password_hash: str
    created_by: str | None
    created_us: int

    def __repr__(self) -> str:
        return f"Push({self.id!r}, {self.name!r})"

    def opens(self, password: str) -> bool:
        """Whether this is its password, however it was grouped or spaced."""
        return hmac.compare_digest(_hash(password), self.password_hash)


@dataclass(frozen=True, slots=True)
class NewPush:
    """The password exists nowhere else; a repr does not show it."""

    password: str
    about: Push

    def __repr__(self) -> str:
        return f"NewPush({self.about})"


class Pushes:
    """Owns the table `push`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, *, place: str, name: str, title: str, created_by: str | None, now_us: int) -> NewPush:
        """ConflictError when there is one of that name."""
        password = make_password()
        row = PushRow(
            id=new_id(),
            place=place,
            name=clean_slug(name),
            title=clean_name(title, where="title of the push", max_chars=MAX_TITLE_CHARS),
            hash=_hash(password),
            created_by=created_by,
            created_us=now_us,
        )
        try:
            async with self._database.write() as session:
                session.add(row)
        except IntegrityError as error:
            raise _taken(name) from error
        return NewPush(password, _value(row))

    async def list(self) -> tuple[Push, ...]:
        """By name."""
        async with self._database.read() as session:
            return tuple(
                _value(row) for row in await session.scalars(sa.select(PushRow).order_by(PushRow.name))
            )

    async def change(self, push_id: str, *, name: str | None = None, title: str | None = None) -> Push:
        """ConflictError when there is one of that name."""
        try:
            async with self._database.write() as session:
                row = await _find(session, push_id)
                if name is not None:
                    row.name = clean_slug(name)
                if title is not None:
                    row.title = clean_name(title, where="title of the push", max_chars=MAX_TITLE_CHARS)
        except IntegrityError as error:
            raise _taken(name or "") from error
        return _value(row)

    async def rotate(self, push_id: str) -> NewPush:
        """Another password; the old one is void."""
        password = make_password()
        async with self._database.write() as session:
            row = await _find(session, push_id)
            row.hash = _hash(password)
        return NewPush(password, _value(row))

    async def delete(self, push_id: str) -> None:
        async with self._database.write() as session:
            await session.delete(await _find(session, push_id))


def make_password() -> str:
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_CHARS)) for _ in range(_GROUPS))
    return "-".join(groups)


def clean_slug(name: str) -> str:
    """As it stands in the address. OperatorError."""
    wanted = name.strip().lower()
    if not is_slug(wanted):
        raise OperatorError(
            f"name of the push: {wanted[:80]!r}; expected a to z, 0 to 9 and single hyphens, as in dai-xa"
        )
    return wanted


def _hash(password: str) -> str:
    return hash_token("".join(password.split()))


async def _find(session: AsyncSession, push_id: str) -> PushRow:
    row = await session.get(PushRow, push_id)
    if row is None:
        raise NotFoundError(f"push {push_id!r} does not exist, expected the id of one that does")
    return row


def _taken(name: str) -> ConflictError:
    return ConflictError(f"name of the push: {name!r} is taken; expected one that is free")


def _value(row: PushRow) -> Push:
    return Push(row.id, row.place, row.name, row.title, row.hash, row.created_by, row.created_us)
