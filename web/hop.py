"""The hop: who is at the other end of a request, whether TLS covers the whole way, and what they call us.

Laws: what a proxy says counts only when it comes from an address that the operator trusts; of a chain of
hops the right-most that is not trusted is the one who asks, so nobody chooses an address by writing it; a
request has at most one host, and one that could be a name. Everything else of the house reads `remote`,
`secure` and `host` of the request, which `entrance` has corrected by what is found here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from multidict import CIMultiDictProxy

from ..errors import ProtocolError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

FOR, PROTO, HOST = "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"
_SAID_BY_PROXIES = (FOR, PROTO, HOST, "Forwarded", "Via", "X-Real-IP")

MAX_HOPS = 16
"""Of a longer chain the rest is not looked at."""

_HOST = re.compile(r"(?:\w[\w.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", re.ASCII)
_PORT = re.compile(r":\d+\Z", re.ASCII)
_LOOPBACK_NAMES = frozenset({"", "localhost"})


@dataclass(frozen=True, slots=True)
class Hop:
    """See the module. `address` is numeric, IPv4 as such, or "unknown"; `host` with its port, if named."""

    address: str
    secure: bool
    host: str
    local: bool
    """A program of this very machine, which calls us by a name of this machine and speaks for nobody else."""
    proxied: bool
    """A trusted proxy speaks for it."""

    @property
    def name(self) -> str:
        """The host without its port; an IPv6 address in its brackets."""
        return _PORT.sub("", self.host)


def find_hop(
    peer: str | None, *, secure: bool, headers: CIMultiDictProxy[str], trusted: Sequence[Network]
) -> Hop:
    """`peer`: the address of the connection; `secure`: it is TLS. ProtocolError for a host that is none."""
    nearest = parse_address(peer or "")
    host = parse_host(headers.getall("Host", []))
    if nearest is None or not _within(nearest, trusted):
        spoken_for = any(name in headers for name in _SAID_BY_PROXIES)
        local = nearest is not None and nearest.is_loopback and not spoken_for and _names_loopback(host)
        return Hop(str(nearest or "unknown"), secure, host, local, proxied=False)
    asker = _asker(nearest, headers.getall(FOR, []), trusted)
    said = [word.strip().lower() for line in headers.getall(PROTO, []) for word in line.split(",")]
    called = [line.rpartition(",")[2].strip() for line in headers.getall(HOST, [])][-1:]
    return Hop(
        address=str(asker or "unknown"),
        secure=all(word == "https" for word in said) if said else secure,
        host=parse_host(called) if called else host,
        local=False,
        proxied=True,
    )


def parse_host(lines: Sequence[str]) -> str:
    """The value of a request's Host lines; empty where there is none (HTTP/1.0). ProtocolError otherwise."""
    if not lines:
        return ""
    if len(lines) > 1:
        raise ProtocolError(f"Host: given {len(lines)} times, expected once")
    if not _HOST.fullmatch(lines[0]):
        raise ProtocolError("Host: no name or address, expected one of this server's")
    return lines[0]


def parse_address(text: str) -> Address | None:
    """An address, with a port or a zone or without; IPv4 inside IPv6 becomes IPv4. None: it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _asker(nearest: Address, lines: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """From the right: the first that is not trusted; None when that one is no address at all."""
    hops = [hop for line in lines for hop in line.split(",")][-MAX_HOPS:]
    found: Address | None = nearest
    for hop in reversed(hops):
        if found is None or not _within(found, trusted):
            break
        found = parse_address(hop)
    return found


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _names_loopback(host: str) -> bool:
    name = _PORT.sub("", host).lower()
    address = parse_address(name)
    return name in _LOOPBACK_NAMES or (address is not None and address.is_loopback)
