"""Distribution: hands each datagram to the ways that lead to its listeners.

Law: UDP first, since it is one thread and a few system calls; then the control links. Implements `Egress`.
"""

from collections.abc import Callable, Sequence

from ..wire.control import Targets, build_control
from .fanout import Parcel
from .links import Links
from .territory import Territory
from .udp import UdpPort


class Distribution:
    def __init__(self, udp: UdpPort, links: Links, territory: Callable[[], Territory]) -> None:
        self._udp = udp
        self._links = links
        self._territory = territory

    def send(self, parcels: Sequence[Parcel], *, urgent: bool) -> None:
        self._udp.refresh(self._territory())
        self._udp.fanout.send(parcels, urgent=urgent)
        for parcel in parcels:
            self._links.send(parcel.slices, parcel.data, everyone=False, urgent=urgent)

    def tell(self, parcel: Parcel, *, urgent: bool) -> None:
        self._udp.refresh(self._territory())
        self._udp.fanout.send([parcel], urgent=urgent)
        self._links.send(parcel.slices, parcel.data, everyone=True, urgent=urgent)

    def list_targets(self, slices: Sequence[tuple[int, int]], targets: Sequence[str]) -> None:
        self._links.broadcast_control(slices, build_control(Targets(tuple(sorted(targets)))))
