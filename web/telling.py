"""One event about some places, told to each scope as far as it may know.

Laws: who may know all of it gets the same bytes, made once; who may know a part gets that part, made once per
scope; who may know nothing of it gets nothing. A scope of another territory than the event's gets nothing
either, unless it is everything: its client is given everything anew (`EventHub.follow`).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel

from ..streamer.territory import Territory
from .live_models import PlaceLive
from .scope import Scope


def event_bytes(event: BaseModel) -> bytes:
    """One server-sent event; its name is the model's `kind`."""
    kind: str = getattr(event, "kind")  # noqa: B009 - every event has one; LiveEvent's union says so
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), event.model_dump_json().encode())


def whole(event: BaseModel) -> Callable[[Scope], bytes]:
    """Told to everyone alike."""
    made = event_bytes(event)
    return lambda scope: made


class Telling:
    """See the module. Without `part` whoever may know some of it is told all of it."""

    def __init__(
        self,
        territory: Territory,
        targets: Iterable[str],
        whole: BaseModel,
        part: Callable[[Scope], BaseModel] | None = None,
    ) -> None:
        self._territory, self._slices = territory, tuple(territory.covering(targets))
        self._whole, self._part = whole, part
        self._made: bytes | None = None

    def __call__(self, scope: Scope) -> bytes | None:
        if scope.everything:
            return self._all()
        if scope.territory is not self._territory:
            return None
        seen = scope.meets(self._slices)
        if not seen:
            return None
        if self._part is None or seen == self._slices:
            return self._all()
        return event_bytes(self._part(scope))

    def _all(self) -> bytes:
        if self._made is None:
            self._made = event_bytes(self._whole)
        return self._made


class PlacesTelling:
    """Some places as they are now. Each is made into bytes once, whoever may see which of them."""

    def __init__(self, territory: Territory, indices: Sequence[int], places: Sequence[PlaceLive]) -> None:
        """`places` stand at these indices of the territory, in rising order."""
        self._territory, self._indices = territory, indices
        self._bodies = [place.model_dump_json().encode() for place in places]
        self._all = _places_bytes(self._bodies)

    def __call__(self, scope: Scope) -> bytes | None:
        if scope.everything:
            return self._all
        if scope.territory is not self._territory:
            return None
        seen: list[bytes] = []
        for a, b in scope.slices:
            seen += self._bodies[bisect_left(self._indices, a) : bisect_left(self._indices, b)]
        return _places_bytes(seen) if seen else None


def _places_bytes(bodies: Iterable[bytes]) -> bytes:
    """As `event_bytes` of a `PlacesEvent`."""
    return b'event: places\ndata: {"kind":"places","places":[%b]}\n\n' % b",".join(bodies)
