"""Passkeys in Chromium itself: its virtual authenticator makes one of our options and logs in with it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from loa.clock import VirtualClock

from .conftest import NEW_PASSWORD, App
from .people import Browser

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
CREATE = """async (options) => (await navigator.credentials.create(
    {publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)})).toJSON()"""
GET = """async (options) => (await navigator.credentials.get(
    {publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)})).toJSON()"""

pytestmark = pytest.mark.peer


@pytest.fixture
async def chromium(app: App) -> AsyncIterator[Page]:
    """A page of our server, in a browser with an authenticator plugged in."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = await browser.new_page()
            cdp = await page.context.new_cdp_session(page)
            await cdp.send("WebAuthn.enable")
            await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
            await page.goto(f"http://localhost:{app.port}/healthz")
            yield page
        finally:
            await browser.close()


async def test_chromium_makes_a_passkey_and_logs_in_with_it(
    app: App, page: Any, chromium: Page, clock: VirtualClock
) -> None:
    async with Browser(app, clock) as browser:
        await browser.log_in("admin", NEW_PASSWORD)
        asked = await browser.call("POST", "/factors/passkey/options")
        credential = await chromium.evaluate(CREATE, asked["options"])
        body = {"challenge": asked["challenge"], "name": "Khóa USB", "credential": credential}
        made = await browser.call("POST", "/factors/passkey", body, status=201)
        assert len(made["recovery_codes"]) == 10
        for _ in range(2):
            told = (await browser.log_in("admin", NEW_PASSWORD))["second"]
            assert told["methods"] == ["passkey", "recovery"]
            answer = await chromium.evaluate(GET, told["passkey"])
            done = await browser.second(told["challenge"], passkey=answer)
            assert done["needs"] == "nothing"
        (factor,) = (await browser.call("GET", "/factors"))["factors"]
        assert (factor["kind"], factor["name"]) == ("passkey", "Khóa USB")
        assert factor["last_used"] is not None
