"""Bodies about the territory: places, speakers, enrolment, reach."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .model import ClassName, Id, In, Kind, Moment, Name, Out, SeverityName, Slug, SpeakerState, ViaName

LatencyMs = Annotated[int, Field(ge=0, le=10_000)]
Profile = Annotated[str, StringConstraints(pattern=r"^(wan|lan)$")]
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Playing(Out):
    """What sounds at one place now."""

    broadcast: Id
    title: str
    cls: ClassName
    severity: SeverityName | None = Field(description="only of an emergency")
    drill: bool


class PlaceOut(Out):
    id: Id
    parent: Id | None
    name: str
    slug: str
    kind: Kind
    path: str = Field(description="slugs from the root, joined by '/': also the name of its mount")
    depth: int
    position: int
    latency_ms: int | None = Field(description="null: as the place above")
    profile: str | None = Field(description="wan or lan; null: as the place above")
    speakers: int = Field(description="of the place and everything below it")
    online: int
    faulty: int
    playing: Playing | None = Field(description="what a speaker at this very place plays")
    in_scope: bool = Field(
        description="false: above what one may see; then only what it is called and where it is are told"
    )


class PlaceIn(In):
    parent: Id | None = None
    name: Name
    kind: Kind
    slug: Slug | None = Field(default=None, description="made from the name when left out")


class PlacePatch(In):
    """Fields left out stay; latency_ms or profile null: inherit from the place above."""

    name: Name | None = None
    slug: Slug | None = None
    parent: Id | None = None
    position: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    latency_ms: LatencyMs | None = None
    profile: Profile | None = None


class PlaceOrderIn(In):
    broadcasts: Annotated[list[Id], Field(max_length=100)] = Field(
        description="the priority broadcasts of this commune, first one first"
    )


class SpeakerOut(Out):
    id: Id
    place: Id
    name: str
    serial: str
    software: str
    notes: str
    key: str = Field(
        description="begin of its key's id, in two groups: the device shows the same when it enrols"
    )
    lat: float | None
    lon: float | None
    enrolled_at: Moment | None
    state: SpeakerState
    via: ViaName | None
    playing: Playing | None
    level_dbfs: float | None = Field(description="RMS of what its output plays; null when silent or unknown")
    delay_ms: float | None = Field(description="from media time to the output")
    last_seen: Moment | None


class Position(In):
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


class SpeakerPatch(In):
    """Fields left out stay; position null takes it off the map."""

    name: Name | None = None
    place: Id | None = None
    notes: Annotated[str, StringConstraints(max_length=2000)] | None = None
    position: Position | None = None


class SpeakerQuery(In):
    place: Id | None = Field(default=None, description="only those of this place and everything below it")


class ReachOut(Out):
    speakers: int
    online: int
    places: int


class ReachQuery(In):
    targets: Annotated[str, StringConstraints(min_length=16, max_length=17 * 500)] = Field(
        description="place ids, separated by commas"
    )
