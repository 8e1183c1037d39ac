"""The people who may log in.

Laws: no account has a password that anyone else chose in advance: it begins with a random one that is shown
once and must be changed; a password is stored as its Argon2id hash only; names are told apart without regard
to case; a disabled account has no session and no API token, and is told from a wrong password by nobody.
"""

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, DeniedError, NotFoundError, OperatorError
from .database import Database
from .ids import new_id
from .password import Passwords, check_new_password, one_time_password
from .people_schema import AccountRow, ApiTokenRow, SessionRow
from .sessions import hash_token
from .text import clean_name

FIRST_ADMINISTRATOR = "admin"


class AccountState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Account:
    """`must_change`: its password is a one-time one; until it is changed the account may do nothing else."""

    id: str
    name: str
    must_change: bool
    created_us: int
    full_name: str = ""
    state: AccountState = AccountState.ACTIVE
    last_login_us: int | None = None


@dataclass(frozen=True, slots=True)
class OneTime:
    """An account and the password to hand to its owner. It exists nowhere else, and its repr does not show
    it.
    """

    account: Account
    password: str

    def __repr__(self) -> str:
        return f"OneTime({self.account.name})"


class Accounts:
    """Owns the table `account`."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def ensure_administrator(self, *, now_us: int, name: str = FIRST_ADMINISTRATOR) -> OneTime | None:
        """At the first start (no account yet) the administrator is made; None at every other."""
        async with self._database.read() as session:
            if await session.scalar(sa.select(sa.func.count()).select_from(AccountRow)):
                return None
        return await self.add(name, now_us=now_us)

    async def add(self, name: str, *, now_us: int, full_name: str = "") -> OneTime:
        name = clean_name(name, where="name of the account", max_chars=64)
        password = one_time_password()
        row = AccountRow(
            id=new_id(),
            name=name,
            key=name_key(name),
            full_name=_clean_full_name(full_name),
            state=AccountState.ACTIVE.value,
            password=await self._passwords.hash(password),
            must_change=True,
            created_us=now_us,
            last_login_us=None,
        )
        async with self._database.write() as session:
            if await _find(session, name) is not None:
                raise ConflictError(f"account {name!r} exists; expected another name")
            session.add(row)
        return OneTime(_value(row), password)

    async def get(self, account_id: str) -> Account:
        async with self._database.read() as session:
            return _value(await _get(session, account_id))

    async def list(self) -> tuple[Account, ...]:
        async with self._database.read() as session:
            return tuple(
                _value(row) for row in await session.scalars(sa.select(AccountRow).order_by(AccountRow.key))
            )

    async def log_in(self, name: str, password: str, *, known: bool = False) -> Account:
        """Whose name and password these are. DeniedError, in the same words always, when nobody's or a
        disabled account's. `known`: see `Passwords.matches`.
        """
        async with self._database.read() as session:
            row = await _find(session, name)
        fits = await self._passwords.matches(row.password if row else None, password, known=known)
        if not fits or row is None or row.state != AccountState.ACTIVE:
            raise _no_account()
        if self._passwords.outdated(row.password):
            await self._store(row.id, await self._passwords.hash(password), replaces=row.password)
        return _value(row)

    async def logged_in(self, account_id: str, *, now_us: int) -> Account:
        """It has just shown all that it must. DeniedError when it was disabled meanwhile."""
        async with self._database.write() as session:
            row = await session.get(AccountRow, account_id)
            if row is None or row.state != AccountState.ACTIVE:
                raise _no_account()
            row.last_login_us = now_us
            return _value(row)

    async def proves(self, account_id: str, password: str, *, known: bool = False) -> bool:
        """Whether `password` is the account's."""
        async with self._database.read() as session:
            row = await _get(session, account_id)
        return await self._passwords.matches(row.password, password, known=known)

    async def rename(self, account_id: str, full_name: str) -> Account:
        """Its full name; the name to log in with stays."""
        async with self._database.write() as session:
            row = await _get(session, account_id)
            row.full_name = _clean_full_name(full_name)
            return _value(row)

    async def set_state(self, account_id: str, state: AccountState) -> Account:
        """Disabled: its sessions and API tokens are gone with it."""
        async with self._database.write() as session:
            row = await _get(session, account_id)
            row.state = state.value
            if state is AccountState.DISABLED:
                await session.execute(sa.delete(SessionRow).where(SessionRow.account == account_id))
                await session.execute(sa.delete(ApiTokenRow).where(ApiTokenRow.account == account_id))
            return _value(row)

    async def change_password(
        self, account_id: str, *, old: str, new: str, keep_token: str | None = None
    ) -> Account:
        """Ends every session of the account but that of `keep_token`."""
        check_new_password(new)
        if new == old:
            raise OperatorError("new password: it is the old one; expected another")
        async with self._database.read() as session:
            row = await _get(session, account_id)
        if not await self._passwords.matches(row.password, old):
            raise DeniedError(
                "change of password: the old password is wrong; expected the one you logged in with"
            )
        hashed = await self._passwords.hash(new)
        return await self._store(
            account_id, hashed, replaces=row.password, must_change=False, keep_token=keep_token
        )

    async def reset_password(self, account_id: str) -> OneTime:
        """A new one-time password, for who lost theirs; all its sessions end."""
        password = one_time_password()
        hashed = await self._passwords.hash(password)
        return OneTime(await self._store(account_id, hashed, must_change=True), password)

    async def by_name(self, name: str) -> Account:
        async with self._database.read() as session:
            row = await _find(session, name)
        if row is None:
            raise NotFoundError(f"account {name!r} does not exist; expected the name of an account")
        return _value(row)

    async def _store(
        self,
        account_id: str,
        hashed: str,
        *,
        replaces: str | None = None,
        must_change: bool | None = None,
        keep_token: str | None = None,
    ) -> Account:
        """`replaces`: only if that is still the stored hash; two changes at once must not both succeed."""
        async with self._database.write() as session:
            row = await _get(session, account_id)
            if replaces is not None and row.password != replaces:
                raise ConflictError(
                    "change of password: it was changed in the meantime; expected another try"
                )
            row.password = hashed
            if must_change is not None:
                row.must_change = must_change
                kept = hash_token(keep_token) if keep_token is not None else ""
                ended = sa.delete(SessionRow).where(SessionRow.account == account_id, SessionRow.hash != kept)
                await session.execute(ended)
            return _value(row)


def name_key(name: str) -> str:
    """By which names are told apart, however they are spelt; a name that cannot be one is its own key."""
    try:
        return clean_name(name, where="name", max_chars=64).casefold()
    except OperatorError:
        return name.casefold()


def _clean_full_name(text: str) -> str:
    return clean_name(text, where="full name", max_chars=120) if text.strip() else ""


def _no_account() -> DeniedError:
    return DeniedError("log-in: name and password do not belong together; expected those of an account")


async def _find(session: AsyncSession, name: str) -> AccountRow | None:
    return await session.scalar(sa.select(AccountRow).where(AccountRow.key == name_key(name)))


async def _get(session: AsyncSession, account_id: str) -> AccountRow:
    row = await session.get(AccountRow, account_id)
    if row is None:
        raise NotFoundError(f"account {account_id!r} does not exist; expected the id of an account")
    return row


def _value(row: AccountRow) -> Account:
    return Account(
        row.id,
        row.name,
        row.must_change,
        row.created_us,
        row.full_name,
        AccountState(row.state),
        row.last_login_us,
    )
