"""Reading the audit log, and taking it away.

Laws: an entry is seen by who may see the audit of one of its places, and then without the places of others;
one that concerns no place by who may see it everywhere, and by its own actor. The export is the whole chain,
unaltered, so it is for those who may see everything; that it was taken stands in it.
"""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from ..errors import NotFoundError
from ..station.act import Act
from ..station.audit import AuditFilter
from ..station.audit_entry import AuditEntry
from ..station.audit_line import Begin, End, build_line
from .audit_models import PLACES_SHOWN, AuditOut, AuditPageOut, AuditQuery, ExportQuery
from .call import Call
from .guard import set_headers
from .model import moment
from .scope import Scope
from .witness import WITNESS

EXPORT_TYPE = "application/x-ndjson"
WRITE_S = 30.0
PIECE_BYTES = 64 * 1024


async def list_audit(call: Call, query: AuditQuery) -> AuditPageOut:
    """Who did what, newest first: what concerns a place of your scope."""
    call.require([query.place] if query.place else [])
    territory = call.desk.air.territory
    scope = call.desk.authority.scope(call.person, Act.SEE_AUDIT)
    below = Scope(territory, (territory.slice(query.place),)) if query.place else None
    me = call.person.id

    def keep(entry: AuditEntry) -> bool:
        if below is not None and not any(map(below.covers, entry.places)):
            return False
        return scope.everything or entry.actor == me or any(map(scope.covers, entry.places))

    page = await call.desk.station.audit.page(_filter(query), keep, before=query.before, limit=query.limit)
    return AuditPageOut(entries=[_told(entry, scope) for entry in page.entries], before=page.before)


def _filter(query: AuditQuery) -> AuditFilter:
    return AuditFilter(
        actor=query.actor,
        act=query.act,
        result=query.result,
        from_us=int(query.from_.timestamp() * 1_000_000) if query.from_ else None,
        until_us=int(query.to.timestamp() * 1_000_000) if query.to else None,
    )


def _told(entry: AuditEntry, scope: Scope) -> AuditOut:
    places = [place for place in entry.places if scope.everything or scope.covers(place)]
    return AuditOut(
        number=entry.number,
        at=moment(entry.at_us),
        actor=entry.actor,
        actor_name=entry.actor_name,
        via=entry.via,
        address=entry.address,
        act=entry.act,
        subject=entry.subject,
        places=places[:PLACES_SHOWN],
        places_count=len(places),
        result=entry.result,
        detail=dict(entry.detail),
        hash=entry.hash,
    )


async def export_audit(call: Call, query: ExportQuery) -> web.StreamResponse:
    """Lines of JSON: every entry with its hash, every signed head; `loa check audit --export` verifies it."""
    call.require([call.desk.air.territory.ids[0]])
    begin = await call.desk.station.audit.hash_of(query.after)
    if begin is None:
        raise NotFoundError(f"audit entry {query.after} does not exist, expected the number of one")
    call.about(after=query.after)
    await call.request.app[WITNESS].note(call, "export_audit")
    response = web.StreamResponse(headers={"Content-Disposition": 'attachment; filename="loa-audit.jsonl"'})
    response.content_type = EXPORT_TYPE
    set_headers(call.request, response)
    await response.prepare(call.request)
    async for piece in _lines(call, query.after, begin):
        async with asyncio.timeout(WRITE_S):
            await response.write(piece)
    await response.write_eof()
    return response


async def _lines(call: Call, after: int, before_hash: str) -> AsyncIterator[bytes]:
    """In pieces; it ends with what is the last entry when it gets there."""
    last = End(after, before_hash)
    piece = bytearray(build_line(Begin(after, before_hash, tuple(call.desk.services.credentials.roots()))))
    async for line in call.desk.station.audit.entries(after=after):
        piece += build_line(line)
        if isinstance(line, AuditEntry):
            last = End(line.number, line.hash)
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + build_line(last))
