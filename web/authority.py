"""What an account may do, and where: one question, `require(account, act, places)`, asked once per act.

Today there is one administrator, who may do everything everywhere; roles, scopes and a second person come
behind the same question. Laws: the answer is no unless something says yes; a place that is not in the
account's scope is refused before anything has happened; the one who asks never looks at roles itself.
"""

from collections.abc import Sequence
from typing import Protocol

from ..errors import DeniedError
from ..station.act import Act


class Person(Protocol):
    """Who asks."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


class Authority(Protocol):
    """Says no by raising `DeniedError`."""

    def require(self, person: Person, act: Act, places: Sequence[str]) -> None:
        """May `person` do `act` at every one of `places`? Empty: anywhere at all."""
        ...


class Accounts(Protocol):
    """Who has an account."""

    def account_name(self, account_id: str | None) -> str: ...


class OneAdministrator:
    """The authority of a node on which every account is an administrator (today there is one)."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def require(self, person: Person, act: Act, places: Sequence[str]) -> None:
        if not self._accounts.account_name(person.id):
            where = ", ".join(places[:5]) or "any place"
            raise DeniedError(f"{person.name!r} may not {act} at {where}, expected an administrator")
