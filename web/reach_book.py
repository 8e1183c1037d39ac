"""Of each broadcast: which speakers were meant to sound, and which have proved that they did.

Laws: a command is no proof, only a speaker's own report counts; a report that comes before we know who was
ordered counts as well; the latest `KEPT` broadcasts are remembered. Used on the loop only.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

KEPT = 256


@dataclass(slots=True)
class _Page:
    ordered: frozenset[str] = frozenset()
    sounded: set[str] = field(default_factory=set)


class ReachBook:
    """See the module."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, _Page] = OrderedDict()

    def __contains__(self, broadcast_id: object) -> bool:
        return broadcast_id in self._pages

    def order(self, broadcast_id: str, speakers: frozenset[str]) -> None:
        """Who is to sound it, as the territory stands now."""
        self._page(broadcast_id).ordered = speakers

    def sounded(self, broadcast_id: str, speaker_id: str) -> None:
        self._page(broadcast_id).sounded.add(speaker_id)

    def ordered(self, broadcast_id: str) -> frozenset[str]:
        page = self._pages.get(broadcast_id)
        return page.ordered if page else frozenset()

    def missing(self, broadcast_id: str) -> frozenset[str]:
        page = self._pages.get(broadcast_id)
        return page.ordered - page.sounded if page else frozenset()

    def _page(self, broadcast_id: str) -> _Page:
        page = self._pages.get(broadcast_id)
        if page is None:
            page = self._pages[broadcast_id] = _Page()
            if len(self._pages) > KEPT:
                self._pages.popitem(last=False)
        return page
