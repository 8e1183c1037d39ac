"""The latest volume order for each speaker or place, as it was signed.

Laws: of two orders for one target the higher version stands, whichever is stored first; an emergency is never
ordered below `QUIETEST_FLOOR_DB`, so that nobody mutes a warning.
"""

import math
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import OperatorError
from .database import Database
from .ids import check_id
from .schema import VolumeRow

QUIETEST_DB = -60.0
QUIETEST_FLOOR_DB = -20.0
"""A tenth of the amplifier's voltage: still heard in the houses around, and no order goes below it."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """Decibels below the amplifier's full level; the floor is for emergencies, muted or not."""

    volume_db: float
    emergency_floor_db: float
    muted: bool

    def __post_init__(self) -> None:
        for what, db, least in (
            ("volume", self.volume_db, QUIETEST_DB),
            ("emergency floor", self.emergency_floor_db, QUIETEST_FLOOR_DB),
        ):
            if not (math.isfinite(db) and least <= db <= 0):
                raise OperatorError(f"{what}: {db} dB, expected {least:.0f} to 0")


FULL = Loudness(0.0, 0.0, muted=False)
"""What sounds where nobody has ordered anything."""


@dataclass(frozen=True, slots=True)
class StoredVolume:
    """`target` is a speaker's id or that of a place; `statement` as `trust.statements.build_statement`."""

    target: str
    version: int
    loudness: Loudness
    statement: bytes
    ordered_by: str | None

    def __post_init__(self) -> None:
        check_id(self.target, where="target of the volume order")


class Volumes:
    """Owns the table `volume`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[StoredVolume, ...]:
        """All, by target."""
        async with self._database.read() as session:
            rows = await session.scalars(sa.select(VolumeRow).order_by(VolumeRow.target))
            return tuple(_value(row) for row in rows)

    async def put(self, order: StoredVolume) -> None:
        """An older order than the one that is there changes nothing."""
        async with self._database.write() as session:
            row = await session.get(VolumeRow, order.target)
            if row is not None and row.version >= order.version:
                return
            await session.merge(_row(order))


async def forget_volume(session: AsyncSession, target: str) -> None:
    """Its target is gone. In the caller's transaction."""
    await session.execute(sa.delete(VolumeRow).where(VolumeRow.target == target))


def _row(order: StoredVolume) -> VolumeRow:
    return VolumeRow(
        target=order.target,
        version=order.version,
        volume_db=order.loudness.volume_db,
        emergency_floor_db=order.loudness.emergency_floor_db,
        muted=order.loudness.muted,
        statement=order.statement,
        ordered_by=order.ordered_by,
    )


def _value(row: VolumeRow) -> StoredVolume:
    loudness = Loudness(row.volume_db, row.emergency_floor_db, row.muted)
    return StoredVolume(row.target, row.version, loudness, row.statement, row.ordered_by)
