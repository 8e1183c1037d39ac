"""Bodies of the archive: what aired at a place, and when."""

from typing import Literal

from pydantic import Field

from .model import ClassName, Id, In, Moment, Out


class ArchiveQuery(In):
    place: Id
    from_: Moment = Field(alias="from", description="the first moment")
    to: Moment = Field(description="the first moment that is too late")


class PieceQuery(In):
    from_: Moment = Field(alias="from", description="the first moment")
    to: Moment = Field(description="the first moment that is too late")


class AudioQuery(PieceQuery):
    format: Literal["opus", "flac"] = "opus"


class AiredOut(Out):
    """What the place was given to hear, from and until."""

    start: Moment
    end: Moment
    broadcast: Id
    program: Id
    title: str
    source: str
    cls: ClassName
    drill: bool
    recorded_s: float = Field(description="how much of it can be heard again")


class ArchiveOut(Out):
    place: Id
    aired: list[AiredOut] = Field(description="earliest first")
