"""Signed statements: what a captured server could abuse is signed by who may order it.

A statement is a MessagePack payload, the id of the key and an Ed25519 signature over `b"loa-<kind>\\0" +
payload`. The payload is carried as the bytes that were signed, so nothing depends on how two libraries encode
a map.

Laws: a payload is read only after its signature was checked against the key that is believed to be `key_id`
(`open_statement`); kinds are bound by the prefix, so that no statement can pass for another; a statement
with a version not above the one already acted on is a replay (the speaker keeps the highest, per kind and
subject).
"""

from dataclasses import dataclass
from enum import StrEnum

from ..errors import ProtocolError, RefusedError
from .fields import Fields, build_map, parse_map
from .ids import ID_BYTES, id_bytes
from .keys import KEY_BYTES, SIGNATURE_BYTES, SigningKey, VerifyKey, parse_key

MAX_PAYLOAD_BYTES = 8192
"""The largest is a full list of revoked grants: 256 of 16 bytes."""
MAX_ANCESTRY = 16
"""Nation to zone is six tiers; the level in a rank has four bits, so deeper trees could not be told apart."""
MAX_ORDERED = 256
MAX_ROOTS = 3
"""Two generations, and a third while one is swapped."""
MAX_REVOKED = 256
"""Per issuer. A grant that has expired needs no entry any more."""
VERSION_MAX = 2**53 - 1
TIME_MAX_US = 2**63 - 1
_SERIAL_BYTES = 8


class StatementKind(StrEnum):
    PLACEMENT = "placement"
    VOLUME = "volume"
    ORDER = "order"
    ROOTS = "roots"
    REVOKED = "revoked"


class Profile(StrEnum):
    """How a speaker is fed: 60 ms datagrams over the internet, or 20 ms on a local network."""

    WAN = "wan"
    LAN = "lan"


@dataclass(frozen=True, slots=True)
class Statement:
    kind: StatementKind
    payload: bytes
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a speaker stands: the ids from the root place to its own, and the delay at which its zone
    sounds.
    """

    speaker: str
    version: int
    ancestry: tuple[str, ...]
    latency_ms: int
    profile: Profile = Profile.WAN


@dataclass(frozen=True, slots=True)
class VolumeOrder:
    """`target` is a speaker's id or that of a place (all below it). Decibels relative to the amplifier's
    full level.
    """

    target: str
    version: int
    volume_db: float
    emergency_floor_db: float
    muted: bool


@dataclass(frozen=True, slots=True)
class PriorityOrder:
    """The order in which a commune wants its *priority* broadcasts: the first wins; those not named come
    after.
    """

    place: str
    version: int
    broadcasts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RootsOrder:
    """From now on exactly these are pinned. Signed by a root that is pinned until then."""

    version: int
    roots: tuple[VerifyKey, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.roots) <= MAX_ROOTS or len(set(self.roots)) != len(self.roots):
            raise ValueError(f"{len(self.roots)} roots, expected 1 to {MAX_ROOTS}, each once")


@dataclass(frozen=True, slots=True)
class Revoked:
    """Void: whatever the list's signer granted to the key `subject` with this serial or a lower one."""

    subject: str
    serial: int


@dataclass(frozen=True, slots=True)
class Revocations:
    """All that its signer has revoked; the latest list replaces those before it."""

    version: int
    revoked: tuple[Revoked, ...]

    def __post_init__(self) -> None:
        if len(self.revoked) > MAX_REVOKED or len({one.subject for one in self.revoked}) < len(self.revoked):
            raise ValueError(f"{len(self.revoked)} revoked, expected at most {MAX_REVOKED}, each key once")


Content = Placement | VolumeOrder | PriorityOrder | RootsOrder | Revocations


def sign_statement(content: Content, key: SigningKey) -> Statement:
    kind, fields = _to_map(content)
    payload = build_map(fields)
    return Statement(kind, payload, key.public.key_id, key.sign(_signed(kind, payload)))


def open_statement(statement: Statement, key: VerifyKey) -> Content:
    """The content, if `key` made the signature; RefusedError "signature" otherwise, ProtocolError for a bad
    payload.
    """
    if key.key_id != statement.key_id:
        raise RefusedError(
            "key", f"{statement.kind} statement: signed by {statement.key_id}, not by {key.key_id}"
        )
    if not key.verify(statement.signature, _signed(statement.kind, statement.payload)):
        raise RefusedError("signature", f"{statement.kind} statement: the signature of {key.key_id} is wrong")
    fields = parse_map(statement.payload, f"{statement.kind} payload", MAX_PAYLOAD_BYTES)
    match statement.kind:
        case StatementKind.PLACEMENT:
            return _read_placement(fields)
        case StatementKind.VOLUME:
            return _read_volume(fields)
        case StatementKind.ORDER:
            return _read_order(fields)
        case StatementKind.ROOTS:
            return _read_roots(fields)
        case StatementKind.REVOKED:
            return _read_revoked(fields)


