"""Other people's accounts: nobody gives, takes or becomes what they may not themselves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.station.act import Act
from loa.station.role import Builtin, NewRole
from loa.station.sessions import IDLE_US
from loa.web.desk import Desk
from loa.web.events import HEARTBEAT_S

from .conftest import App, Page
from .people import PASSWORD, Browser, add, role_of

ACCOUNTS = "/api/v1/accounts"


@pytest.fixture
async def north(page: Page, desk: Desk, land: Any, app: App, clock: VirtualClock) -> AsyncIterator[Browser]:
    """The administrator of the northern commune."""
    _, password = await add(page, "Bắc", (role_of(desk, Builtin.ADMINISTRATOR), land.north.id))
    async with Browser(app, clock) as browser:
        await browser.log_in("Bắc", password)
        await browser.choose_password(password)
        yield browser


async def account_of(desk: Desk, name: str) -> str:
    return (await desk.station.accounts.by_name(name)).id


async def test_an_announcer_of_one_commune_is_made_and_logs_in(
    page: Page, desk: Desk, land: Any, app: App, clock: VirtualClock
) -> None:
    announcer = role_of(desk, Builtin.ANNOUNCER)
    name, password = await add(page, "Hồng", (announcer, land.north.id))
    async with Browser(app, clock) as browser:
        assert (await browser.log_in("hồng", password))["needs"] == "password"
        await browser.call("GET", "/places", status=403)
        told = await browser.choose_password(password)
        assert told["scope"] == [{"place": land.north.id, "acts": ["see", "air", "stop", "edit_content"]}]
    found = {account["name"]: account for account in await page.get(ACCOUNTS)}
    assert set(found) == {"admin", "Hồng"}
    assert found["Hồng"]["id"] == name
    assert found["Hồng"]["roles"] == [{"role": announcer, "place": land.north.id}]
    assert found["Hồng"]["last_login"] is not None
    await page.post(ACCOUNTS, {"name": "HỒNG", "full_name": "", "roles": []}, status=409)


async def test_nobody_gives_what_they_do_not_have_there(
    north: Browser, page: Page, desk: Desk, land: Any
) -> None:
    administrator = role_of(desk, Builtin.ADMINISTRATOR)
    body: dict[str, Any] = {"name": "X", "full_name": ""}
    for place, status in ((land.province.id, 403), (land.south.id, 404), ("0" * 16, 404)):
        roles = [{"role": administrator, "place": place}]
        await north.call("POST", "/accounts", body | {"roles": roles}, status=status)
    await north.call("POST", "/accounts", body | {"roles": []}, status=403)
    unknown = [{"role": "0" * 16, "place": land.north.id}]
    await north.call("POST", "/accounts", body | {"roles": unknown}, status=404)
    roles = [{"role": administrator, "place": land.hamlet.id}]
    made = await north.call("POST", "/accounts", body | {"roles": roles}, status=201)
    wider = {"roles": [{"role": administrator, "place": land.province.id}]}
    await north.call("PATCH", f"/accounts/{made['account']['id']}", wider, status=403)
    own = await account_of(desk, "Bắc")
    await north.call("PATCH", f"/accounts/{own}", wider, status=403)
    assert {account["name"] for account in await page.get(ACCOUNTS)} == {"admin", "Bắc", "X"}


async def test_who_may_edit_people_and_no_more_becomes_nobody_greater(
    page: Page, desk: Desk, land: Any, app: App, clock: VirtualClock
) -> None:
    """A reset password is a way in: so it takes all the rights of the account."""
    clerk = await desk.station.roles.add(NewRole("Tổ chức", frozenset({Act.SEE, Act.EDIT_PEOPLE})))
    _, password = await add(page, "Thư", (clerk.id, land.north.id))
    chief, _ = await add(page, "Bắc", (role_of(desk, Builtin.ADMINISTRATOR), land.north.id))
    viewer, _ = await add(page, "Xem", (role_of(desk, Builtin.VIEWER), land.hamlet.id))
    async with Browser(app, clock) as browser:
        await browser.log_in("Thư", password)
        await browser.choose_password(password)
        for method, path, body in (
            ("POST", f"/accounts/{chief}/password", None),
            ("DELETE", f"/accounts/{chief}/factors", None),
            ("DELETE", f"/accounts/{chief}/sessions", None),
            ("PATCH", f"/accounts/{chief}", {"state": "disabled"}),
            ("PATCH", f"/accounts/{chief}", {"roles": []}),
        ):
            await browser.call(method, path, body, status=403)
        await browser.call("POST", f"/accounts/{viewer}/password")


async def test_an_account_outside_ones_scope_is_told_as_one_that_does_not_exist(
    north: Browser, page: Page, desk: Desk, land: Any
) -> None:
    announcer = role_of(desk, Builtin.ANNOUNCER)
    both, _ = await add(page, "Cả hai", (announcer, land.north.id), (announcer, land.south.id))
    none, _ = await add(page, "Không")
    words = set()
    for name in (both, none, await account_of(desk, "admin"), "0" * 16):
        for method, path in (
            ("PATCH", ""),
            ("POST", "/password"),
            ("DELETE", "/factors"),
            ("DELETE", "/sessions"),
        ):
            body = {"full_name": "X"} if method == "PATCH" else None
            told = await north.call(method, f"/accounts/{name}{path}", body, status=404)
            words.add(told["what"].replace(name, "..."))
    assert len(words) == 1
    assert [account["name"] for account in await north.call("GET", "/accounts")] == ["Bắc"]
    assert {account["full_name"] for account in await page.get(ACCOUNTS)} == {""}


async def test_the_last_administrator_stays(page: Page, desk: Desk, land: Any) -> None:
    administrator, admin = role_of(desk, Builtin.ADMINISTRATOR), await account_of(desk, "admin")
    changes: list[dict[str, Any]] = [{"state": "disabled"}, {"roles": []}]
    for change in changes:
        told = await page.call("PATCH", f"{ACCOUNTS}/{admin}", change, status=409)
        assert "last administrator" in told["what"]
    other, _ = await add(page, "Hai", (administrator, land.province.id))
    await page.call("PATCH", f"{ACCOUNTS}/{other}", {"state": "disabled"})
    await page.call("PATCH", f"{ACCOUNTS}/{admin}", {"state": "disabled"}, status=409)
    await page.call("PATCH", f"{ACCOUNTS}/{other}", {"state": "active"})
    demote = [page.send("PATCH", f"{ACCOUNTS}/{name}", {"roles": []}) for name in (admin, other)]
    answers = await asyncio.gather(*demote)
    assert sorted(answer.status for answer in answers)[0] == 200
    held = [pair for name in (admin, other) for pair in desk.authority.assigned(name)]
    assert [(one.role, one.place) for one in held] == [(administrator, land.province.id)]


async def test_disabling_ends_what_is_open_at_once(north: Browser, page: Page, desk: Desk, land: Any) -> None:
    name = await account_of(desk, "Bắc")
    async with north.http.get(f"{north.origin}/api/v1/events") as live:
        assert (await live.content.readline()).startswith(b"retry")
        change = {"state": "disabled", "full_name": "Lê Văn Bắc"}
        told = await page.call("PATCH", f"{ACCOUNTS}/{name}", change)
        async with asyncio.timeout(HEARTBEAT_S / 2):
            await live.content.read()
    assert (told["state"], told["full_name"]) == ("disabled", "Lê Văn Bắc")
    await north.call("GET", "/session", status=401)
    await north.log_in("Bắc", status=401)
    await page.call("PATCH", f"{ACCOUNTS}/{name}", {"state": "active"})
    back = await north.log_in("Bắc")
    assert back["account"]["full_name"] == "Lê Văn Bắc"
    assert "alert" in back["acts"]


async def test_who_lost_password_and_phone_is_let_in_again(
    north: Browser, page: Page, desk: Desk, clock: VirtualClock
) -> None:
    await north.set_up_totp()
    name = await account_of(desk, "Bắc")
    assert {one["name"]: one["second_factor"] for one in await page.get(ACCOUNTS)}["Bắc"]
    await page.call("DELETE", f"{ACCOUNTS}/{name}/factors", status=204)
    await north.call("GET", "/session", status=401)
    reset = await page.post(f"{ACCOUNTS}/{name}/password", status=200)
    await north.log_in("Bắc", PASSWORD, status=401)
    assert (await north.log_in("Bắc", reset["password"]))["needs"] == "password"
    assert (await north.call("GET", "/factors"))["recovery_left"] == 0


async def test_ones_sessions_are_listed_and_ended(
    north: Browser, page: Page, app: App, clock: VirtualClock
) -> None:
    async with Browser(app, clock) as second, Browser(app, clock) as third:
        clock.advance(1_000_000)
        await second.log_in("Bắc")
        clock.advance(1_000_000)
        await third.log_in("Bắc")
        listed = await north.call("GET", "/sessions")
        assert [one["current"] for one in listed] == [False, False, True]
        assert {one["address"] for one in listed} <= {"127.0.0.1", "::1"}
        assert all("aiohttp" in one["agent"] for one in listed)
        await north.call("DELETE", f"/sessions/{listed[0]['id']}", status=204)
        await third.call("GET", "/session", status=401)
        await page.call("DELETE", f"/api/v1/sessions/{listed[1]['id']}", status=404)
        await second.call("GET", "/session")
        await north.call("DELETE", "/sessions", status=204)
        await second.call("GET", "/session", status=401)
        await north.call("GET", "/session")


async def test_a_session_that_is_used_lasts_and_one_that_is_left_ends(
    north: Browser, desk: Desk, clock: VirtualClock
) -> None:
    for _ in range(3):
        clock.advance(IDLE_US - 1)
        await north.call("GET", "/session")
    await desk.sessions.check()
    desk.sessions._known.clear()
    await north.call("GET", "/session")
    clock.advance(IDLE_US)
    await north.call("GET", "/session", status=401)
