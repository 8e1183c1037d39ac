"""Bodies about encoders that push: what they are called, where they push to, and who pushes now."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .model import Id, In, Moment, Name, Out

SourceName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=63)]


class PushIn(In):
    place: Id | None = Field(
        default=None, description="whose it is; left out: the highest where one may keep content"
    )
    name: SourceName = Field(description="the end of its address: a to z, 0 to 9, single hyphens")
    title: Name


class PushChange(In):
    name: SourceName | None = None
    title: Name | None = None


class SourceState(Out):
    """Who pushes now."""

    since: Moment
    address: str = Field(description="where it calls from")
    agent: str = Field(description="what it calls itself")
    codec: str = Field(description="as FFmpeg names it; empty before the first sound")
    heard: str = Field(description="what plays, as it says")
    sounding: bool
    rms_dbfs: float
    peak_dbfs: float
    clipped: bool
    faults: int = Field(description="packets that did not decode")
    format_changes: int = Field(description="how often the sound changed its shape in mid-stream")


class RefusedOut(Out):
    """The last that could not push, or could no longer."""

    at: Moment
    address: str
    why: str


class PushOut(Out):
    id: Id
    place: Id
    name: str
    title: str
    path: str = Field(description="where on this server its encoder pushes to (the mount)")
    source: SourceState | None = Field(description="null while nobody pushes")
    refused: RefusedOut | None = Field(description="since the server began")
    created_at: Moment


class PushMade(PushOut):
    password: str = Field(description="shown once; the user is `source`")
    url: str = Field(description="the address to give to the encoder, without the password")
