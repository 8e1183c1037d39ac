"""An order to air as the station keeps it. A value, valid from construction, and what the journal holds.

Law: what is read back equals what was written.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import OperatorError, ProtocolError
from ..trust.ids import is_id
from ..wire.rank import BroadcastClass, Origin, Severity
from .audit_entry import NewEntry, build_new, new_from
from .ids import check_id
from .programs import clean_title

MAX_TARGETS = 16_384
"""As many as a list of targets on the wire may hold."""
MAX_TIME_US = 2**63 - 1
"""What a column of the database holds."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """`source`: "file", "microphone", "tone"; `resume`: "continue", "restart", "drop"; open until `ended_us`.

    `repeat` and `chime` are kept so that a recorded emergency can go on after a restart.
    """

    id: str
    program: str | None
    source: str
    title: str
    cls: BroadcastClass
    severity: Severity
    origin: Origin
    drill: bool
    targets: tuple[str, ...]
    issuer_place: str
    issuer_account: str | None
    resume: str
    started_us: int
    expires_us: int
    repeat: int = 1
    chime: str | None = None
    ended_us: int | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", clean_title(self.title))
        check_id(self.id, where="broadcast")
        check_id(self.issuer_place, where="issuing place of the broadcast")
        for optional, where in ((self.program, "program"), (self.issuer_account, "issuing account")):
            if optional is not None:
                check_id(optional, where=f"{where} of the broadcast")
        if not 0 < len(self.targets) <= MAX_TARGETS or not all(map(is_id, self.targets)):
            raise OperatorError(
                f"targets of broadcast {self.id}: {len(self.targets)}; expected 1 to {MAX_TARGETS} place ids"
            )
        for word in (self.source, self.resume, self.chime or "", self.reason or ""):
            if len(word) > 16 or not word.isprintable():
                raise OperatorError(
                    f"broadcast {self.id}: {word[:40]!r}; expected a word of at most 16 letters"
                )
        for time_us in (self.started_us, self.expires_us, self.ended_us or 0):
            if not 0 <= time_us <= MAX_TIME_US:
                raise OperatorError(
                    f"broadcast {self.id}: time {time_us}; expected microseconds of network time"
                )

    def ended(self, at_us: int, reason: str) -> "Broadcast":
        return self if self.ended_us is not None else replace(self, ended_us=at_us, reason=reason)


@dataclass(frozen=True, slots=True)
class Ended:
    """A broadcast is over."""

    broadcast: str
    at_us: int
    reason: str


def build_entry(entry: Broadcast | Ended | NewEntry) -> bytes:
    """One line of JSON, readable with any tool on the day everything else has failed."""
    if isinstance(entry, NewEntry):
        return build_new(entry)
    kind = "started" if isinstance(entry, Broadcast) else "ended"
    return json.dumps({"entry": kind} | asdict(entry), ensure_ascii=False, separators=(",", ":")).encode()


def parse_entry(data: bytes) -> Broadcast | Ended | NewEntry:
    """The inverse of `build_entry`. ProtocolError when it is anything else."""
    try:
        fields = json.loads(data)
        if not isinstance(fields, dict):
            raise TypeError("not a map")
        kind = fields.pop("entry", None)
        if kind == "started":
            return _parse_started(fields)
        if kind == "ended":
            return Ended(str(fields["broadcast"]), int(fields["at_us"]), str(fields["reason"]))
        if kind == "noted":
            return new_from(fields)
    except (ValueError, TypeError, KeyError, OperatorError, RecursionError) as problem:
        raise ProtocolError(
            f"journal entry: {problem}; expected a broadcast that started or ended, or who did it"
        ) from problem
    raise ProtocolError(f"journal entry of kind {kind!r}; expected 'started', 'ended' or 'noted'")


def _parse_started(fields: Mapping[str, Any]) -> Broadcast:
    return Broadcast(
        **{
            name: fields[name]
            for name in Broadcast.__slots__
            if name not in {"cls", "severity", "origin", "targets"}
        },
        cls=BroadcastClass(fields["cls"]),
        severity=Severity(fields["severity"]),
        origin=Origin(fields["origin"]),
        targets=tuple(fields["targets"]),
    )
