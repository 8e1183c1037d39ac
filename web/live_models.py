"""What GET /api/v1/events sends: one JSON object per event, its `kind` equal to the SSE event's name.

Every event states what is now, never a difference, so one that was overtaken by a later one of the same thing
may be left out, and a client that has missed some is right again after the next `hello` and what follows it.
"""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from ..codecs.voice_watch import Remark
from .air_models import BroadcastOut, BroadcastReach, ProgramOut
from .model import Id, In, Moment, Out, SpeakerState, ViaName
from .push_models import PushOut
from .radio_models import RadioOut
from .territory_models import Playing


class EventQuery(In):
    place: Id | None = Field(
        default=None, description="send `speakers` events too, of this place and everything below it"
    )


class HelloEvent(Out):
    """Begins a snapshot: forget what you knew; everything follows as events of the other kinds."""

    kind: Literal["hello"] = "hello"
    now: Moment
    clock_id: str
    software: str


class PlaceLive(Out):
    id: Id
    speakers: int
    online: int
    faulty: int
    playing: Playing | None


class PlacesEvent(Out):
    kind: Literal["places"] = "places"
    places: list[PlaceLive]


class TerritoryEvent(Out):
    """The tree or the list of speakers has changed: read /places (and /speakers) again."""

    kind: Literal["territory"] = "territory"
    version: int


class SpeakerLive(Out):
    id: Id
    place: Id
    name: str
    state: SpeakerState
    via: ViaName | None
    playing: Playing | None
    level_dbfs: float | None
    delay_ms: float | None
    last_seen: Moment | None


class SpeakersEvent(Out):
    kind: Literal["speakers"] = "speakers"
    speakers: list[SpeakerLive]


class BroadcastEvent(Out):
    """Started, changed or ended (`state` says which)."""

    kind: Literal["broadcast"] = "broadcast"
    broadcast: BroadcastOut


class ReachEvent(Out):
    kind: Literal["reach"] = "reach"
    broadcast: Id
    reach: BroadcastReach


class LevelEvent(Out):
    """The live microphone, about ten times a second."""

    kind: Literal["level"] = "level"
    broadcast: Id
    rms_dbfs: float
    peak_dbfs: float
    clipped: bool
    remarks: list[Remark] = Field(description="what is wrong with the microphone, the worst first")


class ProgramEvent(Out):
    """An upload's progress, or a program that is ready or has failed."""

    kind: Literal["program"] = "program"
    program: ProgramOut


class ProgramGoneEvent(Out):
    kind: Literal["program_gone"] = "program_gone"
    id: Id


class RadioEvent(Out):
    """A radio was added or changed, or how its addresses stand has; read /radios first."""

    kind: Literal["radio"] = "radio"
    radio: RadioOut


class RadioGoneEvent(Out):
    kind: Literal["radio_gone"] = "radio_gone"
    id: Id


class PushEvent(Out):
    """A push was added or changed, or who pushes has; twice a second while somebody does, for its level."""

    kind: Literal["push"] = "push"
    push: PushOut


class PushGoneEvent(Out):
    kind: Literal["push_gone"] = "push_gone"
    id: Id


class LiveEvent(
    RootModel[
        Annotated[
            HelloEvent
            | PlacesEvent
            | TerritoryEvent
            | SpeakersEvent
            | BroadcastEvent
            | ReachEvent
            | LevelEvent
            | ProgramEvent
            | ProgramGoneEvent
            | RadioEvent
            | RadioGoneEvent
            | PushEvent
            | PushGoneEvent,
            Field(discriminator="kind"),
        ]
    ]
):
    """Any event; `kind` tells which."""
