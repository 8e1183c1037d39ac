"""For machines that look after this one: does it live, can it work, how busy is it, what can it do."""

import asyncio
import json
from collections.abc import Awaitable

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from .call import Call

CHECK_S = 2.0


async def healthz(_call: Call) -> web.StreamResponse:
    """200 for as long as the loop turns."""
    return web.Response(text="ok\n")


async def readyz(call: Call) -> web.StreamResponse:
    """200 when every part can do its work; else 503, and which cannot."""
    checks = call.desk.services.checks
    found = await asyncio.gather(*(_checked(check()) for check in checks.values()))
    wrong = {name: fault for name, fault in zip(checks, found, strict=True) if fault is not None}
    if wrong:
        body = {
            "what": json.dumps(wrong, ensure_ascii=False),
            "where": ", ".join(wrong),
            "expected": "all ready",
        }
        return web.json_response(body, status=503, headers={"Retry-After": "5"})
    return web.Response(text="ready\n")


async def _checked(check: Awaitable[str | None]) -> str | None:
    try:
        async with asyncio.timeout(CHECK_S):
            return await check
    except TimeoutError:
        return f"no answer within {CHECK_S:.0f} s"


async def metrics(call: Call) -> web.StreamResponse:
    body = generate_latest(call.desk.services.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


async def openapi_json(call: Call) -> web.StreamResponse:
    response = web.Response(body=call.desk.document, content_type="application/json", charset="utf-8")
    response.headers["Cache-Control"] = "max-age=300"
    return response
