"""Bodies about multicast groups: where devices of a LAN hear a place."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .model import ClassName, Id, In, Out

CodecName = Literal["pcmu", "pcma", "g722", "opus", "l16"]


class MulticastQuery(In):
    place: Id | None = Field(default=None, description="only those at this place or below it")


class MulticastIn(In):
    place: Id = Field(description="whose sound is sent")
    group: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=45)] = Field(
        description="a multicast address, best one of 239.0.0.0/8"
    )
    port: int = Field(ge=1024, le=65_534, description="even, if devices are to find RTCP beside it")
    codec: CodecName
    classes: Annotated[list[ClassName], Field(min_length=1, max_length=3)] = Field(
        description="sent while one of these is on air; a group for each, where devices decide by group"
    )
    ttl: int = Field(default=1, ge=1, le=255, description="how many routers it passes, and one more")
    interface: Annotated[str, StringConstraints(strip_whitespace=True, max_length=45)] = Field(
        default="", description="its name or IPv4 address; empty: the system's choice"
    )


class MulticastOut(Out):
    id: Id
    place: Id
    group: str
    port: int
    codec: CodecName
    classes: list[ClassName]
    ttl: int
    interface: str
    verified: Literal[False] = Field(description="no such device checks who speaks")
    state: Literal["off", "idle", "sending", "fault"] = Field(
        description="`off` until the operator turns multicast on in the settings"
    )
    fault: str = Field(description="why nothing is sent")
    sdp: str = Field(description="for receivers that take a description")
