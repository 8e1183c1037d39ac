"""One entry of the audit log: who did what, from where, to which places, and what came of it. Pure.

    hash = SHA-256(hash of the entry before, 32 bytes | canonical bytes of all but the hash)
    canonical = JSON (RFC 8259) in UTF-8, keys sorted, no blanks, whole numbers, letters unescaped

The entry before number 1 is 32 zero bytes. Laws: numbers begin at 1 and have no gap; nothing that proves an
identity gets in: a detail has one of the names of `DETAILS` and is a short text, a whole number or a yes or
no, and what looks like a key, a code or a token is written as `HIDDEN`; what is read is kept as it is, so
that what somebody has changed is seen to be changed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..errors import InternalError, ProtocolError
from ..trust.enrol import parse_code
from ..trust.ids import is_id

BEFORE_ALL = bytes(32)
MAX_PLACES = 16_384
"""As many as an order may have targets."""
MAX_TEXT = 120
HIDDEN = "(hidden)"
_NAMES = (
    "acts after all_clear approved before broadcast bytes chime cls count days drill emergency_floor_db "
    "expires factor full_name hours key kind latency_ms left_out max_s method muted name needs number parent "
    "place position profile program reason recovered replaces role roles second_factor serial severity slug "
    "software source state status targets title version volume_db which"
)
DETAILS = frozenset(_NAMES.split())
"""What an act may say of itself beyond subject and places. Another word is added here, after a thought."""

Scalar = str | int | bool
_ACT = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SECRET = re.compile(r"loa_[\w-]{8}|LOA:|otpauth:|eyJ[\w-]+\.|[\w+/-]{40}", re.IGNORECASE | re.ASCII)
"""API tokens, enrolment QR codes, TOTP links, JWTs, and any long run of base64 or hex."""


class Via(StrEnum):
    """How the actor came in."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a kind of log-in, no secret
    DEVICE = "device"
    SYSTEM = "system"


class Result(StrEnum):
    DONE = "done"
    DENIED = "denied"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What happened. Valid from construction: texts are cut and cleaned, places that are no ids left out.

    `act`: the operation as the API document names it. InternalError for an act or a detail that can have no
    place here.
    """

    at_us: int
    act: str
    result: Result = Result.DONE
    via: Via = Via.SYSTEM
    actor: str | None = None
    actor_name: str = ""
    address: str = ""
    subject: str = ""
    places: tuple[str, ...] = ()
    detail: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _ACT.fullmatch(self.act):
            raise InternalError(f"audit: act {self.act!r}, expected the name of an operation")
        if self.actor is not None and not is_id(self.actor):
            raise InternalError(f"audit: actor {self.actor!r}, expected an account's or a speaker's id")
        object.__setattr__(self, "actor_name", clean(self.actor_name))
        object.__setattr__(self, "address", clean(self.address)[:64])
        object.__setattr__(self, "subject", clean(self.subject))
        object.__setattr__(self, "places", tuple(filter(is_id, self.places))[:MAX_PLACES])
        object.__setattr__(self, "detail", clean_detail(self.detail))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """As it was read; whether its hash is right is what `chained` says."""

    number: int
    at_us: int
    actor: str | None
    actor_name: str
    via: str
    address: str
    act: str
    subject: str
    places: tuple[str, ...]
    result: str
    detail: Mapping[str, Scalar]
    hash: str

    def chained(self, previous: bytes) -> bool:
        """Whether its hash follows from its words and the hash before."""
        return self.hash == _digest(previous, self.fields())

    def fields(self) -> dict[str, object]:
        """Everything but the hash."""
        names = (name for name in self.__slots__ if name != "hash")
        return {name: getattr(self, name) for name in names}


def follow(previous: bytes, number: int, new: NewEntry) -> AuditEntry:
    """The entry that stands under this number, after the one with the hash `previous`."""
    values = {name: getattr(new, name) for name in NewEntry.__slots__}
    return AuditEntry(number=number, hash=_digest(previous, {"number": number} | values), **values)


def canonical(fields: Mapping[str, object]) -> bytes:
    return json.dumps(
        dict(fields), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "surrogatepass")


def _digest(previous: bytes, fields: Mapping[str, object]) -> str:
    return hashlib.sha256(previous + canonical(fields)).hexdigest()


def clean(text: str) -> str:
    """One line of at most `MAX_TEXT` characters, and nothing that could open a door."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MAX_TEXT]).strip()
    return HIDDEN if looks_secret(line) else line[:MAX_TEXT]


def clean_detail(detail: Mapping[str, object]) -> dict[str, Scalar]:
    """InternalError for a name that is not in `DETAILS`, or a value that is no text, number, yes or no."""
    kept: dict[str, Scalar] = {}
    for name, value in detail.items():
        if name not in DETAILS:
            raise InternalError(f"audit: a detail {name!r}, expected one of {', '.join(sorted(DETAILS))}")
        match value:
            case None:
                continue
            case bool() | int():
                kept[name] = value
            case float():
                kept[name] = f"{value:g}"
            case str():
                kept[name] = clean(value)
            case _:
                raise InternalError(f"audit: {name} is a {type(value).__name__}, expected a text or a number")
    return kept


def looks_secret(text: str) -> bool:
    if _SECRET.search(text):
        return True
    try:
        parse_code(text)
    except ProtocolError:
        return False
    return True


def build_new(entry: NewEntry) -> bytes:
    """For the journal."""
    return canonical({name: getattr(entry, name) for name in NewEntry.__slots__} | {"entry": "noted"})


def new_from(fields: Mapping[str, object]) -> NewEntry:
    """The inverse of `build_new`, of its parsed JSON. ProtocolError when it is anything else."""
    try:
        values = {name: fields[name] for name in NewEntry.__slots__}
        values |= {"result": Result(str(fields["result"])), "via": Via(str(fields["via"]))}
        values["places"] = _texts(fields["places"])
        return NewEntry(**values)  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError, AttributeError, InternalError) as problem:
        raise ProtocolError(f"audit: {problem}; expected an entry as it was written") from problem


def entry_from(fields: Mapping[str, object]) -> AuditEntry:
    """From columns or parsed JSON. ProtocolError for what no entry can look like."""
    try:
        values = {name: fields[name] for name in AuditEntry.__slots__}
    except KeyError as problem:
        raise ProtocolError(f"audit entry: {problem} is missing, expected every field") from problem
    for name, kind in (("number", int), ("at_us", int), ("hash", str), ("detail", dict), ("act", str)):
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise ProtocolError(f"audit entry: {name} is no {kind.__name__}, expected one")
    values["places"] = _texts(values["places"])
    return AuditEntry(**values)  # type: ignore[arg-type]


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ProtocolError("audit entry: places is no list of texts, expected ids")
    return tuple(value)
