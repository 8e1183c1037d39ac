"""Network time: one timescale for everything that sounds, in whole microseconds, close to Unix time.

Laws: it never steps and never runs backwards while a process lives; the system's wall clock is read once, at
the start, so that an operator (or NTP) who sets it cannot move what is on air. A node that follows another
slews its offset (`NodeClock.slew`), at most `MAX_SLEW_PPM`.
"""

import secrets
import time
from typing import Protocol

MAX_SLEW_PPM = 500
"""As adjtime(3) does: half a millisecond a second, inaudible, and a whole frame is made up in 40 s."""


class Clock(Protocol):
    """What reads network time."""

    def now_us(self) -> int:
        """Network time in microseconds since the Unix epoch."""
        ...


class NodeClock:
    """A node's own timescale: the wall clock at start-up, carried on by the monotonic clock."""

    def __init__(self) -> None:
        self.clock_id = secrets.token_hex(8)
        self._mono_ns = time.monotonic_ns()
        self._base_us = time.time_ns() // 1000
        self._slew_left_us = 0
        self._slew_from_ns = self._mono_ns

    def now_us(self) -> int:
        mono_ns = time.monotonic_ns()
        return self._base_us + (mono_ns - self._mono_ns) // 1000 + self._slewed(mono_ns)

    def slew(self, offset_us: int) -> None:
        """Move by `offset_us`, gradually: no reading is ever earlier than one before it."""
        mono_ns = time.monotonic_ns()
        self._base_us += self._slewed(mono_ns)
        self._slew_left_us, self._slew_from_ns = offset_us, mono_ns

    def _slewed(self, mono_ns: int) -> int:
        most_us = (mono_ns - self._slew_from_ns) * MAX_SLEW_PPM // 1_000_000_000
        return max(-most_us, min(most_us, self._slew_left_us))


class VirtualClock:
    """A clock that a test moves by hand."""

    def __init__(self, now_us: int = 1_800_000_000_000_000) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us

    def advance(self, microseconds: int) -> None:
        if microseconds < 0:
            raise ValueError(f"network time never runs backwards (asked for {microseconds} us)")
        self._now_us += microseconds
