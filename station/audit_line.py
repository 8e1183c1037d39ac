"""The audit log as lines of JSON, to be taken away and checked anywhere. Pure.

    begin  number and hash of the entry before the first (0 and zeros: the whole log), the roots' public keys
    entry  every field and its hash          head  as signed          end  number and hash of the last entry

Law: one line, one thing, told by its `line`; a file without its end was cut.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ProtocolError
from ..trust.keys import VerifyKey, parse_key
from .audit_entry import AuditEntry, canonical, entry_from
from .audit_head import AuditHead, head_from

FORMAT = 1
MAX_LINE_BYTES = 1 << 20
"""An entry with 16,384 places takes 320 KiB."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Begin:
    """`number` and `hash` are those of the entry before the first."""

    number: int
    hash: str
    roots: tuple[VerifyKey, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    number: int
    hash: str


Line = Begin | AuditEntry | AuditHead | End


def build_line(line: Line) -> bytes:
    """With its line feed."""
    match line:
        case Begin():
            roots = [root.raw.hex() for root in line.roots]
            fields = {"format": FORMAT, "number": line.number, "hash": line.hash, "roots": roots}
            return canonical({"line": "begin"} | fields) + b"\n"
        case AuditEntry():
            return canonical({"line": "entry", "hash": line.hash} | line.fields()) + b"\n"
        case AuditHead():
            return canonical({"line": "head"} | line.fields()) + b"\n"
        case End():
            return canonical({"line": "end", "number": line.number, "hash": line.hash}) + b"\n"


def parse_line(data: bytes) -> Line:
    """ProtocolError when it is no line of ours."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise ProtocolError(f"no JSON ({problem}), expected one object") from problem
    if not isinstance(fields, dict):
        raise ProtocolError("no JSON object, expected one")
    match fields.get("line"):
        case "entry":
            return entry_from(fields)
        case "head":
            return head_from(fields)
        case "begin" if fields.get("format") == FORMAT:
            return Begin(*_position(fields), _roots(fields.get("roots")))
        case "end":
            return End(*_position(fields))
    raise ProtocolError(
        f"line {fields.get('line')!r:.40}, expected begin (of format {FORMAT}), entry, head or end"
    )


def _position(fields: dict[str, object]) -> tuple[int, str]:
    number, digest = fields.get("number"), fields.get("hash")
    if not isinstance(number, int) or not isinstance(digest, str) or not _HASH.fullmatch(digest):
        raise ProtocolError("number and hash are missing, expected a whole number and 64 hex digits")
    return number, digest


def _roots(value: object) -> tuple[VerifyKey, ...]:
    if not isinstance(value, list):
        raise ProtocolError("roots is no list, expected public keys in hex")
    return read_roots([str(text) for text in value])


def read_roots(texts: Sequence[str]) -> tuple[VerifyKey, ...]:
    """Public keys in hex. ProtocolError for what is none."""
    try:
        return tuple(parse_key(bytes.fromhex(text)) for text in texts)
    except ValueError as problem:
        raise ProtocolError(f"root: {problem}, expected 64 hex digits") from problem
