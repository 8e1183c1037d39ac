"""A house to serve: the real station on a fresh file, the real air with ears for an egress, the real web."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import argon2
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web_runner import BaseRunner
from prometheus_client import CollectorRegistry

from loa.clock import VirtualClock
from loa.codecs.mp3 import MP3_FRAME_BYTES
from loa.codecs.opus import OPUS_PACKET_BYTES
from loa.codecs.stored import MP3_FILE, OPUS_FILE, StoredAudio
from loa.errors import MediaError
from loa.loudness import VolumeBook
from loa.station.archive import Archive, Rule
from loa.station.content import ContentStore
from loa.station.database import sqlite_url
from loa.station.emergency_log import EmergencyLog
from loa.station.keyring import Keyring, open_ring, ring_path
from loa.station.measured import Measured
from loa.station.password import Passwords
from loa.station.place import NewPlace, Place
from loa.station.shelf import Shelf
from loa.station.speaker import NewSpeaker, Speaker
from loa.station.station import Station
from loa.station.texts import Texts
from loa.station.vault import FileVault
from loa.station.voice_bench import open_voices
from loa.streamer.air import Air
from loa.streamer.broadcast import Order
from loa.streamer.fanout import Parcel
from loa.streamer.feed import microphones_only
from loa.streamer.outputs.multicast import Multicast
from loa.streamer.presence import Roll
from loa.streamer.sources.pushes import Pushes
from loa.streamer.sources.radios import Radios
from loa.streamer.territory import Territory
from loa.trust.keys import SigningKey, VerifyKey
from loa.trust.statements import sign_statement
from loa.web.application import DESK, create_app
from loa.web.desk import Desk
from loa.web.directory import as_line
from loa.web.microphone_tokens import MicrophoneTokens
from loa.web.openapi import document
from loa.web.services import Services

App = TestClient[Any, Any]

REGISTRAR = SigningKey.generate()
"""Who may order volumes."""


class Server(TestServer):
    """As in production: a handler goes on when its client is gone."""

    async def _make_runner(self, **options: Any) -> BaseRunner:
        return await super()._make_runner(**options | {"handler_cancellation": False})


class Ears:
    """An egress that remembers what was sent where, and in what order of events."""

    def __init__(self) -> None:
        self.sent: list[Parcel] = []

    def send(self, parcels: Sequence[Parcel], *, urgent: bool) -> None:
        self.sent += parcels

    def tell(self, parcel: Parcel, *, urgent: bool) -> None:
        self.sent.append(parcel)

    def list_targets(
        self, slices: Sequence[tuple[int, int]], targets: Sequence[str], *, urgent: bool
    ) -> None: ...

    def control(self, slices: Sequence[tuple[int, int]], message: bytes) -> None: ...


class Mint:
    """Grants whose words nobody here reads."""

    def session(self, key: VerifyKey, order: Order, level: int) -> str:
        return "grant"

    def priority_order(self, place_id: str, broadcasts: Sequence[str]) -> bytes:
        return b"order"


class Preparer:
    """Makes stored audio of the right form out of any file that does not say it is bad."""

    async def prepare(self, source: Path, folder: Path, on_progress: Callable[[float], None]) -> Measured:
        on_progress(0.5)
        return await asyncio.to_thread(self._write, source, folder)

    def _write(self, source: Path, folder: Path) -> Measured:
        if source.read_bytes().startswith(b"bad"):
            raise MediaError("the file decodes to silence, expected sound")
        frames, mp3_frames = 300, 250
        (folder / OPUS_FILE).write_bytes(bytes(OPUS_PACKET_BYTES) * frames)
        (folder / MP3_FILE).write_bytes(bytes(MP3_FRAME_BYTES) * mp3_frames)
        return Measured(frames, mp3_frames, 6.0, -16.0, -1.5, tuple(range(100)))


@dataclass
class Credentials:
    root: SigningKey = field(default_factory=SigningKey.generate)

    def roots(self) -> Sequence[VerifyKey]:
        return [self.root.public]

    def chain(self) -> Sequence[str]:
        return ["authority.grant", "node.grant"]

    def placement(self, speaker: Speaker) -> bytes:
        return f"{speaker.id} at {speaker.place}".encode()


@dataclass
class Network:
    """Remembers what it was told."""

    told: list[str] = field(default_factory=list)

    async def places_changed(self, territory: Territory, places: Mapping[str, Place]) -> None:
        self.told.append("places")

    def speaker_changed(self, speaker: Speaker) -> None:
        self.told.append(f"changed {speaker.id}")

    def speaker_removed(self, speaker_id: str) -> None:
        self.told.append(f"removed {speaker_id}")


@dataclass(frozen=True)
class Land:
    """A province of two communes, the first with a hamlet; two speakers at each of those three."""

    province: Place
    north: Place
    hamlet: Place
    south: Place
    speakers: tuple[Speaker, ...]

    def at(self, place: Place) -> list[str]:
        return [speaker.id for speaker in self.speakers if speaker.place == place.id]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    cheap = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    async with await Station.open(sqlite_url(tmp_path / "loa.db"), passwords=cheap) as station:
        yield station


@pytest.fixture
async def land(station: Station, clock: VirtualClock) -> Land:
    now_us = clock.now_us()
    places = station.places
    province = await places.add(NewPlace("Đồng Tháp", "province"), now_us=now_us)
    north = await places.add(NewPlace("Cao Lãnh", "commune", parent=province.id), now_us=now_us)
    hamlet = await places.add(NewPlace("Ấp 1", "hamlet", parent=north.id), now_us=now_us)
    south = await places.add(NewPlace("Mỹ Tho", "commune", parent=province.id), now_us=now_us)
    news = [
        NewSpeaker(place.id, f"Cụm {n} {place.name}", SigningKey.generate().public.raw.hex())
        for place in (north, hamlet, south)
        for n in (1, 2)
    ]
    speakers = await station.speakers.add_many(news, now_us=now_us)
    return Land(province, north, hamlet, south, tuple(speakers))


@pytest.fixture
async def password(station: Station, clock: VirtualClock) -> str:
    """The administrator's one-time password."""
    made = await station.accounts.ensure_administrator(now_us=clock.now_us())
    assert made is not None
    return made.password


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
async def air(clock: VirtualClock, station: Station, land: Land, ears: Ears) -> Air:
    territory = as_line(await station.places.list())
    return Air(clock, territory, mint=Mint(), egress=ears, feeds=microphones_only)


