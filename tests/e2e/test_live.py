"""Speech that enters Chromium's microphone by clicking our page comes out where it was meant, only there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright, expect

from .conftest import RATE, House, Recording, Sound, likeness

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
LONG_MS = 30_000
ECHO_US = 10_000
"""An echo between horns is heard from 20 ms."""
AIRED_S = 20
"""The recording of all words lasts 16 s and is heard over and over: each is aired whole at least once."""


@contextlib.asynccontextmanager
async def browser(microphone: Path) -> AsyncIterator[Page]:
    """A page of Chromium whose microphone hears a file, over and over."""
    flags = [
        *FLAGS,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    ]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            context = await chromium.new_context(locale="vi-VN", permissions=["microphone"])
            page = await context.new_page()
            page.set_default_timeout(LONG_MS)
            yield page
        finally:
            await chromium.close()


async def log_in(page: Page, house: House) -> None:
    await page.goto(house.url)
    await page.get_by_test_id("login-name").fill("admin")
    await page.get_by_test_id("login-password").fill(house.password)
    await page.get_by_test_id("login-submit").click()
    await expect(page.get_by_test_id("console")).to_be_visible()


async def choose(page: Page, place: str) -> None:
    """Mark a place as a target, by the search field as one does in a large territory."""
    row = page.locator(f"[data-testid=place-row][data-place='{place}']")
    await expect(row).to_be_visible()
    await row.get_by_test_id("place-choose").check()


def heard_of(sound: Sound, word: Sound) -> float:
    """How much of a word is found: the median over its pieces of 300 ms (a busy machine may cost one)."""
    voiced = np.nonzero(np.abs(word) > 0.02)[0]
    word = word[voiced[0] : voiced[-1]]
    size = RATE * 3 // 10
    pieces = [word[at : at + size] for at in range(0, len(word) - size + 1, size)]
    return float(np.median([likeness(sound, piece)[0] for piece in pieces]))


def apart_us(one: Recording, other: Recording) -> float:
    """How far apart in network time two loudspeakers sounded the same."""
    middle_us = one.begin_us + len(one.samples) * 500_000 // RATE
    piece = one.between(middle_us, middle_us + 2_000_000)
    score, at = likeness(other.samples, piece)
    assert score > 0.95, "not the same sound"
    return abs(other.begin_us + at * 1_000_000 / RATE - middle_us)


@pytest.mark.peer
async def test_a_voice_at_exactly_the_chosen_places(
    house: House, spoken: Path, speech: dict[str, Sound]
) -> None:
    api = house.api
    province = (await api("GET", "/places"))[0]["id"]
    north, south = [await api.place(name, "commune", province) for name in ("Xã Bắc", "Xã Nam")]
    hamlet = await api.place("Ấp Một", "hamlet", north)
    seats = {"ubnd": north, "ap-1": hamlet, "nam": south, "tinh": province}
    speakers = await asyncio.gather(*(house.speaker(place, name) for name, place in seats.items()))
    async with browser(spoken) as page:
        await log_in(page, house)
        await choose(page, north)
        await page.get_by_test_id("live-start").click()
        now = page.get_by_test_id("live-now")
        await expect(now).to_have_attribute("data-state", "chime", timeout=LONG_MS)
        await expect(now).to_have_attribute("data-state", "live", timeout=LONG_MS)
        await asyncio.sleep(AIRED_S)
        assert "2" in await page.get_by_test_id("live-reach").inner_text()
        await page.get_by_test_id("live-stop").click()
        await expect(page.get_by_test_id("live-ready")).to_be_visible()
    await asyncio.sleep(1)
    heard = dict(zip(seats, [await speaker.stop() for speaker in speakers], strict=True))
    for name in ("ubnd", "ap-1"):
        scores = {word: heard_of(heard[name].samples, sample) for word, sample in speech.items()}
        assert min(scores.values()) > 0.6, (name, scores)
    for name in ("nam", "tinh"):
        assert not np.any(heard[name].samples), f"{name} sounded"
    assert apart_us(heard["ubnd"], heard["ap-1"]) < ECHO_US, "neighbours echo"
