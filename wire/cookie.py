"""The cookie that a UDP address must return before it is served, so that a forged address draws no audio to a
victim.

A cookie is HMAC-SHA256(secret, epoch, address, token), cut to 16 bytes: the node stores nothing for an
address that has not answered. Laws: good for one address and one token, for at least one epoch and at most
two; compared in constant time.
"""

import hmac
import ipaddress

COOKIE_BYTES = 16
EPOCH_US = 600_000_000
"""Ten minutes: a speaker confirms every 20 s and so always meets the change; a stolen cookie is soon
worthless.
"""

Address = tuple[str, int] | tuple[str, int, int, int]
"""Host (numeric) and port; the flow and scope that an IPv6 socket adds may follow, and are not looked at."""


def make_cookie(secret: bytes, address: Address, token: bytes, now_us: int) -> bytes:
    return _cookie(secret, address, token, now_us // EPOCH_US)


def check_cookie(secret: bytes, address: Address, token: bytes, cookie: bytes, now_us: int) -> bool:
    """True for a cookie of this epoch or the one before."""
    epoch = now_us // EPOCH_US
    return any(
        hmac.compare_digest(_cookie(secret, address, token, one), cookie) for one in (epoch, epoch - 1)
    )


def _cookie(secret: bytes, address: Address, token: bytes, epoch: int) -> bytes:
    host = ipaddress.ip_address(address[0])
    packed = host.packed if host.version == 6 else b"\0" * 10 + b"\xff\xff" + host.packed
    text = (
        b"loa-cookie\0"
        + epoch.to_bytes(8, "big", signed=True)
        + packed
        + address[1].to_bytes(2, "big")
        + token
    )
    return hmac.digest(secret, text, "sha256")[:COOKIE_BYTES]
