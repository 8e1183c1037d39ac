"""How many speakers are where: enrolled, online, faulty, for every place and everything below it.

Laws: a change costs O(1), a question about any set of places one pass over an array of the places; a
speaker at a place that the territory does not know counts nowhere. Owned by the feed, used on the loop
only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..streamer.territory import Territory


@dataclass(frozen=True, slots=True)
class Count:
    """Speakers of some places; `places` is how many places that are."""

    speakers: int
    online: int
    faulty: int
    places: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one speaker is, and how."""

    place: str
    online: bool
    faulty: bool


class Census:
    """See the module."""

    def __init__(self, territory: Territory) -> None:
        self._territory = territory
        self._standings: dict[str, Standing] = {}
        self._own: npt.NDArray[np.int64] = np.zeros((3, len(territory)), np.int64)
        self._until: npt.NDArray[np.int64] | None = None

    def put(self, speaker_id: str, standing: Standing) -> bool:
        """Returns whether any number has changed."""
        before = self._standings.get(speaker_id)
        if before == standing:
            return False
        if before is not None:
            self._add(before, -1)
        self._standings[speaker_id] = standing
        self._add(standing, 1)
        return True

    def remove(self, speaker_id: str) -> None:
        before = self._standings.pop(speaker_id, None)
        if before is not None:
            self._add(before, -1)

    def set_territory(self, territory: Territory) -> None:
        """The tree has changed: count anew."""
        self._territory = territory
        self._own = np.zeros((3, len(territory)), np.int64)
        self._until = None
        for standing in self._standings.values():
            self._add(standing, 1)

    def of(self, targets: Iterable[str]) -> Count:
        """The speakers that these places and everything below them hold; nobody is counted twice."""
        speakers = online = faulty = places = 0
        until = self._sums()
        for a, b in self._territory.covering(targets):
            found = until[:, b] - until[:, a]
            speakers, online, faulty = (
                speakers + int(found[0]),
                online + int(found[1]),
                faulty + int(found[2]),
            )
            places += b - a
        return Count(speakers, online, faulty, places)

    def _add(self, standing: Standing, how_many: int) -> None:
        if standing.place not in self._territory:
            return
        own = self._own[:, self._territory.index(standing.place)]
        own += np.array([1, standing.online, standing.faulty]) * how_many
        self._until = None

    def _sums(self) -> npt.NDArray[np.int64]:
        """Column i: the speakers before place i of the line."""
        if self._until is None:
            self._until = np.zeros((3, len(self._territory) + 1), np.int64)
            np.cumsum(self._own, axis=1, out=self._until[:, 1:])
        return self._until
