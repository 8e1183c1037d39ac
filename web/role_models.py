"""Bodies about roles: named sets of acts."""

from typing import Annotated

from pydantic import Field, StringConstraints

from ..station.act import Act
from ..station.role import MAX_NAME_CHARS, Builtin
from .model import Id, In, Out

RoleName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS)]
Acts = Annotated[list[Act], Field(max_length=len(Act))]


class RoleOut(Out):
    id: Id
    name: str
    builtin: Builtin | None = Field(description="null: one that was made here")
    acts: list[Act]
    second_factor: bool = Field(description="nobody has it whose log-in did not show a second factor")


class RoleIn(In):
    name: RoleName
    acts: Acts
    second_factor: bool = False


class RolePatch(In):
    """Fields left out stay. Of a built-in role only `second_factor` can be changed."""

    name: RoleName | None = None
    acts: Acts | None = None
    second_factor: bool | None = None
