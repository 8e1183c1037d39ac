"""Known browsers: strangers who guess slow down strangers, and never who has logged in here before."""

from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.web.known_browsers import LASTS_US, MAX_ACCOUNTS, KnownBrowsers
from loa.web.log_in_guard import ACCOUNT_BURST, ADDRESS_BURST

from .conftest import NEW_PASSWORD, App
from .people import Browser


@pytest.fixture
def browsers() -> KnownBrowsers:
    return KnownBrowsers(b"key" * 11)


def test_a_browser_is_known_for_its_account_and_half_a_year(browsers: KnownBrowsers) -> None:
    cookie = browsers.remember(None, "Hồng", now_us=0)
    name = browsers.find(cookie, " hỒNG ", now_us=LASTS_US - 1)
    assert name is not None
    assert browsers.find(cookie, "Lan", now_us=0) is None
    assert browsers.find(cookie, "Hồng", now_us=LASTS_US) is None
    assert KnownBrowsers(b"other").find(cookie, "Hồng", now_us=0) is None
    again = browsers.remember(cookie, "Hồng", now_us=LASTS_US - 1)
    assert browsers.find(again, "Hồng", now_us=LASTS_US) == name, "the same browser, known for longer"


def test_the_people_of_an_office_share_a_browser(browsers: KnownBrowsers) -> None:
    cookie = None
    for number in range(MAX_ACCOUNTS + 1):
        cookie = browsers.remember(cookie, f"name {number}", now_us=number)
    found = [browsers.find(cookie, f"name {n}", now_us=0) is not None for n in range(MAX_ACCOUNTS + 1)]
    assert found == [False] + [True] * MAX_ACCOUNTS
    assert len(cookie or "") < 512


def test_what_we_have_not_signed_is_a_strangers(browsers: KnownBrowsers) -> None:
    cookie = browsers.remember(None, "Hồng", now_us=0)
    for at in range(len(cookie)):
        forged = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        assert browsers.find(forged, "Hồng", now_us=0) is None, at
    for forged in ("", ".", "....", "é", "\x00", cookie[:-1], cookie + "A", "A" * 100_000):
        assert browsers.find(forged, "Hồng", now_us=0) is None


async def test_guessers_lock_out_guessers_and_not_the_announcer(
    app: App, clock: VirtualClock, page: Any
) -> None:
    """The administrator logged in at the office before; then strangers try, from the same address too."""
    body = {"name": "admin", "password": NEW_PASSWORD}
    async with Browser(app, clock) as office, Browser(app, clock) as stranger:
        await office.log_in("admin", NEW_PASSWORD)
        for _ in range(ACCOUNT_BURST):
            await stranger.log_in("Admin", "wrong", status=401)
        for n in range(ADDRESS_BURST - ACCOUNT_BURST - 3):
            await stranger.log_in(f"name {n}", "wrong", status=401)
        await stranger.log_in("admin", NEW_PASSWORD, status=429)
        await office.log_in("admin", NEW_PASSWORD)
        for _ in range(ACCOUNT_BURST):
            await office.log_in("admin", "mistyped", status=401)
        assert (await office.send("POST", "/session", body))[0] == 429, "it has a limit too"
        clock.advance(31_000_000)
        await office.log_in("admin", NEW_PASSWORD)


async def test_the_cookie_of_a_known_browser_is_for_no_script(app: App, page: Any) -> None:
    answer = await app.post("/api/v1/session", json={"name": "admin", "password": NEW_PASSWORD})
    cookie = answer.cookies["loa_device"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert int(cookie["max-age"]) == 180 * 86_400
