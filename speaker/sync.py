"""When to ask the node for the time, and network time from its answers.

Laws: a question carries a random number, so an answer fits one question and cannot be prepared; quick
questions until there is a good fix, then rare ones with jitter, for an idle speaker has 50 MB a month. Who
may tell the time is the mandate's question, asked before `answered`. Pure: `local_us` is the speaker's
monotonic clock.
"""

from collections.abc import Callable

from ..wire.control import TimeAsk, TimeReply
from ..wire.nettime import FollowedClock, PendingAsks

PLAYING_EVERY_US = 15_000_000
"""While something sounds, neighbours are heard against each other and the traffic is nothing beside the
audio."""

JITTER = 0.15


class TimeSync:
    def __init__(self, uniform: Callable[[float, float], float], number: Callable[[], int]) -> None:
        """`number()` gives 63 random bits that nobody can guess."""
        self._uniform, self._number = uniform, number
        self._clock = FollowedClock()
        self._asks = PendingAsks()
        self._next_us: int | None = None

    @property
    def steps(self) -> int:
        return self._clock.steps

    def now_us(self, local_us: int) -> int | None:
        """Network time; None before the first fix. May be read from any thread."""
        return self._clock.now_us(local_us)

    def error_us(self, local_us: int) -> int | None:
        return self._clock.error_us(local_us)

    def linked(self, local_us: int) -> None:
        """The control link is up: ask at once."""
        self._next_us = local_us

    def unlinked(self) -> None:
        self._next_us = None

    def due_us(self) -> int | None:
        """Local time of the next question; None while there is nobody to ask."""
        return self._next_us

    def ask(self, local_us: int, *, playing: bool) -> TimeAsk:
        nonce = self._number()
        self._asks.ask(nonce, local_us)
        wait_us = self._clock.next_ask_us(local_us) - local_us
        if playing:
            wait_us = min(wait_us, PLAYING_EVERY_US)
        self._next_us = local_us + int(wait_us * self._uniform(1 - JITTER, 1 + JITTER))
        return TimeAsk(nonce)

    def answered(self, reply: TimeReply, local_us: int) -> bool:
        """A verified answer that came at `local_us`. False when nobody asked, or it says nothing new."""
        asked_us = self._asks.take(reply.t1)
        if asked_us is None:
            return False
        return self._clock.feed(reply.clock_id, asked_us, reply.t2, reply.t3, local_us)
