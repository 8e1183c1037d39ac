"""Bodies about what is on air: programs, broadcasts, emergencies and whom they reached."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .model import (
    BroadcastState,
    ChimeName,
    ClassName,
    Id,
    In,
    Moment,
    OrderClass,
    OriginName,
    Out,
    Problem,
    ProgramState,
    ResumeRule,
    SeverityName,
    Targets,
    Title,
)
from .territory_models import ReachOut

MaxSeconds = Annotated[int, Field(ge=1, le=24 * 3600)]


class ProgramOut(Out):
    id: Id
    place: Id = Field(description="whose it is; who is at or below it, or above, may hear and air it")
    title: str
    kind: str
    state: ProgramState
    progress: float | None = Field(description="0 to 100 while it is prepared")
    duration_s: float | None
    loudness_lufs: float | None
    peaks: list[int] = Field(description="about 200 values 0 to 100: the picture of its waveform")
    error: Problem | None
    created_at: Moment


class UploadForm(In):
    """Fields of the multipart form; `file` is the audio itself."""

    place: Id | None = Field(
        default=None, description="before the file; left out: the highest place where one may keep programs"
    )
    title: Title | None = Field(default=None, description="the file's name when left out")
    file: Annotated[str, StringConstraints(), Field(json_schema_extra={"format": "binary"})]


class FileSourceIn(In):
    kind: Literal["file"]
    program: Id
    repeat: bool = Field(default=False, description="again and again until it is stopped or its time is over")


class MicrophoneSourceIn(In):
    kind: Literal["microphone"]


class ToneSourceIn(In):
    kind: Literal["tone"]


class RadioSourceIn(In):
    kind: Literal["radio"]
    radio: Id


class PushSourceIn(In):
    kind: Literal["push"]
    push: Id


BroadcastSource = Annotated[
    FileSourceIn | MicrophoneSourceIn | RadioSourceIn | PushSourceIn, Field(discriminator="kind")
]
EmergencySource = Annotated[FileSourceIn | MicrophoneSourceIn | ToneSourceIn, Field(discriminator="kind")]


class BroadcastIn(In):
    source: BroadcastSource
    targets: Targets
    cls: OrderClass = OrderClass.ORDINARY
    chime: ChimeName | None = None
    at: Id | None = Field(
        default=None, description="the place one acts as; left out: the lowest that covers all targets"
    )
    resume: ResumeRule = ResumeRule.CONTINUE
    title: Title | None = None
    max_s: MaxSeconds | None = Field(default=None, description="left out: the most its class may last")


class EmergencyIn(In):
    source: EmergencySource
    targets: Targets
    severity: SeverityName
    title: Title
    at: Id | None = None
    drill: bool = False
    max_s: MaxSeconds | None = None


class SourceOut(Out):
    kind: Literal["file", "microphone", "tone", "radio", "push"]
    program: Id | None = Field(description="the stored program of a file")
    radio: Id | None = None
    push: Id | None = None
    repeat: bool = Field(description="until it is stopped")


class Missing(Out):
    """A loudspeaker that was ordered to sound and has not proved that it did."""

    id: Id
    name: str
    place: Id
    place_name: str


class BroadcastReach(Out):
    ordered: int
    reached: int
    missing: list[Missing] = Field(description="the first of them; `missing_count` says how many there are")
    missing_count: int


class BroadcastOut(Out):
    id: Id
    title: str
    cls: ClassName
    severity: SeverityName | None = Field(description="only of an emergency")
    origin: OriginName
    drill: bool
    all_clear: bool = Field(description="an emergency that says that the danger is over")
    source: SourceOut
    targets: list[Id]
    at: Id = Field(description="the place it was issued for")
    issuer: str = Field(description="the account's name")
    resume: ResumeRule
    state: BroadcastState
    started_at: Moment | None = Field(description="null while it waits for its first sound")
    expires: Moment
    ended_at: Moment | None
    reason: str | None = Field(description="why it ended")
    places: int
    winning_places: int = Field(description="where nothing of higher rank plays")
    heard: str = Field(default="", description="what plays, as a radio or an encoder says")
    reach: BroadcastReach


class WhipOut(Out):
    url: str = Field(description="where to POST the SDP offer (RFC 9725)")
    token: str = Field(description="bearer token, good for this microphone only")
    expires: Moment = Field(description="the offer must come before")


class StartedOut(Out):
    id: Id
    program: Id
    reach: ReachOut
    whip: WhipOut | None
    outranked: list[Id] = Field(description="places where something of higher rank plays; the first 100")
    outranked_places: int


class StoppedOut(Out):
    id: Id
    all_clear: Id | None = Field(description="the broadcast of the all-clear signal, when it was asked for")


class BroadcastQuery(In):
    active: bool = Field(default=False, description="only what is on air now")
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class StopQuery(In):
    all_clear: bool = Field(default=False, description="let the all-clear signal follow")
