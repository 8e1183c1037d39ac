"""The multicast groups that the sound of a place is sent to on a LAN, for devices that know nothing better.

Laws: a group and port are sent to once, or two voices would sound at the same device; addresses are of the
multicast ranges, without those that routers speak to one another by; a group goes with its place. Whether
anything is sent at all is a setting.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_address

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ..errors import ConflictError, OperatorError
from ..streamer.outputs.group import Group, LanCodec
from ..wire.rank import BroadcastClass
from .database import Database
from .ids import new_id
from .source_schema import MulticastRow

LINK_LOCAL = IPv4Network("224.0.0.0/24")
"""RFC 5771: routing and discovery; no router passes it on, and it is not for sound."""

_INTERFACE = re.compile(r"[A-Za-z0-9._:@-]{0,45}")


class Multicasts:
    """Owns the table `multicast`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        *,
        place: str,
        group: str,
        port: int,
        codec: LanCodec,
        classes: Iterable[BroadcastClass],
        ttl: int,
        interface: str,
        created_by: str | None,
        now_us: int,
    ) -> Group:
        """OperatorError for what is no such group; ConflictError for one that is sent to already."""
        row = MulticastRow(
            id=new_id(),
            place=place,
            group=clean_group(group),
            port=port,
            codec=codec.value,
            classes=clean_classes(classes),
            ttl=ttl,
            interface=clean_interface(interface),
            created_by=created_by,
            created_us=now_us,
        )
        try:
            async with self._database.write() as session:
                session.add(row)
        except IntegrityError as error:
            raise ConflictError(
                f"group {row.group} port {port} is sent to already, expected one that is free"
            ) from error
        return _value(row)

    async def list(self) -> tuple[Group, ...]:
        """By address and port."""
        async with self._database.read() as session:
            found = await session.scalars(
                sa.select(MulticastRow).order_by(MulticastRow.group, MulticastRow.port)
            )
            return tuple(_value(row) for row in found)

    async def delete(self, multicast_id: str) -> None:
        """One that is gone already is no error."""
        async with self._database.write() as session:
            await session.execute(sa.delete(MulticastRow).where(MulticastRow.id == multicast_id))


def clean_group(text: str) -> str:
    """As the system writes it."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise OperatorError(f"group {text[:60]!r}: no address, expected one such as 239.10.0.1") from None
    if not address.is_multicast or address in LINK_LOCAL:
        raise OperatorError(
            f"group {address} is no group for sound, expected a multicast address, best one of 239.0.0.0/8"
        )
    return str(address)


def clean_classes(classes: Iterable[BroadcastClass]) -> list[int]:
    found = sorted({int(cls) for cls in classes})
    if not found:
        raise OperatorError("classes: none, expected at least one of ordinary, priority, emergency")
    return found


def clean_interface(text: str) -> str:
    if not _INTERFACE.fullmatch(text):
        raise OperatorError(
            f"interface {text[:60]!r} is no name, expected one such as eth0, or an address of it"
        )
    return text


def _value(row: MulticastRow) -> Group:
    return Group(
        id=row.id,
        place=row.place,
        group=row.group,
        port=row.port,
        codec=LanCodec(row.codec),
        classes=frozenset(BroadcastClass(cls) for cls in row.classes),
        ttl=row.ttl,
        interface=row.interface,
    )
