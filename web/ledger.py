"""What the orders on air were about, beyond what the air itself needs to know: who gave them, from what
recording.

Laws: an order is here from the moment it is given until well after it has ended, so that nobody must ask
the database about what sounds now; at most `KEPT` ended ones are remembered, the latest. Used on the loop
only.
"""

from collections import OrderedDict

from ..errors import NotFoundError
from ..station.broadcast import Broadcast
from ..streamer.broadcast import FileSource, MicSource, OnAir, Order, PushSource, RadioSource, ToneSource
from ..wire.rank import BroadcastClass, Severity
from .model import ClassName, SeverityName
from .territory_models import Playing

KEPT = 256


class Ledger:
    """See the module."""

    def __init__(self) -> None:
        self._open: dict[str, Broadcast] = {}
        self._ended: OrderedDict[str, OnAir] = OrderedDict()
        self._records: dict[str, Broadcast] = {}
        self._playing: dict[str, Playing] = {}

    def note(self, record: Broadcast) -> None:
        """An order was given."""
        self._open[record.id] = record

    def begin(self, order: Order) -> None:
        """The air has taken it."""
        self._playing[order.id] = self._playing[order.program_id] = playing(order)

    def playing(self, name: str) -> Playing | None:
        """What people are told of a broadcast, or of a program, that is on air."""
        return self._playing.get(name)

    def of(self, on_air: OnAir) -> Broadcast:
        """The record of an order; made up from the order itself if it was not given through the API."""
        order = on_air.order
        return self._open.get(order.id) or self._records.get(order.id) or record_of(order, on_air.started_us)

    def targets(self, broadcast_id: str) -> tuple[str, ...]:
        """Of one that was ordered, or has ended lately; none for any other."""
        record = self._open.get(broadcast_id) or self._records.get(broadcast_id)
        return record.targets if record else ()

    def end(self, on_air: OnAir) -> None:
        """It is over: keep how it ended for those who ask in the next hours."""
        name = on_air.order.id
        self._records[name] = self.of(on_air)
        for known in (name, on_air.order.program_id):
            self._playing.pop(known, None)
        self._open.pop(name, None)
        self._ended[name] = on_air
        while len(self._ended) > KEPT:
            gone, _ = self._ended.popitem(last=False)
            del self._records[gone]

    def ended(self, broadcast_id: str) -> OnAir:
        try:
            return self._ended[broadcast_id]
        except KeyError:
            raise NotFoundError(
                f"broadcast {broadcast_id} has not ended lately, expected one that has"
            ) from None


def record_of(
    order: Order,
    started_us: int,
    *,
    source: str | None = None,
    program: str | None = None,
    account: str | None = None,
) -> Broadcast:
    """The order as the station keeps it; `program` is the stored recording, `account` who ordered it."""
    return Broadcast(
        id=order.id,
        program=program,
        source=source or source_kind(order),
        title=order.title,
        cls=order.cls,
        severity=order.severity,
        origin=order.origin,
        drill=order.drill,
        targets=order.targets,
        issuer_place=order.issuer_place,
        issuer_account=account,
        resume=order.resume.value,
        started_us=started_us,
        expires_us=order.expires_us,
        repeat=order.source.repeat if isinstance(order.source, FileSource | ToneSource) else 1,
        chime=order.chime.value if order.chime else None,
    )


def source_kind(order: Order) -> str:
    match order.source:
        case FileSource():
            return "file"
        case MicSource():
            return "microphone"
        case ToneSource():
            return "tone"
        case RadioSource():
            return "radio"
        case PushSource():
            return "push"


def playing(order: Order) -> Playing:
    return Playing(
        broadcast=order.id,
        title=order.title,
        cls=class_name(order.cls),
        severity=severity_name(order.cls, order.severity),
        drill=order.drill,
    )


def class_name(cls: BroadcastClass) -> ClassName:
    return ClassName(cls.name.lower())


def severity_name(cls: BroadcastClass, severity: Severity) -> SeverityName | None:
    """Only an emergency has one."""
    return SeverityName(severity.name.lower()) if cls is BroadcastClass.EMERGENCY else None
