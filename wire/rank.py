"""Rank: which of two broadcasts is heard where both are meant to be (DESIGN.md section 6).

Laws: a rank is one integer, compared once; server and speaker compute it from the same fields of the same
signed start, so they agree; the order is total (equal keys are decided by the higher broadcast id).

    bits  62-61  60-58   57-54  53-0
          class  detail  level  order

emergency: detail = CAP severity, level = 15 - depth of the issuer's place (a higher issuer wins), order =
the start in microseconds (the latest wins, so a forgotten microphone never blocks). priority: detail and
level are 0, order = 2^53 - start (first come, first served), or, when the commune has put it into its list,
2^53 + 2^16 - position (listed beats unlisted, an earlier position beats a later). ordinary: detail =
origin, level = 0, order = 2^53 - start.
"""

from dataclasses import dataclass
from enum import IntEnum

START_LIMIT_US = 2**53
"""Starts lie below this: the year 2255."""
POSITION_LIMIT = 2**16


class BroadcastClass(IntEnum):
    """The three classes of Circular 39/2020."""

    ORDINARY = 1
    PRIORITY = 2
    EMERGENCY = 3


class Severity(IntEnum):
    """CAP 1.2's severities, the detail of an emergency."""

    UNKNOWN = 0
    MINOR = 1
    MODERATE = 2
    SEVERE = 3
    EXTREME = 4


class Origin(IntEnum):
    """The detail of an ordinary broadcast: a live voice from the place beats its schedule beats a relay
    from above.
    """

    RELAY = 0
    SCHEDULE = 1
    LIVE = 2


MAX_DETAIL = {BroadcastClass.ORDINARY: 2, BroadcastClass.PRIORITY: 0, BroadcastClass.EMERGENCY: 4}
MAX_LEVEL = 15


@dataclass(frozen=True, slots=True)
class Rank:
    """`position` is the place in the commune's list, for the priority class only."""

    cls: BroadcastClass
    detail: int
    level: int
    started_us: int
    position: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.detail <= MAX_DETAIL[self.cls]:
            raise ValueError(f"detail {self.detail} of {self.cls.name}, expected 0 to {MAX_DETAIL[self.cls]}")
        if not 0 <= self.level <= MAX_LEVEL:
            raise ValueError(f"level {self.level}, expected 0 to {MAX_LEVEL}")
        if not 0 <= self.started_us < START_LIMIT_US:
            raise ValueError(f"started at {self.started_us} us, expected 0 to 2^53 - 1")
        if self.position is not None and not 0 <= self.position < POSITION_LIMIT:
            raise ValueError(f"position {self.position}, expected 0 to {POSITION_LIMIT - 1}")

    @property
    def key(self) -> int:
        """63 bits; the higher wins."""
        match self.cls:
            case BroadcastClass.EMERGENCY:
                return _key(self.cls, self.detail, self.level, self.started_us)
            case BroadcastClass.PRIORITY if self.position is not None:
                return _key(self.cls, 0, 0, START_LIMIT_US + POSITION_LIMIT - self.position)
            case BroadcastClass.PRIORITY:
                return _key(self.cls, 0, 0, START_LIMIT_US - self.started_us)
            case BroadcastClass.ORDINARY:
                return _key(self.cls, self.detail, 0, START_LIMIT_US - self.started_us)


def beats(a_key: int, a_id: str, b_key: int, b_id: str) -> bool:
    """Whether broadcast a is heard where both are meant to be."""
    return (a_key, a_id) > (b_key, b_id)


def _key(cls: int, detail: int, level: int, order: int) -> int:
    return cls << 61 | detail << 58 | level << 54 | order
