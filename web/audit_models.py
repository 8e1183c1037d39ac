"""Bodies of the audit log: who did what, from where, to which places, and what came of it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, WithJsonSchema

from ..station.audit_entry import Result, Via
from .model import Id, In, Moment, Out

PLACES_SHOWN = 50

ActName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""The operationId of what was called; the node's own acts are node_start and node_stop."""

ViaName = Annotated[str, WithJsonSchema({"type": "string", "enum": [via.value for via in Via]})]
ResultName = Annotated[str, WithJsonSchema({"type": "string", "enum": [result.value for result in Result]})]
"""Told as they are written: what somebody has changed in the database must still be readable here."""


class AuditQuery(In):
    before: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="entries with a smaller number than this"
    )
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    actor: Id | None = Field(default=None, description="an account, or a speaker")
    act: ActName | None = None
    place: Id | None = Field(default=None, description="what concerned this place or one below it")
    result: Literal["done", "denied", "failed"] | None = None
    from_: Moment | None = Field(default=None, alias="from")
    to: Moment | None = Field(default=None, description="the first moment that is too late")


class AuditOut(Out):
    number: int = Field(description="from 1, without a gap")
    at: Moment
    actor: Id | None = Field(description="account or speaker; null: nobody had logged in, or the node itself")
    actor_name: str = Field(description="at that time")
    via: ViaName
    address: str = Field(description="where the call came from")
    act: str = Field(description="the operationId; node_start, node_stop")
    subject: str = Field(description="id of the thing acted on, or empty")
    places: list[Id] = Field(description=f"those of your scope, at most {PLACES_SHOWN}")
    places_count: int = Field(description="how many of your scope there are")
    result: ResultName
    detail: dict[str, str | int | bool]
    hash: str = Field(description="SHA-256 over the hash before and this entry, in hex")


class AuditPageOut(Out):
    entries: list[AuditOut] = Field(description="newest first")
    before: int | None = Field(description="ask with this for what is older; null: there is no more")


class ExportQuery(In):
    after: Annotated[int, Field(ge=0)] = Field(
        default=0, description="entries with a greater number than this: where the last export ended"
    )
