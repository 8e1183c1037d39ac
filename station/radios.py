"""The radios that can be relayed: their names, whose they are, and the addresses where each can be had.

Laws: an address is http or https, with a host and without a password; the first is the wanted one, the
others stand by. Whether an address may be reached at all is decided when it is fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import NotFoundError, OperatorError
from .database import Database
from .ids import new_id
from .source_schema import RadioRow
from .text import clean_name

MAX_ADDRESSES = 8
MAX_ADDRESS_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Radio:
    """`addresses`: best first."""

    id: str
    place: str
    name: str
    addresses: tuple[str, ...]
    created_by: str | None
    created_us: int


class Radios:
    """Owns the table `radio`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, *, place: str, name: str, addresses: Sequence[str], created_by: str | None, now_us: int
    ) -> Radio:
        row = RadioRow(
            id=new_id(),
            place=place,
            name=clean_radio_name(name),
            addresses=list(clean_addresses(addresses)),
            created_by=created_by,
            created_us=now_us,
        )
        async with self._database.write() as session:
            session.add(row)
        return _value(row)

    async def list(self) -> tuple[Radio, ...]:
        """By name."""
        async with self._database.read() as session:
            found = await session.scalars(sa.select(RadioRow).order_by(RadioRow.name, RadioRow.id))
            return tuple(_value(row) for row in found)

    async def change(
        self, radio_id: str, *, name: str | None = None, addresses: Sequence[str] | None = None
    ) -> Radio:
        """What is None stays as it is."""
        async with self._database.write() as session:
            row = await _get(session, radio_id)
            if name is not None:
                row.name = clean_radio_name(name)
            if addresses is not None:
                row.addresses = list(clean_addresses(addresses))
            return _value(row)

    async def delete(self, radio_id: str) -> None:
        """One that is gone already is no error."""
        async with self._database.write() as session:
            await session.execute(sa.delete(RadioRow).where(RadioRow.id == radio_id))


def clean_radio_name(name: str) -> str:
    return clean_name(name, where="name", max_chars=120)


def clean_addresses(addresses: Sequence[str]) -> tuple[str, ...]:
    """OperatorError for any that is none, for a repeated one, for none at all or too many."""
    found = tuple(clean_address(address) for address in addresses)
    if not 1 <= len(found) <= MAX_ADDRESSES:
        raise OperatorError(f"addresses: {len(found)}; expected 1 to {MAX_ADDRESSES}")
    if len(set(found)) < len(found):
        raise OperatorError("addresses: one is there twice; expected addresses that do not fail together")
    return found


def clean_address(address: str) -> str:
    """Trimmed, and as it was otherwise."""
    text = address.strip()
    shown = text[:80]
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise OperatorError(f"address {shown!r}: {error}; expected https://host/path") from error
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise OperatorError(f"address {shown!r}: expected http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise OperatorError("address: it holds a name or a password; expected one that everybody may read")
    if len(text) > MAX_ADDRESS_CHARS or not text.isprintable() or " " in text:
        raise OperatorError(
            f"address {shown!r}: expected at most {MAX_ADDRESS_CHARS} printable characters without spaces"
        )
    return text


async def _get(session: AsyncSession, radio_id: str) -> RadioRow:
    row = await session.get(RadioRow, radio_id)
    if row is None:
        raise NotFoundError(f"radio {radio_id!r} does not exist, expected the id of one that does")
    return row


def _value(row: RadioRow) -> Radio:
    addresses = tuple(str(address) for address in row.addresses)
    return Radio(row.id, row.place, row.name, addresses, row.created_by, row.created_us)
