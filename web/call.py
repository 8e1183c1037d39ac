"""One call of the API, as its handler sees it: the request, who asks, and the desk to work with.

Law: a handler whose route names an act asks `require` about the places it touches before it does anything;
the dispatcher holds an answer back if it did not. What it says by `about` and `by` goes into the audit log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

from ..errors import DeniedError, InternalError, NotFoundError
from ..station.act import Act
from ..station.audit_entry import Scalar, clean_detail
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
    subject: str = ""
    """Audit: the id of what is acted on; empty: the id in the path."""
    places: tuple[str, ...] = ()
    """Audit: the places concerned; those that `require` was asked about, if nothing else is said."""
    detail: dict[str, Scalar] = field(default_factory=dict)
    actor: tuple[str | None, str] | None = None
    """Audit: id and name of who acts, when it is not `who`."""
    refused: bool = False
    """Audit: the authority said no, whatever words the answer has."""
    noted: bool = False
    """Audit: the handler has had the entry written itself."""

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
        if places:
            self.places = tuple(places)
        try:
            self.desk.authority.require(self.person, self.act, places)
        except (DeniedError, NotFoundError):
            self.refused = True
            raise
        self.asked = True

    def about(self, subject: str = "", places: Sequence[str] | None = None, **detail: object) -> None:
        """For the audit log: what is acted on, which places it concerns, what else is worth keeping.

        May be said before and after the act, again and again; what is said later adds to it. Names of
        `detail` are those of `audit_entry.DETAILS`, values short texts, numbers, yes or no; None is left out.
        """
        if subject:
            self.subject = subject
        if places is not None:
            self.places = tuple(places)
        self.detail |= clean_detail(detail)

    def by(self, actor: str | None, name: str) -> None:
        """For the audit log: who acts, where nobody is logged in yet: an account, or an enrolled speaker."""
        self.actor = actor, name


CALL: web.RequestKey[Call] = web.RequestKey("call", Call)
"""Where the dispatcher leaves it for what stands outside."""
