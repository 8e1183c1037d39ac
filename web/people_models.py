"""Bodies about oneself: logging in, who am I and what may I do, my password, my sessions, my API tokens."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from ..station.act import Act
from .model import Id, In, Moment, Out

Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]
NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=256)]
"""Twelve characters and no other rule: length is what slows a guesser (NIST SP 800-63B 3.1.1)."""
ShortName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
"""What its owner calls a second factor or an API token."""
Challenge = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]

MAX_TOKEN_PLACES = 100
MAX_TOKEN_DAYS = 365


class Needs(StrEnum):
    """What a log-in still lacks."""

    NOTHING = "nothing"
    PASSWORD = "password"  # noqa: S105 - a word of the API
    SECOND_FACTOR_SET_UP = "second_factor_set_up"
    SECOND_FACTOR = "second_factor"


class Method(StrEnum):
    """How a second factor can be shown."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY = "recovery"


class LoginIn(In):
    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    password: Password


class SecondIn(In):
    challenge: Challenge
    code: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="six digits of the app, or a recovery code"
    )
    passkey: dict[str, Any] | None = Field(
        default=None, description="what navigator.credentials.get() gave, as JSON"
    )


class PasswordIn(In):
    old: Password
    new: NewPassword


class Account(Out):
    id: Id
    name: str
    full_name: str
    must_change: bool = Field(description="the one-time password must be changed before anything else")


class SecondOut(Out):
    challenge: str = Field(description="good once, for five minutes and five tries")
    methods: list[Method]
    passkey: dict[str, Any] | None = Field(description="the argument of navigator.credentials.get(), as JSON")


class ScopeOut(Out):
    place: Id
    acts: list[Act] = Field(description="what this account may do at this place and below it")


class SessionOut(Out):
    account: Account
    csrf: str = Field(
        description="send it as X-CSRF-Token with every POST, PATCH, PUT and DELETE; "
        "empty while the second factor is missing"
    )
    expires: Moment = Field(description="when it ends if nothing is asked meanwhile")
    needs: Needs
    second: SecondOut | None
    acts: list[Act] = Field(description="all that this account may do anywhere")
    scope: list[ScopeOut]


class OpenSession(Out):
    id: Id
    created: Moment
    expires: Moment
    seen: Moment
    address: str
    agent: str = Field(description="what the browser calls itself")
    second_factor: bool
    current: bool = Field(description="the one that asks")


class TokenIn(In):
    name: ShortName
    acts: Annotated[list[Act], Field(min_length=1, max_length=len(Act))]
    places: Annotated[list[Id], Field(min_length=1, max_length=MAX_TOKEN_PLACES)]
    days: Annotated[int, Field(ge=1, le=MAX_TOKEN_DAYS)]


class TokenOut(Out):
    id: Id
    name: str
    acts: list[Act]
    places: list[Id]
    created: Moment
    expires: Moment
    last_used: Moment | None


class NewTokenOut(TokenOut):
    token: str = Field(description="shown this once; send it as `Authorization: Bearer ...`")
