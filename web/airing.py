"""Putting an order on the air and on record, in the order that its class demands.

Laws: what is ordinary or priority is stored first, then aired, so that what was acknowledged is never lost;
an emergency is aired first and stored in the synced journal while its datagrams are on their way, and a
disk that fails does not silence it; the ledger knows of an order before anybody can ask about it.
"""

import structlog

from ..errors import LoaError, OperatorError
from ..station.broadcast import Broadcast
from ..streamer.broadcast import OnAir, Order
from .desk import Desk
from .ledger import record_of
from .ordering import Material
from .problem import HttpError

log = structlog.get_logger("air")


async def accept(desk: Desk, order: Order, made_of: Material, account: str | None) -> OnAir:
    """An ordinary or priority order. What the air refuses is stored as refused."""
    kept = _record(desk, order, 0, made_of, account)
    await desk.station.broadcasts.add(kept)
    try:
        return desk.air.start(order)
    except LoaError:
        await desk.station.broadcasts.end(order.id, at_us=desk.clock.now_us(), reason="refused")
        raise


async def alert(desk: Desk, order: Order, made_of: Material, account: str | None) -> OnAir:
    """An emergency. Its datagrams are with the senders before the disk is asked, and go while it syncs."""
    on_air = desk.air.start(order)
    kept = _record(desk, order, on_air.started_us, made_of, account)
    try:
        await desk.services.emergencies.started(kept)
    except (OperatorError, OSError) as error:
        log.error("an emergency is on air and not in the journal", broadcast=kept.id, error=str(error))
        raise HttpError(
            503,
            f"the emergency is on air as {kept.id}, but the journal did not take it: {error}",
            "journal",
            f"a disk that takes it; to stop it: DELETE /api/v1/emergencies/{kept.id}",
        ) from error
    return on_air


def _record(desk: Desk, order: Order, started_us: int, made_of: Material, account: str | None) -> Broadcast:
    made = record_of(
        order,
        started_us or desk.clock.now_us(),
        source=made_of.kind,
        program=made_of.program,
        account=account,
    )
    desk.ledger.note(made)
    return made
