"""Where in its own material a program is at each instant of network time.

A program that was paused goes on where it was cut, so the mapping is a list of spans. Laws: spans never
overlap; outside them nothing sounds; positions and times are whole microseconds, so both the 20 ms and the
24 ms grid read the same timeline. Pure; owned by its `Program`.
"""

from collections import deque
from dataclasses import dataclass

from ..errors import InternalError

_SPANS_KEPT = 4
"""Readers look back one block (100 ms) at most; more spans than this cannot lie in so short a time."""


@dataclass(frozen=True, slots=True)
class Span:
    """From network time `from_us` on, position `position_us` of the material sounds, until `to_us`."""

    from_us: int
    position_us: int
    to_us: int | None = None


class Timeline:
    def __init__(self) -> None:
        self._spans: deque[Span] = deque(maxlen=_SPANS_KEPT)

    @property
    def running(self) -> bool:
        return bool(self._spans) and self._spans[-1].to_us is None

    def run(self, at_us: int, position_us: int) -> None:
        """Sound `position_us` from `at_us` on."""
        if self.running:
            raise InternalError("a timeline that runs was told to run")
        if self._spans and (self._spans[-1].to_us or 0) > at_us:
            raise InternalError(f"span at {at_us} us begins before the one ahead of it has ended")
        self._spans.append(Span(at_us, position_us))

    def halt(self, at_us: int) -> int:
        """Stop sounding at `at_us`; returns the position that was reached."""
        if not self.running:
            raise InternalError("a timeline that stands still was told to halt")
        last = self._spans.pop()
        until = max(at_us, last.from_us)
        self._spans.append(Span(last.from_us, last.position_us, until))
        return last.position_us + until - last.from_us

    def position(self, at_us: int) -> int | None:
        """The position in microseconds that sounds at `at_us`; None where nothing does."""
        for span in reversed(self._spans):
            if at_us >= span.from_us:
                if span.to_us is not None and at_us >= span.to_us:
                    return None
                return span.position_us + at_us - span.from_us
        return None