@pytest.fixture
def roll(clock: VirtualClock) -> Roll:
    return Roll(clock)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def emergencies(tmp_path: Path, station: Station) -> AsyncIterator[EmergencyLog]:
    log = await EmergencyLog.open(tmp_path / "journal", station)
    yield log
    await log.close()


@pytest.fixture
async def content(tmp_path: Path, station: Station) -> ContentStore:
    return await ContentStore.open(tmp_path / "content", station, Preparer())


def own_keyring(folder: Path, root_place: str, clock: VirtualClock) -> Keyring:
    """A real one, whose fresh keys sign without a pause."""
    vault = FileVault(folder)
    ring = open_ring(folder, vault, root_place, clock.now_us())
    return Keyring(ring, vault, ring_path(folder), hand_over_s=0)


@pytest.fixture
def texts() -> Iterator[Texts]:
    """The real voices; previews as the preparer makes them."""
    made = Texts(open_voices(None), Preparer())
    yield made
    made.close()


@pytest.fixture
def services(
    tmp_path: Path,
    clock: VirtualClock,
    station: Station,
    air: Air,
    roll: Roll,
    emergencies: EmergencyLog,
    content: ContentStore,
    texts: Texts,
    network: Network,
) -> Services:
    shelf = Shelf(tmp_path / "content")
    return Services(
        clock=clock,
        clock_id="00112233aabbccdd",
        software="loa test",
        station=station,
        air=air,
        roll=roll,
        emergencies=emergencies,
        content=content,
        texts=texts,
        clip=lambda folder: StoredAudio.open(shelf.folder(folder)),
        credentials=Credentials(),
        network=network,
        volumes=VolumeBook(
            station.volumes, lambda order: sign_statement(order, REGISTRAR), clock, lambda: air.territory
        ),
        keyring=own_keyring(tmp_path / "keys", air.territory.ids[0], clock),
        tokens=MicrophoneTokens(clock),
        multicast=Multicast(air, clock, on=False),
        relays=Radios(clock),
        pushes=Pushes(clock),
        archive=Archive(tmp_path / "recordings", station.recordings, clock, Rule()),
        registry=CollectorRegistry(),
        dist=tmp_path / "dist",
    )


