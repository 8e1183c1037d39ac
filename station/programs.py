"""The programs that are kept: audio that was uploaded, levelled and encoded once, and how far that has come.

Law: preparing -> ready or failed, once; a program is aired only when it is ready.
"""

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import NotFoundError
from .database import Database
from .measured import Measured
from .schema import ProgramRow
from .text import clean_name

MAX_ERROR_CHARS = 1_000


class ProgramState(StrEnum):
    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Program:
    """`measured` and `folder` (a name inside the content store) are there when ready, `error` when failed."""

    id: str
    place: str
    title: str
    kind: str
    state: ProgramState
    folder: str | None
    measured: Measured | None
    error: str | None
    created_by: str | None
    created_us: int


class Programs:
    """Owns the table `program`. The files belong to the content store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        program_id: str,
        *,
        place: str,
        title: str,
        kind: str = "file",
        created_by: str | None = None,
        now_us: int,
    ) -> Program:
        """A program that is being prepared. `place`: whose it is."""
        row = ProgramRow(
            id=program_id,
            place=place,
            title=clean_title(title),
            kind=kind,
            state=ProgramState.PREPARING,
            folder=None,
            frames=0,
            mp3_frames=0,
            duration_s=0.0,
            loudness_lufs=None,
            true_peak_dbtp=None,
            peaks=[],
            error=None,
            created_by=created_by,
            created_us=now_us,
        )
        async with self._database.write() as session:
            session.add(row)
        return _value(row)

    async def list(self, state: ProgramState | None = None) -> tuple[Program, ...]:
        """Newest first."""
        found = sa.select(ProgramRow).order_by(ProgramRow.created_us.desc(), ProgramRow.id)
        if state is not None:
            found = found.where(ProgramRow.state == state)
        async with self._database.read() as session:
            return tuple(_value(row) for row in await session.scalars(found))

    async def get(self, program_id: str) -> Program:
        async with self._database.read() as session:
            return _value(await _get(session, program_id))

    async def rename(self, program_id: str, title: str) -> Program:
        async with self._database.write() as session:
            row = await _get(session, program_id)
            row.title = clean_title(title)
            return _value(row)

    async def ready(self, program_id: str, *, folder: str, measured: Measured) -> Program:
        async with self._database.write() as session:
            row = await _get(session, program_id)
            row.state, row.folder, row.error = ProgramState.READY, folder, None
            row.frames, row.mp3_frames, row.duration_s = (
                measured.frames,
                measured.mp3_frames,
                measured.duration_s,
            )
            row.loudness_lufs, row.true_peak_dbtp = measured.loudness_lufs, measured.true_peak_dbtp
            row.peaks = list(measured.peaks)
            return _value(row)

    async def failed(self, program_id: str, error: str) -> Program:
        async with self._database.write() as session:
            row = await _get(session, program_id)
            row.state, row.folder, row.error = ProgramState.FAILED, None, error[:MAX_ERROR_CHARS]
            return _value(row)

    async def delete(self, program_id: str) -> None:
        """The row only; one that is gone already is no error."""
        async with self._database.write() as session:
            await session.execute(sa.delete(ProgramRow).where(ProgramRow.id == program_id))


def clean_title(title: str) -> str:
    return clean_name(title, where="title", max_chars=200)


async def _get(session: AsyncSession, program_id: str) -> ProgramRow:
    row = await session.get(ProgramRow, program_id)
    if row is None:
        raise NotFoundError(f"program {program_id!r} does not exist; expected the id of an uploaded program")
    return row


def _value(row: ProgramRow) -> Program:
    state = ProgramState(row.state)
    return Program(
        row.id,
        row.place,
        row.title,
        row.kind,
        state,
        row.folder,
        _measured(row) if state is ProgramState.READY else None,
        row.error,
        row.created_by,
        row.created_us,
    )


def _measured(row: ProgramRow) -> Measured:
    return Measured(
        row.frames,
        row.mp3_frames,
        row.duration_s,
        row.loudness_lufs if row.loudness_lufs is not None else float("-inf"),
        row.true_peak_dbtp if row.true_peak_dbtp is not None else float("-inf"),
        tuple(int(peak) for peak in row.peaks),
    )
