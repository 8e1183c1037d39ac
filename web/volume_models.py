"""Bodies about how loud a speaker, or all below a place, is."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .model import Id, In, Out

Db = Annotated[float, Field(ge=-60, le=0, allow_inf_nan=False)]
FloorDb = Annotated[float, Field(ge=-20, le=0, allow_inf_nan=False)]


class VolumeIn(In):
    """Decibels below the amplifier's full level."""

    volume_db: Db
    emergency_floor_db: FloorDb = Field(description="an emergency is never below it, muted or not")
    muted: bool


class VolumeSource(StrEnum):
    """Whose order it is that rules."""

    SPEAKER = "speaker"
    PLACE = "place"
    DEFAULT = "default"


class LoudnessOut(Out):
    volume_db: float
    emergency_floor_db: float
    muted: bool


class VolumeOut(Out):
    own: LoudnessOut | None = Field(description="null: never ordered here; what is above rules")
    effective: LoudnessOut
    source: VolumeSource
    source_id: Id | None = Field(description="of the speaker or place whose order rules")
