"""Raising an emergency, and stopping it.

Laws: from the body to the air it takes the shortest way: the session from memory, the order from memory, at
most one file opened, no database; on the air and into the synced journal at once, and the answer follows
the journal; the database comes after (the emergency log sees to it). Stopping takes one person and one
press.
"""

from functools import partial

from ..codecs.tones import Chime
from ..errors import ConflictError, OperatorError
from ..station.act import Act
from ..streamer.broadcast import OnAir, Order, Resume, ToneSource
from ..wire.datagram import EndReason
from ..wire.rank import BroadcastClass, Origin, Severity
from .air_models import EmergencyIn, FileSourceIn, StartedOut, StoppedOut, StopQuery
from .airing import alert
from .call import Call
from .order_rules import acting_place, lasting_s, read_targets
from .ordering import Material, material, new_id, outranked, started
from .problem import HttpError
from .sight import find_on_air, find_program, knows

ALL_CLEAR_S = 60
"""The signal takes seconds; this is when it must be over whatever happens."""


async def start_emergency(call: Call, body: EmergencyIn) -> StartedOut:
    """On air at once, over everything at its targets; answered when it is in the synced journal."""
    desk, territory = call.desk, call.desk.air.territory
    call.act = Act.DRILL if body.drill else Act.ALERT
    known = partial(knows, call)
    targets = read_targets(body.targets, territory, known)
    at = acting_place(body.at, targets, territory, known)
    call.require([at, *targets])
    if isinstance(body.source, FileSourceIn):
        find_program(call, body.source.program)
    last_s = lasting_s(BroadcastClass.EMERGENCY, body.max_s)
    made_of = await material(desk, body.source, lasting_s=last_s, emergency=True)
    order = Order(
        id=new_id(),
        program_id=new_id(),
        title=body.title,
        targets=targets,
        cls=BroadcastClass.EMERGENCY,
        severity=Severity[body.severity.name],
        issuer_place=at,
        expires_us=desk.clock.now_us() + last_s * 1_000_000,
        source=made_of.source,
        origin=Origin.LIVE,
        resume=Resume.CONTINUE,
        chime=Chime.WARNING,
        drill=body.drill,
    )
    call.about(order.id, targets)
    on_air = await alert(desk, order, made_of, call.person.id)
    return started(desk, on_air, await outranked(desk, on_air, desk.authority.scope(call.person, Act.SEE)))


async def _journal_end(call: Call) -> None:
    try:
        await call.desk.recorder.journal_ends()
    except (OperatorError, OSError) as error:
        raise HttpError(
            503,
            f"the emergency {call.id} has stopped, but the journal did not take that: {error}",
            "journal",
            "a disk that takes it; it is tried again until then",
        ) from error


async def stop_emergency(call: Call, query: StopQuery) -> StoppedOut:
    """One person, one press, and the right to it where it was raised: a commune cannot stop the province's.

    Answered when the end is in the synced journal.
    """
    desk = call.desk
    on_air = find_on_air(call)
    if on_air.order.cls is not BroadcastClass.EMERGENCY:
        raise ConflictError(
            f"broadcast {call.id} is no emergency, expected DELETE /api/v1/broadcasts/{call.id}"
        )
    call.require([on_air.order.issuer_place, *on_air.order.targets])
    ended = desk.air.stop(call.id, EndReason.STOPPED)
    call.about(places=ended.order.targets, title=ended.order.title, all_clear=query.all_clear)
    all_clear = await _all_clear(call, ended) if query.all_clear else None
    await _journal_end(call)
    return StoppedOut(id=call.id, all_clear=all_clear)


async def _all_clear(call: Call, ended: OnAir) -> str:
    """The all-clear signal, once, where the emergency was, at its rank."""
    over, desk = ended.order, call.desk
    order = Order(
        id=new_id(),
        program_id=new_id(),
        title=over.title,
        targets=over.targets,
        cls=BroadcastClass.EMERGENCY,
        severity=over.severity,
        issuer_place=over.issuer_place,
        expires_us=desk.clock.now_us() + ALL_CLEAR_S * 1_000_000,
        source=ToneSource(repeat=1),
        origin=over.origin,
        resume=Resume.DROP,
        chime=Chime.ALL_CLEAR,
        drill=over.drill,
    )
    await alert(desk, order, Material(order.source), call.person.id)
    return order.id
