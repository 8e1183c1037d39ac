"""API tokens over HTTP: narrower than their owner, no way to a person's rights, over at once."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from loa.clock import VirtualClock
from loa.station.role import Builtin
from loa.web.desk import Desk
from loa.web.table import routes

from .conftest import App
from .people import Browser, add, role_of

DAY_US = 86_400 * 1_000_000


class Program:
    """A program with a token and nothing else."""

    def __init__(self, app: App, token: str) -> None:
        self._app, self._token = app, token

    async def status(self, method: str, path: str, body: object = None) -> int:
        headers = {"Authorization": f"Bearer {self._token}"}
        url = self._app.make_url(f"/api/v1{path}")
        async with aiohttp.request(method, url, json=body, headers=headers) as answer:
            return answer.status


async def make(page: Any, places: list[str], acts: list[str], days: int = 30) -> Any:
    return await page.post("/api/v1/tokens", {"name": "Lịch", "acts": acts, "places": places, "days": days})


@pytest.fixture
async def announcer(
    page: Any, desk: Desk, land: Any, app: App, clock: VirtualClock
) -> AsyncIterator[Browser]:
    async with Browser(app, clock) as browser:
        _, password = await add(page, "Hồng", (role_of(desk, Builtin.ANNOUNCER), land.north.id))
        await browser.log_in("Hồng", password)
        await browser.choose_password(password)
        yield browser


async def test_a_token_does_what_it_was_made_for_without_cookie_or_csrf(
    app: App, page: Any, land: Any, program: str
) -> None:
    made = await make(page, [land.north.id], ["see", "air"])
    caller = Program(app, made["token"])
    order = {"source": {"kind": "file", "program": program}, "targets": [land.north.id]}
    assert await caller.status("POST", "/broadcasts", order) == 201
    for elsewhere, status in ((land.south, 422), (land.province, 403)):
        targets = {"targets": [elsewhere.id]}
        assert await caller.status("POST", "/broadcasts", order | targets) == status, elsewhere.name
    alert = {"source": {"kind": "tone"}, "severity": "minor", "title": "X", "targets": [land.north.id]}
    assert await caller.status("POST", "/emergencies", alert) == 403
    (listed,) = await page.get("/api/v1/tokens")
    assert listed == {name: value for name, value in made.items() if name != "token"}


async def test_a_token_reaches_no_route_that_needs_a_person(app: App, page: Any, land: Any) -> None:
    acts = [
        act
        for act in (await page.get("/api/v1/session"))["acts"]
        if act not in ("edit_people", "edit_roles", "revoke_keys")
    ]
    caller = Program(app, (await make(page, [land.province.id], acts))["token"])
    refused = 0
    for route in routes():
        act = route.act.value if route.act else ""
        if route.access.name == "FRESH" or act in ("own", "edit_people", "edit_roles", "revoke_keys"):
            path = route.path.removeprefix("/api/v1").replace("{id}", "0" * 16)
            assert await caller.status(route.method, path, {}) == 403, route.name
            refused += 1
    assert refused >= 25


@pytest.mark.parametrize("act", ["own", "edit_people", "edit_roles", "revoke_keys"])
async def test_no_token_is_made_for_what_needs_a_person(page: Any, land: Any, act: str) -> None:
    body = {"name": "x", "acts": ["see", act], "places": [land.north.id], "days": 1}
    await page.post("/api/v1/tokens", body, status=422)


async def test_nobody_makes_a_token_that_may_more(announcer: Browser, land: Any) -> None:
    body = {"name": "x", "acts": ["see", "air"], "places": [land.north.id], "days": 1}
    await announcer.call("POST", "/tokens", body, status=201)
    await announcer.call("POST", "/tokens", body | {"acts": ["see", "alert"]}, status=403)
    for place, status in ((land.province.id, 403), (land.south.id, 404), ("0" * 16, 404)):
        await announcer.call("POST", "/tokens", body | {"places": [place]}, status=status)
    for days in (0, 366):
        await announcer.call("POST", "/tokens", body | {"days": days}, status=422)


async def test_a_token_ends_with_its_time_its_owners_word_and_its_account(
    app: App, page: Any, desk: Desk, land: Any, announcer: Browser, clock: VirtualClock
) -> None:
    body = {"name": "x", "acts": ["see"], "places": [land.north.id], "days": 1}
    made = [await announcer.call("POST", "/tokens", body, status=201) for _ in range(2)]
    first, second = (Program(app, one["token"]) for one in made)
    assert await first.status("GET", "/places") == 200
    other = await make(page, [land.north.id], ["see"], days=1)
    await page.call("DELETE", f"/api/v1/tokens/{made[0]['id']}", status=404)
    await announcer.call("DELETE", f"/tokens/{made[0]['id']}", status=204)
    assert await first.status("GET", "/places") == 401
    assert await second.status("GET", "/places") == 200
    account = (await desk.station.accounts.by_name("Hồng")).id
    await page.call("PATCH", f"/api/v1/accounts/{account}", {"state": "disabled"})
    assert await second.status("GET", "/places") == 401
    late = Program(app, other["token"])
    assert await late.status("GET", "/places") == 200
    clock.advance(DAY_US)
    assert await late.status("GET", "/places") == 401


async def test_a_token_follows_its_owners_roles(
    app: App, page: Any, desk: Desk, land: Any, announcer: Browser
) -> None:
    body = {"name": "x", "acts": ["see"], "places": [land.north.id], "days": 1}
    caller = Program(app, (await announcer.call("POST", "/tokens", body, status=201))["token"])
    assert await caller.status("GET", "/places") == 200
    account = (await desk.station.accounts.by_name("Hồng")).id
    viewer = role_of(desk, Builtin.VIEWER)
    roles = [{"role": viewer, "place": land.south.id}]
    await page.call("PATCH", f"/api/v1/accounts/{account}", {"roles": roles})
    assert await caller.status("GET", "/places") == 403


async def test_a_token_is_no_cookie_and_a_session_no_token(app: App, page: Any, land: Any) -> None:
    made = await make(page, [land.north.id], ["see"])
    url = app.make_url("/api/v1/places")
    async with aiohttp.request("GET", url, cookies={"loa_session": made["token"]}) as answer:
        assert answer.status == 401
    session = app.session.cookie_jar.filter_cookies(app.make_url("/"))["loa_session"].value
    assert await Program(app, session).status("GET", "/places") == 401
    headers = {"Authorization": "Bearer loa_nothing", "X-CSRF-Token": page.csrf}
    answer = await app.get("/api/v1/places", headers=headers)
    assert answer.status == 401, "with a token the cookie is not looked at"
    assert (await app.get("/api/v1/places", headers={"Authorization": "Basic eDp5"})).status == 200


async def test_when_a_token_was_last_used_is_known(
    app: App, page: Any, desk: Desk, land: Any, clock: VirtualClock
) -> None:
    made = await make(page, [land.north.id], ["see"])
    assert (await page.get("/api/v1/tokens"))[0]["last_used"] is None
    clock.advance(5_000_000)
    assert await Program(app, made["token"]).status("GET", "/places") == 200
    await desk.sessions.check()
    assert (await page.get("/api/v1/tokens"))[0]["last_used"] > made["created"]
