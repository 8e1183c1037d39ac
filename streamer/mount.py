"""A mount: the HTTP stream of one place in one codec, unbroken for as long as someone listens.

Laws: its listeners get the same blocks in the same order, each block once, whichever programs they come
from; a listener that joins begins `BURST_BLOCKS` back and then keeps step. Owned by its `Egress`.
"""

from collections.abc import Callable

from ..codecs.icy import IcyInserter
from .listener import Listener

BURST_BLOCKS = 3
"""About 300 ms, by time, so that players start at once. (Icecast's 64 KB would be 8 s of delay here.)"""


class Mount:
    """`next` is the first block that its listeners have not been given."""

    def __init__(self, place: str, next_block: int, lost: Callable[["Mount", Listener], None]) -> None:
        self.place = place
        self.next = next_block
        self.plain: set[Listener] = set()
        self.titled: set[Listener] = set()
        self._lost = lost

    def __len__(self) -> int:
        return len(self.plain) + len(self.titled)

    def listener(self, inserter: IcyInserter | None, address: str) -> Listener:
        """A new listener, counted from now on; `adopt` and `greet` it at once."""
        listener = Listener(self._left, inserter, address)
        (self.titled if listener.titled else self.plain).add(listener)
        return listener

    def burst(self) -> range:
        """The blocks that one who joins now is given first."""
        return range(self.next - BURST_BLOCKS, self.next)

    def _left(self, listener: Listener) -> None:
        self.plain.discard(listener)
        self.titled.discard(listener)
        self._lost(self, listener)
