"""Is this audit log the one that was written? Answered from its lines alone. Pure.

Laws: the first thing that is wrong is named, by its number; a head that a node below a pinned root has signed
vouches for everything before it, so an older head under a root that is pinned no more is passed over when a
later one holds; a log that goes on less far than a signed head, or than an export of it, was cut.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..errors import ProtocolError, RefusedError
from ..trust.keys import VerifyKey
from .audit_entry import BEFORE_ALL, AuditEntry
from .audit_head import AuditHead, check_head
from .audit_line import Begin, End, Line

OUTGROWN = frozenset({"issuer", "root"})
"""Why a head of a former root is not believed today."""


@dataclass(slots=True)
class Checked:
    """How far it is right: after entry `first` up to entry `last`, whose hash is `hash`."""

    first: int = 0
    first_hash: str = BEFORE_ALL.hex()
    last: int = 0
    hash: str = BEFORE_ALL.hex()
    heads: int = 0
    signed: AuditHead | None = None
    roots: tuple[VerifyKey, ...] = ()
    ended: bool = False
    doubt: str | None = field(default=None, repr=False)


def check_lines(
    lines: Iterable[Line], roots: Sequence[VerifyKey] = (), *, known: Mapping[int, str] | None = None
) -> Checked:
    """ProtocolError names the first fault. `roots`: those to believe (none: those that the lines themselves
    bring); `known`: hashes by number, from elsewhere.
    """
    found = Checked(roots=tuple(roots))
    wanted = dict(known or {})
    for line in lines:
        if found.ended:
            raise ProtocolError(f"after the end, entry {found.last}: more lines, expected none")
        match line:
            case Begin():
                _begin(found, line)
            case AuditEntry():
                _entry(found, line)
            case AuditHead():
                _head(found, line)
            case End():
                _end(found, line)
        _compare(found, wanted)
    if found.doubt is not None:
        raise ProtocolError(found.doubt)
    if wanted and max(wanted) > found.last:
        raise ProtocolError(
            f"entry {found.last + 1} is missing: the log was cut, the export goes on to {max(wanted)}"
        )
    return found


def _begin(found: Checked, line: Begin) -> None:
    if found.last or found.heads:
        raise ProtocolError(f"after entry {found.last}: a second beginning, expected one")
    found.first = found.last = line.number
    found.first_hash = found.hash = line.hash
    found.roots = found.roots or line.roots


def _entry(found: Checked, entry: AuditEntry) -> None:
    due = found.last + 1
    if entry.number != due:
        what = "is missing" if entry.number > due else "is out of order"
        raise ProtocolError(f"entry {due} {what}: entry {entry.number} stands in its place")
    if not entry.chained(bytes.fromhex(found.hash)):
        raise ProtocolError(f"entry {due} was changed: its hash does not follow from entry {found.last}")
    found.last, found.hash = entry.number, entry.hash


def _head(found: Checked, head: AuditHead) -> None:
    name = f"the head of entry {head.number}, signed {when(head.at_us)}"
    if head.number > found.last:
        raise ProtocolError(f"entry {found.last + 1} is missing: {name}, says that the log was cut")
    if head.number < found.last:
        raise ProtocolError(f"{name}, is out of order: expected it before entry {found.last}")
    if head.hash != found.hash:
        raise ProtocolError(f"entry {found.last} is another than was signed: {name}")
    try:
        check_head(head, found.roots)
    except RefusedError as problem:
        if problem.reason not in OUTGROWN:
            raise ProtocolError(f"{name}: {problem}") from problem
        found.doubt = f"{name}: {problem}"
    except ProtocolError as problem:
        raise ProtocolError(f"{name}: {problem}") from problem
    else:
        found.doubt, found.signed = None, head
    found.heads += 1


def _end(found: Checked, line: End) -> None:
    if (line.number, line.hash) != (found.last, found.hash):
        raise ProtocolError(f"entry {found.last + 1} is missing: the end says that there are {line.number}")
    found.ended = True


def _compare(found: Checked, wanted: dict[int, str]) -> None:
    known = wanted.pop(found.last, None)
    if known is not None and known != found.hash:
        raise ProtocolError(f"entry {found.last}, or one before it, is another than the export has")


def when(at_us: int) -> str:
    """For people: UTC, to the second."""
    try:
        return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"at {at_us} us"
