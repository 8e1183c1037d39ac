"""The clients of the live events, and the bytes that go to all of them.

Laws: an event is made into bytes once, whoever reads it; a client costs a bounded queue (`EventQueue`) and
nothing else; at most `max_clients` at a time. Owned by the feed, used on the loop only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic import BaseModel

from .event_queue import EventQueue
from .problem import HttpError

MAX_CLIENTS = 512
"""Pages that watch one node; beyond it they would cost the loop more than the speakers do."""


@dataclass(slots=True, eq=False)
class Client:
    """One open page. `watched`: the place whose speakers it wants to see one by one."""

    watched: str | None
    queue: EventQueue = field(default_factory=EventQueue)


class EventHub:
    """See the module."""

    def __init__(self, max_clients: int = MAX_CLIENTS) -> None:
        self._clients: set[Client] = set()
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
        return {client.watched for client in self._clients if client.watched is not None}

    @contextmanager
    def client(self, watched: str | None) -> Iterator[Client]:
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
        client = Client(watched)
        self._clients.add(client)
        try:
            yield client
        finally:
            self._clients.remove(client)
            self._dropped_before += client.queue.dropped

    def close(self) -> None:
        """The server stops: every stream ends."""
        for client in self._clients:
            client.queue.close()

    def publish(self, key: str, event: BaseModel, *, watched: str | None = None) -> None:
        """To everyone, or to those who watch that place. `key`: a later event of it replaces one."""
        data = event_bytes(event)
        self.published += 1
        for client in self._clients:
            if watched is None or client.watched == watched:
                client.queue.put(key, data)


def event_bytes(event: BaseModel) -> bytes:
    """One server-sent event; its name is the model's `kind`."""
    kind: str = getattr(event, "kind")  # noqa: B009 - every event has one; LiveEvent's union says so
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), event.model_dump_json().encode())
