"""What waits to be written to one client of the live events.

Laws: bounded; a later event of the same key takes the place of the earlier one; when it is full the oldest
is dropped and counted, and `stale` tells that the client must be given a fresh snapshot. Owned by one
connection.
"""

import asyncio
from collections import OrderedDict

MAX_WAITING = 256
"""About ten seconds of a busy node; a client that far behind is better served by a snapshot."""


class EventQueue:
    """See the module. `put` never blocks; `take` waits."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._waiting: OrderedDict[str, bytes] = OrderedDict()
        self._max_waiting = max_waiting
        self._some = asyncio.Event()
        self.dropped = 0
        self.coalesced = 0
        self.stale = False
        self.closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: str, event: bytes) -> None:
        if key in self._waiting:
            self.coalesced += 1
        elif len(self._waiting) >= self._max_waiting:
            self._waiting.popitem(last=False)
            self.dropped += 1
            self.stale = True
        self._waiting[key] = event
        self._some.set()

    async def take(self) -> list[bytes]:
        """Everything that waits, oldest first; waits until there is something."""
        await self._some.wait()
        return self.take_now()

    def take_now(self) -> list[bytes]:
        self._some.clear()
        events = list(self._waiting.values())
        self._waiting.clear()
        return events

    def close(self) -> None:
        """Nothing more will come; whoever waits in `take` goes on with nothing."""
        self.closed = True
        self._some.set()

    def renew(self) -> None:
        """Whoever waits in `take` goes on, and finds that a snapshot is due."""
        self.stale = True
        self._some.set()

    def start_over(self) -> None:
        """Forget what waits: a snapshot comes instead."""
        self.take_now()
        self.stale = False
