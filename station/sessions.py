"""Who is logged in.

Laws: a token is 256 random bits, given out once; only its SHA-256 is stored, so a stolen database opens no
session; a session ends by itself: `IDLE_US` after it was last used, and `SESSION_TTL_US` after it was begun,
whatever happens.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from ..errors import NotFoundError
from .database import Database
from .ids import new_id
from .people_schema import SessionRow

IDLE_US = 12 * 3600 * 1_000_000
"""A working day: who comes back tomorrow, from a computer that was left, logs in again."""
SESSION_TTL_US = 7 * 86_400 * 1_000_000
"""A week, however busy: a page that is never closed does not keep a stolen session alive for ever."""
MAX_TOKEN_CHARS = 64
MAX_AGENT_CHARS = 200
MAX_ADDRESS_CHARS = 64


@dataclass(frozen=True, slots=True)
class Session:
    """`id` names it to people; it opens nothing."""

    id: str
    account: str
    created_us: int
    expires_us: int
    seen_us: int
    address: str
    agent: str
    second_factor: bool

    @property
    def ends_us(self) -> int:
        """When it ends if it is not used any more."""
        return min(self.expires_us, self.seen_us + IDLE_US)


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

    async def open(
        self,
        account_id: str,
        *,
        now_us: int,
        ttl_us: int = SESSION_TTL_US,
        address: str = "",
        agent: str = "",
        second_factor: bool = False,
    ) -> NewSession:
        token = secrets.token_urlsafe(32)
        row = SessionRow(
            hash=hash_token(token),
            id=new_id(),
            account=account_id,
            created_us=now_us,
            expires_us=now_us + ttl_us,
            seen_us=now_us,
            address=address[:MAX_ADDRESS_CHARS],
            agent=agent[:MAX_AGENT_CHARS],
            second_factor=second_factor,
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
        found = _value(row) if row is not None else None
        return found if found is not None and found.ends_us > now_us else None

    async def of_account(self, account_id: str, *, now_us: int) -> tuple[Session, ...]:
        """Those that are open, last used first."""
        async with self._database.read() as session:
            rows = await session.scalars(sa.select(SessionRow).where(SessionRow.account == account_id))
            found = [_value(row) for row in rows]
        still = [one for one in found if one.ends_us > now_us]
        return tuple(sorted(still, key=lambda one: (-one.seen_us, one.id)))

    async def ids(self) -> frozenset[str]:
        """Of all sessions."""
        async with self._database.read() as session:
            return frozenset(await session.scalars(sa.select(SessionRow.id)))

    async def seen(self, seen_us: Mapping[str, int]) -> None:
        """When each (by its id) was last used."""
        async with self._database.write() as session:
            for session_id, at_us in seen_us.items():
                await session.execute(
                    sa.update(SessionRow).where(SessionRow.id == session_id).values(seen_us=at_us)
                )

    async def showed_second_factor(self, token: str) -> None:
        async with self._database.write() as session:
            mine = SessionRow.hash == hash_token(token)
            await session.execute(sa.update(SessionRow).where(mine).values(second_factor=True))

    async def close(self, token: str) -> None:
        """One that is over already is no error."""
        async with self._database.write() as session:
            await session.execute(sa.delete(SessionRow).where(SessionRow.hash == hash_token(token)))

    async def end(self, account_id: str, session_id: str) -> None:
        """One of the account's, by its id."""
        mine = SessionRow.account == account_id, SessionRow.id == session_id
        async with self._database.write() as session:
            gone = await session.scalars(sa.delete(SessionRow).where(*mine).returning(SessionRow.id))
            if not gone.all():
                raise NotFoundError(f"session {session_id!r} does not exist, expected the id of one of yours")

    async def close_all(self, account_id: str, *, but_token: str | None = None) -> None:
        kept = hash_token(but_token) if but_token is not None else ""
        async with self._database.write() as session:
            await session.execute(
                sa.delete(SessionRow).where(SessionRow.account == account_id, SessionRow.hash != kept)
            )

    async def purge(self, now_us: int) -> int:
        """Forget those that are over; returns how many."""
        over = sa.or_(SessionRow.expires_us <= now_us, SessionRow.seen_us <= now_us - IDLE_US)
        gone = sa.delete(SessionRow).where(over).returning(SessionRow.id)
        async with self._database.write() as session:
            return len((await session.scalars(gone)).all())


def hash_token(token: str) -> str:
    """A plain hash is enough: there is no dictionary of 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _value(row: SessionRow) -> Session:
    return Session(
        row.id,
        row.account,
        row.created_us,
        row.expires_us,
        row.seen_us,
        row.address,
        row.agent,
        row.second_factor,
    )
