"""Bodies about devices that join: the one-time code, what the device sends with it, what it is told."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .model import Id, In, Moment, Name, Out
from .territory_models import Hex32

Hours = Annotated[int, Field(ge=1, le=336)]
Approved = Annotated[
    bool, Field(description="let the device in at once: only by one who may approve speakers there")
]


class EnrolmentIn(In):
    place: Id
    name: Name
    approved: Approved = False
    hours: Hours = Field(default=168, description="how long the code holds")


class ReplacementIn(In):
    """The new device takes over id, place, name, notes and history; from then on the old one is nobody."""

    approved: Approved = False
    hours: Hours = Field(default=168, description="how long the code holds")


class EnrolmentOut(Out):
    """Shown once: the node keeps no more than the code's hash."""

    id: Id
    code: str = Field(description="one-time code, to be typed at the loudspeaker")
    expires: Moment
    command: str = Field(description="what to run at a loudspeaker that runs Loa")
    place: Id
    name: str
    text: str = Field(description="node and code in one, as in the QR code")
    qr: list[str] = Field(
        description='rows of the QR code of `text`: "1" dark, "0" light; leave 4 modules of light around'
    )


class EnrolmentOpen(Out):
    """A code that still waits for its device."""

    id: Id
    place: Id
    name: str
    expires: Moment
    approved: bool
    replaces: Id | None = Field(description="the speaker whose device the new one stands in for")
    created_by: str = Field(description="name of the account")


class EnrolmentQuery(In):
    place: Id | None = Field(default=None, description="only those of this place and everything below it")


class EnrolIn(In):
    """What a device sends with its one-time code. It has made its key pair itself."""

    secret: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    public_key: Hex32
    serial: Annotated[str, StringConstraints(max_length=120)] = ""
    software: Annotated[str, StringConstraints(max_length=120)] = ""


class EnrolOut(Out):
    speaker: Id
    state: str = Field(description="active, or pending: it gets a link once a person has approved it")
    roots: list[Hex32] = Field(description="raw Ed25519 public keys of the roots, in hex")
    chain: list[str] = Field(description="grants (JWT) from below the root down to the node")
    placement: str = Field(description="signed statement, MessagePack, base64")
    link: str = Field(description="path of the control link on this node")
