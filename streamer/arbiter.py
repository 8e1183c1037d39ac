"""Who is on air where: of the broadcasts that cover a place, the one of the highest rank.

Laws:
1. At every place the winner is the highest-ranked active claim that covers it, or nobody.
2. A claim sounds at the places its targets cover on today's line, and nowhere else.
3. A commune's order changes the priority class at its own places only; the order of a deeper place takes the
   whole of the shallower one's place there. An empty order withdraws it: what stands above applies again.
4. The arrays are a cache. They can be computed anew from the active claims and orders at any time, and are
   whenever something ends or moves.

Pure: no clock, no I/O. The state belongs to the one who made the object (the air); it is not thread-safe.
Ranks are compared as the integers of `Rank.key`, so starting a claim on a whole territory is one comparison
and one assignment of a slice; nothing here loops over places in Python.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ConflictError, OperatorError
from ..trust.ids import is_id
from ..wire.rank import BroadcastClass, Rank
from .territory import Territory

Region: TypeAlias = slice | npt.NDArray[np.int64]
"""The places of a claim as numpy indexes them: a slice if they are contiguous, else sorted indices."""

Keys: TypeAlias = int | npt.NDArray[np.int64]
"""The rank keys of a claim over its region: one number, or one each where a commune's order lists it."""

MAX_ORDER = (1 << 16) - 1
"""Positions of a commune's order have 16 bits in the key of a rank."""

_NOBODY = -1
"""Rank and slot of an idle place. Every real key is positive: the class stands on top and is never 0."""

_LAST = (1 << 63, 0)
"""Sorts behind every key, which has 63 bits."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A broadcast's wish to be on air: at `targets` and below them, with `rank`."""

    broadcast: str
    program: str
    rank: Rank
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if not is_id(self.broadcast):
            raise OperatorError(f"broadcast id {self.broadcast!r}, expected 16 lower-case hex digits")


@dataclass(frozen=True, slots=True)
class Change:
    """The places a <= i < b, which all had `before` on air, now have `after`. None is silence."""

    a: int
    b: int
    before: str | None
    after: str | None


Changes: TypeAlias = tuple[Change, ...]


@dataclass(slots=True)
class _Active:
    """A claim on today's line."""

    claim: Claim
    slot: int
    tie: int
    region: Region
    key: Keys

    @property
    def hull(self) -> tuple[int, int]:
        if isinstance(self.region, slice):
            return self.region.start, self.region.stop
        return int(self.region[0]), int(self.region[-1]) + 1

    @property
    def covered(self) -> int:
        if isinstance(self.region, slice):
            return int(self.region.stop - self.region.start)
        return len(self.region)

    def clipped(self, lo: int, hi: int) -> tuple[Region, Keys]:
        """The part of region and key that lies in lo <= i < hi."""
        if isinstance(self.region, slice):
            a = max(self.region.start, lo)
            b = max(a, min(self.region.stop, hi))
            part: Region = slice(a, b)
            first, last = a - self.region.start, b - self.region.start
        else:
            first, last = (int(i) for i in np.searchsorted(self.region, (lo, hi)))
            part = self.region[first:last]
        return part, self.key if isinstance(self.key, int) else self.key[first:last]


