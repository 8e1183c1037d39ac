"""Logging in: the one-time password, the cookie, the CSRF token, and who tries too often."""

from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.station.sessions import SESSION_TTL_US
from loa.station.station import Station
from loa.web.desk import Desk
from loa.web.log_in_guard import ACCOUNT_BURST, ADDRESS_BURST

SESSION = "/api/v1/session"
NEW = "một câu đủ dài"


async def log_in(app: Any, password: str, name: str = "admin") -> Any:
    return await app.post(SESSION, json={"name": name, "password": password})


async def test_who_has_not_logged_in_learns_nothing(app: Any) -> None:
    for path in (SESSION, "/api/v1/places", "/api/v1/broadcasts", "/api/v1/events", "/api/v1/speakers"):
        answer = await app.get(path)
        assert answer.status == 401
        assert await answer.json() == {
            "what": "nobody is logged in",
            "where": "session",
            "expected": "a log-in at POST /api/v1/session",
        }


async def test_a_one_time_password_opens_nothing_until_it_is_changed(app: Any, password: str) -> None:
    answer = await log_in(app, password)
    told = await answer.json()
    assert answer.status == 200
    assert told["account"]["must_change"]
    refused = await app.get("/api/v1/places")
    assert refused.status == 403
    assert "one-time password" in (await refused.json())["what"]
    csrf = {"X-CSRF-Token": told["csrf"]}
    changed = await app.post(f"{SESSION}/password", json={"old": password, "new": NEW}, headers=csrf)
    assert changed.status == 200
    assert not (await changed.json())["account"]["must_change"]
    assert (await app.get("/api/v1/places")).status == 200
    assert (await log_in(app, password)).status == 401
    assert (await log_in(app, NEW)).status == 200


async def test_a_change_of_password_ends_the_sessions_before_it(app: Any, page: Any, desk: Desk) -> None:
    elsewhere = (await log_in(app, NEW)).cookies["loa_session"].value
    csrf = {"X-CSRF-Token": (await (await app.get(SESSION)).json())["csrf"]}
    change = {"old": NEW, "new": f"{NEW} hơn"}
    assert (await app.post(f"{SESSION}/password", json=change, headers=csrf)).status == 200
    assert (await app.get(SESSION)).status == 200
    assert await desk.sessions.find(elsewhere, "test") is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"old": NEW, "new": "short"}, 422),
        ({"old": "wrong", "new": "another long one"}, 403),
        ({"old": NEW, "new": NEW}, 422),
        ({"old": NEW}, 422),
    ],
)
async def test_a_change_of_password_that_is_refused_changes_nothing(
    page: Any, change: dict[str, str], status: int
) -> None:
    told = await page.post(f"{SESSION}/password", change, status=status)
    assert NEW not in str(told)
    assert (await log_in(page.client, NEW)).status == 200


async def test_the_cookie_is_for_this_server_and_no_script(app: Any, password: str) -> None:
    cookie = (await log_in(app, password)).cookies["loa_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert 0 < int(cookie["max-age"]) <= SESSION_TTL_US // 1_000_000


async def test_wrong_name_and_wrong_password_sound_the_same(app: Any) -> None:
    answers = [await log_in(app, "nonsense"), await log_in(app, "nonsense", name="nobody")]
    assert [answer.status for answer in answers] == [401, 401]
    assert await answers[0].json() == await answers[1].json()


async def test_a_request_without_the_csrf_token_changes_nothing(page: Any, land: Any) -> None:
    for headers in ({}, {"X-CSRF-Token": "0" * 32}, {"X-CSRF-Token": "é"}):
        answer = await page.client.patch(
            f"/api/v1/places/{land.north.id}", json={"name": "X"}, headers=headers
        )
        assert answer.status == 403
        assert (await answer.json())["where"] == "X-CSRF-Token"
    assert (await page.get("/api/v1/places"))[1]["name"] == "Cao Lãnh"


async def test_another_site_cannot_log_a_browser_in(app: Any, password: str) -> None:
    body = {"name": "admin", "password": password}
    answer = await app.post(SESSION, json=body, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


async def test_logging_out_ends_the_session_for_good(page: Any, station: Station, desk: Desk) -> None:
    token = page.client.session.cookie_jar.filter_cookies(page.client.make_url("/"))["loa_session"].value
    await page.call("DELETE", SESSION, status=204)
    assert await desk.sessions.find(token, "test") is None
    page.client.session.cookie_jar.update_cookies({"loa_session": token})
    await page.get(SESSION, status=401)


async def test_a_session_ends_by_itself(page: Any, clock: VirtualClock) -> None:
    await page.get(SESSION)
    clock.advance(SESSION_TTL_US + 1)
    await page.get(SESSION, status=401)


async def test_a_session_ended_elsewhere_is_noticed(page: Any, station: Station, desk: Desk) -> None:
    account = await station.accounts.by_name("admin")
    await station.sessions.close_all(account.id)
    await page.get(SESSION)
    await desk.sessions.check()
    await page.get(SESSION, status=401)


async def test_a_session_of_before_the_restart_is_found_again(page: Any, desk: Desk) -> None:
    desk.sessions._known.clear()
    assert (await page.get(SESSION))["csrf"] == page.csrf


async def test_an_account_that_is_guessed_at_waits_and_is_told_how_long(app: Any, password: str) -> None:
    for _ in range(ACCOUNT_BURST):
        assert (await log_in(app, "wrong", name="Admin")).status == 401
    answer = await log_in(app, password)
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert f"{answer.headers['Retry-After']} s" in (await answer.json())["expected"]


async def test_an_address_that_guesses_waits_whatever_the_name(app: Any, clock: VirtualClock) -> None:
    for n in range(ADDRESS_BURST):
        assert (await log_in(app, "wrong", name=f"name {n}")).status == 401
    assert (await log_in(app, "wrong", name="yet another")).status == 429
    clock.advance(7_000_000)
    assert (await log_in(app, "wrong", name="yet another")).status == 401


async def test_a_log_in_that_succeeds_gives_the_tries_back(app: Any, page: Any, clock: VirtualClock) -> None:
    for _ in range(3):
        clock.advance(600_000_000)
        for _ in range(ACCOUNT_BURST - 1):
            await log_in(app, "wrong")
            clock.advance(6_000_000)
        assert (await log_in(app, NEW)).status == 200


async def test_tried_tokens_are_slowed_before_the_database_is_asked(app: Any, desk: Desk) -> None:
    for n in range(25):
        assert await desk.sessions.find(f"token {n}", "198.51.100.7") is None
    account = await desk.station.accounts.by_name("admin")
    good = await desk.station.sessions.open(account.id, now_us=desk.clock.now_us())
    assert await desk.sessions.find(good.token, "198.51.100.7") is None
    assert await desk.sessions.find(good.token, "198.51.100.8") is not None


async def test_no_secret_shows_in_a_repr(page: Any, desk: Desk) -> None:
    kept = next(iter(desk.sessions._known.values()))
    assert kept.who.token not in repr(kept)
    assert page.csrf not in repr(kept)
