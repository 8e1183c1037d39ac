"""Who was to sound a broadcast and who has not proved it, in the order of the line.

Law: what a scope may know of it costs a few bisections, so that one event can be told to hundreds of scopes.

Pure; of one territory, whose indices it holds.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from ..station.speaker import Speaker
from ..streamer.territory import Territory
from .scope import Slices


@dataclass(frozen=True, slots=True)
class ReachPart:
    """`missing`: ids, in the order of the line, as many as were asked for."""

    ordered: int
    missing: tuple[str, ...]
    missing_count: int


class ReachLine:
    """See the module."""

    def __init__(self, territory: Territory, ordered: Iterable[Speaker], missing: frozenset[str]) -> None:
        line = sorted((territory.index(s.place), s.id) for s in ordered if s.place in territory)
        self._ordered = [index for index, _ in line]
        self._missing = [found for found in line if found[1] in missing]

    def part(self, slices: Slices, shown: int) -> ReachPart:
        ordered, count, names = 0, 0, list[str]()
        for a, b in slices:
            ordered += bisect_left(self._ordered, b) - bisect_left(self._ordered, a)
            first, last = bisect_left(self._missing, (a, "")), bisect_left(self._missing, (b, ""))
            count += last - first
            names += [name for _, name in self._missing[first : min(last, first + shown - len(names))]]
        return ReachPart(ordered, tuple(names), count)
