"""What is on air and was: ordering it, stopping it, and whom it reached."""

from collections.abc import Sequence
from functools import partial

from ..codecs.tones import Chime
from ..errors import NotFoundError
from ..station.act import Act
from ..station.broadcast import Broadcast
from ..streamer.broadcast import OnAir, Order, Resume
from ..wire.datagram import EndReason
from ..wire.rank import BroadcastClass
from .air_models import (
    BroadcastIn,
    BroadcastOut,
    BroadcastQuery,
    BroadcastReach,
    FileSourceIn,
    PushSourceIn,
    RadioSourceIn,
    StartedOut,
)
from .airing import accept
from .breath import Breath
from .call import Call
from .desk import Desk
from .order_rules import acting_place, lasting_s, origin_of, read_targets
from .ordering import material, new_id, outranked, started
from .route import Listing
from .scope import Scope
from .sight import find_on_air, find_program, find_push, find_radio, knows, on_air, sees
from .view import MISSING_SHOWN

PAGE, PAGES = 500, 20
"""Rows read at a time, and how often: who sees one quiet hamlet is not told about what is older than the last
10,000 broadcasts of the whole station.
"""


async def list_broadcasts(call: Call, query: BroadcastQuery) -> Listing[BroadcastOut]:
    """Latest first; what is on air comes before all else. Of each what lies within one's sight."""
    call.require()
    desk, scope = call.desk, _sight(call)
    await desk.feed.count_ordered(Breath())
    on_air = sorted(desk.air.on_air(), key=lambda found: -found.started_us)
    now = [_live(desk, found, scope) for found in on_air if scope.touches(found.order.targets)]
    if query.active:
        return Listing(now)
    known = {found.id for found in now}
    past = await _stored(desk, scope, query.limit)
    told = [*now, *[await _past(desk, row, scope) for row in past if row.id not in known]]
    return Listing(told[: query.limit])


async def _stored(desk: Desk, scope: Scope, limit: int) -> list[Broadcast]:
    """The latest that touch the scope. It looks back over so many of all others and no further."""
    found: list[Broadcast] = []
    before_us, breath = None, Breath()
    for _ in range(PAGES):
        page = await desk.station.broadcasts.list(before_us=before_us, limit=PAGE)
        for row in page:
            if scope.touches(row.targets):
                found.append(row)
            await breath.take()
        if len(found) >= limit or len(page) < PAGE:
            break
        before_us = page[-1].started_us
    return found[:limit]


async def start_broadcast(call: Call, body: BroadcastIn) -> StartedOut:
    """A microphone gets an address and a token for WHIP, and is on air when it has called in."""
    desk, territory = call.desk, call.desk.air.territory
    cls = BroadcastClass[body.cls.name]
    call.act = Act.AIR_PRIORITY if cls is BroadcastClass.PRIORITY else Act.AIR
    known = partial(knows, call)
    targets = read_targets(body.targets, territory, known)
    at = acting_place(body.at, targets, territory, known)
    call.require([at, *targets])
    if isinstance(body.source, FileSourceIn):
        find_program(call, body.source.program)
    elif isinstance(body.source, RadioSourceIn):
        find_radio(call, body.source.radio)
    elif isinstance(body.source, PushSourceIn):
        find_push(call, body.source.push)
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
        origin=origin_of(at, territory, live=made_of.live, relayed=made_of.relayed),
        resume=Resume(body.resume.value),
        chime=Chime(body.chime.value) if body.chime else None,
    )
    call.about(order.id, targets, title=order.title, source=made_of.kind)
    on_air = await accept(desk, order, made_of, call.person.id)
    return started(desk, on_air, await outranked(desk, on_air, _sight(call)))


async def get_broadcast(call: Call) -> BroadcastOut:
    call.require()
    desk, scope = call.desk, _sight(call)
    await desk.feed.count_ordered(Breath())
    found = on_air(call)
    return _live(desk, found, scope) if found else await _past(desk, await _row(call), scope)


async def stop_broadcast(call: Call) -> None:
    """An emergency too: stopping takes one person and one press, and the right to it where it was issued."""
    found = find_on_air(call)
    if found.order.cls is BroadcastClass.EMERGENCY:
        call.act = Act.STOP_ALERT
    call.require([found.order.issuer_place, *found.order.targets])
    call.about(places=found.order.targets, title=found.order.title)
    call.desk.air.stop(call.id, EndReason.STOPPED)


async def get_reach(call: Call) -> BroadcastReach:
    """Who was ordered to sound, and who proved it; of the loudspeakers within one's sight."""
    call.require()
    desk, scope = call.desk, _sight(call)
    await desk.feed.count_ordered(Breath())
    found = on_air(call)
    if found:
        return _reach(desk, call.id, found.order.targets, scope)
    return await _past_reach(desk, await _row(call), scope)


def _sight(call: Call) -> Scope:
    return call.desk.authority.scope(call.person, Act.SEE)


async def _row(call: Call) -> Broadcast:
    """An emergency that ended a moment ago may not be in the database yet."""
    desk, unknown = call.desk, f"broadcast {call.id!r} does not exist, expected the id of one that does"
    try:
        row = desk.ledger.of(desk.ledger.ended(call.id))
    except NotFoundError:
        try:
            row = await desk.station.broadcasts.get(call.id)
        except NotFoundError:
            raise NotFoundError(unknown) from None
    if not sees(call, row.targets):
        raise NotFoundError(unknown)
    return row


def _live(desk: Desk, found: OnAir, scope: Scope) -> BroadcastOut:
    """One of these hours, on air or not."""
    whole = desk.view.broadcast(found)
    if scope.contains(whole.targets):
        return whole
    return desk.view.within(whole, scope, desk.view.reach_line(whole.id, scope.territory))


def _reach(desk: Desk, name: str, targets: Sequence[str], scope: Scope) -> BroadcastReach:
    if scope.contains(targets):
        return desk.view.reach(name)
    return desk.view.reach_within(desk.view.reach_line(name, scope.territory), targets, scope)


async def _past(desk: Desk, row: Broadcast, scope: Scope) -> BroadcastOut:
    try:
        return _live(desk, desk.ledger.ended(row.id), scope)
    except NotFoundError:
        whole = desk.view.past(row, await _past_reach(desk, row, scope))
        return whole if scope.contains(row.targets) else desk.view.narrowed(whole, scope)


async def _past_reach(desk: Desk, row: Broadcast, scope: Scope) -> BroadcastReach:
    """From memory for what ended lately, else from the play log."""
    if row.id in desk.reach_book:
        return _reach(desk, row.id, row.targets, scope)
    entries = await desk.station.play_log.of_broadcast(row.id)
    all_of_it = scope.contains(row.targets)
    ordered = [
        (entry.sounded, entry.listener)
        for entry in entries
        if entry.listener is not None and (all_of_it or scope.covers(entry.listener.place))
    ]
    missing = [listener for sounded, listener in ordered if not sounded]
    return BroadcastReach(
        ordered=len(ordered),
        reached=len(ordered) - len(missing),
        missing=[desk.view.missing(m.speaker, m.name, m.place) for m in missing[:MISSING_SHOWN]],
        missing_count=len(missing),
    )
