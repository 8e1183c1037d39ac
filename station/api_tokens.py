"""API tokens: keys with which a program acts for an account.

Laws: a token is `loa_` and 256 random bits, given out once and stored as its hash; it has an end, at most a
year away; it does not outlive its account's being active. At most `MAX_TOKENS` of an account.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from ..errors import ConflictError, NotFoundError, OperatorError
from .act import Act
from .database import Database
from .ids import new_id
from .people_schema import ApiTokenRow
from .sessions import hash_token
from .text import clean_name

PREFIX = "loa_"
"""By which people, and scanners for leaked secrets, know one when they see it."""
MAX_CHARS = 64
MAX_TOKENS = 50
MAX_LIFE_US = 365 * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What it may do: `acts` at `places` and below them, as far as its account may."""

    id: str
    account: str
    name: str
    acts: tuple[Act, ...]
    places: tuple[str, ...]
    created_us: int
    expires_us: int
    last_used_us: int | None


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """The token exists nowhere else; a repr does not show it."""

    token: str
    about: ApiToken

    def __repr__(self) -> str:
        return f"NewApiToken({self.about})"


class ApiTokens:
    """Owns the table `api_token`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        account_id: str,
        name: str,
        *,
        acts: Iterable[Act],
        places: Iterable[str],
        expires_us: int,
        now_us: int,
    ) -> NewApiToken:
        if not 0 < expires_us - now_us <= MAX_LIFE_US:
            raise OperatorError("end of the API token: it is past or too far, expected 1 to 365 days")
        token = PREFIX + secrets.token_urlsafe(32)
        row = ApiTokenRow(
            id=new_id(),
            hash=hash_token(token),
            account=account_id,
            name=clean_name(name, where="name of the API token", max_chars=64),
            acts=sorted(set(acts)),
            places=sorted(set(places)),
            created_us=now_us,
            expires_us=expires_us,
            last_used_us=None,
        )
        mine = sa.select(sa.func.count()).select_from(ApiTokenRow).where(ApiTokenRow.account == account_id)
        async with self._database.write() as session:
            if (await session.scalar(mine) or 0) >= MAX_TOKENS:
                raise ConflictError(f"API tokens: there are {MAX_TOKENS}, expected room for one more")
            session.add(row)
        return NewApiToken(token, _value(row))

    async def find(self, token: str, *, now_us: int) -> ApiToken | None:
        """None when there is no such token, or no more."""
        if len(token) > MAX_CHARS or not token.startswith(PREFIX):
            return None
        wanted = sa.select(ApiTokenRow).where(ApiTokenRow.hash == hash_token(token))
        async with self._database.read() as session:
            row = await session.scalar(wanted)
        return _value(row) if row is not None and row.expires_us > now_us else None

    async def of_account(self, account_id: str) -> tuple[ApiToken, ...]:
        """Latest first, those past their end until they are forgotten."""
        wanted = sa.select(ApiTokenRow).where(ApiTokenRow.account == account_id)
        async with self._database.read() as session:
            found = [_value(row) for row in await session.scalars(wanted)]
        return tuple(sorted(found, key=lambda token: (-token.created_us, token.id)))

    async def ids(self) -> frozenset[str]:
        """Of all tokens."""
        async with self._database.read() as session:
            return frozenset(await session.scalars(sa.select(ApiTokenRow.id)))

    async def remove(self, account_id: str, token_id: str) -> None:
        async with self._database.write() as session:
            row = await session.get(ApiTokenRow, token_id)
            if row is None or row.account != account_id:
                raise NotFoundError(f"API token {token_id!r} does not exist, expected the id of one of yours")
            await session.delete(row)

    async def used(self, last_used_us: Mapping[str, int]) -> None:
        """When each (by its id) was last used."""
        async with self._database.write() as session:
            for token_id, at_us in last_used_us.items():
                await session.execute(
                    sa.update(ApiTokenRow).where(ApiTokenRow.id == token_id).values(last_used_us=at_us)
                )

    async def purge(self, now_us: int) -> int:
        """Forget those past their end; returns how many."""
        async with self._database.write() as session:
            gone = sa.delete(ApiTokenRow).where(ApiTokenRow.expires_us <= now_us).returning(ApiTokenRow.id)
            return len((await session.scalars(gone)).all())


def _value(row: ApiTokenRow) -> ApiToken:
    return ApiToken(
        row.id,
        row.account,
        row.name,
        tuple(Act(act) for act in row.acts),
        tuple(row.places),
        row.created_us,
        row.expires_us,
        row.last_used_us,
    )
