"""What comes in: each datagram is parsed, judged, counted, and only then may it sound.

    bytes -> parse -> known session? -> replay window -> signature -> fresh? -> its slot
                      start: grant, class, level, territory, expiry, signature -> a broadcast is known

Laws: nothing unverified reaches a slot; every refusal is counted under its reason; a broadcast sounds only
after `arm`, which the owner calls when what must outlive a restart has been stored; an ended broadcast stays
ended. Pure: takes bytes and network time, returns events. Owned by the agent, which also calls `take` and
`passed` as slots sound (player.Shelf).
"""

from dataclasses import dataclass
from typing import TypeAlias

from ..trust.grants import VerifiedSession
from ..trust.replay import Freshness
from ..wire.messages import EndReason, Start
from .checks import Checks
from .mandate import Mandate
from .pen import Pen
from .report import Counters
from .selector import Active, Selector
from .stream import Stream

MAX_SESSIONS_EACH = 4
"""Sessions that air the same program at once: a node that was restarted, and one before it that is not
over."""


@dataclass(frozen=True, slots=True)
class Began:
    """A broadcast was verified for the first time. It is heard from `arm` on; never, if `silent` (a test)."""

    broadcast: str
    emergency: bool
    silent: bool


@dataclass(frozen=True, slots=True)
class Flowed:
    """A verified datagram of a program that is known, new and in time; its last frame begins at
    `newest_us`."""

    broadcasts: frozenset[str]
    newest_us: int


@dataclass(frozen=True, slots=True)
class Ended:
    broadcast: str
    reason: EndReason


@dataclass(frozen=True, slots=True)
class Lacking:
    """A start cannot be judged without this; `kind` is "targets" or "chain", `digest` the hash to ask for."""

    kind: str
    digest: bytes


Event: TypeAlias = Began | Flowed | Ended | Lacking


@dataclass(slots=True)
class _Known:
    active: Active
    stream: Stream
    session: VerifiedSession
    start: Start
    armed: bool = False


class Intake:
    def __init__(self, mandate: Mandate, freshness: Freshness, checks: Checks, counters: Counters) -> None:
        self._mandate, self._freshness, self._checks, self._counters = mandate, freshness, checks, counters
        self.selector = Selector()
        self._known: dict[str, _Known] = {}
        self._streams: dict[str, list[Stream]] = {}
        self._pen = Pen()
        self._next_k = 0
        self._over: list[Active] = []
