"""Where lines of the audit log are read from by those who check it: a state folder, or an exported file.

Laws: nothing is written, no node is started, no secret is asked for, so it may be done beside a running node
or on a copy; what cannot be read as a line is a ProtocolError that says which. Blocks: files.
"""

import json
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from ..errors import ConfigError, ProtocolError
from ..trust.keys import SigningKey, VerifyKey
from .audit_entry import AuditEntry, entry_from
from .audit_head import AuditHead, head_from
from .audit_line import MAX_LINE_BYTES, Line, parse_line
from .ring_file import read_ring

TRIGGERS = ("audit_entry_no_update", "audit_entry_no_delete", "audit_head_no_update", "audit_head_no_delete")
_ENTRIES = f"SELECT {', '.join(AuditEntry.__slots__)} FROM audit_entry ORDER BY number"  # noqa: S608 - ours
_HEADS = "SELECT number, at_us, hash, key_id, grants, signature FROM audit_head ORDER BY number, at_us"


class _NoKeys:
    """A vault without keys: what is public needs none."""

    def load(self, name: str) -> SigningKey | None:
        return None

    def create(self, name: str) -> SigningKey:
        raise ConfigError(f"key {name}: nothing is made where something is checked")

    def secret(self, name: str) -> bytes:
        raise ConfigError(f"secret {name}: nothing is opened where something is checked")


def roots_of(state: Path) -> tuple[VerifyKey, ...]:
    """The roots that this node's speakers believe. ConfigError when its keyring cannot be read."""
    return tuple(root.key for root in read_ring(state / "keys" / "chain.json", _NoKeys()).roots)


def lines_of_state(state: Path) -> Generator[AuditEntry | AuditHead, None, None]:
    """Each head behind the entry it signs. ConfigError when there is no audit log in it."""
    path = state / "loa.db"
    if not path.is_file():
        raise ConfigError(f"{path}: not there, expected the state folder of a node")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            yield from _rows(database)
    except sqlite3.Error as problem:
        raise ConfigError(
            f"{path}: {problem}; expected the database of a node that this Loa has run"
        ) from problem


def _rows(database: sqlite3.Connection) -> Iterator[AuditEntry | AuditHead]:
    database.execute("BEGIN")  # entries and heads of one moment
    _check_triggers(database)
    with closing(database.execute(_HEADS)) as heads, closing(database.execute(_ENTRIES)) as entries:
        head = _head(heads.fetchone())
        for row in entries:
            entry = _entry(row)
            yield entry
            while head is not None and head.number <= entry.number:
                yield head
                head = _head(heads.fetchone())
        while head is not None:
            yield head
            head = _head(heads.fetchone())


def _check_triggers(database: sqlite3.Connection) -> None:
    there = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    gone = [name for name in TRIGGERS if name not in there]
    if gone:
        raise ProtocolError(f"the database no longer refuses changes: its trigger {gone[0]} is gone")


def _entry(row: tuple[object, ...]) -> AuditEntry:
    fields = dict(zip(AuditEntry.__slots__, row, strict=True))
    try:
        fields |= {name: json.loads(str(fields[name])) for name in ("places", "detail")}
        return entry_from(fields)
    except (ValueError, RecursionError, ProtocolError) as problem:
        raise ProtocolError(f"entry {fields['number']} was changed: {problem}") from problem


def _head(row: tuple[object, ...] | None) -> AuditHead | None:
    if row is None:
        return None
    number, at_us, digest, key_id, grants, signature = row
    fields = {"number": number, "at_us": at_us, "hash": digest, "key_id": key_id}
    try:
        signed = signature.hex() if isinstance(signature, bytes) else ""
        return head_from(fields | {"grants": json.loads(str(grants)), "signature": signed})
    except (ValueError, RecursionError, ProtocolError) as problem:
        raise ProtocolError(f"the head of entry {number} was changed: {problem}") from problem


def lines_of_file(path: Path) -> Generator[Line, None, None]:
    """ConfigError when it cannot be read."""
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                yield _line(number, data)
    except OSError as problem:
        raise ConfigError(f"{path}: {problem.strerror}; expected an exported audit log") from problem


def _line(number: int, data: bytes) -> Line:
    try:
        if len(data) > MAX_LINE_BYTES:
            raise ProtocolError(f"more than {MAX_LINE_BYTES} bytes")
        return parse_line(data)
    except ProtocolError as problem:
        raise ProtocolError(f"line {number}: {problem}") from problem
