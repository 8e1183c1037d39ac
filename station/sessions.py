"""Who is logged in.

Laws: a token is 256 random bits, given out once; only its SHA-256 is stored, so a stolen database opens no
session; a session ends by itself, whatever happens.
"""

import hashlib
import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from .database import Database
from .ids import new_id
from .people_schema import SessionRow

SESSION_TTL_US = 12 * 3600 * 1_000_000
"""A working day: who comes back tomorrow logs in again."""
MAX_TOKEN_CHARS = 64


@dataclass(frozen=True, slots=True)
class Session:
    account: str
    created_us: int
    expires_us: int


@dataclass(frozen=True, slots=True)
class NewSession:
    """The token goes into the cookie; its repr does not show it."""

    token: str
    session: Session

    def __repr__(self) -> str:
        return f"NewSession({self.session})"


class Sessions:
    """Owns the table `session`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, account_id: str, *, now_us: int, ttl_us: int = SESSION_TTL_US) -> NewSession:
        token = secrets.token_urlsafe(32)
        row = SessionRow(
            hash=hash_token(token),
            id=new_id(),
            account=account_id,
            created_us=now_us,
            expires_us=now_us + ttl_us,
            seen_us=now_us,
            address="",
            agent="",
            second_factor=False,
        )
        async with self._database.write() as session:
            session.add(row)
        return NewSession(token, _value(row))

    async def find(self, token: str, *, now_us: int) -> Session | None:
        """None when there is no such session, or no more."""
        if len(token) > MAX_TOKEN_CHARS:
            return None
        async with self._database.read() as session:
            row = await session.get(SessionRow, hash_token(token))
        return _value(row) if row is not None and row.expires_us > now_us else None

    async def close(self, token: str) -> None:
        """One that is over already is no error."""
        async with self._database.write() as session:
            await session.execute(sa.delete(SessionRow).where(SessionRow.hash == hash_token(token)))

    async def close_all(self, account_id: str) -> None:
        async with self._database.write() as session:
            await session.execute(sa.delete(SessionRow).where(SessionRow.account == account_id))

    async def purge(self, now_us: int) -> int:
        """Forget the expired ones; returns how many."""
        async with self._database.write() as session:
            gone = sa.delete(SessionRow).where(SessionRow.expires_us <= now_us).returning(SessionRow.hash)
            return len((await session.scalars(gone)).all())


def hash_token(token: str) -> str:
    """A plain hash is enough: there is no dictionary of 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _value(row: SessionRow) -> Session:
    return Session(row.account, row.created_us, row.expires_us)
