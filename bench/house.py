"""A node to measure: `loa serve` in a process of its own, on a folder that was filled beforehand."""

import asyncio
import contextlib
import io
import json
import os
import re
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from .. import fleet
from ..clock import NodeClock
from ..errors import InternalError
from ..roster import SpeakerRoster
from ..station.database import sqlite_url
from ..station.keyring import Keyring
from ..station.place import NewPlace
from ..station.station import Station
from ..station.vault import FileVault
from ..web.directory import as_line

LOA = (sys.executable, "-P", "-m", "loa")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A state folder with a territory, its devices enrolled. `communes` are place ids."""

    folder: Path
    root: str
    communes: tuple[str, ...]
    devices: tuple[fleet.Device, ...]


@dataclass
class Api:
    """The public API, as its administrator."""

    http: aiohttp.ClientSession
    base: str
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """InternalError for any refusal: a bench asks for nothing that may be refused."""
        url = f"{self.base}/api/v1{path}"
        async with self.http.request(method, url, json=body, headers=self.headers) as response:
            text = await response.text()
            if response.status >= 400:
                raise InternalError(f"bench: {method} {path}: {response.status} {text}")
            found: dict[str, object] = json.loads(text) if text else {}
            return found

    async def log_in(self, one_time: str) -> None:
        chosen = one_time[::-1] + "-bench"
        for path, body in (
            ("/session", {"name": "admin", "password": one_time}),
            ("/session/password", {"old": one_time, "new": chosen}),
        ):
            self.headers = {"X-CSRF-Token": str((await self.call("POST", path, body))["csrf"])}

    async def upload(self, title: str, wav: bytes) -> str:
        """The id of the program, ready to be aired."""
        form = aiohttp.FormData()
        form.add_field("title", title)
        form.add_field("file", io.BytesIO(wav), filename=f"{title}.wav")
        url = f"{self.base}/api/v1/programs"
        async with self.http.post(url, data=form, headers=self.headers) as response:
            program = str((await response.json())["id"])
        while (await self.call("GET", f"/programs/{program}"))["state"] == "preparing":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return program

    async def air(self, program: str, targets: Sequence[str]) -> str:
        """Have a file repeat at places until it is stopped; the broadcast's id."""
        source = {"kind": "file", "program": program, "repeat": True}
        made = await self.call("POST", "/broadcasts", {"source": source, "targets": list(targets)})
        return str(made["id"])


@dataclass
class Running:
    process: Process
    port: int
    api: Api

    def cpu_s(self) -> float:
        """Processor time that the node's process has used, all its threads together, to the nanosecond."""
        # clock_getcpuclockid(3) of another process, which Python does not have: CPUCLOCK_SCHED is 2.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def resident_kib(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") // 1024


async def prepare(folder: Path, communes: int, speakers: int) -> Prepared:
    """A province of so many communes, the speakers dealt out among them."""
    clock = NodeClock()
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with await Station.open(sqlite_url(folder / "loa.db")) as station:
        root = await station.places.add(NewPlace("Tỉnh", "province"), now_us=clock.now_us())
        news = [NewPlace(f"Xã {n:03}", "commune", root.id) for n in range(communes)]
        made = await station.places.add_many(news, now_us=clock.now_us())
        seats = [(made[n % communes].id, f"Cụm {n:05}") for n in range(speakers)]
        devices = await fleet.enlist(station, seats, clock)
    return Prepared(folder, root.id, tuple(place.id for place in made), tuple(devices))


async def papers_of(
    prepared: Prepared, devices: Sequence[fleet.Device], port: int
) -> list[dict[str, object]]:
    """What these devices were told when they enrolled. The node must have started, and so made its keys."""
    clock = NodeClock()
    async with await Station.open(sqlite_url(prepared.folder / "loa.db")) as station:
        places, speakers = await station.places.list(), await station.speakers.list()
    keys = prepared.folder / "keys"
    keyring = await Keyring.open(keys, FileVault(keys), root_place=prepared.root, now_us=clock.now_us())
    territory = as_line(places)
    roster = SpeakerRoster(keyring, clock, lambda: territory, latency_ms=400, profile="wan")
    roster.load({place.id: place for place in places}, speakers)
    return fleet.papers(devices, roster, f"http://127.0.0.1:{port}")


@contextlib.asynccontextmanager
async def running(
    folder: Path, settings: Mapping[str, str] | None = None, *, http_port: int = 0
) -> AsyncIterator[Running]:
    """The node on this folder at its first start, its first administrator logged in."""
    async with serving(folder, settings, http_port=http_port) as process:
        port, password = await _told(process)
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            api = Api(http, f"http://127.0.0.1:{port}")
            await api.log_in(password)
            yield Running(process, port, api)


@contextlib.asynccontextmanager
async def serving(
    folder: Path, settings: Mapping[str, str] | None = None, *, http_port: int = 0
) -> AsyncIterator[Process]:
    """`loa serve` on this folder; ended when the block ends, if it has not ended before."""
    ports = ("--http-port", str(http_port), "--https-port", "0", "--udp-port", "0")
    told = {**os.environ, "LOA_WEBRTC_PORT": "0", **(settings or {})}
    process = await asyncio.create_subprocess_exec(
        *LOA, "serve", "--state", str(folder), *ports, stderr=PIPE, env=told
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


def free_port() -> int:
    """One that nobody has just now, for a node that must come back where it was."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", 0))
        return int(probe.getsockname()[1])


async def _told(process: Process) -> tuple[int, str]:
    """The port and the one-time password that it prints when it first starts."""
    assert process.stderr is not None  # noqa: S101 - asked for above
    port = 0
    said = b""
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            said += line
            text = re.sub(r"\x1b\[[0-9;]*m", "", line.decode())
            if found := re.search(r"\bhttp=(\d+)", text):
                port = int(found[1])
            if found := re.search(r"password=(\S+)", text):
                return port, found[1]
    raise InternalError(f"bench: the node ended before it was on the air:\n{said.decode()}")
