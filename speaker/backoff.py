"""When to try again: exponentially later, with jitter, so that ten thousand speakers do not return at once.

Pure: randomness is handed in.
"""

from collections.abc import Callable

SPREAD = 0.5
"""The delay is drawn from the upper half of its range: never at once, never all together."""


class Backoff:
    def __init__(self, first_s: float, most_s: float, uniform: Callable[[float, float], float]) -> None:
        """`uniform(a, b)` draws evenly from a..b (`random.uniform`)."""
        self._first_s, self._most_s, self._uniform = first_s, most_s, uniform
        self._next_s = first_s

    def next_s(self) -> float:
        """How long to wait before the next try; longer each time."""
        span_s = self._next_s
        self._next_s = min(self._next_s * 2, self._most_s)
        return self._uniform(span_s * SPREAD, span_s)

    def reset(self) -> None:
        """It worked."""
        self._next_s = self._first_s
