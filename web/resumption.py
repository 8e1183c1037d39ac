"""After a restart: what was on air when the process died goes on, or is ended in the books.

Laws: a live call never resumes by itself; a recording does (from its beginning, under a new id, since
speakers never take up a broadcast twice) if its order still holds, it would still sound, and it was not to
be dropped; whatever does not go on is ended in the database, so that nothing is on air for ever on paper.
In the order in which they had started, so that first come stays first. Runs once, before the first request.
"""

import structlog

from ..codecs.marks import drill_mark
from ..codecs.tones import Chime, encoded
from ..errors import LoaError
from ..station.audit_entry import NewEntry
from ..station.broadcast import Broadcast
from ..streamer.broadcast import EMERGENCY_REPEATS, Order, Resume, ToneSource
from ..wire.rank import BroadcastClass
from .air_models import FileSourceIn, RadioSourceIn
from .airing import accept, alert
from .desk import Desk
from .ordering import LOOP, Material, material, new_id

CHIME_S = 4.0

log = structlog.get_logger("air")


async def resume(desk: Desk) -> None:
    """See the module."""
    for row in await desk.station.broadcasts.open():
        if desk.air_has(row.id):
            continue
        why = _why_not(desk, row)
        try:
            if why is None:
                await _again(desk, row)
        except LoaError as error:
            log.warning("a broadcast cannot go on after the restart", broadcast=row.id, error=str(error))
        await _end(desk, row, why or "restart")


def _why_not(desk: Desk, row: Broadcast) -> str | None:
    """The reason it ends with, if it does not go on."""
    now_us = desk.clock.now_us()
    if row.expires_us <= now_us:
        return "expired"
    if row.source not in ("file", LOOP, "tone", "radio") or row.resume == Resume.DROP.value:
        return "lost"
    length_s = _length_s(desk, row)
    if length_s is not None and row.started_us + length_s * 1e6 <= now_us:
        return "finished"
    return None


def _length_s(desk: Desk, row: Broadcast) -> float | None:
    """How long it sounds in all; None if until it is stopped."""
    if row.source in (LOOP, "radio"):
        return None
    if row.source == "tone":
        return row.repeat * encoded(_chime(row) or Chime.WARNING).frames * 0.02 + _marks_s(row)
    program = desk.directory.programs.get(row.program or "")
    if program is None or program.measured is None:
        return 0.0
    times = EMERGENCY_REPEATS if row.cls is BroadcastClass.EMERGENCY else 1
    return times * (program.measured.duration_s + CHIME_S) + _marks_s(row)


def _marks_s(row: Broadcast) -> float:
    """A drill says what it is before and after."""
    return 2 * drill_mark().frames * 0.02 if row.drill else 0.0


def _chime(row: Broadcast) -> Chime | None:
    return Chime(row.chime) if row.chime else None


async def _again(desk: Desk, row: Broadcast) -> None:
    made_of = await _material(desk, row)
    emergency = row.cls is BroadcastClass.EMERGENCY
    order = Order(
        id=new_id(),
        program_id=new_id(),
        title=row.title,
        targets=tuple(target for target in row.targets if target in desk.air.territory),
        cls=row.cls,
        severity=row.severity,
        issuer_place=row.issuer_place,
        expires_us=row.expires_us,
        source=made_of.source,
        origin=row.origin,
        resume=Resume(row.resume),
        chime=_chime(row),
        drill=row.drill,
    )
    on_air = await (alert if emergency else accept)(desk, order, made_of, row.issuer_account)
    desk.trail.put(
        NewEntry(
            at_us=desk.clock.now_us(),
            act="resume_broadcast",
            subject=on_air.order.id,
            places=order.targets,
            detail={"before": row.id, "title": row.title, "drill": row.drill},
        )
    )
    log.info("goes on after the restart", before=row.id, now=on_air.order.id, title=row.title)


async def _material(desk: Desk, row: Broadcast) -> Material:
    emergency = row.cls is BroadcastClass.EMERGENCY
    lasting_s = max(1, (row.expires_us - desk.clock.now_us()) // 1_000_000)
    if row.source == "tone":
        return Material(ToneSource(row.repeat), kind="tone")
    if row.source == "radio":
        relayed = RadioSourceIn(kind="radio", radio=row.program or "")
        return await material(desk, relayed, lasting_s=lasting_s, emergency=emergency)
    asked = FileSourceIn(kind="file", program=row.program or "", repeat=row.source == LOOP)
    return await material(desk, asked, lasting_s=lasting_s, emergency=emergency)


async def _end(desk: Desk, row: Broadcast, reason: str) -> None:
    at_us = desk.clock.now_us()
    if row.cls is BroadcastClass.EMERGENCY:
        await desk.services.emergencies.ended(row.id, at_us=at_us, reason=reason)
    await desk.station.play_log.released(row.id, until_us=at_us)
    await desk.station.broadcasts.end(row.id, at_us=at_us, reason=reason)
