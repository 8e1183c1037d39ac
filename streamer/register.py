"""The links in being: by speaker, by token, and in line order.

Laws: one link per speaker; a token lives as long as its link; a link is in the rows of `by_socket` exactly
while its speaker does not listen by UDP. Owned by `Links`; runs on the loop.
"""

from collections.abc import Iterator

from ..wire.report import Transport
from .link import Link
from .rows import Rows
from .territory import Territory


class Register:
    def __init__(self) -> None:
        self.everyone: Rows[Link] = Rows()
        self.by_socket: Rows[Link] = Rows()
        self._territory = Territory(())
        self._links: dict[str, Link] = {}
        self._tokens: dict[bytes, Link] = {}

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def find(self, speaker_id: str) -> Link | None:
        return self._links.get(speaker_id)

    def owner(self, token: bytes) -> str | None:
        link = self._tokens.get(token)
        return link.speaker if link else None

    def enter(self, link: Link) -> None:
        """The caller has removed an older link of the same speaker."""
        self._links[link.speaker] = link
        self._tokens[link.token] = link
        self._sit(link)

    def remove(self, link: Link) -> bool:
        """False if it is not (or no longer) in."""
        if self._links.get(link.speaker) is not link:
            return False
        del self._links[link.speaker], self._tokens[link.token]
        self._rise(link)
        return True

    def turn(self, link: Link, transport: Transport) -> None:
        """It wants its audio another way."""
        self._rise(link)
        link.via = transport
        self._sit(link)

    def move(self, link: Link, place: str) -> None:
        self._rise(link)
        link.place = place
        self._sit(link)

    def retarget(self, territory: Territory) -> None:
        self._territory = territory
        links = list(self._links.values())
        for link, index in zip(links, territory.locate([link.place for link in links]), strict=True):
            link.index = index
        self.everyone.sort()
        self.by_socket.sort()

    def _sit(self, link: Link) -> None:
        (link.index,) = self._territory.locate([link.place])
        self.everyone.add(link)
        if link.via is Transport.WS:
            self.by_socket.add(link)

    def _rise(self, link: Link) -> None:
        self.everyone.discard(link)
        self.by_socket.discard(link)
