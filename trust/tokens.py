"""Grants: who may air what class, where, until when, with which key. JWTs (RFC 7519) signed with Ed25519.

root -> authority -> node or operator -> session; each link narrows class, level, rights and time, and
territory is the intersection of all of them. A grant says nothing about itself that is believed: its issuer
must be a pinned root or the subject of a link that is already believed.

Laws: one algorithm ("Ed25519", RFC 9864; the older name "EdDSA" is deprecated there), one header, byte for
byte, so no `alg: none`, no key inside the token; `parse_grant` believes nothing and raises only
ProtocolError; `verify_...` raise only RefusedError, with a reason that can be counted. Times are whole
seconds in the token (RFC 7519 NumericDate).
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from ..errors import ProtocolError, RefusedError
from .ids import is_id
from .keys import SigningKey, VerifyKey, parse_key

MAX_TOKEN_BYTES = 4096
"""A link that names 64 places has about 2,000; a session's must leave room in a datagram and is about 400."""
MAX_PLACES = 64
MAX_CLASS = 3
MAX_LEVEL = 15
MAX_SERIAL = 2**53 - 1
MAX_TIME_S = 2**33
"""The year 2242: far enough, and microseconds stay below 2^53."""
CLOCK_TOLERANCE_US = 60_000_000
"""A grant is believed a minute before its time, for clocks differ; never after it, for expiry protects."""
ANYWHERE = "*"
RIGHTS = frozenset({"air", "drill", "place", "time", "volume"})
"""air: start broadcasts, reorder them; drill: start drills only; place, time, volume: sign those
statements.
"""
SECOND_US = 1_000_000
_HEADER = {"alg": "Ed25519", "typ": "loa-grant+jwt"}
HEADER = "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoibG9hLWdyYW50K2p3dCJ9"
"""`{"alg":"Ed25519","typ":"loa-grant+jwt"}` in base64url: the only first part there is, so there is nothing
to parse.
"""
_HEADER_FAULT = "grant: header {!r}, expected " + HEADER + " (alg Ed25519, typ loa-grant+jwt)"


class Role(StrEnum):
    ROOT = "root"
    AUTHORITY = "authority"
    NODE = "node"
    OPERATOR = "operator"
    SESSION = "session"


MAY_ISSUE: Mapping[Role, frozenset[Role]] = {
    Role.ROOT: frozenset({Role.ROOT, Role.AUTHORITY}),
    Role.AUTHORITY: frozenset({Role.AUTHORITY, Role.NODE, Role.OPERATOR}),
    Role.NODE: frozenset({Role.SESSION}),
    Role.OPERATOR: frozenset({Role.SESSION}),
    Role.SESSION: frozenset(),
}
"""A root issues a root grant to itself only."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One link. `level` is the highest it may claim in an emergency's rank (15 - depth of the issuer's
    place).
    """

    issuer: str
    subject: VerifyKey
    role: Role
    max_class: int
    level: int
    places: tuple[str, ...]
    not_before_us: int
    expires_us: int
    serial: int
    rights: frozenset[str]

    def __post_init__(self) -> None:
        whole = {
            name: getattr(self, name) // SECOND_US * SECOND_US for name in ("not_before_us", "expires_us")
        }
        for name, value in whole.items():
            object.__setattr__(self, name, value)
        fault = _fault(self)
        if fault:
            raise ValueError(f"grant: {fault}")


def narrowed(parent: Grant, wanted: Grant) -> Grant:
    """`wanted`, its time window, rights, class and level cut down to what `parent` can give (places stay as
    they are).
    """
    return replace(
        wanted,
        max_class=min(wanted.max_class, parent.max_class),
        level=min(wanted.level, parent.level),
        not_before_us=max(wanted.not_before_us, parent.not_before_us),
        expires_us=min(wanted.expires_us, parent.expires_us),
        rights=wanted.rights & parent.rights,
    )


def issue(grant: Grant, key: SigningKey) -> str:
    """The token. ValueError when `key` is not the grant's issuer: a bug, not a peer's fault."""
    if grant.issuer != key.public.key_id:
        raise ValueError(f"grant of issuer {grant.issuer} cannot be signed by {key.public.key_id}")
    claims = {
        "iss": grant.issuer,
        "sub": _b64(grant.subject.raw),
        "rol": grant.role.value,
        "cls": grant.max_class,
        "lvl": grant.level,
        "plc": list(grant.places),
        "nbf": grant.not_before_us // SECOND_US,
        "exp": grant.expires_us // SECOND_US,
        "ser": grant.serial,
        "rgt": sorted(grant.rights),
    }
    payload = json.dumps(claims, separators=(",", ":"))
    return jws.serialize_compact(dict(_HEADER), payload, _jwk(key.public, key), algorithms=["Ed25519"])


def parse_grant(token: str) -> Grant:
    """What the token says, believed by nobody yet. Bounded in size and depth."""
    header, claims = _parts(token)
    if header != HEADER:
        raise ProtocolError(_HEADER_FAULT.format(header[:80]))
    return _parse_claims(claims)


