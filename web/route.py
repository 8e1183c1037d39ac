"""A route: one line of the table that both dispatches a request and describes it in the OpenAPI document.

A handler is `async def handler(call: Call, query: Q, body: B) -> A`; `query` and `body` may be absent. Its
annotations say which models are read and written, so the type checker, the dispatcher and the document can
never disagree. A handler that answers with a `web.StreamResponse` of its own names its media type and model.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from aiohttp import web
from pydantic import BaseModel

from ..errors import InternalError
from ..station.act import Act

Handler = Callable[..., Awaitable[Any]]
T = TypeVar("T", bound=BaseModel)


class Access(Enum):
    """Who may call at all. What an account may do, and where, is the authority's to say."""

    PUBLIC = "anyone"
    """No session; safe methods, the log-in itself, and a device that brings its one-time code."""
    FRESH = "an account, its one-time password not yet changed"
    ACCOUNT = "an account"


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A long answer: a JSON array whose items are made one by one while the loop breathes in between."""

    items: Iterable[T]


@dataclass(frozen=True, slots=True)
class Prepared(Generic[T]):
    """An answer whose response gets something more than a body, such as a cookie."""

    body: T
    finish: Callable[[web.StreamResponse], None]


@dataclass(frozen=True, slots=True)
class Route:
    """See the module. `errors` are the statuses a caller must expect beyond those of every route."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    access: Access = Access.ACCOUNT
    act: Act | None = None
    """What must be allowed."""
    status: int = 200
    errors: tuple[int, ...] = ()
    form: type[BaseModel] | None = None
    """Describes a multipart body that the handler reads from the request itself."""
    media: str = "application/json"
    event: type[BaseModel] | None = None
    """Describes a streamed answer."""
    instead: tuple[Act, ...] = ()
    """What must be allowed instead, if the body (or what the id names) says so."""
    hints: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hints", get_type_hints(self.handler))
        if self.access is Access.ACCOUNT and self.act is None:
            raise InternalError(f"route {self.method} {self.path}: no act named, expected one of Act")

    @property
    def name(self) -> str:
        return str(getattr(self.handler, "__name__", self.path))

    @property
    def query(self) -> type[BaseModel] | None:
        model: type[BaseModel] | None = self.hints.get("query")
        return model

    @property
    def body(self) -> type[BaseModel] | None:
        model: type[BaseModel] | None = self.hints.get("body")
        return model

    @property
    def answer(self) -> type[BaseModel] | None:
        """The model of the answer, or of an item of it; None without content or for a stream."""
        item = self._item()
        return item if isinstance(item, type) and issubclass(item, BaseModel) else None

    @property
    def many(self) -> bool:
        return get_origin(self.hints.get("return")) in (list, Listing)

    @property
    def streams(self) -> bool:
        returned = self.hints.get("return")
        return isinstance(returned, type) and issubclass(returned, web.StreamResponse)

    def _item(self) -> object:
        returned = self.hints.get("return")
        wrapped = get_origin(returned) in (list, Listing, Prepared)
        return get_args(returned)[0] if wrapped else returned