@pytest.fixture
async def app(services: Services, password: str) -> AsyncIterator[App]:
    """A browser that nobody has logged in with."""
    async with TestClient(Server(create_app(services))) as client:
        yield client


@pytest.fixture
def desk(app: App) -> Desk:
    served = app.app
    assert served is not None
    found: Desk = served[DESK]
    return found


def described_statuses(method: str, path: str) -> set[str]:
    """What the document says that this call may be answered with; empty for a path that it does not know."""
    for pattern, operations in document()["paths"].items():
        if method.lower() in operations and re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path):
            return set(operations[method.lower()]["responses"])
    return set()


@dataclass
class Page:
    """A logged-in page: sends the CSRF token, and fails loudly when an answer is not the one expected."""

    client: App
    csrf: str

    async def call(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        answer = await self.send(method, path, body)
        assert answer.status == status, await answer.text()
        return await answer.json() if answer.content_type == "application/json" else await answer.read()

    async def send(self, method: str, path: str, body: object = None) -> ClientResponse:
        headers: Mapping[str, str] = {"X-CSRF-Token": self.csrf}
        answer = await self.client.request(method, path, json=body, headers=headers)
        described = described_statuses(method, answer.url.path)
        assert not described or str(answer.status) in described, (
            f"{method} {path}: {answer.status} undocumented"
        )
        return answer

    async def get(self, path: str, *, status: int = 200) -> Any:
        return await self.call("GET", path, status=status)

    async def post(self, path: str, body: object = None, *, status: int = 201) -> Any:
        return await self.call("POST", path, body, status=status)


NEW_PASSWORD = "một câu đủ dài"


async def log_in(app: App, password: str, name: str = "admin") -> Page:
    """As the administrator or somebody else, whose one-time password is changed."""
    answer = await app.post("/api/v1/session", json={"name": name, "password": password})
    csrf = (await answer.json())["csrf"]
    change = {"old": password, "new": NEW_PASSWORD}
    answer = await app.post("/api/v1/session/password", json=change, headers={"X-CSRF-Token": csrf})
    assert answer.status == 200, await answer.text()
    return Page(app, (await answer.json())["csrf"])


@pytest.fixture
async def page(app: App, password: str) -> Page:
    return await log_in(app, password)


@pytest.fixture
def page_of(password: str) -> Callable[[Services], AbstractAsyncContextManager[Page]]:
    """For a test that changes the services first."""

    @asynccontextmanager
    async def served(services: Services) -> AsyncIterator[Page]:
        async with TestClient(Server(create_app(services))) as client:
            yield await log_in(client, password)

    return served


@pytest.fixture
async def program(app: App, content: ContentStore, clock: VirtualClock, desk: Desk, land: Land) -> str:
    """A stored program of six seconds."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"sound"

    made = await content.receive(chunks(), place=land.province.id, title="Bài hát", now_us=clock.now_us())
    work = asyncio.create_task(content.run())
    desk.directory.put_program(await content.settled(made.id))
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return made.id