def read_version(statement: Statement) -> int:
    """What the payload says of itself, believed by nobody: enough to ignore a statement, never to obey it."""
    fields = parse_map(statement.payload, f"{statement.kind} payload", MAX_PAYLOAD_BYTES)
    return fields.integer("version", 0, VERSION_MAX)


def build_statement(statement: Statement) -> bytes:
    return build_map(
        {
            "kind": statement.kind.value,
            "payload": statement.payload,
            "key": id_bytes(statement.key_id),
            "sig": statement.signature,
        }
    )


def parse_statement(data: bytes) -> Statement:
    fields = parse_map(data, "statement", MAX_PAYLOAD_BYTES + 256)
    return Statement(
        fields.choice("kind", StatementKind),
        fields.raw("payload", 1, MAX_PAYLOAD_BYTES),
        fields.ident("key"),
        fields.raw("sig", SIGNATURE_BYTES, SIGNATURE_BYTES),
    )


def time_reply_bytes(t1: int, t2: int, t3: int, clock_id: str) -> bytes:
    """What the signature of a time reply covers: the asker's nonce, when it came, when it left, on which
    clock.
    """
    return b"loa-time\0" + b"".join(t.to_bytes(8, "big") for t in (t1, t2, t3)) + id_bytes(clock_id)


def _signed(kind: StatementKind, payload: bytes) -> bytes:
    return b"loa-" + kind.value.encode() + b"\0" + payload


def _to_map(content: Content) -> tuple[StatementKind, dict[str, object]]:
    match content:
        case Placement():
            return StatementKind.PLACEMENT, {
                "speaker": id_bytes(content.speaker),
                "version": content.version,
                "ancestry": b"".join(map(id_bytes, content.ancestry)),
                "latency_ms": content.latency_ms,
                "profile": content.profile.value,
            }
        case VolumeOrder():
            return StatementKind.VOLUME, {
                "target": id_bytes(content.target),
                "version": content.version,
                "volume_db": content.volume_db,
                "emergency_floor_db": content.emergency_floor_db,
                "muted": content.muted,
            }
        case PriorityOrder():
            return StatementKind.ORDER, {
                "place": id_bytes(content.place),
                "version": content.version,
                "broadcasts": b"".join(map(id_bytes, content.broadcasts)),
            }
        case RootsOrder():
            return StatementKind.ROOTS, {
                "version": content.version,
                "roots": b"".join(root.raw for root in content.roots),
            }
        case Revocations():
            return StatementKind.REVOKED, {
                "version": content.version,
                "revoked": b"".join(
                    id_bytes(one.subject) + one.serial.to_bytes(_SERIAL_BYTES, "big")
                    for one in content.revoked
                ),
            }


def _read_placement(fields: Fields) -> Placement:
    ancestry = fields.idents("ancestry", MAX_ANCESTRY)
    if not ancestry or len(set(ancestry)) != len(ancestry):
        raise ProtocolError("placement: ancestry is empty or names a place twice, expected root to own place")
    return Placement(
        fields.ident("speaker"),
        fields.integer("version", 0, VERSION_MAX),
        ancestry,
        fields.integer("latency_ms", 0, 10_000),
        fields.choice("profile", Profile),
    )


def _read_volume(fields: Fields) -> VolumeOrder:
    return VolumeOrder(
        fields.ident("target"),
        fields.integer("version", 0, VERSION_MAX),
        fields.number("volume_db", -100, 20),
        fields.number("emergency_floor_db", -100, 20),
        fields.flag("muted"),
    )


def _read_order(fields: Fields) -> PriorityOrder:
    return PriorityOrder(
        fields.ident("place"),
        fields.integer("version", 0, VERSION_MAX),
        fields.idents("broadcasts", MAX_ORDERED),
    )


def _read_roots(fields: Fields) -> RootsOrder:
    raw = _pieces(fields, "roots", KEY_BYTES, MAX_ROOTS)
    try:
        return RootsOrder(fields.integer("version", 0, VERSION_MAX), tuple(map(parse_key, raw)))
    except ValueError as error:
        raise ProtocolError(f"roots payload: {error}") from error


def _read_revoked(fields: Fields) -> Revocations:
    pieces = _pieces(fields, "revoked", ID_BYTES + _SERIAL_BYTES, MAX_REVOKED)
    revoked = tuple(
        Revoked(piece[:ID_BYTES].hex(), int.from_bytes(piece[ID_BYTES:], "big")) for piece in pieces
    )
    try:
        return Revocations(fields.integer("version", 0, VERSION_MAX), revoked)
    except ValueError as error:
        raise ProtocolError(f"revoked payload: {error}") from error


def _pieces(fields: Fields, name: str, size: int, most: int) -> list[bytes]:
    """Pieces of one size, end to end in one binary."""
    joined = fields.raw(name, 0, most * size)
    if len(joined) % size:
        raise ProtocolError(f"{fields.what}: {name} has {len(joined)} bytes, expected a multiple of {size}")
    return [joined[at : at + size] for at in range(0, len(joined), size)]
