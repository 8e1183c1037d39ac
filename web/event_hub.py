"""The clients of the live events, and the bytes that go to all of them.

Laws: an event is made into bytes once for all who may know the same of it (`telling.py`), and nobody is told
what lies outside of what they may see; a client costs a bounded queue (`EventQueue`) and nothing else; at
most `max_clients` at a time. Owned by the feed, used on the loop only.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .authority import Person
from .breath import Breath
from .event_queue import EventQueue
from .problem import HttpError
from .scope import Scope

MAX_CLIENTS = 512
"""Pages that watch one node; beyond it they would cost the loop more than the speakers do."""

Told = Callable[[Scope], bytes | None]
"""An event as one scope may know it; None: not at all."""


@dataclass(slots=True, eq=False)
class Client:
    """One open page. `scope`: what its person may see. `watched`: where it wants to see every speaker."""

    person: Person
    watched: str | None
    scope: Scope
    queue: EventQueue = field(default_factory=EventQueue)

    @property
    def watching(self) -> str | None:
        """What it watches, as long as its person may see that."""
        return self.watched if self.watched is not None and self.scope.covers(self.watched) else None


class EventHub:
    """See the module. `scope_of`: what a person may see now."""

    def __init__(self, scope_of: Callable[[Person], Scope], max_clients: int = MAX_CLIENTS) -> None:
        self._scope_of = scope_of
        self._clients: set[Client] = set()
        self._everyone: dict[Scope, list[Client]] | None = None
        self._max_clients = max_clients
        self._dropped_before = 0
        self.refused = 0
        self.published = 0

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def dropped(self) -> int:
        """Events that clients were too slow for, ever."""
        return self._dropped_before + sum(client.queue.dropped for client in self._clients)

    @property
    def watched(self) -> set[str]:
        return {client.watching for client in self._clients if client.watching is not None}

    @contextmanager
    def client(self, person: Person, watched: str | None) -> Iterator[Client]:
        """A client for as long as the block runs."""
        if len(self._clients) >= self._max_clients:
            self.refused += 1
            raise HttpError(
                503,
                f"{len(self._clients)} pages are open already",
                "events",
                f"at most {self._max_clients}; close one, or try again later",
                {"Retry-After": "30"},
            )
        client = Client(person, watched, self._scope_of(person))
        self._clients.add(client)
        self._everyone = None
        try:
            yield client
        finally:
            self._clients.remove(client)
            self._everyone = None
            self._dropped_before += client.queue.dropped

    def close(self) -> None:
        """The server stops: every stream ends."""
        for client in self._clients:
            client.queue.close()

    def follow(self) -> None:
        """People see from here on what they may see now; who may see other places is given all anew."""
        for client in self._clients:
            before, client.scope = client.scope, self._scope_of(client.person)
            if before != client.scope and not (before.everything and client.scope.everything):
                client.queue.renew()
        self._everyone = None

    async def publish(self, key: str, told: Told, breath: Breath, *, watched: str | None = None) -> None:
        """To all who may know of it, or to those of them who watch that place. `key`: a later event of it
        replaces one.
        """
        self.published += 1
        for scope, clients in self._audience(watched).items():
            data = told(scope)
            if data is not None:
                for client in clients:
                    client.queue.put(key, data)
            await breath.take()

    def _audience(self, watched: str | None) -> dict[Scope, list[Client]]:
        """Who may know the same, together."""
        if watched is not None:
            return _by_scope(client for client in self._clients if client.watching == watched)
        if self._everyone is None:
            self._everyone = _by_scope(self._clients)
        return self._everyone


def _by_scope(clients: Iterable[Client]) -> dict[Scope, list[Client]]:
    found: dict[Scope, list[Client]] = {}
    for client in clients:
        found.setdefault(client.scope, []).append(client)
    return found
