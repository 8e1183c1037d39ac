"""Which broadcast sounds at this speaker: the highest-ranked active one, or nobody.

Laws:
1. In every slot of 20 ms the winner is the active broadcast of the highest rank; ties go to the higher id.
2. Active means: added (so verified), begun by that slot, not ended, not expired in it.
3. What stands beneath stays known, so it wins again in the very slot in which the one above ends.
4. An order of the deepest place that has one rules the priority class; those not listed come after, by start.

Pure: slots are media time in units of 20 ms. Nothing here knows what was played. Owned by the speaker's
intake.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..codecs.frame import FRAME_US
from ..wire.rank import BroadcastClass, Rank, beats

MAX_ACTIVE = 64
"""Broadcasts known at once. A place has a handful; more than this is a fault or an attack."""


@dataclass(frozen=True, slots=True)
class Active:
    """A verified broadcast that covers this speaker. `from_k` is its first slot, `until_k` the first after
    it; `verified_us` is the network time at which its start was verified.
    """

    broadcast: str
    program: str
    rank: Rank
    from_k: int
    until_k: int
    verified_us: int


@dataclass(slots=True)
class _Standing:
    active: Active
    key: int
    position: int | None = field(default=None)


def slot_of(media_us: int) -> int:
    """The slot that a media time falls in."""
    return media_us // FRAME_US


def slot_after(media_us: int) -> int:
    """The first slot that begins at a media time or later."""
    return -(-media_us // FRAME_US)


class Selector:
    def __init__(self) -> None:
        self._standing: dict[str, _Standing] = {}
        self._orders: dict[str, Mapping[str, int]] = {}
        self._ancestry: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._standing)

    def __iter__(self) -> Iterator[Active]:
        return (standing.active for standing in tuple(self._standing.values()))

    def get(self, broadcast: str) -> Active | None:
        standing = self._standing.get(broadcast)
        return standing.active if standing else None

    def put(self, active: Active) -> Active | None:
        """Add it, or replace what is known of it. Returns one that had to go because the table was full.

        The one that goes is the lowest; it may be `active` itself.
        """
        self._standing[active.broadcast] = _Standing(active, self._key(active))
        if len(self._standing) <= MAX_ACTIVE:
            return None
        lowest = None
        for standing in self._standing.values():
            if lowest is None or _beats(lowest, standing):
                lowest = standing
        if lowest is None:
            return None
        del self._standing[lowest.active.broadcast]
        return lowest.active

    def end(self, broadcast: str, until_k: int) -> bool:
        """It does not sound in slot `until_k` or after. An end never moves back. False if it is not known."""
        standing = self._standing.get(broadcast)
        if standing is None:
            return False
        standing.active = replace(standing.active, until_k=min(standing.active.until_k, until_k))
        return True

    def remove(self, broadcast: str) -> Active | None:
        standing = self._standing.pop(broadcast, None)
        return standing.active if standing else None

    def over(self, k: int) -> list[Active]:
        """Those that neither sound in slot `k` nor will later."""
        return [active for active in self if active.until_k <= k]

    def at(self, k: int) -> Active | None:
        """The winner in slot `k`."""
        best: _Standing | None = None
        for standing in self._standing.values():
            if not standing.active.from_k <= k < standing.active.until_k:
                continue
            if best is None or _beats(standing, best):
                best = standing
        return best.active if best else None

    def place(self, ancestry: Sequence[str]) -> None:
        """Where this speaker stands, root first: it says which orders hold here."""
        self._ancestry = tuple(ancestry)
        self._orders = {place: order for place, order in self._orders.items() if place in self._ancestry}
        self._rekey()

    def reorder(self, place: str, broadcasts: Sequence[str]) -> bool:
        """The order of the priority class at `place`, first one first; empty withdraws it. False if not
        ours."""
        if place not in self._ancestry:
            return False
        self._orders.pop(place, None)
        if broadcasts:
            self._orders[place] = {broadcast: position for position, broadcast in enumerate(broadcasts)}
        self._rekey()
        return True

    def _rekey(self) -> None:
        for standing in self._standing.values():
            standing.key = self._key(standing.active)

    def _key(self, active: Active) -> int:
        if active.rank.cls != BroadcastClass.PRIORITY:
            return active.rank.key
        for place in reversed(self._ancestry):
            order = self._orders.get(place)
            if order is not None:
                position = order.get(active.broadcast)
                return active.rank.key if position is None else replace(active.rank, position=position).key
        return active.rank.key


def _beats(a: _Standing, b: _Standing) -> bool:
    return beats(a.key, a.active.broadcast, b.key, b.active.broadcast)
