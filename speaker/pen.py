"""A small pen for datagrams that came before what makes them verifiable: audio before its start, a start
before its list of targets.

Laws: nothing in the pen was verified and nothing of it sounds; what is let out is judged as if it had just
come; the pen is tiny, and what falls out of it is counted. Pure.
"""

from collections import OrderedDict
from collections.abc import Hashable

MAX_EACH = 8
"""Datagrams held for one program: half a second of audio at 60 ms, longer than any re-ordering."""

MAX_KEYS = 16
"""So at most 128 datagrams, 150 KiB, whatever is sent here."""

MAX_AGE_US = 2_000_000


class Pen:
    def __init__(self) -> None:
        self._held: OrderedDict[Hashable, tuple[int, list[bytes]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(held) for _, held in self._held.values())

    def hold(self, key: Hashable, data: bytes, now_us: int) -> int:
        """Keep it for `key`. Returns how many were thrown out instead, this one perhaps among them."""
        lost = self._expire(now_us)
        _, held = self._held.setdefault(key, (now_us, []))
        if len(held) >= MAX_EACH:
            return lost + 1
        held.append(data)
        if len(self._held) > MAX_KEYS:
            _, (_, oldest) = self._held.popitem(last=False)
            lost += len(oldest)
        return lost

    def release(self, key: Hashable) -> list[bytes]:
        """What waited for `key`, oldest first."""
        _, held = self._held.pop(key, (0, []))
        return held

    def _expire(self, now_us: int) -> int:
        lost = 0
        while self._held:
            key, (since_us, held) = next(iter(self._held.items()))
            if now_us - since_us <= MAX_AGE_US:
                break
            lost += len(held)
            del self._held[key]
        return lost
