"""What every body of the API is made of: base classes, ids, times and the words of the house as named values.

Laws: what comes in is strict (unknown fields are refused, nothing is guessed); what goes out may grow, so a
client ignores fields it does not know. Every time is RFC 3339 in UTC. A model holds no behaviour.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from ..errors import OperatorError
from ..logs import names_secret
from ..station.text import clean_name

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""A permanent opaque id: 16 lower-case hex digits."""


def _shown(title: str) -> str:
    """As the station will keep it, or ValueError: what is on the air already must not fail there."""
    try:
        return clean_name(title, where="title", max_chars=200)
    except OperatorError as error:
        raise ValueError(str(error)) from error


Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_shown)
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,23}$")]
"""nation, province, district, area, commune, hamlet, zone, ... Depth is data, and so is this word."""

Moment = Annotated[
    AwareDatetime,
    PlainSerializer(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z", str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""RFC 3339 in UTC with milliseconds, always of one length, so that text sorts as time does."""

MAX_TARGETS = 5000
"""More places than a national territory has communes; an order with more is a mistake."""

Targets = Annotated[list[Id], Field(min_length=1, max_length=MAX_TARGETS)]


class _Discreet(BaseModel):
    """A repr shows nothing whose name says that it is secret."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, value) for name, value in super().__repr_args__() if not names_secret(name or ""))


class In(_Discreet):
    """A body or query that a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(_Discreet):
    """A body that a client receives."""

    model_config = ConfigDict(frozen=True)


class Problem(Out):
    """Every error of the API."""

    what: str = Field(description="what is wrong")
    where: str = Field(description="which field, parameter or thing it is about")
    expected: str = Field(description="what would have been right")


class ClassName(StrEnum):
    """The three classes of Circular 39/2020."""

    ORDINARY = "ordinary"
    PRIORITY = "priority"
    EMERGENCY = "emergency"


class OrderClass(StrEnum):
    """The classes that POST /broadcasts takes; an emergency has a route of its own."""

    ORDINARY = "ordinary"
    PRIORITY = "priority"


class SeverityName(StrEnum):
    """CAP 1.2 severity."""

    UNKNOWN = "unknown"
    MINOR = "minor"
    MODERATE = "moderate"
    SEVERE = "severe"
    EXTREME = "extreme"


class OriginName(StrEnum):
    """Where an ordinary broadcast comes from: its order among the ordinary ones."""

    RELAY = "relay"
    SCHEDULE = "schedule"
    LIVE = "live"


class ChimeName(StrEnum):
    INFORMATION = "information"
    WARNING = "warning"
    ALL_CLEAR = "all_clear"


class ResumeRule(StrEnum):
    """What a file does when a higher broadcast that overrode all of its places has ended."""

    CONTINUE = "continue"
    RESTART = "restart"
    DROP = "drop"


class BroadcastState(StrEnum):
    WAITING = "waiting"
    """For its microphone to call in."""
    CHIME = "chime"
    LIVE = "live"
    PLAYING = "playing"
    PAUSED = "paused"
    ENDED = "ended"


class SpeakerState(StrEnum):
    """`pending` waits for a person's approval; neither it nor a `blocked` one has a link."""

    PENDING = "pending"
    BLOCKED = "blocked"
    ONLINE = "online"
    OFFLINE = "offline"
    FAULT = "fault"
    NEVER = "never"


class ViaName(StrEnum):
    """How a speaker's sound reaches it."""

    UDP = "udp"
    WS = "ws"


class ProgramState(StrEnum):
    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


def moment(at_us: int) -> datetime:
    """Network time in microseconds as a UTC date, cut to the millisecond."""
    return datetime.fromtimestamp(at_us // 1000 / 1000, UTC)
