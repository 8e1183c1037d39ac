"""A scope: the places where a person may do one thing, as slices of the line. Values, no memory of who.

Laws: a scope belongs to one territory and speaks of that one only; a place it does not know is nobody's. What
is above a place of the scope is known (it must be told where one is), and is not in it.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from ..streamer.territory import Territory

Slices = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """`slices`: sorted, disjoint, never touching, as `Territory.covering` gives them. Equal scopes of one
    territory are equal, so that who sees the same can be told the same.
    """

    territory: Territory
    slices: Slices

    @property
    def nothing(self) -> bool:
        return not self.slices

    @property
    def everything(self) -> bool:
        return self.slices == ((0, len(self.territory)),)

    def covers(self, place: str) -> bool:
        """Whether the place, and so everything below it, is in it."""
        return place in self.territory and self._holds(self.territory.index(place))

    def knows(self, place: str) -> bool:
        """Whether the place is in it, or above something that is."""
        if place not in self.territory:
            return False
        a, b = self.territory.slice(place)
        return self._holds(a) or any(a <= start < b for start, _ in self.slices)

    def touches(self, targets: Iterable[str]) -> bool:
        """Whether anything at or below these places is in it; places that are gone are part of everything."""
        return self.everything or bool(self.part(targets))

    def contains(self, targets: Iterable[str]) -> bool:
        """Whether all that there is at and below these places is in it."""
        return self.everything or self.part(targets) == tuple(self.territory.covering(targets))

    def part(self, targets: Iterable[str]) -> Slices:
        """What of these places and everything below them is in it."""
        return self.meets(tuple(self.territory.covering(targets)))

    def meets(self, slices: Slices) -> Slices:
        """What of these slices of its own territory is in it."""
        return meet(self.slices, slices)

    def top(self) -> str | None:
        """The highest place of it, the first of several; None when there is none."""
        return min(self.tops(), key=self.territory.depth, default=None)

    def tops(self) -> tuple[str, ...]:
        """The fewest places that cover it: neighbours on the line may be of different parents."""
        found = []
        for a, b in self.slices:
            at = a
            while at < b:
                found.append(self.territory.ids[at])
                _, at = self.territory.slice(found[-1])
        return tuple(found)

    def above(self) -> tuple[str, ...]:
        """The places above it, in the order of the line: who they are may be known, and no more."""
        found: dict[str, None] = {}
        for a, _ in self.slices:
            found.update(dict.fromkeys(self.territory.ancestry(self.territory.ids[a])[:-1]))
        return tuple(sorted((p for p in found if not self.covers(p)), key=self.territory.index))

    def _holds(self, index: int) -> bool:
        at = bisect_right(self.slices, index, key=lambda s: s[0]) - 1
        return at >= 0 and index < self.slices[at][1]


def meet(one: Slices, other: Slices) -> Slices:
    """Where both are. Each sorted and disjoint, and so is the answer; few against many costs little."""
    few, many = (one, other) if len(one) <= len(other) else (other, one)
    found: list[tuple[int, int]] = []
    for a, b in few:
        i = bisect_right(many, a, key=lambda s: s[1])
        while i < len(many) and many[i][0] < b:
            found.append((max(a, many[i][0]), min(b, many[i][1])))
            i += 1
    return tuple(found)


def size(slices: Slices) -> int:
    """How many places they hold."""
    return sum(b - a for a, b in slices)
