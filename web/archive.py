"""The archive: what aired at a place, and a piece of it to hear again or to take away.

Laws: seen and heard by who may see the place; reading and codec work are done apart from the loop, for so
many at a time; silence in a piece is where nothing aired or nothing was recorded, so that its length is true.
"""

from collections.abc import Sequence

from aiohttp import web

from ..errors import OperatorError
from ..station.archive import Run
from ..station.broadcast import Broadcast
from ..station.recordings import Slot
from .archive_audio import Format, pad, send_audio
from .archive_models import AiredOut, ArchiveOut, ArchiveQuery, AudioQuery, PieceQuery
from .call import Call
from .desk import Desk
from .guard import set_headers
from .ledger import class_name
from .model import moment

MAX_INDEX_S = 7 * 86_400
MAX_PIECE_S = 4 * 3_600


async def list_archive(call: Call, query: ArchiveQuery) -> ArchiveOut:
    """What the place was given to hear, earliest first; at most a week at a time."""
    call.require([query.place])
    from_us, until_us = window(query, MAX_INDEX_S)
    found = await aired(call.desk, query.place, from_us, until_us)
    return told(query.place, found)


async def hear_archive(call: Call, query: AudioQuery) -> web.StreamResponse:
    """A piece of what the place heard, at most four hours: Ogg-Opus as it was aired, or FLAC."""
    call.require([call.id])
    from_us, until_us = window(query, MAX_PIECE_S)
    archive = call.desk.services.archive
    slots = await archive.slots(call.desk.air.territory.ancestry(call.id), from_us, until_us)
    runs = pad(slots, await archive.kept(slots), from_us, until_us)
    name = f"loa-{call.id}-{query.from_:%Y%m%d-%H%M%S}"
    return await send_audio(
        call.request,
        archive,
        runs,
        Format(query.format),
        name,
        lambda response: set_headers(call.request, response),
    )


def window(query: PieceQuery | ArchiveQuery, longest_s: int) -> tuple[int, int]:
    """From and until, in microseconds."""
    from_us, until_us = (round(at.timestamp() * 1_000_000) for at in (query.from_, query.to))
    if not 0 < until_us - from_us <= longest_s * 1_000_000:
        raise OperatorError(
            f"from {query.from_.isoformat()} to {query.to.isoformat()}: expected a later end, at most "
            f"{longest_s // 3600} hours after"
        )
    return from_us, until_us


Aired = tuple[Slot, Broadcast, tuple[Run, ...]]


async def aired(desk: Desk, place: str, from_us: int, until_us: int) -> list[Aired]:
    """What won at the place, its order, and what of it is kept."""
    archive = desk.services.archive
    slots = await archive.slots(desk.air.territory.ancestry(place), from_us, until_us)
    kept = await archive.kept(slots)
    orders = await desk.station.broadcasts.named({slot.broadcast for slot in slots})
    return [
        (slot, orders[slot.broadcast], runs)
        for slot, runs in zip(slots, kept, strict=True)
        if slot.broadcast in orders
    ]


def told(place: str, found: Sequence[Aired]) -> ArchiveOut:
    return ArchiveOut(place=place, aired=[_aired(*one) for one in found])


def _aired(slot: Slot, order: Broadcast, runs: Sequence[Run]) -> AiredOut:
    frames = sum(run.frames for run in runs if run.file is not None)
    return AiredOut(
        start=moment(slot.from_us),
        end=moment(slot.until_us),
        broadcast=slot.broadcast,
        program=slot.program,
        title=order.title,
        source=order.source,
        cls=class_name(order.cls),
        drill=order.drill,
        recorded_s=frames / 50,
    )
