"""A whole Loa in processes of its own: `loa serve`, `loa speaker`, a client that speaks the public API."""

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

LOA = (sys.executable, "-P", "-m", "loa")
SPEECH = Path("/usr/share/sounds/alsa")
RATE = 48_000
Sound = npt.NDArray[np.float64]


@dataclass
class Loudspeaker:
    """A `loa speaker` process and the WAV that it writes."""

    id: str
    place: str
    file: Path
    process: Process

    async def stop(self) -> "Recording":
        await end(self.process)
        samples, rate = soundfile.read(self.file)
        assert rate == RATE
        told = json.loads(self.file.with_name(self.file.name + ".json").read_text())
        return Recording(samples, told["sample_0_network_us"])


@dataclass
class Recording:
    """What came out of a loudspeaker. `begin_us` is the network time of its first sample."""

    samples: Sound
    begin_us: int

    def between(self, a_us: int, b_us: int) -> Sound:
        a, b = ((t - self.begin_us) * RATE // 1_000_000 for t in (a_us, b_us))
        return self.samples[max(0, a) : max(0, b)]


@dataclass
class Api:
    """The public HTTP API, as one who is logged in."""

    http: aiohttp.ClientSession
    base: str
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        async with self.http.request(
            method, self.base + "/api/v1" + path, json=body, headers=self.headers, **options
        ) as response:
            text = await response.text()
            assert response.status < 400, f"{method} {path}: {response.status} {text}"
            return json.loads(text) if text else None

    async def log_in(self, name: str, one_time: str, chosen: str) -> None:
        answer = await self("POST", "/session", {"name": name, "password": one_time})
        self.headers = {"X-CSRF-Token": answer["csrf"]}
        answer = await self("POST", "/session/password", {"old": one_time, "new": chosen})
        self.headers = {"X-CSRF-Token": answer["csrf"]}

    async def place(self, name: str, kind: str, parent: str | None = None) -> str:
        made: str = (await self("POST", "/places", {"name": name, "kind": kind, "parent": parent}))["id"]
        return made

    async def upload(self, title: str, wav: bytes) -> str:
        form = aiohttp.FormData()
        form.add_field("title", title)
        form.add_field("file", io.BytesIO(wav), filename="upload.wav")
        async with self.http.post(
            self.base + "/api/v1/programs", data=form, headers=self.headers
        ) as response:
            assert response.status == 202, await response.text()
            program = (await response.json())["id"]
        await until(lambda: self._ready(program), within_s=90)
        return str(program)

    async def _ready(self, program: str) -> bool:
        state = await self("GET", f"/programs/{program}")
        assert state["state"] != "failed", state
        return bool(state["state"] == "ready")


@dataclass
class House:
    """A running node, its first administrator logged in."""

    process: Process
    port: int
    api: Api
    password: str
    folder: Path
    stack: contextlib.AsyncExitStack

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def restart(self) -> None:
        """End the node and begin it again, at the same port, with what it has kept."""
        await end(self.process)
        self.process = await _serve(self.folder, self.port)
        self.stack.push_async_callback(end, self.process)
        self.stack.push_async_callback(_drain(self.process))

        async def answers() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                async with self.api.http.get(self.url + "/readyz") as response:
                    return response.status == 200
            return False

        await until(answers)

    async def counted(self, event: str) -> int:
        """How often this has happened on control links since the node began."""
        async with self.api.http.get(self.url + "/metrics") as response:
            found = re.search(
                rf'^loa_link_events_total{{event="{event}"}} (\S+)', await response.text(), re.M
            )
        return int(float(found[1])) if found else 0

    async def speaker(self, place: str, name: str) -> Loudspeaker:
        """Enrol a new loudspeaker with a one-time code and have it play into a WAV."""
        seat = {"place": place, "name": name, "approved": True}
        code = (await self.api("POST", "/enrolments", seat))["code"]
        folder = self.folder / f"speaker-{name}"
        file = folder / "heard.wav"
        process = await asyncio.create_subprocess_exec(
            *LOA, "speaker", "--node", self.url, "--enrol", code, "--state", str(folder / "state"),
            "--output", f"wav:{file}",
        )  # fmt: skip
        self.stack.push_async_callback(end, process)

        async def online() -> dict[str, Any] | None:
            found = await self.api("GET", "/speakers")
            return next(
                (s for s in found if s["name"] == name and s["state"] == "online" and s["via"] == "udp"), None
            )

        state = await until(online)
        return Loudspeaker(state["id"], place, file, process)


async def until(check: Callable[[], Any], *, within_s: float = 30.0) -> Any:
    """Ask until the answer is true; what it was. Fails when it never is."""
    async with asyncio.timeout(within_s):
        while not (found := await check()):  # noqa: ASYNC110 - it asks another process
            await asyncio.sleep(0.05)
    return found


async def end(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with contextlib.AsyncExitStack() as stack:
        process = await _serve(tmp_path, 0)
        stack.push_async_callback(end, process)
        port, password = await _told(process)
        stack.push_async_callback(_drain(process))
        http = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        )
        api = Api(http, f"http://127.0.0.1:{port}")
        await api.log_in("admin", password, "mật khẩu dài để thử")
        house = House(process, port, api, "mật khẩu dài để thử", tmp_path, stack)
        yield house
        assert house.process.returncode is None, f"the node died with {house.process.returncode}"


async def _serve(folder: Path, port: int) -> Process:
    return await asyncio.create_subprocess_exec(
        *LOA, "serve", "--state", str(folder / "node"), "--http-port", str(port), "--https-port", "0",
        "--udp-port", "0", stderr=PIPE, env=os.environ | {"LOA_WEBRTC_PORT": "0"},
    )  # fmt: skip


async def _told(process: Process) -> tuple[int, str]:
    """The port and the first password, as a person reads them."""
    assert process.stderr is not None
    port = None
    async with asyncio.timeout(30):
        while line := (await process.stderr.readline()).decode():
            text = re.sub(r"\x1b\[[0-9;]*m", "", line)
            if found := re.search(r"\bhttp=(\d+)", text):
                port = int(found[1])
            if found := re.search(r"password=(\S+)", text):
                assert port is not None
                return port, found[1]
    raise AssertionError("the node ended before it was on the air")


def _drain(process: Process) -> Callable[[], Any]:
    """Keep reading what it says, so that it never waits for us; says it again where pytest shows it."""

    async def read() -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            sys.stderr.write(line.decode())

    task = asyncio.get_running_loop().create_task(read())

    async def finish() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return finish


def likeness(sound: Sound, sample: Sound) -> tuple[float, int]:
    """How much of `sample` is found in `sound`: the best normalised correlation (0 to 1), and where."""
    if len(sound) < len(sample) or not np.any(sound):
        return 0.0, 0
    size = 1 << (len(sound) + len(sample)).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(sample, size)), size)
    inner = product[: len(sound) - len(sample) + 1]
    power = np.concatenate(([0.0], np.cumsum(sound**2)))
    energy = power[len(sample) :] - power[: len(power) - len(sample)]
    score = np.abs(inner) / np.sqrt(np.maximum(energy, 1e-3) * np.sum(sample**2))
    best = int(np.argmax(score))
    return float(score[best]), best


@pytest.fixture(scope="session")
def speech() -> dict[str, Sound]:
    """Recorded human speech, word by word, from alsa-utils."""
    return {
        file.stem: soundfile.read(file)[0] for file in sorted(SPEECH.glob("*.wav")) if file.stem != "Noise"
    }


@pytest.fixture
def spoken(tmp_path: Path, speech: dict[str, Sound]) -> Path:
    """A WAV of all words with pauses: what the fake microphone hears, over and over."""
    pause = np.zeros(RATE // 2)
    file = tmp_path / "microphone.wav"
    soundfile.write(file, np.concatenate([part for word in speech.values() for part in (word, pause)]), RATE)
    return file
