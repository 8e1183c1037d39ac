"""Roles of one's own: made, changed and removed at the root, by who may do what is in them."""

from typing import Any

from loa.station.act import Act
from loa.station.role import ACTS, Builtin, NewRole
from loa.station.roles import FIRST_ASSIGNED
from loa.station.station import Station
from loa.web.desk import Desk

from .conftest import App
from .people import PASSWORD, Browser, add

ROLES = "/api/v1/roles"


async def test_the_built_in_ones_are_there_with_what_they_allow(page: Any) -> None:
    roles = await page.get(ROLES)
    assert [role["builtin"] for role in roles] == list(Builtin)
    for role in roles:
        assert set(role["acts"]) == ACTS[Builtin(role["builtin"])]
        assert not role["second_factor"]
    assert roles[0]["name"] == "Người xem"


async def test_one_is_made_changed_given_and_removed(page: Any, land: Any) -> None:
    body = {"name": "Trực đêm", "acts": ["see", "stop_alert"]}
    made = await page.post(ROLES, body)
    assert (made["builtin"], made["acts"], made["second_factor"]) == (None, ["see", "stop_alert"], False)
    await page.post(ROLES, body | {"name": "TRỰC ĐÊM"}, status=409)
    await page.post(ROLES, body | {"name": "Khác", "acts": ["own"]}, status=422)
    path = f"{ROLES}/{made['id']}"
    changed = await page.call("PATCH", path, {"name": "Trực ngày", "acts": ["see"], "second_factor": True})
    assert (changed["name"], changed["acts"], changed["second_factor"]) == ("Trực ngày", ["see"], True)
    account, _ = await add(page, "Ba", (made["id"], land.north.id))
    problem = await page.call("DELETE", path, status=409)
    assert "1 accounts have it" in problem["what"]
    await page.call("PATCH", f"/api/v1/accounts/{account}", {"roles": []})
    await page.call("DELETE", path, status=204)
    await page.call("DELETE", path, status=404)
    assert len(await page.get(ROLES)) == len(Builtin)


async def test_of_a_built_in_one_only_the_second_factor_is_changed(page: Any) -> None:
    approver = next(r for r in await page.get(ROLES) if r["builtin"] == "approver")
    path = f"{ROLES}/{approver['id']}"
    await page.call("PATCH", path, {"acts": ["see"]}, status=409)
    await page.call("PATCH", path, {"name": "X"}, status=409)
    await page.call("DELETE", path, status=409)
    changed = await page.call("PATCH", path, {"second_factor": True})
    assert (changed["second_factor"], changed["acts"]) == (True, approver["acts"])


async def test_nobody_puts_into_a_role_what_they_may_not_do(
    page: Any, land: Any, app: App, desk: Desk
) -> None:
    """Who may edit roles and not alert cannot give themselves the alert."""
    editor = await page.post(ROLES, {"name": "Sửa vai trò", "acts": ["see", "edit_roles"]})
    _, password = await add(page, "Tư", (editor["id"], land.province.id))
    async with Browser(app, desk.clock) as browser:
        await browser.log_in("Tư", password)
        await browser.choose_password(password)
        await browser.log_in("Tư", PASSWORD)
        await browser.call(
            "PATCH", f"/roles/{editor['id']}", {"acts": ["see", "edit_roles", "alert"]}, status=403
        )
        await browser.call("POST", "/roles", {"name": "X", "acts": ["alert"]}, status=403)
        await browser.call("POST", "/roles", {"name": "Y", "acts": ["see"]}, status=201)
    assert Act.ALERT not in desk.authority.roles[editor["id"]].acts


async def test_accounts_from_before_there_were_roles_are_administrators_once(
    station: Station, land: Any, clock: Any
) -> None:
    first = (await station.accounts.add("Một", now_us=clock.now_us())).account
    await station.roles.ensure()
    (held,) = await station.roles.of_account(first.id)
    assert held.place == land.province.id
    assert (await station.roles.get(held.role)).builtin is Builtin.ADMINISTRATOR
    later = (await station.accounts.add("Hai", now_us=clock.now_us())).account
    await station.roles.set_assignments(first.id, [])
    await station.roles.ensure()
    assert await station.roles.of_account(later.id) == ()
    assert await station.roles.of_account(first.id) == ()
    assert await station.settings.get(FIRST_ASSIGNED) is not None


async def test_a_built_in_role_finds_its_name_taken(station: Station, land: Any) -> None:
    await station.roles.add(NewRole("người XEM", frozenset({Act.SEE})))
    await station.roles.ensure()
    names = [role.name for role in await station.roles.list()]
    assert names[0] == "Người xem (viewer)"
    assert "người XEM" in names
