"""What is on air and was: ordering it, stopping it, and whom it reached."""

from collections.abc import Iterable

from ..codecs.tones import Chime
from ..errors import NotFoundError
from ..station.act import Act
from ..station.broadcast import Broadcast
from ..streamer.broadcast import Order, Resume
from ..wire.datagram import EndReason
from ..wire.rank import BroadcastClass
from .air_models import BroadcastIn, BroadcastOut, BroadcastQuery, BroadcastReach, StartedOut
from .airing import accept
from .breath import Breath
from .call import Call
from .desk import Desk
from .order_rules import acting_place, lasting_s, origin_of, read_targets
from .ordering import material, new_id, outranked, started
from .route import Listing
from .view import MISSING_SHOWN


async def list_broadcasts(call: Call, query: BroadcastQuery) -> Listing[BroadcastOut]:
    """Latest first; what is on air comes before all else."""
    call.require()
    desk = call.desk
    await desk.feed.count_ordered(Breath())
    on_air = sorted(desk.air.on_air(), key=lambda found: -found.started_us)
    now = [desk.view.broadcast(found) for found in on_air]
    if query.active:
        return Listing(now)
    known = {found.id for found in now}
    past = [row for row in await desk.station.broadcasts.list(limit=query.limit) if row.id not in known]
    told = [*now, *[await _past(desk, row) for row in past]]
    return Listing(told[: query.limit])


async def start_broadcast(call: Call, body: BroadcastIn) -> StartedOut:
    """A microphone gets an address and a token for WHIP, and is on air when it has called in."""
    desk, territory = call.desk, call.desk.air.territory
    targets = read_targets(body.targets, territory)
    at = acting_place(body.at, targets, territory)
    call.require([at, *targets])
    cls = BroadcastClass[body.cls.name]
    last_s = lasting_s(cls, body.max_s)
    made_of = await material(desk, body.source, lasting_s=last_s, emergency=False)
    now_us = desk.clock.now_us()
    order = Order(
        id=new_id(),
        program_id=new_id(),
        title=body.title or made_of.title or territory.get(at).name,
        targets=targets,
        cls=cls,
        issuer_place=at,
        expires_us=now_us + last_s * 1_000_000,
        source=made_of.source,
        origin=origin_of(at, territory, live=made_of.live),
        resume=Resume(body.resume.value),
        chime=Chime(body.chime.value) if body.chime else None,
    )
    on_air = await accept(desk, order, made_of, call.person.id)
    return started(desk, on_air, await outranked(desk, on_air))


async def get_broadcast(call: Call) -> BroadcastOut:
    desk = call.desk
    await desk.feed.count_ordered(Breath())
    if desk.air_has(call.id):
        on_air = desk.air.get(call.id)
        call.require(on_air.order.targets)
        return desk.view.broadcast(on_air)
    row = await _row(desk, call.id)
    call.require(row.targets)
    return await _past(desk, row)


async def stop_broadcast(call: Call) -> None:
    """An emergency too: stopping takes one person and one press."""
    on_air = call.desk.air.get(call.id)
    if on_air.order.cls is BroadcastClass.EMERGENCY:
        call.act = Act.STOP_ALERT
    call.require(on_air.order.targets)
    call.desk.air.stop(call.id, EndReason.STOPPED)


async def get_reach(call: Call) -> BroadcastReach:
    """Who was ordered to sound, and who proved it."""
    desk = call.desk
    await desk.feed.count_ordered(Breath())
    if desk.air_has(call.id):
        call.require(desk.air.get(call.id).order.targets)
        return desk.view.reach(call.id)
    row = await _row(desk, call.id)
    call.require(row.targets)
    return await _past_reach(desk, row)


async def _row(desk: Desk, broadcast_id: str) -> Broadcast:
    """An emergency that ended a moment ago may not be in the database yet."""
    try:
        return desk.ledger.of(desk.ledger.ended(broadcast_id))
    except NotFoundError:
        return await desk.station.broadcasts.get(broadcast_id)


async def _past(desk: Desk, row: Broadcast) -> BroadcastOut:
    try:
        return desk.view.broadcast(desk.ledger.ended(row.id))
    except NotFoundError:
        return desk.view.past(row, await _past_reach(desk, row))


async def _past_reach(desk: Desk, row: Broadcast) -> BroadcastReach:
    """From memory for what ended lately, else from the play log."""
    if row.id in desk.reach_book:
        return desk.view.reach(row.id)
    entries = await desk.station.play_log.of_broadcast(row.id)
    ordered = [entry for entry in entries if entry.listener is not None]
    missing = [entry.listener for entry in ordered if not entry.sounded and entry.listener is not None]
    shown: Iterable[tuple[str, str, str]] = ((m.speaker, m.name, m.place) for m in missing[:MISSING_SHOWN])
    return BroadcastReach(
        ordered=len(ordered),
        reached=len(ordered) - len(missing),
        missing=[desk.view.missing(*found) for found in shown],
        missing_count=len(missing),
    )
