"""Which speakers listen by UDP, and at which address.

Laws: an address is served only after it has returned a cookie, so nobody can be flooded by a forged source;
only while its owner's control link lives, and for `HOLD_US` after its last sign of life. Pure; owned by
`UdpPort`.
"""

from dataclasses import dataclass

from .fanout import AddressTable
from .territory import Territory

HOLD_US = 50_000_000
"""Two refreshes of 20 s may be lost before an address is given up."""


@dataclass(slots=True)
class _Seat:
    place: str
    address: bytes
    refreshed_us: int


class Attachments:
    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}
        self._changed = True

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, speaker_id: str) -> bool:
        return speaker_id in self._seats

    def attach(self, speaker_id: str, place: str, address: bytes, now_us: int) -> bool:
        """Serve `speaker_id` at `address` (a sockaddr_in6); True if that is new."""
        seat = self._seats.get(speaker_id)
        if seat is not None and (seat.address, seat.place) == (address, place):
            seat.refreshed_us = now_us
            return False
        self._seats[speaker_id] = _Seat(place, address, now_us)
        self._changed = True
        return True

    def detach(self, speaker_id: str) -> None:
        """No more; unknown speakers are none already."""
        if self._seats.pop(speaker_id, None):
            self._changed = True

    def expire(self, now_us: int) -> list[str]:
        """Give up the addresses that have been silent too long; returns whose they were."""
        gone = [name for name, seat in self._seats.items() if now_us - seat.refreshed_us > HOLD_US]
        for name in gone:
            self.detach(name)
        return gone

    def moved(self) -> None:
        """The line changed: the next `table` is made anew."""
        self._changed = True

    def table(self, territory: Territory) -> AddressTable | None:
        """A new table if anything changed since the last one. Seats at places that are gone hear nothing."""
        if not self._changed:
            return None
        self._changed = False
        seats = [seat for seat in self._seats.values() if seat.place in territory]
        return AddressTable((territory.index(seat.place), seat.address) for seat in seats)
