"""Bodies about radios: what is relayed, where it can be had, and how each address stands."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .model import Id, In, Moment, Name, Out

AddressText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2000)]
Addresses = Annotated[list[AddressText], Field(min_length=1, max_length=8)]


class RadioIn(In):
    place: Id | None = Field(
        default=None, description="whose it is; left out: the highest where one may keep content"
    )
    name: Name
    addresses: Addresses = Field(description="the wanted one first, then those that stand by")


class RadioChange(In):
    name: Name | None = None
    addresses: Addresses | None = None


class TryIn(In):
    address: AddressText


class AddressOut(Out):
    address: str
    state: Literal["unknown", "idle", "opening", "standby", "air"] = Field(
        description="`unknown` while the radio is not on air; `idle` waits for its next attempt"
    )
    error: str | None = Field(description="why it failed last")
    failures: int = Field(description="in a row")


class RadioOut(Out):
    id: Id
    place: Id
    name: str
    addresses: list[AddressOut]
    on_air: bool = Field(description="some broadcast relays it")
    sounding: bool = Field(description="one of its addresses gives sound")
    heard: str = Field(description="what plays, as it says")
    codec: str = Field(description="as FFmpeg names it; empty before the first sound")
    station: str = Field(description="what the station calls itself")
    switches: int = Field(description="from one address to another since it went on air")
    faults: int = Field(description="packets that did not decode")
    format_changes: int = Field(description="how often the sound changed its shape in mid-stream")
    reserve_ms: int = Field(description="held against what the network does")
    created_at: Moment


class TriedOut(Out):
    ok: bool
    codec: str
    kind: str = Field(description="the server's media type; `HLS` for a list of segments")
    station: str
    title: str
    error: str | None = Field(description="why it is no radio")
