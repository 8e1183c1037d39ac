"""Links in line order, so that a slice of places is a slice of links.

Law: sorted by the index of the link's place; links at a place that is not on the line (index -1) are in no
slice. Whoever changes an index takes the link out before and puts it back after, or calls `sort`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Generic, Protocol, TypeVar


class Placed(Protocol):
    """Something that stands at a place."""

    index: int


PlacedT = TypeVar("PlacedT", bound=Placed)

_by_index = attrgetter("index")


class Rows(Generic[PlacedT]):
    def __init__(self) -> None:
        self._rows: list[PlacedT] = []
        self._keys: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[PlacedT]:
        return iter(self._rows)

    def add(self, link: PlacedT) -> None:
        at = bisect_right(self._keys, link.index)
        self._keys.insert(at, link.index)
        self._rows.insert(at, link)

    def discard(self, link: PlacedT) -> None:
        """Take it out; one that is not in is out already."""
        for at in range(bisect_left(self._keys, link.index), bisect_right(self._keys, link.index)):
            if self._rows[at] is link:
                del self._rows[at], self._keys[at]
                return

    def between(self, slices: Sequence[tuple[int, int]]) -> list[PlacedT]:
        """A new list of the links at the places of `slices`."""
        found: list[PlacedT] = []
        for a, b in slices:
            first = bisect_left(self._keys, max(a, 0))
            found += self._rows[first : bisect_left(self._keys, b, first)]
        return found

    def sort(self) -> None:
        """All indices may have changed."""
        self._rows.sort(key=_by_index)
        self._keys = [link.index for link in self._rows]
