"""Recovery codes: ten ways in for who has lost the second factor.

Laws: a code is 80 random bits, given out once and stored as its hash; each is good once, of two tries at the
same moment one succeeds; new ones void those from before.
"""

import hashlib
import secrets

import sqlalchemy as sa

from .database import Database
from .people_schema import RecoveryCodeRow

CODES = 10
MAX_CHARS = 64
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: none that is read as another; 16 of them are 80 bits."""
_CODE_LETTERS = 16
_MISREAD = str.maketrans("oil", "011", " -\u2010\u2011\u2013")


class Recovery:
    """Owns the table `recovery_code`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, account_id: str, *, now_us: int) -> list[str]:
        """Ten new ones, in groups of four; they exist nowhere else."""
        codes = [_code() for _ in range(CODES)]
        rows = [
            RecoveryCodeRow(hash=_hash(account_id, code), account=account_id, created_us=now_us, used_us=None)
            for code in codes
        ]
        async with self._database.write() as session:
            await session.execute(sa.delete(RecoveryCodeRow).where(RecoveryCodeRow.account == account_id))
            session.add_all(rows)
        return codes

    async def use(self, account_id: str, code: str, *, now_us: int) -> bool:
        """Whether it was one that is left; it is not, any more."""
        if len(code) > MAX_CHARS:
            return False
        async with self._database.write() as session:
            row = await session.get(RecoveryCodeRow, _hash(account_id, code))
            if row is None or row.used_us is not None:
                return False
            row.used_us = now_us
            return True

    async def left(self, account_id: str) -> int:
        wanted = sa.select(sa.func.count()).select_from(RecoveryCodeRow)
        mine = wanted.where(RecoveryCodeRow.account == account_id, RecoveryCodeRow.used_us.is_(None))
        async with self._database.read() as session:
            return await session.scalar(mine) or 0


def _code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, _CODE_LETTERS, 4))


def _hash(account_id: str, code: str) -> str:
    """A plain hash is enough: there is no dictionary of 80 random bits."""
    letters = code.casefold().translate(_MISREAD)
    return hashlib.sha256(f"{account_id} {letters}".encode("utf-8", "surrogatepass")).hexdigest()
