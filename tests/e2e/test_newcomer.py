"""docs/guide.md, followed: an administrator makes an announcer of one commune, who sets up a second factor on
a phone and logs in with it; a QR code makes a loudspeaker, which sounds when a person has let it in.
"""

import asyncio
import contextlib
import io
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pyotp
import pytest
import zxingcpp
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from .conftest import LOA, House, Sound, end, until
from .test_live import CHROMIUM, FLAGS, LONG_MS

expect.set_options(timeout=LONG_MS)

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1366, "height": 768}
NAME, FULL_NAME, PASSWORD = "lan", "Nguyễn Thị Ngọc Lan", "gió đưa cành trúc la đà"


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


async def opened(browser: Browser, url: str, size: dict[str, int], *, phone: bool = False) -> Page:
    context = await browser.new_context(
        locale="vi-VN",
        viewport={"width": size["width"], "height": size["height"]},
        is_mobile=phone,
        has_touch=phone,
    )
    page = await context.new_page()
    page.set_default_timeout(LONG_MS)
    await page.goto(url)
    return page


async def log_in(page: Page, name: str, password: str) -> None:
    await page.get_by_test_id("login-name").fill(name)
    await page.get_by_test_id("login-password").fill(password)
    await page.get_by_test_id("login-submit").click()


async def menu(page: Page, entry: str) -> None:
    await page.get_by_test_id("account-menu").click()
    await page.get_by_test_id(entry).click()


async def scanned(code: Locator) -> str:
    """What a camera reads from the QR code on the screen."""
    await expect(code).to_be_visible()
    with av.open(io.BytesIO(await code.screenshot()), "r") as picture:
        grey = next(picture.decode(video=0)).to_ndarray(format="gray")
    found = zxingcpp.read_barcodes(grey)
    assert len(found) == 1, "no QR code that a camera could read"
    return str(found[0].text)


async def make_announcer(page: Page, commune: str) -> str:
    """At the administration; the one-time password to hand over."""
    await menu(page, "go-admin")
    await page.get_by_test_id("person-add").click()
    await page.get_by_test_id("person-full-name").fill(FULL_NAME)
    await page.get_by_test_id("person-name").fill(NAME)
    await page.get_by_test_id("role-pick").select_option(label="Phát thanh viên")
    await page.get_by_test_id("role-place").fill(commune)
    await page.get_by_test_id("role-place-option").first.click()
    await page.get_by_test_id("role-add").click()
    await expect(page.get_by_test_id("role-chip")).to_contain_text(commune)
    await page.get_by_test_id("person-create").click()
    password = await page.get_by_test_id("one-time-password").inner_text()
    await page.get_by_test_id("one-time-done").click()
    return password


async def set_up_second_factor(page: Page) -> pyotp.TOTP:
    """On the phone: scan, type the six digits, keep the recovery codes."""
    await menu(page, "go-security")
    await page.get_by_test_id("factor-add").click()
    await page.get_by_test_id("choose-totp").click()
    app = pyotp.parse_uri(await scanned(page.get_by_test_id("totp-qr")))
    assert isinstance(app, pyotp.TOTP)
    assert app.name == NAME
    await page.get_by_test_id("totp-code").fill(app.now())
    codes = page.get_by_test_id("recovery-codes")
    await expect(codes.locator("li")).to_have_count(10)
    await page.get_by_test_id("recovery-kept").check()
    await page.get_by_test_id("recovery-done").click()
    await expect(page.get_by_test_id("factor")).to_have_count(1)
    return app


