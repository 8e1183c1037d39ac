"""One-time enrolment codes: who holds the secret of one may attach one speaker at the place it names.

Laws: only the hash of a secret is stored (`trust.enrol.hash_secret`); a code is used once, by one key, before
it expires; the same device that asks again because the answer was lost gets the same answer. A key that is,
or ever was, a speaker's enrols no second time, whatever its code, and is told so in words that say nothing
about the code. What enrols waits for a person, unless the code says that one has approved it already.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import ConflictError, DeniedError, NotFoundError, OperatorError
from .database import Database, pieces
from .ids import check_id, new_id
from .schema import EnrolmentCodeRow, PlaceRow
from .settings import TERRITORY_VERSION, bump
from .speaker import NewSpeaker, Speaker, SpeakerState, check_device, check_key, clean_speaker_name
from .speakers import add_speaker, get_speaker, is_void, speaker_by_key, take_over

HOUR_US = 3_600_000_000
CODE_TTL_US = 168 * HOUR_US
"""A week: time for a technician to climb the mast, not for a lost note to stay dangerous."""

MAX_TTL_US = 2 * CODE_TTL_US


@dataclass(frozen=True, slots=True)
class NewCode:
    """`replaces` is the speaker whose device the new one stands in for: the code takes over its place and
    name. `approved`: a person who may has said beforehand that the device is let in at once.
    """

    hash: str
    place: str
    name: str
    approved: bool = False
    replaces: str | None = None
    ttl_us: int = CODE_TTL_US

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_speaker_name(self.name))
        check_id(self.place, where="place of the enrolment code")
        if not 0 < self.ttl_us <= MAX_TTL_US:
            hours = MAX_TTL_US // HOUR_US
            raise OperatorError(f"enrolment code: holds for {self.ttl_us} us, expected at most {hours} hours")


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    id: str
    hash: str
    place: str
    name: str
    expires_us: int
    created_by: str | None
    used_at_us: int | None
    used_by: str | None
    replaces: str | None
    approved: bool


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

    async def add(self, new: NewCode, *, now_us: int, created_by: str | None = None) -> EnrolmentCode:
        """Unused codes that have expired go at the same time, so that they never pile up."""
        row = EnrolmentCodeRow
        async with self._database.write() as session:
            await session.execute(sa.delete(row).where(row.used_at_us.is_(None), row.expires_us <= now_us))
            if await session.get(PlaceRow, new.place) is None:
                raise NotFoundError(
                    f"place {new.place!r} does not exist; expected the place where the speaker will hang"
                )
            if await session.get(EnrolmentCodeRow, new.hash) is not None:
                raise ConflictError("enrolment code: there is one with this secret; expected a fresh one")
            if new.replaces is not None and (await get_speaker(session, new.replaces)).place != new.place:
                raise ConflictError("enrolment code: the speaker has moved; expected its place as it is now")
            made = EnrolmentCodeRow(
                hash=new.hash,
                id=new_id(),
                place=new.place,
                name=new.name,
                expires_us=now_us + new.ttl_us,
                created_by=created_by,
                used_at_us=None,
                used_by=None,
                replaces=new.replaces,
                approved=new.approved,
            )
            session.add(made)
            return _value(made)

    async def open(self, places: tuple[str, ...], now_us: int) -> tuple[EnrolmentCode, ...]:
        """Those for speakers at exactly these places that still wait for their device."""
        found: list[EnrolmentCode] = []
        async with self._database.read() as session:
            for some in pieces(places):
                waiting = _waiting(now_us).where(EnrolmentCodeRow.place.in_(some))
                found += [_value(row) for row in await session.scalars(waiting)]
        return tuple(sorted(found, key=lambda code: (code.expires_us, code.id)))

    async def get(self, code_id: str, now_us: int) -> EnrolmentCode:
        """One that still waits for its device."""
        async with self._database.read() as session:
            row = await session.scalar(_waiting(now_us).where(EnrolmentCodeRow.id == code_id))
        if row is None:
            raise unknown_code(code_id)
        return _value(row)

    async def cancel(self, code_id: str) -> None:
        """Make an unused code void. One that is gone already is no error."""
        row = EnrolmentCodeRow
        async with self._database.write() as session:
            await session.execute(sa.delete(row).where(row.id == code_id, row.used_at_us.is_(None)))

    async def redeem(self, hash: str, device: Device, *, now_us: int) -> Speaker:
        """Enrol the device.

        DeniedError, always with the same words, when the code is unknown, expired or used by another key, so
        that guessing teaches nothing. The device's own key is judged first.
        """
        async with self._database.write() as session:
            known = await speaker_by_key(session, device.public_key)
            if await is_void(session, device.public_key) or _blocked(known):
                raise _barred()
            code = await session.get(EnrolmentCodeRow, hash)
            if known is not None:
                if code is None or code.used_by != known.id:
                    raise ConflictError(
                        "this device is enrolled already; expected one that has made a key of its own"
                    )
                return known
            if code is None or code.used_at_us is not None or code.expires_us <= now_us:
                raise _no_good()
            speaker = await _enrol(session, code, device, now_us)
            code.used_at_us, code.used_by = now_us, speaker.id
            await bump(session, TERRITORY_VERSION)
            return speaker


async def _enrol(session: AsyncSession, code: EnrolmentCodeRow, device: Device, now_us: int) -> Speaker:
    state = SpeakerState.ACTIVE if code.approved else SpeakerState.PENDING
    new = NewSpeaker(code.place, code.name, device.public_key, device.serial, device.software, state=state)
    if code.replaces is None:
        return await add_speaker(session, new, now_us)
    code.used_at_us = now_us
    await session.flush()
    return await take_over(session, code.replaces, new, now_us)


def _blocked(speaker: Speaker | None) -> bool:
    return speaker is not None and speaker.state is SpeakerState.BLOCKED


def _waiting(now_us: int) -> sa.Select[EnrolmentCodeRow]:
    row = EnrolmentCodeRow
    return sa.select(row).where(row.used_at_us.is_(None), row.expires_us > now_us)


def _no_good() -> DeniedError:
    return DeniedError(
        "enrolment code: not valid (never made, already used, or expired); expected a fresh code"
    )


def _barred() -> DeniedError:
    return DeniedError(
        "this device is let in no more (it was blocked, removed or replaced); expected another device"
    )


def _value(row: EnrolmentCodeRow) -> EnrolmentCode:
    return EnrolmentCode(
        row.id,
        row.hash,
        row.place,
        row.name,
        row.expires_us,
        row.created_by,
        row.used_at_us,
        row.used_by,
        row.replaces,
        row.approved,
    )


def unknown_code(code_id: str) -> NotFoundError:
    """Also for one that its asker may not know of."""
    return NotFoundError(f"enrolment code {code_id!r} does not exist; expected one that is open")
