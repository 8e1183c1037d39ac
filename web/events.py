"""Server-sent events (WHATWG HTML 9.2): a snapshot, then what changes, for as long as the page is open.

Laws: a client that reads too slowly is given a fresh snapshot instead of what it missed, and one that reads
nothing for `WRITE_S` is cut off; a stream ends with its session, or when there is nothing left to see;
silence is broken by a comment, so that a dead line is noticed at both ends.
"""

import asyncio
from collections.abc import Iterable

from aiohttp import web

from .call import Call
from .event_hub import Client
from .guard import set_headers
from .live_models import EventQuery
from .sight import find_place

HEARTBEAT_S = 15.0
"""Below the 30 s after which phone networks and proxies forget a silent connection."""
WRITE_S = 20.0
RETRY_MS = 2_000
WRITE_BYTES = 64 * 1024


async def live_events(call: Call, query: EventQuery) -> web.StreamResponse:
    """Server-sent events; each is a LiveEvent. First `hello`, then everything as it is now, then changes."""
    call.require([find_place(call, query.place).id] if query.place else [])
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    with call.desk.hub.client(call.person, query.place) as client:
        set_headers(call.request, response)
        await response.prepare(call.request)
        try:
            await _write(response, [b"retry: %d\n\n" % RETRY_MS])
            await _stream(call, client, response)
        except TimeoutError:
            if call.request.transport is not None:
                call.request.transport.abort()
        except ConnectionError:
            pass  # the page was closed
    return response


async def _stream(call: Call, client: Client, response: web.StreamResponse) -> None:
    client.queue.stale = True
    while not (client.queue.closed or client.scope.nothing) and _known(call):
        if client.queue.stale:
            client.queue.start_over()
            async for event in call.desk.feed.snapshot(client):
                await _write(response, [event])
        await _write(response, await _next(client))


def _known(call: Call) -> bool:
    return call.desk.sessions.known(call.person.token) is not None


async def _next(client: Client) -> list[bytes]:
    try:
        async with asyncio.timeout(HEARTBEAT_S):
            return await client.queue.take()
    except TimeoutError:
        return [b": still here\n\n"]


async def _write(response: web.StreamResponse, events: Iterable[bytes]) -> None:
    """In pieces that a client drains one by one; `TimeoutError` when it does not."""
    data = b"".join(events)
    for start in range(0, len(data), WRITE_BYTES):
        async with asyncio.timeout(WRITE_S):
            await response.write(data[start : start + WRITE_BYTES])
