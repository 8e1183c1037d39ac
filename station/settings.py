"""Settings that live in the database: a name and a text, and counters that only go up."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from .database import Database
from .schema import SettingRow

TERRITORY_VERSION = "territory_version"
"""Goes up with each change of a place or of a speaker's place, so placements can be ordered by it."""


class Settings:
    """Owns the table `setting`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> str | None:
        async with self._database.read() as session:
            return await read_setting(session, name)

    async def set(self, name: str, value: str) -> None:
        async with self._database.write() as session:
            await write_setting(session, name, value)

    async def number(self, name: str) -> int:
        """The counter as it stands; 0 before its first step."""
        return int(await self.get(name) or 0)

    async def next_number(self, name: str) -> int:
        """One more than ever before; never given twice, a crash included."""
        async with self._database.write() as session:
            return await bump(session, name)


async def read_setting(session: AsyncSession, name: str) -> str | None:
    return await session.scalar(sa.select(SettingRow.value).where(SettingRow.name == name))


async def write_setting(session: AsyncSession, name: str, value: str) -> None:
    """In the caller's transaction."""
    await session.merge(SettingRow(name=name, value=value))
    await session.flush()


async def bump(session: AsyncSession, name: str) -> int:
    """Step the counter in the caller's (writing) transaction."""
    number = int(await read_setting(session, name) or 0) + 1
    await write_setting(session, name, str(number))
    return number