class Arbiter:
    """Decides the winner at every place of a territory, and says what changed."""

    def __init__(self, territory: Territory) -> None:
        self.territory = territory
        self._active: dict[str, _Active] = {}
        self._slots: list[str | None] = []
        self._orders: dict[str, dict[str, int]] = {}
        self._runs: dict[str, list[tuple[int, int]]] = {}
        self._clear()

    # --- what is on air

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(active.claim for active in self._active.values())

    def winner_at(self, index: int) -> str | None:
        if not 0 <= index < len(self.territory):
            raise IndexError(f"index {index} on a line of {len(self.territory)} places")
        return self._named(int(self._slot[index]))

    def segments(self, broadcast: str) -> list[tuple[int, int]]:
        """The runs `[a, b)` where it wins, in line order; none if not active. Do not change the list."""
        runs = self._runs.get(broadcast)
        if runs is None:
            runs = self._runs[broadcast] = self._find_runs(broadcast)
        return runs

    def winning(self, broadcast: str) -> int:
        """At how many places it wins."""
        return sum(b - a for a, b in self.segments(broadcast))

    def covered(self, broadcast: str) -> int:
        """How many places its targets cover; 0 if it is not active."""
        active = self._active.get(broadcast)
        return active.covered if active else 0

    # --- what changes it

    def start(self, claim: Claim) -> Changes:
        if claim.broadcast in self._active:
            raise ConflictError(f"broadcast {claim.broadcast} is on air already")
        slot = self._free_slot(claim.broadcast)
        region, key = self._region(claim)
        active = _Active(claim, slot, int(claim.broadcast, 16), region, key)
        self._active[claim.broadcast] = active
        before = self._slot[region].copy()
        self._apply(active, region, key)
        return self._changes(region, before)

    def stop(self, broadcast: str) -> Changes:
        """Take it off the air. One that is not active changes nothing, so stopping twice does no harm."""
        active = self._active.pop(broadcast, None)
        if active is None:
            return ()
        changes = self._anew(active.region)
        self._slots[active.slot] = None
        self._runs.pop(broadcast, None)
        return changes

    def reorder(self, place: str, broadcasts: Sequence[str]) -> Changes:
        """The commune's order of the priority class, first one first; those not listed come after, by start.

        Ids that are not active (yet, or any more) do no harm: their position waits for them.
        """
        a, b = self.territory.slice(place)
        if len(set(broadcasts)) < len(broadcasts) or len(broadcasts) > MAX_ORDER:
            raise OperatorError(
                f"order of place {place}: {len(broadcasts)} broadcasts, {len(set(broadcasts))} different; "
                f"expected each one once and at most {MAX_ORDER}"
            )
        self._orders.pop(place, None)
        if broadcasts:
            self._orders[place] = {broadcast: position for position, broadcast in enumerate(broadcasts)}
        for active in self._active.values():
            if active.claim.rank.cls == BroadcastClass.PRIORITY:
                active.key = self._keys(active.claim, active.region)
        return self._anew(slice(a, b))

    def retarget(self, territory: Territory) -> Changes:
        """Move to a new line. Changes are in its indices, `before` being what the same place had until now.

        Places that are gone change silently (nobody is there), new ones from silence; the orders of places
        that are gone go with them.
        """
        old, old_slot = self.territory, self._slot
        moved = np.array(old.locate(territory.ids), dtype=np.int64)
        before = np.full(len(territory), _NOBODY, dtype=np.int32)
        before[moved >= 0] = old_slot[moved[moved >= 0]]
        self.territory = territory
        self._orders = {place: order for place, order in self._orders.items() if place in territory}
        self._clear()
        for active in self._active.values():
            active.region, active.key = self._region(active.claim)
        whole = slice(0, len(territory))
        self._compute(whole)
        return self._changes(whole, before)

    # --- the arrays

    def _clear(self) -> None:
        size = len(self.territory)
        self._rank = np.full(size, _NOBODY, dtype=np.int64)
        self._tie = np.zeros(size, dtype=np.uint64)
        self._slot = np.full(size, _NOBODY, dtype=np.int32)
        self._runs.clear()

    def _apply(self, active: _Active, region: Region, key: Keys) -> None:
        """Put the claim on air wherever it beats what is there. Doing so twice changes nothing."""
        rank, tie = self._rank[region], self._tie[region]
        wins = (rank < key) | ((rank == key) & (tie < np.uint64(active.tie)))
        self._rank[region] = np.where(wins, key, rank)
        self._tie[region] = np.where(wins, np.uint64(active.tie), tie)
        self._slot[region] = np.where(wins, np.int32(active.slot), self._slot[region])

    def _anew(self, region: Region) -> Changes:
        before = self._slot[region].copy()
        self._compute(region)
        return self._changes(region, before)

    def _compute(self, region: Region) -> None:
        """Fill a region from the active claims, as if everything there had just begun.

        In rank order, so that each may simply overwrite those before it; only claims that an order lists have
        to be compared place by place, after the others.
        """
        self._rank[region] = _NOBODY
        self._tie[region] = 0
        self._slot[region] = _NOBODY
        if isinstance(region, slice):
            lo, hi = region.start, region.stop
        else:
            lo, hi = region[0], region[-1] + 1
        near = [a for a in self._active.values() if a.covered and a.hull[0] < hi and lo < a.hull[1]]
        near.sort(key=lambda active: (active.key, active.tie) if isinstance(active.key, int) else _LAST)
        for active in near:
            part, key = active.clipped(lo, hi)
            if isinstance(key, int):
                self._rank[part], self._tie[part], self._slot[part] = key, active.tie, active.slot
            else:
                self._apply(active, part, key)

    def _changes(self, region: Region, before: npt.NDArray[np.int32]) -> Changes:
        after = self._slot[region]
        differs = np.flatnonzero(before != after)
        if not len(differs):
            return ()
        where = differs + region.start if isinstance(region, slice) else region[differs]
        old, new = before[differs], after[differs]
        changes = tuple(
            Change(int(where[i]), int(where[j - 1]) + 1, self._named(int(old[i])), self._named(int(new[i])))
            for i, j in _equal_runs(where, old, new)
        )
        for change in changes:
            for broadcast in (change.before, change.after):
                if broadcast is not None:
                    self._runs.pop(broadcast, None)
        return changes

    def _find_runs(self, broadcast: str) -> list[tuple[int, int]]:
        active = self._active.get(broadcast)
        if active is None or not active.covered:
            return []
        lo, hi = active.hull
        where = np.flatnonzero(self._slot[lo:hi] == active.slot) + lo
        return [(int(where[i]), int(where[j - 1]) + 1) for i, j in _equal_runs(where)]

    def _named(self, slot: int) -> str | None:
        return None if slot == _NOBODY else self._slots[slot]

    def _free_slot(self, broadcast: str) -> int:
        try:
            slot = self._slots.index(None)
        except ValueError:
            slot = len(self._slots)
            self._slots.append(None)
        self._slots[slot] = broadcast
        return slot

    # --- a claim on the line

    def _region(self, claim: Claim) -> tuple[Region, Keys]:
        slices = self.territory.covering(claim.targets)
        region: Region
        if len(slices) <= 1:
            region = slice(*slices[0]) if slices else slice(0, 0)
        else:
            region = np.concatenate([np.arange(a, b, dtype=np.int64) for a, b in slices])
        return region, self._keys(claim, region)

    def _keys(self, claim: Claim, region: Region) -> Keys:
        """The claim's key, one number unless an order lists it. Deeper orders stand later on the line."""
        key = claim.rank.key
        if claim.rank.cls != BroadcastClass.PRIORITY:
            return key
        if not any(claim.broadcast in order for order in self._orders.values()):
            return key
        line = np.full(len(self.territory), key, dtype=np.int64)
        for place in sorted(self._orders, key=self.territory.index):
            position = self._orders[place].get(claim.broadcast)
            a, b = self.territory.slice(place)
            line[a:b] = key if position is None else replace(claim.rank, position=position).key
        return line[region]


def _equal_runs(where: npt.NDArray[np.int64], *values: npt.NDArray[np.int32]) -> Iterator[tuple[int, int]]:
    """Cut `where` (rising) into runs `[i, j)` of neighbours with equal values."""
    if not len(where):
        return iter(())
    breaks = np.diff(where) != 1
    for value in values:
        breaks |= np.diff(value) != 0
    cuts = (np.flatnonzero(breaks) + 1).tolist()
    return zip([0, *cuts], [*cuts, len(where)], strict=True)
