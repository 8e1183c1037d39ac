"""The territory as a line: the tree of places, numbered depth first.

Laws:
1. The places of every subtree are one contiguous slice `[a, b)` of the line, its root first.
2. Siblings stand in the order (position, name, id), so the same places give the same line, whatever order
   they came in.
3. An index lives as long as this object and never leaves the process; outside, places have ids.
4. An area that cannot be read is nobody: unknown targets cover nothing, and so does an empty list.

A territory never changes: whoever edits the tree makes a new one. Several roots are allowed (a node may serve
parts of a tree whose top it does not know), and so is none (a node before its first place).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import NotFoundError, OperatorError


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the territory tree. The id is for good; name, slug, parent and position may change."""

    id: str
    parent: str | None
    name: str
    slug: str
    kind: str
    position: int = 0

    def __post_init__(self) -> None:
        if not self.id:
            raise OperatorError(f"place {self.name!r}: the id is empty, expected 16 hex digits")
        if not self.slug or "/" in self.slug:
            raise OperatorError(f"place {self.id}: slug {self.slug!r}, expected one path segment without '/'")


class Territory:
    """All places as a depth-first line. A lookup costs a dict access, however large or deep the tree."""

    def __init__(self, places: Iterable[Place]) -> None:
        known = _by_id(places)
        line, depths = _depth_first(known)
        if len(line) < len(known):
            raise OperatorError(_describe_cycle(known, {place.id for place in line}))
        self._line: tuple[Place, ...] = tuple(line)
        self._depths = depths
        self._index = {place.id: i for i, place in enumerate(line)}
        self._ends = _subtree_ends(line, self._index)
        self.ids: tuple[str, ...] = tuple(place.id for place in line)

    def __len__(self) -> int:
        return len(self._line)

    def __contains__(self, place_id: object) -> bool:
        return place_id in self._index

    def at(self, index: int) -> Place:
        """The place at `index` of the line, 0 <= index < len."""
        if not 0 <= index < len(self._line):
            raise IndexError(f"index {index} on a line of {len(self._line)} places")
        return self._line[index]

    def index(self, place_id: str) -> int:
        try:
            return self._index[place_id]
        except KeyError:
            raise NotFoundError(f"place {place_id!r} is not in the territory of {len(self)} places") from None

    def locate(self, place_ids: Iterable[str]) -> list[int]:
        """The indices of many places at once, -1 for those that are not there."""
        return [self._index.get(place_id, -1) for place_id in place_ids]

    def get(self, place_id: str) -> Place:
        return self._line[self.index(place_id)]

    def slice(self, place_id: str) -> tuple[int, int]:
        """`(a, b)`: the place and everything below it are the indices a <= i < b."""
        a = self.index(place_id)
        return a, self._ends[a]

    def depth(self, place_id: str) -> int:
        """How many places stand above it: 0 for a root."""
        return self._depths[self.index(place_id)]

    def ancestry(self, place_id: str) -> tuple[str, ...]:
        """The ids from the root down to the place itself."""
        return tuple(place.id for place in self._upwards(place_id))[::-1]

    def path(self, place_id: str) -> str:
        """The slugs from the root down to the place itself: `dong-thap/cao-lanh`."""
        return "/".join([place.slug for place in self._upwards(place_id)][::-1])

    def covering(self, targets: Iterable[str]) -> list[tuple[int, int]]:
        """The slices the targets cover: sorted, disjoint, never touching. Unknown targets cover nobody."""
        wanted = sorted({self._index[target] for target in targets if target in self._index})
        merged: list[tuple[int, int]] = []
        for a in wanted:
            if merged and a <= merged[-1][1]:
                first, end = merged.pop()
                merged.append((first, max(end, self._ends[a])))
            else:
                merged.append((a, self._ends[a]))
        return merged

    def _upwards(self, place_id: str) -> Iterable[Place]:
        above: str | None = place_id
        while above is not None:
            place = self.get(above)
            yield place
            above = place.parent


def _by_id(places: Iterable[Place]) -> dict[str, Place]:
    known: dict[str, Place] = {}
    for place in places:
        if place.id in known:
            raise OperatorError(
                f"place {place.id} is there twice: {known[place.id].name!r} and {place.name!r}"
            )
        known[place.id] = place
    return known


def _depth_first(known: dict[str, Place]) -> tuple[list[Place], list[int]]:
    """The places that hang from a root, in line order, and their depths. Without recursion: depth is data."""
    children: dict[str | None, list[Place]] = {}
    for place in known.values():
        if place.parent is not None and place.parent not in known:
            raise OperatorError(f"place {place.id} {place.name!r}: its parent {place.parent} does not exist")
        children.setdefault(place.parent, []).append(place)
    for siblings in children.values():
        siblings.sort(key=lambda place: (place.position, place.name, place.id), reverse=True)
    line: list[Place] = []
    depths: list[int] = []
    waiting = [(place, 0) for place in children.get(None, ())]
    while waiting:
        place, depth = waiting.pop()
        line.append(place)
        depths.append(depth)
        waiting.extend((child, depth + 1) for child in children.get(place.id, ()))
    return line, depths


def _subtree_ends(line: Sequence[Place], index: dict[str, int]) -> list[int]:
    """For each index the end of its subtree's slice: children stand behind their parent, so go backwards."""
    ends = list(range(1, len(line) + 1))
    for i in range(len(line) - 1, -1, -1):
        parent = line[i].parent
        if parent is not None:
            ends[index[parent]] = max(ends[index[parent]], ends[i])
    return ends


def _describe_cycle(known: dict[str, Place], rooted: set[str]) -> str:
    """Walk up from a place that no root reaches until one comes again: that ring is the fault."""
    walk: list[str] = [min(known.keys() - rooted)]
    while (parent := known[walk[-1]].parent) is not None and parent not in walk:
        walk.append(parent)
    ring = walk[walk.index(parent) if parent is not None else 0 :]
    shown = " -> ".join([*ring[:8], *(["..."] if len(ring) > 8 else []), ring[0]])
    return f"places stand above themselves, expected a tree: {shown}"
