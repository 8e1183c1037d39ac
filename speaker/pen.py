"""A small pen for datagrams that came before what makes them verifiable: audio before its start, a start
before its list of targets.

Laws: nothing in the pen was verified and nothing of it sounds; what is let out is judged as if it had just
come; the pen is tiny, and what falls out of it, or has waited too long, is counted under the reason for
which it had to wait. Pure.
"""

from collections import Counter, OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

MAX_EACH = 8
"""Datagrams held for one program: half a second of audio at 60 ms, longer than any re-ordering."""

MAX_KEYS = 16
"""So at most 128 datagrams, 150 KiB, whatever is sent here."""

MAX_AGE_US = 2_000_000


@dataclass(frozen=True, slots=True)
class _Held:
    since_us: int
    reason: str
    data: list[bytes] = field(default_factory=list)


class Pen:
    def __init__(self) -> None:
        self._held: OrderedDict[Hashable, _Held] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(held.data) for held in self._held.values())

    def hold(self, key: Hashable, data: bytes, now_us: int, reason: str) -> Counter[str]:
        """Keep it for `key`. Returns how many were thrown out instead, by reason, this one perhaps among
        them."""
        lost = self.expire(now_us)
        held = self._held.setdefault(key, _Held(now_us, reason))
        if len(held.data) >= MAX_EACH:
            lost[reason] += 1
            return lost
        held.data.append(data)
        if len(self._held) > MAX_KEYS:
            _, oldest = self._held.popitem(last=False)
            lost[oldest.reason] += len(oldest.data)
        return lost

    def release(self, key: Hashable) -> list[bytes]:
        """What waited for `key`, oldest first."""
        held = self._held.pop(key, None)
        return held.data if held else []

    def expire(self, now_us: int) -> Counter[str]:
        """Nothing came that it could wait for. How many that were, by reason."""
        lost = Counter[str]()
        while self._held:
            key, held = next(iter(self._held.items()))
            if now_us - held.since_us <= MAX_AGE_US:
                break
            lost[held.reason] += len(held.data)
            del self._held[key]
        return lost
