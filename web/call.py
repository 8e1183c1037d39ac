"""One call of the API, as its handler sees it: the request, who asks, and the desk to work with.

Law: a handler whose route names an act asks `require` about the places it touches before it does anything;
the dispatcher holds an answer back if it did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from ..errors import InternalError
from ..station.act import Act
from .desk import Desk
from .session_book import SignedIn


@dataclass(slots=True)
class Call:
    """See the module."""

    request: web.Request
    desk: Desk
    who: SignedIn | None
    act: Act | None
    asked: bool = False

    @property
    def id(self) -> str:
        """The id in the path."""
        return self.request.match_info["id"]

    @property
    def person(self) -> SignedIn:
        if self.who is None:
            raise InternalError(
                f"{self.request.path}: nobody is logged in, expected the dispatcher to see to it"
            )
        return self.who

    def require(self, places: Sequence[str] = ()) -> None:
        """May this person do this act at all of these places (none named: anywhere)? `DeniedError` if not."""
        if self.act is None:
            raise InternalError(f"{self.request.path}: its route names no act to be allowed")
        self.desk.authority.require(self.person, self.act, places)
        self.asked = True
