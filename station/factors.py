"""Second factors: one-time codes of an app (TOTP, RFC 6238), and passkeys.

Laws: a factor counts once it has been shown to work; a secret is sealed before it is stored, for the factor
it belongs to; a code is used once, of two tries at the same moment one succeeds; a passkey's counter only
goes up. At most `MAX_FACTORS` of an account.
"""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyotp
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, DeniedError, NotFoundError
from .database import Database
from .ids import new_id
from .passkeys import Passkey
from .people_schema import FactorRow, RecoveryCodeRow
from .sealer import Sealer
from .text import clean_name

ISSUER = "Loa"
STEP_S = 30
SECRET_CHARS = 32
"""Base32: 160 bits, as RFC 4226 recommends."""
DRIFT_STEPS = 1
"""A phone may be half a minute off, and people type slowly (RFC 6238, section 5.2)."""
MAX_FACTORS = 10


class FactorKind(StrEnum):
    TOTP = "totp"
    PASSKEY = "passkey"


@dataclass(frozen=True, slots=True)
class Factor:
    """One that counts."""

    id: str
    kind: FactorKind
    name: str
    created_us: int
    last_used_us: int | None


@dataclass(frozen=True, slots=True)
class NewTotp:
    """Its secret is shown once; a repr does not show it."""

    id: str
    secret: str
    uri: str

    def __repr__(self) -> str:
        return f"NewTotp({self.id})"


class Factors:
    """Owns the table `factor`."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database, self._sealer = database, sealer

    async def of_account(self, account_id: str) -> tuple[Factor, ...]:
        """Those that count, oldest first."""
        async with self._database.read() as session:
            return tuple(_value(row) for row in await session.scalars(_counting(account_id)))

    async def accounts(self) -> frozenset[str]:
        """Every account that has one."""
        wanted = sa.select(FactorRow.account).where(FactorRow.confirmed_us.is_not(None)).distinct()
        async with self._database.read() as session:
            return frozenset(await session.scalars(wanted))

    async def begin_totp(self, account_id: str, name: str, *, account_name: str, now_us: int) -> NewTotp:
        """A secret to be put into an app; one that was begun before and never confirmed is forgotten."""
        secret, factor = pyotp.random_base32(SECRET_CHARS), new_id()
        row = _row(factor, account_id, FactorKind.TOTP, name, now_us)
        row.secret = self._sealer.seal(secret.encode(), _about(factor, account_id))
        begun = sa.delete(FactorRow).where(FactorRow.account == account_id, FactorRow.confirmed_us.is_(None))
        async with self._database.write() as session:
            await session.execute(begun)
            await _check_room(session, account_id)
            session.add(row)
        uri = pyotp.TOTP(secret).provisioning_uri(name=account_name, issuer_name=ISSUER)
        return NewTotp(factor, secret, uri)

    async def confirm_totp(self, account_id: str, factor_id: str, code: str, *, now_us: int) -> Factor:
        """It counts from now on. DeniedError when the code is wrong."""
        async with self._database.write() as session:
            row = await _get(session, account_id, factor_id)
            if row.kind != FactorKind.TOTP or row.confirmed_us is not None:
                raise ConflictError("second factor: it counts already, expected one that waits for its code")
            step = self._step_of(row, code, now_us)
            if step is None:
                raise DeniedError("code: it is not the one that the app shows now, expected that")
            row.last_step, row.confirmed_us, row.last_used_us = step, now_us, now_us
            return _value(row)

    async def uses_code(self, account_id: str, code: str, *, now_us: int) -> bool:
        """Whether an app of this account shows `code` now; then nobody uses it again, nor an older one."""
        totp = _counting(account_id).where(FactorRow.kind == FactorKind.TOTP)
        async with self._database.write() as session:
            for row in await session.scalars(totp):
                step = self._step_of(row, code, now_us)
                if step is not None:
                    row.last_step, row.last_used_us = step, now_us
                    return True
        return False

    async def passkeys(self, account_id: str) -> tuple[Passkey, ...]:
        wanted = _counting(account_id).where(FactorRow.kind == FactorKind.PASSKEY)
        async with self._database.read() as session:
            return tuple(
                Passkey(row.credential or "", row.public_key or b"", row.sign_count or 0, row.id)
                for row in await session.scalars(wanted)
            )

    async def add_passkey(self, account_id: str, name: str, made: Passkey, *, now_us: int) -> Factor:
        """One that was verified; it counts at once. ConflictError when it is somebody's already."""
        row = _row(new_id(), account_id, FactorKind.PASSKEY, name, now_us)
        row.credential, row.public_key, row.sign_count = made.credential, made.public_key, made.sign_count
        row.confirmed_us = now_us
        taken = sa.select(FactorRow.id).where(FactorRow.credential == made.credential)
        async with self._database.write() as session:
            await _check_room(session, account_id)
            if await session.scalar(taken) is not None:
                raise ConflictError("passkey: it is set up already, expected another authenticator")
            session.add(row)
        return _value(row)

    async def uses_passkey(self, used: Passkey, *, now_us: int) -> bool:
        """Keep the counter of a passkey that has just been verified; False when another use overtook it."""
        async with self._database.write() as session:
            row = await session.get(FactorRow, used.factor)
            if row is None:
                return False
            before = row.sign_count or 0
            if (used.sign_count or before) and used.sign_count <= before:
                return False
            row.sign_count, row.last_used_us = used.sign_count, now_us
            return True

    async def remove(self, account_id: str, factor_id: str, *, keep_one: bool) -> None:
        """With the last one the recovery codes go as well. `keep_one`: the last one stays (ConflictError)."""
        async with self._database.write() as session:
            row = await _get(session, account_id, factor_id)
            await session.delete(row)
            await session.flush()
            if (await session.scalars(_counting(account_id))).first() is not None:
                return
            if keep_one and row.confirmed_us is not None:
                raise ConflictError(
                    "second factor: it is the last one and a role asks for one, expected another to be set up"
                )
            await _forget_recovery(session, account_id)

    async def remove_all(self, account_id: str) -> None:
        """For who lost their phone."""
        async with self._database.write() as session:
            await session.execute(sa.delete(FactorRow).where(FactorRow.account == account_id))
            await _forget_recovery(session, account_id)

    def _step_of(self, row: FactorRow, code: str, now_us: int) -> int | None:
        """The time step that `code` is of, if it is one that may still be used."""
        secret = self._sealer.open(row.secret or b"", _about(row.id, row.account)).decode()
        now = now_us // (STEP_S * 1_000_000)
        for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
            fits = hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step).encode(), code.encode())
            if fits and (row.last_step is None or step > row.last_step):
                return step
        return None


