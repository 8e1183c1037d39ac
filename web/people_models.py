"""Bodies about people: logging in, who am I, the first change of password."""

from typing import Annotated

from pydantic import Field, StringConstraints

from .model import Id, In, Moment, Out

Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]
NewPassword = Annotated[str, StringConstraints(min_length=12, max_length=256)]
"""Twelve characters and no other rule: length is what slows a guesser (NIST SP 800-63B 3.1.1)."""


class LoginIn(In):
    name: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    password: Password


class PasswordIn(In):
    old: Password
    new: NewPassword


class Account(Out):
    id: Id
    name: str
    must_change: bool = Field(description="the one-time password must be changed before anything else")


class SessionOut(Out):
    account: Account
    csrf: str = Field(description="send it as X-CSRF-Token with every POST, PATCH, PUT and DELETE")
    expires: Moment