def check_signature(token: str, issuer: VerifyKey) -> None:
    """RefusedError "signature" unless `issuer` signed exactly this text."""
    try:
        jws.deserialize_compact(token, _jwk(issuer), algorithms=["Ed25519"])
    except (JoseError, ValueError) as error:
        raise RefusedError("signature", f"grant: not signed by {issuer.key_id}, as it says") from error


def read_grant(token: str) -> Grant:
    """As `parse_grant`, for those who verify: RefusedError "algorithm" or "malformed" instead of
    ProtocolError.
    """
    try:
        header, claims = _parts(token)
        if header != HEADER:
            raise RefusedError("algorithm", _HEADER_FAULT.format(header[:80]))
        return _parse_claims(claims)
    except ProtocolError as error:
        raise RefusedError("malformed", str(error)) from error


def _parts(token: str) -> tuple[str, bytes]:
    """The header as it is spelled, and the claims' JSON."""
    if len(token) > MAX_TOKEN_BYTES:
        raise ProtocolError(f"grant: {len(token)} characters, expected at most {MAX_TOKEN_BYTES}")
    parts = token.split(".")
    if len(parts) != 3:
        raise ProtocolError(f"grant: {len(parts)} parts, expected header.claims.signature")
    return parts[0], _unb64(parts[1], "claims")


def _parse_claims(text: bytes) -> Grant:
    claims = _claims(text)
    subject = parse_key(_unb64(_text(claims, "sub"), "sub"))
    role = _text(claims, "rol")
    if role not in _ROLES:
        raise ProtocolError(f"grant: rol {role[:20]!r}, expected one of {', '.join(_ROLES)}")
    try:
        return Grant(
            _text(claims, "iss"),
            subject,
            Role(role),
            _integer(claims, "cls"),
            _integer(claims, "lvl"),
            tuple(_texts(claims, "plc", MAX_PLACES)),
            _integer(claims, "nbf") * SECOND_US,
            _integer(claims, "exp") * SECOND_US,
            _integer(claims, "ser"),
            frozenset(_texts(claims, "rgt", 16)) & RIGHTS,
        )
    except ValueError as error:
        raise ProtocolError(str(error)) from error


_ROLES = tuple(role.value for role in Role)


def _fault(grant: Grant) -> str | None:
    """What is wrong with it by itself; None when it is sound."""
    checks = (
        (is_id(grant.issuer), f"issuer {grant.issuer!r:.40}, expected a key id"),
        (1 <= grant.max_class <= MAX_CLASS, f"class {grant.max_class}, expected 1 to {MAX_CLASS}"),
        (0 <= grant.level <= MAX_LEVEL, f"level {grant.level}, expected 0 to {MAX_LEVEL}"),
        (0 <= grant.serial <= MAX_SERIAL, f"serial {grant.serial}, expected 0 to 2^53-1"),
        (
            0 <= grant.not_before_us < grant.expires_us <= MAX_TIME_S * SECOND_US,
            f"valid from {grant.not_before_us} to {grant.expires_us} us, expected a window of time",
        ),
        (grant.rights <= RIGHTS, f"rights {sorted(grant.rights)}, expected some of {sorted(RIGHTS)}"),
        (1 <= len(grant.places) <= MAX_PLACES, f"{len(grant.places)} places, expected 1 to {MAX_PLACES}"),
        (_places_ok(grant), "a place that is no id, or '*' in a grant that is not a root's"),
    )
    return next((message for sound, message in checks if not sound), None)


def _places_ok(grant: Grant) -> bool:
    return (grant.role is Role.ROOT and grant.places == (ANYWHERE,)) or all(map(is_id, grant.places))


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"grant: {name} is a {type(value).__name__}, expected text")
    return value


def _integer(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= MAX_SERIAL:
        raise ProtocolError(f"grant: {name} is {str(value)[:30]}, expected an integer from 0 to 2^53-1")
    return value


def _texts(claims: Mapping[str, object], name: str, most: int) -> Iterable[str]:
    value = claims.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise ProtocolError(f"grant: {name} is a {type(value).__name__}, expected a list of at most {most}")
    for item in value:
        if not isinstance(item, str):
            raise ProtocolError(f"grant: {name} holds a {type(item).__name__}, expected texts")
    return value


def _claims(text: bytes) -> Mapping[str, object]:
    try:
        claims: object = json.loads(text.decode("utf-8"), object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("grant: the claims are not JSON with each name once") from error
    if not isinstance(claims, dict):
        raise ProtocolError(f"grant: claims are a {type(claims).__name__}, expected an object")
    return claims


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A name given twice is read one way here and another way there: refuse it."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _unb64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ProtocolError(f"grant: {name} is not base64url") from error


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _jwk(public: VerifyKey, private: SigningKey | None = None) -> OKPKey:
    jwk: dict[str, str | list[str]] = {"kty": "OKP", "crv": "Ed25519", "x": _b64(public.raw)}
    if private is not None:
        jwk["d"] = _b64(private.private_bytes())
    return OKPKey.import_key(jwk)
