"""A loudspeaker cluster as the station keeps it. Values, valid from construction.

Laws: the id is permanent; the public key is the device: whoever holds its private half is that speaker; a
device that was replaced, and so its key, is never that speaker again. Only an active speaker gets a link.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ..errors import ConflictError, OperatorError
from ..trust.keys import VerifyKey
from .ids import check_id
from .text import clean_name

MAX_NOTES_CHARS = 2_000

_KEY = re.compile(r"[0-9a-f]{64}")


class SpeakerState(StrEnum):
    """Whether it may attach. What it is doing just now is known to the streamer, not to the database."""

    PENDING = "pending"
    """Enrolled; a person has yet to say that it is the device that was meant."""
    ACTIVE = "active"
    BLOCKED = "blocked"


class SpeakerStep(StrEnum):
    """What a person decides about a speaker."""

    APPROVE = "approve"
    BLOCK = "block"
    UNBLOCK = "unblock"


_STEPS: Mapping[tuple[SpeakerState, SpeakerStep], SpeakerState] = {
    (SpeakerState.PENDING, SpeakerStep.APPROVE): SpeakerState.ACTIVE,
    (SpeakerState.ACTIVE, SpeakerStep.APPROVE): SpeakerState.ACTIVE,
    (SpeakerState.PENDING, SpeakerStep.BLOCK): SpeakerState.BLOCKED,
    (SpeakerState.ACTIVE, SpeakerStep.BLOCK): SpeakerState.BLOCKED,
    (SpeakerState.BLOCKED, SpeakerStep.BLOCK): SpeakerState.BLOCKED,
    (SpeakerState.BLOCKED, SpeakerStep.UNBLOCK): SpeakerState.ACTIVE,
    (SpeakerState.ACTIVE, SpeakerStep.UNBLOCK): SpeakerState.ACTIVE,
}
"""What was decided already may be decided again: two people press the same button."""


def after(state: SpeakerState, step: SpeakerStep) -> SpeakerState:
    """ConflictError when that step does not fit: nobody approves a blocked speaker by mistake."""
    found = _STEPS.get((state, step))
    if found is None:
        fitting = ", ".join(other for (was, other) in _STEPS if was is state)
        raise ConflictError(f"speaker: it is {state}, so it cannot be told to {step}; expected {fitting}")
    return found


class Nowhere(StrEnum):
    """Takes a position on the map back (None means: leave it)."""

    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Speaker:
    """`public_key` is 64 hex digits; `lat`, `lon` in degrees, both or neither."""

    id: str
    place: str
    name: str
    public_key: str
    serial: str
    software: str
    notes: str
    lat: float | None
    lon: float | None
    state: SpeakerState
    enrolled_at_us: int
    last_seen_us: int | None


@dataclass(frozen=True, slots=True)
class NewSpeaker:
    """`public_key` in hex. `serial` and `software` are what the device says of itself."""

    place: str
    name: str
    public_key: str
    serial: str = ""
    software: str = ""
    notes: str = ""
    lat: float | None = None
    lon: float | None = None
    id: str | None = None
    state: SpeakerState = SpeakerState.ACTIVE

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_speaker_name(self.name))
        check_id(self.place, where="place of the speaker")
        check_key(self.public_key)
        check_device(self.serial, self.software)
        check_notes(self.notes)
        check_position(self.lat, self.lon)
        if self.id is not None:
            check_id(self.id, where="speaker")


@dataclass(frozen=True, slots=True)
class SpeakerChange:
    """What to change; what is None stays."""

    name: str | None = None
    place: str | None = None
    notes: str | None = None
    position: tuple[float, float] | Literal[Nowhere.NOWHERE] | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            object.__setattr__(self, "name", clean_speaker_name(self.name))
        if self.place is not None:
            check_id(self.place, where="place of the speaker")
        if self.notes is not None:
            check_notes(self.notes)
        if isinstance(self.position, tuple):
            check_position(*self.position)


def clean_speaker_name(name: str) -> str:
    return clean_name(name, where="name of the speaker", max_chars=120)


def check_key(public_key: str) -> None:
    if not _KEY.fullmatch(public_key):
        raise OperatorError(
            f"public key of the speaker: {public_key[:80]!r}; expected 64 lower-case hex digits"
        )
    try:
        VerifyKey(bytes.fromhex(public_key))
    except ValueError as error:
        raise OperatorError(f"public key of the speaker: {error}; expected an honest key") from error


def check_device(serial: str, software: str) -> None:
    for what, text in (("serial number", serial), ("software", software)):
        if len(text) > 64 or not (text.isprintable()):
            raise OperatorError(f"{what} of the speaker: expected at most 64 characters that can be shown")


def check_notes(notes: str) -> None:
    if len(notes) > MAX_NOTES_CHARS:
        raise OperatorError(f"notes: {len(notes)} characters; expected at most {MAX_NOTES_CHARS}")


def check_position(lat: float | None, lon: float | None) -> None:
    if lat is None and lon is None:
        return
    if lat is None or lon is None or not (math.isfinite(lat) and math.isfinite(lon)):
        raise OperatorError(f"position {lat}, {lon}: expected both a latitude and a longitude, or neither")
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise OperatorError(f"position {lat}, {lon}: expected -90 to 90 and -180 to 180 degrees")
