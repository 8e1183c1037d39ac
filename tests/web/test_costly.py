"""What costs much may be asked for so often: by an account, by an address; an emergency always."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.station.act import Act
from loa.station.station import Station
from loa.web.application import DESK
from loa.web.costly import COSTS, SHARED, Cost, CostlyRoutes
from loa.web.entrance import Entrance
from loa.web.problem import HttpError
from loa.web.services import Services
from loa.web.table import routes

from .conftest import Page
from .test_audit_api import entries

EXPORT = "/api/v1/audit/export"
OFFICE, HOME = "203.0.113.9", "198.51.100.4"
ONE = {("GET", "/dear"): Cost(2, 10.0, "much")}


def waits(costly: CostlyRoutes, account: str, remote: str) -> int:
    try:
        costly.spend("GET", "/dear", account, remote)
    except HttpError as error:
        return int(error.headers["Retry-After"])
    return 0


def test_one_account_does_not_use_up_what_another_has(clock: VirtualClock) -> None:
    costly = CostlyRoutes(clock, ONE)
    assert [waits(costly, "lan", OFFICE) for _ in range(3)] == [0, 0, 10]
    assert waits(costly, "lan", HOME) == 10, "from wherever it calls"
    assert waits(costly, "minh", OFFICE) == 0
    clock.advance(10_000_000)
    assert waits(costly, "lan", OFFICE) == 0
    assert costly.refused == 2


def test_many_accounts_behind_one_address_are_bounded_too(clock: VirtualClock) -> None:
    costly = CostlyRoutes(clock, ONE)
    assert [waits(costly, f"a{n}", OFFICE) for n in range(2 * SHARED)] == [0] * 2 * SHARED
    assert waits(costly, "another", OFFICE) > 0
    assert waits(costly, "another", HOME) == 0, "nothing of its own was spent"
    assert waits(costly, "another", "127.0.0.1") == 0, "a program of this machine is behind no address"


def test_what_is_not_in_the_table_is_free(clock: VirtualClock) -> None:
    costly = CostlyRoutes(clock, ONE)
    for _ in range(1000):
        costly.spend("GET", "/cheap", "lan", OFFICE)


def test_the_table_names_routes_that_are_there_and_no_emergency() -> None:
    table = {(route.method, route.path): route for route in routes()}
    assert set(COSTS) <= set(table)
    for name in COSTS:
        acts = {table[name].act, *table[name].instead}
        assert not acts & {Act.ALERT, Act.DRILL, Act.STOP_ALERT, Act.STOP}, name


@pytest.mark.parametrize(("method", "path"), COSTS)
async def test_every_costly_route_ends_in_a_wait_that_the_audit_log_knows(
    page: Page, station: Station, desk: Any, method: str, path: str
) -> None:
    """The calls themselves are wrong ones: they count all the same."""
    asked, me = path.replace("{id}", "0" * 16), next(iter(desk.directory.accounts))
    for _ in range(COSTS[method, path].burst):
        desk.costly.spend(method, path, me, None)
    answer = await page.send(method, asked, {} if method == "POST" else None)
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert set(await answer.json()) == {"what", "where", "expected"}
    last = (await entries(station, desk))[-1]
    assert (last.result, last.actor_name, last.detail["status"]) == ("denied", "admin", 429)


async def test_who_waits_for_all_else_still_raises_and_ends_an_emergency(
    page: Page, land: Any, desk: Any
) -> None:
    me = next(iter(desk.directory.accounts))
    for (method, path), cost in COSTS.items():
        for _ in range(cost.burst):
            desk.costly.spend(method, path, me, None)
    await page.get(EXPORT, status=429)
    body = {"source": {"kind": "tone"}, "targets": [land.north.id], "severity": "extreme", "title": "Lũ"}
    for _ in range(50):
        made = await page.post("/api/v1/emergencies", body)
        await page.call("DELETE", f"/api/v1/emergencies/{made['id']}")


async def test_through_a_proxy_it_is_the_address_of_who_asks(services: Services, page_of: Any) -> None:
    behind = replace(services, entrance=Entrance(trusted=(ip_network("127.0.0.0/8"),), allow_plain=True))
    async with page_of(behind) as page:
        app = page.client
        served = app.app
        assert served is not None
        costly = served[DESK].costly
        for n in range(COSTS["GET", EXPORT].burst * SHARED):
            costly.spend("GET", EXPORT, f"a{n}", OFFICE)
        for address, status in ((OFFICE, 429), (HOME, 200)):
            answer = await app.get(EXPORT, headers={"X-Forwarded-For": address})
            assert answer.status == status, await answer.text()
