"""Bodies about the node's keys: who is believed, until when, and what was taken back."""

from typing import Annotated

from pydantic import Field, StringConstraints

from ..station.expiry import Stage
from ..station.rotation import ROTATABLE
from .model import Id, In, Moment, Out

Which = Annotated[str, StringConstraints(pattern=f"^({'|'.join(ROTATABLE)})$")]


class RootOut(Out):
    key_id: Id
    generation: int
    secret_here: bool = Field(description="its secret key lies in the node's keys folder, not in a safe")


class GrantOut(Out):
    what: str = Field(description="authority, node, drill or registrar; from the second on with its number")
    key_id: Id
    issuer: Id
    serial: int
    not_before: Moment
    expires: Moment
    rights: list[str]
    max_class: int
    places: list[str]
    retired: bool = Field(description="rotated out, believed until it is revoked")


class RevokedOut(Out):
    key_id: Id
    serial: int = Field(description="every grant to this key with this serial or a lower one is void")
    version: int = Field(description="of the list that says so")


class CertificateOut(Out):
    expires: Moment
    names: list[str]
    own: bool = Field(description="made by this node itself, so that no browser believes it unasked")


class ExpiryOut(Out):
    what: str
    expires: Moment
    days_left: int = Field(description="whole days; below 0 when it is over")
    stage: Stage


class KeysOut(Out):
    roots: list[RootOut]
    grants: list[GrantOut]
    revoked: list[RevokedOut]
    certificate: CertificateOut | None
    warnings: list[ExpiryOut]


class RotateIn(In):
    which: Which = Field(description=f"one of {', '.join(ROTATABLE)}")


class RevokeIn(In):
    key_id: Id = Field(description="of a key that was rotated out")
