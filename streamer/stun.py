"""STUN, as far as ICE-lite needs it: binding requests in, success responses out (RFC 8489, RFC 8445).

Laws: parsing takes any bytes and raises nothing but ProtocolError; a response is for a request whose
integrity was checked with our own password, so nobody else can have us send anything anywhere. Pure.
"""

import hmac
import struct
import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ..errors import ProtocolError

MAX_STUN_BYTES = 548
"""RFC 8489, section 6.1: what fits in the smallest IPv4 path."""

_COOKIE = 0x2112A442
_HEADER = struct.Struct(">HHI12s")
_ATTRIBUTE = struct.Struct(">HH")
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_USERNAME, _INTEGRITY, _XOR_MAPPED_ADDRESS = 0x0006, 0x0008, 0x0020
_USE_CANDIDATE, _FINGERPRINT = 0x0025, 0x8028
_INTEGRITY_BYTES, _FINGERPRINT_XOR = 20, 0x5354554E


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """A request as it was read; nothing in it is true until `signed_with` has said so."""

    transaction: bytes
    username: str
    use_candidate: bool
    signed: bytes
    integrity: bytes

    def signed_with(self, password: str) -> bool:
        return hmac.compare_digest(hmac.digest(password.encode(), self.signed, "sha1"), self.integrity)


def parse_binding_request(data: bytes) -> BindingRequest:
    if not _HEADER.size <= len(data) <= MAX_STUN_BYTES:
        raise ProtocolError(f"STUN message of {len(data)} bytes, expected {_HEADER.size} to {MAX_STUN_BYTES}")
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST or cookie != _COOKIE:
        raise ProtocolError(f"STUN message {kind:#06x} with cookie {cookie:#x}, expected a binding request")
    if length != len(data) - _HEADER.size:
        raise ProtocolError(f"STUN message says {length} bytes, has {len(data) - _HEADER.size}")
    username: str | None = None
    use_candidate = False
    at = _HEADER.size
    while at + _ATTRIBUTE.size <= len(data):
        name, size = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
        if len(value) < size:
            break
        if name == _USERNAME:
            username = value.decode("ascii", "replace")
        elif name == _USE_CANDIDATE:
            use_candidate = True
        elif name == _INTEGRITY:
            if username is None:
                raise ProtocolError("STUN request without a user name, expected <ours>:<theirs>")
            signed = _with_length(data[:at], at - _HEADER.size + _ATTRIBUTE.size + _INTEGRITY_BYTES)
            return BindingRequest(transaction, username, use_candidate, signed, value)
        at += _ATTRIBUTE.size + size + -size % 4
    raise ProtocolError("STUN request is not signed, expected MESSAGE-INTEGRITY")


def build_success(transaction: bytes, address: IPv4Address | IPv6Address, port: int, password: str) -> bytes:
    """The answer that tells a peer its own address as we see it."""
    mask = _COOKIE.to_bytes(4, "big") + transaction
    hidden = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    mapped = struct.pack(">BBH", 0, family, port ^ _COOKIE >> 16) + hidden
    body = _ATTRIBUTE.pack(_XOR_MAPPED_ADDRESS, len(mapped)) + mapped
    message = _HEADER.pack(_BINDING_SUCCESS, len(body), _COOKIE, transaction) + body
    signed = _with_length(message, len(body) + _ATTRIBUTE.size + _INTEGRITY_BYTES)
    message = (
        signed
        + _ATTRIBUTE.pack(_INTEGRITY, _INTEGRITY_BYTES)
        + hmac.digest(password.encode(), signed, "sha1")
    )
    printed = _with_length(message, len(message) - _HEADER.size + 8)
    return (
        printed + _ATTRIBUTE.pack(_FINGERPRINT, 4) + struct.pack(">I", zlib.crc32(printed) ^ _FINGERPRINT_XOR)
    )


def _with_length(message: bytes, length: int) -> bytes:
    return message[:2] + struct.pack(">H", length) + message[4:]
