"""Which addresses a radio may be fetched from: the public ones, and what the settings add.

Laws (against server-side request forgery): http and https only; every address that a name resolves to must be
allowed, else none is used; a connection goes to an address that was checked, never to the name again; each
redirect, playlist entry and segment is checked anew. What embeds another address (IPv4-mapped, 6to4, Teredo,
NAT64) is as good as what it embeds.
"""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from ...errors import DeniedError, PeerError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")
_SITE_LOCAL = IPv6Network("fec0::/10")


class Reach:
    """See the module. `private`: networks that are allowed though they are not public."""

    def __init__(self, private: Sequence[Network] = ()) -> None:
        self._private = tuple(private)

    def allows(self, address: Address) -> bool:
        return all(self._public(one) or self._listed(one) for one in _meant(address))

    def check_url(self, url: URL) -> URL:
        """A URL that may be asked for, as far as it says itself. DeniedError."""
        if url.scheme not in ("http", "https") or not url.host:
            raise DeniedError(f"{shown(url)} is refused: expected http:// or https:// and a host")
        if url.user is not None or url.password is not None:
            raise DeniedError("the address is refused: it holds a password, expected none")
        try:
            literal = ip_address(url.host)
        except ValueError:
            return url
        self.check(url.host, [literal])
        return url

    def check(self, host: str, addresses: Sequence[Address]) -> None:
        """DeniedError unless all of them are allowed."""
        for address in addresses:
            if not self.allows(address):
                raise DeniedError(
                    f"{host} is refused: {address} is not a public address; expected one, or a network of the"
                    " setting radio_private_networks"
                )

    def _listed(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._private)

    @staticmethod
    def _public(address: Address) -> bool:
        if address.is_multicast or address.is_unspecified or address.is_reserved:
            return False
        return address.is_global and not (address.version == 6 and address in _SITE_LOCAL)


def _meant(address: Address) -> Iterator[Address]:
    """The address itself, or those that it stands for."""
    if isinstance(address, IPv4Address):
        yield address
        return
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    if inner is not None:
        yield inner
    elif address.teredo is not None:
        yield from address.teredo
    else:
        yield address


class CheckedResolver(AbstractResolver):
    """Resolves names for aiohttp, which then connects to what this returns and to nothing else."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise PeerError(f"{host} has no address: {error}; expected a name that resolves") from error
        addresses = [str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found]
        self._reach.check(host, [ip_address(address) for address in addresses])
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=entry[0],
                proto=entry[2],
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for entry, address in zip(found, addresses, strict=True)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def shown(url: URL) -> str:
    """For messages: short, and without what may be secret in its query."""
    return str(url.with_user(None).with_query(None))[:120] if url.host else str(url)[:120]