def _row(factor: str, account_id: str, kind: FactorKind, name: str, now_us: int) -> FactorRow:
    return FactorRow(
        id=factor,
        account=account_id,
        kind=kind.value,
        name=clean_name(name, where="name of the second factor", max_chars=64),
        created_us=now_us,
    )


def _about(factor: str, account_id: str) -> bytes:
    return f"totp {account_id} {factor}".encode()


def _counting(account_id: str) -> sa.Select[FactorRow]:
    return (
        sa.select(FactorRow)
        .where(FactorRow.account == account_id, FactorRow.confirmed_us.is_not(None))
        .order_by(FactorRow.created_us, FactorRow.id)
    )


async def _check_room(session: AsyncSession, account_id: str) -> None:
    has: Any = sa.select(sa.func.count()).select_from(FactorRow).where(FactorRow.account == account_id)
    if (await session.scalar(has) or 0) >= MAX_FACTORS:
        raise ConflictError(f"second factors: there are {MAX_FACTORS}, expected room for one more")


async def _forget_recovery(session: AsyncSession, account_id: str) -> None:
    await session.execute(sa.delete(RecoveryCodeRow).where(RecoveryCodeRow.account == account_id))


async def _get(session: AsyncSession, account_id: str, factor_id: str) -> FactorRow:
    row = await session.get(FactorRow, factor_id)
    if row is None or row.account != account_id:
        raise NotFoundError(f"second factor {factor_id!r} does not exist, expected the id of one of yours")
    return row


def _value(row: FactorRow) -> Factor:
    return Factor(row.id, FactorKind(row.kind), row.name, row.created_us, row.last_used_us)
