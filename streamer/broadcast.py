"""An order to air and what has become of it: plain values that the API, the arbiter and the pump share."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ..codecs.tones import Chime
from ..codecs.voice_watch import Remark
from ..wire.datagram import EndReason
from ..wire.rank import BroadcastClass, Origin, Rank, Severity
from .clips import Clip

EMERGENCY_REPEATS = 3
"""A recorded alert is said three times, as J-Alert does."""

MAX_DURATION_S = {
    BroadcastClass.ORDINARY: 4 * 3600,
    BroadcastClass.PRIORITY: 2 * 3600,
    BroadcastClass.EMERGENCY: 1800,
}
"""Every class ends by itself, so that a forgotten microphone does (ALERTING.md: stuck microphone)."""

HIGHEST_LEVEL = 15
"""The level in a rank is 15 - depth, so that the higher place has the greater number."""


class Resume(Enum):
    """What an overridden recording does when it is free again."""

    CONTINUE = "continue"
    RESTART = "restart"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class FileSource:
    """A stored recording, `repeat` times over."""

    clip: Clip
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class MicSource:
    """A live microphone that will call in by WHIP."""


@dataclass(frozen=True, slots=True)
class ToneSource:
    """The attention signal alone, `repeat` times."""

    repeat: int = 10


@dataclass(frozen=True, slots=True)
class RadioSource:
    """A radio to relay: the station's id of it, where it can be had (best first), what it is called."""

    radio: str
    addresses: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class PushSource:
    """What an encoder pushes: the station's id of it."""

    push: str


Source = FileSource | MicSource | ToneSource | RadioSource | PushSource


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants what where. Ids are 16 hex digits; `targets` and `issuer_place` are place ids."""

    id: str
    program_id: str
    title: str
    targets: tuple[str, ...]
    cls: BroadcastClass
    issuer_place: str
    expires_us: int
    source: Source
    severity: Severity = Severity.UNKNOWN
    origin: Origin = Origin.SCHEDULE
    resume: Resume = Resume.CONTINUE
    chime: Chime | None = None
    drill: bool = False

    def rank(self, depth: int, started_us: int) -> Rank:
        """The rank for an issuer `depth` levels below the root."""
        emergency = self.cls is BroadcastClass.EMERGENCY
        detail = self.severity if emergency else self.origin if self.cls is BroadcastClass.ORDINARY else 0
        return Rank(self.cls, int(detail), HIGHEST_LEVEL - min(depth, HIGHEST_LEVEL), started_us)


class State(Enum):
    """Where a broadcast is in its life."""

    WAITING = "waiting"
    CHIME = "chime"
    LIVE = "live"
    PLAYING = "playing"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class OnAir:
    """A broadcast at one instant. `winning` of its `places` hear it now; the others hear something higher."""

    order: Order
    state: State
    started_us: int
    winning: int
    places: int
    ended_us: int | None = None
    reason: EndReason | None = None
    heard: str = ""
    """What plays, as a radio or an encoder says."""


@dataclass(frozen=True, slots=True)
class BroadcastStarted:
    on_air: OnAir


@dataclass(frozen=True, slots=True)
class BroadcastChanged:
    """It paused, went on, began to speak, won or lost places, or says that something else plays."""

    on_air: OnAir


@dataclass(frozen=True, slots=True)
class BroadcastEnded:
    on_air: OnAir


@dataclass(frozen=True, slots=True)
class Overridden:
    """At these places (indices of the line) something else took over, or nothing: for the play log."""

    slices: Sequence[tuple[int, int]]
    before: str | None
    after: str | None
    at_us: int


@dataclass(frozen=True, slots=True)
class LevelHeard:
    """How loud a live source is, about ten times a second."""

    broadcast: str
    rms_dbfs: float
    peak_dbfs: float
    clipped: bool
    remarks: tuple[Remark, ...] = ()
    """What is wrong with a microphone."""


AirEvent = BroadcastStarted | BroadcastChanged | BroadcastEnded | Overridden | LevelHeard
