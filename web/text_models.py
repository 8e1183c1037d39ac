"""Bodies about typed bulletins: what is read out, by which voice, and how."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ..codecs.bulletin import MAX_PARTS, MAX_PAUSE_S, MAX_TEXT_CHARS
from ..codecs.voices import FASTEST, SLOWEST
from .model import ChimeName, Id, In, Out, Title

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}$")]
VoiceId = Annotated[str, StringConstraints(pattern=r"^[\w:.+-]{1,120}$")]
Speed = Annotated[float, Field(ge=SLOWEST, le=FASTEST, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, le=MAX_PAUSE_S, allow_inf_nan=False)]


class PartIn(In):
    """`text` is plain: no markup, no control characters; a blank line ends a paragraph."""

    language: Language = Field(default="vi", description="a language tag, such as vi, en-us, km")
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
    voice: VoiceId | None = Field(default=None, description="left out: the first voice of the language")


class PausesIn(In):
    """Seconds of silence."""

    comma_s: Pause = Field(default=0.25, description="after a clause")
    sentence_s: Pause = 0.6
    paragraph_s: Pause = Field(default=1.2, description="after a paragraph, and between parts")


class HouseBedIn(In):
    """Music of the house's own."""

    kind: Literal["house"]


class ProgramBedIn(In):
    """A stored program, again and again; its first five minutes."""

    kind: Literal["program"]
    program: Id


Bed = Annotated[HouseBedIn | ProgramBedIn, Field(discriminator="kind")]


class SpokenIn(In):
    """What is heard."""

    parts: Annotated[list[PartIn], Field(min_length=1, max_length=MAX_PARTS)] = Field(
        description=f"in the order of reading; {MAX_TEXT_CHARS} characters in all"
    )
    speed: Speed = Field(default=1.0, description="1 is an announcer's")
    pauses: PausesIn = Field(default_factory=PausesIn)
    chime: ChimeName | None = Field(default=None, description="before the first word")
    bed: Bed | None = Field(default=None, description="music that gives way to the voice")


class TextIn(SpokenIn):
    title: Title
    place: Id | None = Field(
        default=None, description="left out: the highest place where one may keep programs"
    )


class ReadingOut(Out):
    said: str = Field(description="in words, as it will be spoken; a blank line between paragraphs")


class PartOut(Out):
    language: str
    text: str
    voice: str | None


class PausesOut(Out):
    comma_s: float
    sentence_s: float
    paragraph_s: float


class BedOut(Out):
    kind: Literal["house", "program"]
    program: Id | None


class TextOut(Out):
    """As it was typed."""

    id: Id = Field(description="of the program")
    title: str
    place: Id
    parts: list[PartOut]
    speed: float
    pauses: PausesOut
    chime: ChimeName | None
    bed: BedOut | None


class VoiceOut(Out):
    id: str
    language: str
    name: str
    engine: str
    first: bool = Field(description="whether it speaks its language when no voice is named")
