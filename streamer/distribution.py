"""Distribution: hands each datagram to the ways that lead to its listeners, and keeps the ways.

Laws: UDP first, since it is one thread and a few system calls; then the control links. A speaker is served by
UDP only while its link lives and it has not asked for its WebSocket. Implements `Egress` for the air and
`LinkEvents` for the links.
"""

from collections.abc import Callable, Sequence

from ..wire.control import Targets, build_control
from ..wire.report import Report
from .fanout import Parcel, Slice
from .links import Links
from .territory import Territory
from .udp import UdpPort
from .uplink import LinkEvents


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

    def control(self, slices: Sequence[Slice], message: bytes) -> None:
        self._links.broadcast_control(slices, message)

    def list_targets(self, slices: Sequence[Slice], targets: Sequence[str], *, urgent: bool) -> None:
        message = build_control(Targets(tuple(sorted(targets))))
        self._links.broadcast_control(slices, message, urgent=urgent)

    def moved(self, territory: Territory) -> None:
        """The line is a new one."""
        self._links.retarget(territory)
        self._udp.attachments.moved()


class Attendance:
    """Hears what the links tell: keeps the UDP attachments true to it, and passes it on."""

    def __init__(self, roll: LinkEvents, detach: Callable[[str], None]) -> None:
        self._roll = roll
        self._detach = detach

    def linked(self, speaker_id: str) -> None:
        self._roll.linked(speaker_id)

    def unlinked(self, speaker_id: str) -> None:
        self._detach(speaker_id)
        self._roll.unlinked(speaker_id)

    def via(self, speaker_id: str, transport: str) -> None:
        if transport == "ws":
            self._detach(speaker_id)
        self._roll.via(speaker_id, transport)

    def reported(self, speaker_id: str, report: Report) -> None:
        self._roll.reported(speaker_id, report)
