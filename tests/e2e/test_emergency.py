"""A province's emergency over live, file and idle places, mounts included; what comes back by its rule."""

import asyncio
import contextlib
import io
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.async_api import async_playwright

from loa.codecs.speech import speak
from loa.codecs.tones import Chime, render

from .conftest import RATE, House, Recording, Sound, end, likeness, until
from .test_live import CHROMIUM, FLAGS, browser, choose, log_in

PLAYERS = {
    "ffmpeg": ("ffmpeg", "-v", "error", "-i", "{url}", "-f", "s16le", "-ar", "48000", "-ac", "1", "-"),
    "mpg123": ("mpg123", "-q", "-s", "-r", "48000", "--mono", "-e", "s16", "{url}"),
}
HALF_US = 1_700_000
"""The tone repeats every 3.6 s: so far to either side there is one beginning, however busy the machine."""

ALERT = "Cảnh báo lũ"
READING = " ".join(f"câu số {n}, bà con chú ý lắng nghe;" for n in range(1, 16))


class Player:
    """A real player on a mount: what it decoded, until it is stopped."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.heard = bytearray()

    async def read(self) -> None:
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(1 << 16):
            self.heard += data

    @property
    def sound(self) -> Sound:
        whole = bytes(self.heard[: len(self.heard) // 2 * 2])
        return np.frombuffer(whole, "<i2").astype(np.float64) / 32768


@contextlib.asynccontextmanager
async def playing(name: str, url: str) -> AsyncIterator[Player]:
    command = [part.format(url=url) for part in PLAYERS[name]]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=DEVNULL)
    player = Player(process)
    reading = asyncio.get_running_loop().create_task(player.read())
    try:
        yield player
    finally:
        await end(process)
        await reading


@contextlib.asynccontextmanager
async def audio_element(url: str) -> AsyncIterator[object]:
    """Chromium's <audio> on a mount. Yields a function that tells its state."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = await chromium.new_page()
            await page.set_content(f"<audio src='{url}' autoplay></audio>")

            async def state() -> dict[str, float | None]:
                found: dict[str, float | None] = await page.evaluate(
                    "(() => { const a = document.querySelector('audio');"
                    " return {time: a.currentTime, error: a.error?.code ?? null, ended: +a.ended}; })()"
                )
                return found

            yield state
        finally:
            await chromium.close()


@pytest.mark.peer
@pytest.mark.timeout(240)
async def test_an_emergency_cuts_through_everything(house: House, spoken: Path) -> None:
    api = house.api
    province = (await api("GET", "/places"))[0]["id"]
    names = {"live": "Xã Sống", "file": "Xã Băng", "idle": "Xã Im"}
    places = {key: await api.place(name, "commune", province) for key, name in names.items()}
    reading = speak(READING).astype(np.float64) / 32768
    wav = io.BytesIO()
    soundfile.write(wav, reading, RATE, format="WAV")
    program = await api.upload("Bài đọc", wav.getvalue())
    speakers = {key: await house.speaker(place, key) for key, place in places.items()}
    async with contextlib.AsyncExitStack() as stack:
        page = await stack.enter_async_context(browser(spoken))
        await log_in(page, house)
        source = {"kind": "file", "program": program}
        file = await api("POST", "/broadcasts", {"source": source, "targets": [places["file"]]})
        await choose(page, places["live"])
        await page.get_by_test_id("live-start").click()
        await page.locator("[data-testid=live-now][data-state=live]").wait_for()
        mount = {key: f"{house.url}/listen/{place}" for key, place in places.items()}
        players = {
            ("live", "ffmpeg"): await stack.enter_async_context(playing("ffmpeg", mount["live"] + ".opus")),
            ("file", "mpg123"): await stack.enter_async_context(playing("mpg123", mount["file"] + ".mp3")),
            ("idle", "ffmpeg"): await stack.enter_async_context(playing("ffmpeg", mount["idle"] + ".mp3")),
        }
        element = await stack.enter_async_context(audio_element(mount["file"] + ".mp3"))
        await asyncio.sleep(6)

        before = await element()  # type: ignore[operator]
        alert = await api(
            "POST",
            "/emergencies",
            {"source": {"kind": "tone"}, "targets": [province], "severity": "extreme", "title": ALERT},
        )

        async def all_reached() -> bool:
            reach = await api("GET", f"/broadcasts/{alert['id']}/reach")
            return bool(reach["reached"] == reach["ordered"] == 3)

        await until(all_reached, within_s=10)
        await asyncio.sleep(5)
        live = [b for b in await api("GET", "/broadcasts?active=1") if b["source"]["kind"] == "microphone"]
        assert live == [], "a live call that is cut never resumes by itself"
        await api("DELETE", f"/emergencies/{alert['id']}")
        await asyncio.sleep(6)
        on_air = await api("GET", "/broadcasts?active=1")
        assert [b["id"] for b in on_air] == [file["id"]]
        state = await element()  # type: ignore[operator]
        assert state["error"] is None
        assert not state["ended"]
        assert state["time"] - before["time"] > 8, "Chromium's <audio> went on playing through it all"
        assert all(player.process.returncode is None for player in players.values()), "no player was let go"
    heard = {key: await speaker.stop() for key, speaker in speakers.items()}

    warning = render(Chime.WARNING).astype(np.float64) / 32768
    begin_us = heard["idle"].begin_us + int(np.nonzero(heard["idle"].samples)[0][0]) * 1_000_000 // RATE
    for key, recording in heard.items():
        around = recording.between(begin_us - HALF_US, begin_us + 3_600_000 + HALF_US)
        score, _ = likeness(around, warning)
        assert score > 0.8, f"the speaker of {key} did not begin with the warning ({score:.2f})"
    for (key, name), player in players.items():
        score, _ = likeness(player.sound, warning)
        assert score > 0.8, f"{name} at the mount of {key} missed the alert ({score:.2f})"
    _goes_on_where_it_was_cut(heard["file"], reading, begin_us)


def _goes_on_where_it_was_cut(recording: Recording, reading: Sound, cut_us: int) -> None:
    """What sounded until the alert and what sounds after it are neighbours in the reading."""
    last_us = recording.begin_us + len(recording.samples) * 1_000_000 // RATE
    ahead_s = _offset_s(recording, reading, cut_us - 3_000_000, cut_us)
    behind_s = _offset_s(recording, reading, last_us - 4_500_000, last_us - 1_500_000)
    stood_still_s = ahead_s - behind_s
    alert_s = (last_us - cut_us) / 1e6 - 6
    assert abs(stood_still_s - alert_s) < 2.5, f"it stood still for {stood_still_s:.1f} s of {alert_s:.1f} s"


def _offset_s(recording: Recording, reading: Sound, a_us: int, b_us: int) -> float:
    """Position in the reading minus network time, in a stretch of a recording: the median of its pieces."""
    found = []
    for at_us in range(a_us, b_us - 500_000, 250_000):
        score, at = likeness(reading, recording.between(at_us, at_us + 500_000))
        if score > 0.7:
            found.append(at / RATE - (at_us - recording.begin_us) / 1e6)
    assert len(found) >= 3, "the reading was not heard"
    return float(np.median(found))
