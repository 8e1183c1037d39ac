"""Bodies about other people's accounts, for who may edit them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from ..station.accounts import AccountState
from .model import Id, In, Moment, Out

MAX_ROLES = 100
"""Of one account: someone with more has a role one level up."""

LogInName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
FullName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)]


class RoleAt(In):
    role: Id
    place: Id


class RoleHeld(Out):
    role: Id
    place: Id


RolesIn = Annotated[list[RoleAt], Field(max_length=MAX_ROLES)]


class AccountIn(In):
    name: LogInName
    full_name: FullName = ""
    roles: RolesIn


class AccountPatch(In):
    full_name: FullName | None = None
    state: AccountState | None = None
    roles: RolesIn | None = Field(default=None, description="all of them: those left out are taken away")


class AccountOut(Out):
    id: Id
    name: str
    full_name: str
    state: AccountState
    must_change: bool
    last_login: Moment | None
    second_factor: bool = Field(description="has one set up")
    roles: list[RoleHeld]


class OneTimePasswordOut(Out):
    password: str = Field(description="shown this once; must be changed at the first log-in")


class NewAccountOut(OneTimePasswordOut):
    account: AccountOut
