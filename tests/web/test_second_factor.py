"""Logging in with a second factor: in two steps, each try counted, nothing good twice."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.station.role import Builtin, RoleChange
from loa.web.challenges import TRIES
from loa.web.desk import Desk
from loa.web.log_in_guard import SECOND_BURST

from ..station.authenticator import Authenticator
from .conftest import NEW_PASSWORD, App
from .people import PASSWORD, Browser, add, role_of


@pytest.fixture
async def browser(app: App, clock: VirtualClock) -> AsyncIterator[Browser]:
    async with Browser(app, clock) as browser:
        yield browser


@pytest.fixture
async def stranger(app: App, clock: VirtualClock) -> AsyncIterator[Browser]:
    async with Browser(app, clock) as browser:
        yield browser


@pytest.fixture
async def announcer(page: Any, desk: Desk, land: Any, browser: Browser) -> Browser:
    """Hồng, announcer in the north, logged in with a password of her own."""
    _, password = await add(page, "Hồng", (role_of(desk, Builtin.ANNOUNCER), land.north.id))
    assert (await browser.log_in("Hồng", password))["needs"] == "password"
    assert (await browser.choose_password(password))["needs"] == "nothing"
    return browser


async def test_without_a_second_factor_one_step_is_enough(announcer: Browser, land: Any) -> None:
    told = await announcer.log_in("hồng")
    assert (told["needs"], told["second"]) == ("nothing", None)
    assert told["acts"] == ["see", "air", "stop", "edit_content"]
    assert told["scope"] == [{"place": land.north.id, "acts": told["acts"]}]


async def test_with_an_app_the_password_alone_opens_nothing(
    announcer: Browser, stranger: Browser, clock: VirtualClock
) -> None:
    await announcer.set_up_totp()
    assert len(announcer.recovery) == 10
    told = await stranger.log_in("Hồng")
    assert told["needs"] == "second_factor"
    assert told["second"]["methods"] == ["totp", "recovery"]
    assert (told["csrf"], told["acts"], told["scope"]) == ("", [], [])
    assert list(stranger.http.cookie_jar) == []
    await stranger.call("GET", "/session", status=401)
    clock.advance(30_000_000)
    done = await stranger.second(told["second"]["challenge"], code=announcer.code())
    assert done["needs"] == "nothing"
    assert (await stranger.call("GET", "/session"))["account"]["name"] == "Hồng"


async def test_setting_one_up_ends_the_sessions_that_have_not_shown_it(
    announcer: Browser, stranger: Browser
) -> None:
    await stranger.log_in("Hồng")
    await announcer.set_up_totp()
    await stranger.call("GET", "/session", status=401)
    (mine,) = await announcer.call("GET", "/sessions")
    assert (mine["current"], mine["second_factor"]) == (True, True)


async def test_a_code_and_a_challenge_are_good_once(
    announcer: Browser, stranger: Browser, clock: VirtualClock
) -> None:
    await announcer.set_up_totp()
    clock.advance(60_000_000)
    first, second = [(await stranger.log_in("Hồng"))["second"]["challenge"] for _ in range(2)]
    code = announcer.code()
    await stranger.second(first, code=code)
    await stranger.second(second, code=code, status=401)
    await stranger.second(first, code=announcer.code(1), status=401)
    await stranger.second(second, code=announcer.code(1))


async def test_a_challenge_has_five_tries_and_five_minutes(
    announcer: Browser, stranger: Browser, clock: VirtualClock
) -> None:
    await announcer.set_up_totp()
    clock.advance(60_000_000)
    challenge = (await stranger.log_in("Hồng"))["second"]["challenge"]
    for _ in range(TRIES):
        await stranger.second(challenge, code="12345", status=401)
    await stranger.second(challenge, code=announcer.code(), status=401)
    challenge = (await stranger.log_in("Hồng"))["second"]["challenge"]
    clock.advance(300_000_000)
    await stranger.second(challenge, code=announcer.code(), status=401)


async def test_who_knows_the_password_guesses_codes_slowly_and_locks_nobody_out(
    announcer: Browser, stranger: Browser, clock: VirtualClock
) -> None:
    await announcer.set_up_totp()
    clock.advance(60_000_000)
    for _ in range(SECOND_BURST // TRIES):
        challenge = (await stranger.log_in("Hồng"))["second"]["challenge"]
        for _ in range(TRIES):
            await stranger.second(challenge, code="no code", status=401)
    challenge = (await stranger.log_in("Hồng"))["second"]["challenge"]
    await stranger.second(challenge, code=announcer.code(), status=429)
    told = await announcer.log_in("Hồng")
    await announcer.second(told["second"]["challenge"], code=announcer.code())


async def test_a_recovery_code_is_a_way_in_once(announcer: Browser, stranger: Browser) -> None:
    await announcer.set_up_totp()
    for status in (200, 401):
        challenge = (await stranger.log_in("Hồng"))["second"]["challenge"]
        await stranger.second(challenge, code=announcer.recovery[0].upper(), status=status)
    assert (await announcer.call("GET", "/factors"))["recovery_left"] == 9
    made = await announcer.call("POST", "/factors/recovery", {"password": PASSWORD})
    challenge = (await stranger.log_in("Hồng"))["second"]["challenge"]
    await stranger.second(challenge, code=announcer.recovery[1], status=401)
    await stranger.second(challenge, code=made["recovery_codes"][1])


async def test_a_passkey_is_made_and_opens_with_one_touch(announcer: Browser, stranger: Browser) -> None:
    device = Authenticator(announcer.origin)
    asked = await announcer.call("POST", "/factors/passkey/options")
    body = {"challenge": asked["challenge"], "name": "Khóa", "credential": device.create(asked["options"])}
    made = await announcer.call("POST", "/factors/passkey", body, status=201)
    assert len(made["recovery_codes"]) == 10
    await announcer.call("POST", "/factors/passkey", body, status=403)
    told = (await stranger.log_in("Hồng"))["second"]
    assert told["methods"] == ["passkey", "recovery"]
    answer = device.get(told["passkey"])
    await stranger.second(told["challenge"], passkey=answer)
    await stranger.second(told["challenge"], passkey=answer, status=401)
    other = (await stranger.log_in("Hồng"))["second"]
    await stranger.second(other["challenge"], passkey=answer, status=401)
    phished = Authenticator("https://loa.evil.test", device.key, device.credential, count=9)
    await stranger.second(other["challenge"], passkey=phished.get(other["passkey"]), status=401)
    await stranger.second(other["challenge"], passkey=device.get(other["passkey"]))


async def test_a_passkey_is_not_made_for_somebody_else_or_without_a_name(
    announcer: Browser, page: Any
) -> None:
    device = Authenticator(announcer.origin)
    asked = await announcer.call("POST", "/factors/passkey/options")
    body = {"challenge": asked["challenge"], "name": "Khóa", "credential": device.create(asked["options"])}
    await page.post("/api/v1/factors/passkey", body, status=409)
    await page.post("/api/v1/factors/passkey/options", status=409)
    body["credential"] = {"id": "x"}
    await announcer.call("POST", "/factors/passkey", body, status=403)
    assert (await announcer.call("GET", "/factors"))["factors"] == []


async def test_a_role_may_ask_for_one_before_anything_else(
    announcer: Browser, desk: Desk, land: Any, clock: VirtualClock
) -> None:
    role = role_of(desk, Builtin.ANNOUNCER)
    await desk.station.roles.change(role, RoleChange(second_factor=True))
    told = await announcer.call("GET", "/session")
    assert (told["needs"], told["acts"]) == ("second_factor_set_up", [])
    refusal = await announcer.call("GET", "/places", status=403)
    assert refusal["where"] == "second factor"
    assert (await announcer.call("GET", "/factors"))["required"]
    factor = await announcer.set_up_totp()
    told = await announcer.call("GET", "/session")
    assert (told["needs"], told["acts"][:2]) == ("nothing", ["see", "air"])
    await announcer.call("GET", "/places")
    await announcer.call("POST", f"/factors/{factor}/remove", {"password": PASSWORD}, status=409)
    await desk.station.roles.change(role, RoleChange(second_factor=False))
    await announcer.call("POST", f"/factors/{factor}/remove", {"password": "wrong"}, status=403)
    await announcer.call("POST", f"/factors/{factor}/remove", {"password": PASSWORD}, status=204)
    assert (await announcer.log_in("Hồng"))["needs"] == "nothing"
    assert (await announcer.call("GET", "/factors"))["recovery_left"] == 0


async def test_a_second_factor_is_asked_before_a_one_time_password_is_changed(
    announcer: Browser, stranger: Browser, page: Any, desk: Desk, clock: VirtualClock
) -> None:
    await announcer.set_up_totp()
    account = (await desk.station.accounts.by_name("Hồng")).id
    reset = await page.post(f"/api/v1/accounts/{account}/password", status=200)
    await announcer.call("GET", "/session", status=401)
    told = await stranger.log_in("Hồng", reset["password"])
    assert told["needs"] == "second_factor"
    clock.advance(60_000_000)
    done = await stranger.second(told["second"]["challenge"], code=announcer.code())
    assert done["needs"] == "password"
    assert (await stranger.choose_password(reset["password"]))["needs"] == "nothing"
    assert (await stranger.call("GET", "/sessions"))[0]["second_factor"]


async def test_nothing_secret_is_told_twice(announcer: Browser) -> None:
    await announcer.set_up_totp()
    told = str(await announcer.call("GET", "/factors")) + str(await announcer.call("GET", "/session"))
    for secret in (announcer.secret, *announcer.recovery, PASSWORD, NEW_PASSWORD):
        assert secret not in told


async def test_a_disabled_account_does_not_finish_its_log_in(
    announcer: Browser, stranger: Browser, page: Any, desk: Desk, clock: VirtualClock
) -> None:
    await announcer.set_up_totp()
    clock.advance(60_000_000)
    challenge = (await stranger.log_in("Hồng"))["second"]["challenge"]
    account = (await desk.station.accounts.by_name("Hồng")).id
    await page.call("PATCH", f"/api/v1/accounts/{account}", {"state": "disabled"})
    await stranger.second(challenge, code=announcer.code(), status=401)
    await announcer.call("GET", "/session", status=401)
    await stranger.log_in("Hồng", status=401)
