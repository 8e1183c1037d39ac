"""The HTTP application: the table of routes, the console, what is mounted beside them, and their life.

Law: it starts nothing that it does not end; `Services` are handed in, and outlive it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from ..streamer.sources.push_door import PushDoor, server_options
from .archive_audio import COUNTER, Counter
from .console import Console
from .desk import Desk
from .dispatch import MAX_BODY_BYTES, dispatcher
from .entrance import enter, insist
from .guard import harden, identify, supervise
from .metrics import readings, register
from .openapi import document
from .resumption import resume
from .route import Access
from .services import Services
from .table import routes
from .witness import WITNESS, Witness, witness

DESK: web.AppKey[Desk] = web.AppKey("desk", Desk)


def create_app(services: Services) -> web.Application:
    """Ready to be run; its background work begins and ends with it."""
    desk = Desk(services, json.dumps(document(), ensure_ascii=False).encode())
    door = PushDoor(desk.pushes.admit, services.pushes, desk.pushes.refused)
    register(services.registry, readings(desk))
    table, seer = routes(), Witness(desk.trail, services.emergencies, services.clock)
    app = web.Application(
        middlewares=[
            harden,
            supervise,
            enter(services.entrance),
            server_options,
            witness(seer, table),
            supervise,  # the witness sees answers only
            identify(desk.sessions),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    app[DESK], app[WITNESS], app[COUNTER] = desk, seer, Counter()
    app.on_response_prepare.append(insist(services.entrance))
    for route in table:
        handler = dispatcher(route, desk)
        if route.method == "GET":
            app.router.add_get(route.path, handler, allow_head=route.access is Access.PUBLIC)
        else:
            app.router.add_route(route.method, route.path, handler)
    app.router.add_routes(services.mounted)
    door.add_routes(app.router)
    console = Console(services.dist)
    app.router.add_routes(console.routes())
    app.cleanup_ctx.append(_life(desk, console))
    app.on_shutdown.append(_end_streams)
    return app


def _life(desk: Desk, console: Console) -> Callable[[web.Application], AsyncIterator[None]]:
    async def life(_app: web.Application) -> AsyncIterator[None]:
        await desk.load()
        await resume(desk)
        await console.load()
        work = asyncio.create_task(desk.run(), name="web desk")
        yield
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        await desk.close()

    return life


async def _end_streams(app: web.Application) -> None:
    app[DESK].hub.close()
