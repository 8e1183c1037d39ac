"""One-time enrolment codes: who holds the secret of one may attach one speaker at the place it names.

Laws: only the hash of a secret is stored (`trust.enrol.hash_secret`); a code is used once, by one key, before
it expires; the same device that asks again because the answer was lost gets the same answer.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, DeniedError, NotFoundError
from .database import Database
from .schema import EnrolmentCodeRow, PlaceRow, SpeakerRow
from .settings import TERRITORY_VERSION, bump
from .speaker import NewSpeaker, Speaker, SpeakerState, check_device, check_key, clean_speaker_name
from .speakers import add_speaker, get_speaker, speaker_by_key

CODE_TTL_US = 7 * 24 * 3600 * 1_000_000
"""A week: time for a technician to climb the mast, not for a lost note to stay dangerous."""


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    hash: str
    place: str
    name: str
    expires_us: int
    created_by: str | None
    used_at_us: int | None
    used_by: str | None


@dataclass(frozen=True, slots=True)
class Device:
    """What a speaker says of itself when it enrols; `public_key` in hex."""

    public_key: str
    serial: str
    software: str

    def __post_init__(self) -> None:
        check_key(self.public_key)
        check_device(self.serial, self.software)


class Codes:
    """Owns the table `enrolment_code`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        hash: str,
        *,
        place: str,
        name: str,
        now_us: int,
        created_by: str | None = None,
        ttl_us: int = CODE_TTL_US,
    ) -> EnrolmentCode:
        name = clean_speaker_name(name)
        async with self._database.write() as session:
            if await session.get(PlaceRow, place) is None:
                raise NotFoundError(
                    f"place {place!r} does not exist; expected the place where the speaker will hang"
                )
            if await session.get(EnrolmentCodeRow, hash) is not None:
                raise ConflictError("enrolment code: there is one with this secret; expected a fresh one")
            row = EnrolmentCodeRow(
                hash=hash,
                place=place,
                name=name,
                expires_us=now_us + ttl_us,
                created_by=created_by,
                used_at_us=None,
                used_by=None,
                replaces=None,
                approved=True,
            )
            session.add(row)
            return _value(row)

    async def open(self, now_us: int) -> tuple[EnrolmentCode, ...]:
        """Those that still wait for their speaker."""
        row = EnrolmentCodeRow
        waiting = (
            sa.select(row).where(row.used_at_us.is_(None), row.expires_us > now_us).order_by(row.expires_us)
        )
        async with self._database.read() as session:
            return tuple(_value(found) for found in await session.scalars(waiting))

    async def redeem(self, hash: str, device: Device, *, now_us: int) -> Speaker:
        """Enrol the device. A key that is known keeps its id and moves to the place of the new code.

        DeniedError, always with the same words, when the code is unknown, expired or used by another key, so
        that guessing teaches nothing.
        """
        async with self._database.write() as session:
            code = await session.get(EnrolmentCodeRow, hash)
            known = await speaker_by_key(session, device.public_key)
            if code is None:
                raise _no_good()
            if code.used_at_us is not None:
                if known is None or known.id != code.used_by:
                    raise _no_good()
                return _not_blocked(known)
            if code.expires_us <= now_us:
                raise _no_good()
            speaker = await _enrol(session, code, device, known, now_us)
            code.used_at_us, code.used_by = now_us, speaker.id
            await bump(session, TERRITORY_VERSION)
            return speaker

    async def cancel(self, hash: str) -> None:
        """Make an unused code void. One that is gone already is no error."""
        row = EnrolmentCodeRow
        async with self._database.write() as session:
            await session.execute(sa.delete(row).where(row.hash == hash, row.used_at_us.is_(None)))

    async def purge(self, now_us: int) -> int:
        """Forget unused codes that have expired; returns how many."""
        row = EnrolmentCodeRow
        async with self._database.write() as session:
            gone = await session.scalars(
                sa.delete(row).where(row.used_at_us.is_(None), row.expires_us <= now_us).returning(row.hash)
            )
            return len(gone.all())


async def _enrol(
    session: AsyncSession, code: EnrolmentCodeRow, device: Device, known: Speaker | None, now_us: int
) -> Speaker:
    if known is None:
        new = NewSpeaker(code.place, code.name, device.public_key, device.serial, device.software)
        return await add_speaker(session, new, now_us)
    _not_blocked(known)
    await session.execute(
        sa.update(SpeakerRow)
        .where(SpeakerRow.id == known.id)
        .values(place=code.place, name=code.name, serial=device.serial, software=device.software)
    )
    return await get_speaker(session, known.id)


def _not_blocked(speaker: Speaker) -> Speaker:
    if speaker.state is SpeakerState.BLOCKED:
        raise DeniedError(f"speaker {speaker.name!r} ({speaker.id}) is blocked; expected one that is allowed")
    return speaker


def _no_good() -> DeniedError:
    return DeniedError(
        "enrolment code: not valid (never made, already used, or expired); expected a fresh code"
    )


def _value(row: EnrolmentCodeRow) -> EnrolmentCode:
    return EnrolmentCode(
        row.hash, row.place, row.name, row.expires_us, row.created_by, row.used_at_us, row.used_by
    )