@pytest.mark.peer
async def test_an_announcer_with_a_second_factor_on_a_phone(house: House) -> None:
    province = (await house.api("GET", "/places"))[0]["id"]
    north = await house.api.place("Xã Bắc Hòa", "commune", province)
    south = await house.api.place("Xã Nam Thành", "commune", province)
    await house.api.place("Ấp Một", "hamlet", north)
    async with chromium() as browser:
        desk = await opened(browser, house.url, DESK)
        await log_in(desk, "admin", house.password)
        one_time = await make_announcer(desk, "Xã Bắc Hòa")
        phone = await opened(browser, house.url, PHONE, phone=True)
        await log_in(phone, NAME, one_time)
        await phone.get_by_test_id("password-old").fill(one_time)
        await phone.get_by_test_id("password-new").fill(PASSWORD)
        await phone.get_by_test_id("password-again").fill(PASSWORD)
        await phone.get_by_test_id("password-submit").click()
        await expect(phone.get_by_test_id("console")).to_be_visible()
        app = await set_up_second_factor(phone)
        await menu(phone, "logout")
        await log_in(phone, NAME, PASSWORD)
        await expect(phone.get_by_test_id("second-step")).to_be_visible()
        await phone.get_by_test_id("second-code").fill("000000")
        await expect(phone.get_by_test_id("second-problem")).to_be_visible()
        # a code is used once: this is the next one
        await phone.get_by_test_id("second-code").fill(
            app.at(datetime.now(UTC) + timedelta(seconds=app.interval))
        )
        await expect(phone.get_by_test_id("console")).to_be_visible()
        await expect(phone.get_by_test_id("console")).to_be_visible()
        await phone.get_by_test_id("tab-places").click()
        await expect(phone.locator(f"[data-place='{north}'] [data-testid=place-choose]")).to_have_count(1)
        await expect(phone.locator(f"[data-place='{province}'] [data-testid=place-choose]")).to_have_count(0)
        await expect(phone.locator(f"[data-place='{south}']")).to_have_count(0)


async def enrolment_text(page: Page, commune: str, name: str) -> str:
    """At the administration: what the QR code for a new loudspeaker says to a scanner."""
    await menu(page, "go-admin")
    await page.get_by_test_id("admin-speakers").click()
    await page.get_by_test_id("device-enrol").click()
    await page.get_by_test_id("enrol-place").fill(commune)
    await page.get_by_test_id("enrol-place-option").first.click()
    await page.get_by_test_id("enrol-name").fill(name)
    await page.get_by_test_id("enrol-submit").click()
    text = await scanned(page.get_by_test_id("enrol-qr"))
    assert text == await page.get_by_test_id("enrol-text").inner_text()
    await page.keyboard.press("Escape")
    return text


def heard(file: Path) -> Sound:
    """What a loudspeaker has written of its WAV so far, behind the header."""
    if not file.exists():
        return np.zeros(0)
    return np.frombuffer(file.read_bytes()[44:].ljust(2, b"\0"), dtype=np.int8).astype(np.float64) / 128


async def scanning_speaker(house: House, text: str) -> tuple[Process, Path]:
    """A loudspeaker with a scanner: what it reads comes as a line, as if typed."""
    folder = house.folder / "with-scanner"
    file = folder / "heard.wav"
    process = await asyncio.create_subprocess_exec(
        *LOA, "speaker", "--enrol", "-", "--state", str(folder / "state"), "--output", f"wav:{file}",
        "--serial", "HL-30-0042", stdin=PIPE,
    )  # fmt: skip
    house.stack.push_async_callback(end, process)
    assert process.stdin is not None
    process.stdin.write(text.encode() + b"\n")
    await process.stdin.drain()
    return process, file


@pytest.mark.peer
async def test_a_loudspeaker_from_a_qr_code_sounds_when_it_was_let_in(house: House) -> None:
    province = (await house.api("GET", "/places"))[0]["id"]
    commune = await house.api.place("Xã Bắc Hòa", "commune", province)
    async with chromium() as browser:
        desk = await opened(browser, house.url, DESK)
        await log_in(desk, "admin", house.password)
        text = await enrolment_text(desk, "Xã Bắc Hòa", "Cụm trước UBND")
        process, file = await scanning_speaker(house, text)
        waiting = desk.get_by_test_id("pending-speaker")
        await expect(waiting).to_contain_text("Cụm trước UBND")
        await expect(waiting).to_contain_text("HL-30-0042")
        alarm = {"source": {"kind": "tone"}, "targets": [commune], "severity": "minor", "title": "Thử"}
        first = (await house.api("POST", "/emergencies", alarm))["id"]
        await asyncio.sleep(3)
        await house.api("DELETE", f"/emergencies/{first}")
        assert not heard(file).any(), "it sounded before it was let in"
        await desk.get_by_test_id("approve").click()
        await expect(desk.get_by_test_id("device")).to_have_count(1)

        async def online() -> bool:
            return bool((await house.api("GET", "/speakers"))[0]["state"] == "online")

        await until(online)
        second = (await house.api("POST", "/emergencies", alarm))["id"]

        await asyncio.sleep(4)
        await house.api("DELETE", f"/emergencies/{second}")
    await end(process)
    assert np.abs(heard(file)).max() > 0.05
