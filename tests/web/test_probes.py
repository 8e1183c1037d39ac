"""What machines ask: is it alive, is it ready, how busy is it."""

import asyncio
from typing import Any

from loa.web.metrics import Reading, register
from loa.web.probes import CHECK_S
from loa.web.services import Services


async def test_it_lives(app: Any) -> None:
    assert (await app.get("/healthz")).status == 200
    assert (await app.head("/healthz")).status == 200


async def test_it_is_ready_when_every_part_is(services: Services, page_of: Any) -> None:
    faults: dict[str, str | None] = {"database": None, "journal": None}

    def check(name: str) -> Any:
        async def found() -> str | None:
            return faults[name]

        return found

    object.__setattr__(services, "checks", {name: check(name) for name in faults})
    async with page_of(services) as page:
        assert await page.get("/readyz") == b"ready\n"
        faults["journal"] = "its disk is full"
        problem = await page.get("/readyz", status=503)
        assert problem["where"] == "journal"
        assert "its disk is full" in problem["what"]


async def test_a_part_that_does_not_answer_is_not_ready(services: Services, page_of: Any) -> None:
    async def never() -> str | None:
        await asyncio.Event().wait()
        return None

    object.__setattr__(services, "checks", {"database": never})
    async with page_of(services) as page:
        problem = await page.get("/readyz", status=503)
        assert f"{CHECK_S:.0f} s" in problem["what"]


async def test_counters_are_those_of_the_house_and_of_whoever_adds_some(
    services: Services, page: Any, land: Any
) -> None:
    sent = {"udp": 7.0, "ws": 1.0}
    register(services.registry, [Reading("loa_datagrams_sent", "Datagrams sent", lambda: sent, "via")])
    register(services.registry, [Reading("loa_programs", "Programs", lambda: 3, counter=False)])
    text = (await page.get("/metrics")).decode()
    assert 'loa_speakers{state="enrolled"} 6.0' in text
    assert 'loa_datagrams_sent_total{via="udp"} 7.0' in text
    assert "loa_programs 3.0" in text
    sent["udp"] = 8
    assert 'loa_datagrams_sent_total{via="udp"} 8.0' in (await page.get("/metrics")).decode()
    await page.post("/api/v1/session", {"name": "admin", "password": "x"}, status=401)
    for secret in (page.csrf, "admin"):
        assert secret not in text
