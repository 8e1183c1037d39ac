"""The archive over the API and for citizens: the index, a piece as Ogg-Opus and as FLAC."""

import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from loa.clock import VirtualClock
from loa.codecs.frame import FRAME_SAMPLES, FRAME_US, SAMPLE_RATE
from loa.codecs.ogg import parse_pages
from loa.codecs.opus import OPUS_PACKET_BYTES, OpusEncoder
from loa.station.archive import DAY_US, Archive
from loa.station.broadcast import Broadcast
from loa.streamer.outputs.recording import Stretch
from loa.web.application import DESK
from loa.web.archive_audio import AT_ONCE, COUNTER, Counter
from loa.web.archive_public import PublicArchive
from loa.web.desk import Desk
from loa.web.guard import supervise
from loa.web.model import moment
from loa.web.services import Services
from loa.wire.rank import BroadcastClass, Origin, Severity

from .conftest import App, Land, Page

SONG, ALERT, DRILL = "a" * 16, "e" * 16, "d" * 16
API = "/api/v1/archive"


@dataclass
class Aired:
    """A song of ten seconds from `k` on, an alert of two, a drill of two."""

    k: int
    land: Land
    archive: Archive

    def query(self, first_s: float = 0, end_s: float = 20) -> dict[str, str]:
        at_us = self.k * FRAME_US
        return {
            "from": moment(at_us + round(first_s * 1e6)).isoformat(),
            "to": moment(at_us + round(end_s * 1e6)).isoformat(),
        }


@pytest.fixture
async def aired(services: Services, clock: VirtualClock, land: Land) -> Aired:
    k, archive, station = clock.now_us() // FRAME_US, services.archive, services.station
    tone = (8000 * np.sin(2 * np.pi * 500 * np.arange(SAMPLE_RATE * 10) / SAMPLE_RATE)).astype(np.int16)
    encoder = OpusEncoder(tonal=True)
    packets = [encoder.encode(frame) for frame in tone.reshape(-1, FRAME_SAMPLES)]
    archive.changed([(land.province.id, True)], k * FRAME_US, None, None)
    for name, first, frames, cls in (
        (SONG, 0, 500, BroadcastClass.ORDINARY),
        (ALERT, 600, 100, BroadcastClass.EMERGENCY),
        (DRILL, 800, 100, BroadcastClass.PRIORITY),
    ):
        stretch = Stretch(name, name, cls, k + first)
        path = archive.folder / stretch.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(packets[:frames]))
        archive.begun(stretch)
        archive.finished(stretch, frames)
        archive.changed([(land.province.id, True)], (k + first) * FRAME_US, name, name)
        archive.changed([(land.province.id, True)], (k + first + frames) * FRAME_US, None, None)
        await station.broadcasts.add(
            Broadcast(
                id=name,
                program=None,
                source="tone",
                title=f"Bài {name[0]}",
                cls=cls,
                severity=Severity.UNKNOWN,
                origin=Origin.SCHEDULE,
                drill=name == DRILL,
                targets=(land.province.id,),
                issuer_place=land.province.id,
                issuer_account=None,
                resume="continue",
                started_us=(k + first) * FRAME_US,
                expires_us=(k + 10_000) * FRAME_US,
            )
        )
    await archive.drain()
    clock.advance(60_000_000)
    return Aired(k, land, archive)


async def get(page: Page, path: str, query: dict[str, str], *, status: int = 200) -> bytes:
    answer = await page.client.get(path, params=query)
    assert answer.status == status, await answer.text()
    return await answer.read()


async def test_what_aired_at_a_place(page: Page, aired: Aired) -> None:
    place = aired.land.north.id
    answer = await page.client.get(API, params={"place": place, **aired.query()})
    body = await answer.json()
    assert body["place"] == place
    assert [(one["title"], one["cls"], one["drill"], one["recorded_s"]) for one in body["aired"]] == [
        ("Bài a", "ordinary", False, 10.0),
        ("Bài e", "emergency", False, 2.0),
        ("Bài d", "priority", True, 2.0),
    ]
    assert body["aired"][0]["start"] == moment(aired.k * FRAME_US).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


async def test_a_piece_has_its_true_length(page: Page, aired: Aired) -> None:
    data = await get(page, f"{API}/{aired.land.north.id}/audio", aired.query(5, 15))
    pages = parse_pages(data)
    packets = [packet for one in pages[2:] for packet in one.packets]
    assert len(packets) == 500
    assert len(set(packets[250:350])) == 1, "silence between"
    assert {len(packet) for packet in packets} == {OPUS_PACKET_BYTES}


def decoded(data: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    with av.open(io.BytesIO(data), "r") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames)


async def test_a_piece_as_flac(page: Page, aired: Aired) -> None:
    query = aired.query(8, 12) | {"format": "flac"}
    answer = await page.client.get(f"{API}/{aired.land.province.id}/audio", params=query)
    assert answer.content_type == "audio/flac"
    assert answer.headers["Content-Disposition"].endswith('.flac"')
    pcm = decoded(await answer.read()).astype(np.float64)
    assert len(pcm) == 4 * SAMPLE_RATE
    spectrum = np.abs(np.fft.rfft(pcm[:SAMPLE_RATE]))
    assert int(np.argmax(spectrum)) == 500
    assert np.abs(pcm[-SAMPLE_RATE:]).max() < 10


@pytest.mark.parametrize("query", [(10, 10), (10, 5), (0, 5 * 3600)])
async def test_a_time_that_is_none_is_refused(page: Page, aired: Aired, query: tuple[int, int]) -> None:
    said = await get(page, f"{API}/{aired.land.province.id}/audio", aired.query(*query), status=422)
    assert b"at most 4 hours" in said


async def test_only_so_many_pieces_at_a_time(page: Page, aired: Aired) -> None:
    served = page.client.app
    assert served is not None
    counter = served[COUNTER]
    counter.now = AT_ONCE
    await get(page, f"{API}/{aired.land.province.id}/audio", aired.query(), status=503)
    counter.now = 0
    await get(page, f"{API}/{aired.land.province.id}/audio", aired.query())
    assert counter.now == 0


@pytest.fixture
async def citizens(app: App, desk: Desk, aired: Aired, clock: VirtualClock) -> Any:
    """Who are not logged in."""
    open_to_all = web.Application(middlewares=[supervise])
    open_to_all[COUNTER] = Counter()

    def resolve(path: str) -> str | None:
        return aired.land.province.id if path in ("tinh", aired.land.province.id) else None

    PublicArchive(desk, resolve, clock, 7).add_routes(open_to_all.router)
    async with TestClient(TestServer(open_to_all)) as client:
        yield client
    assert app.app is not None
    assert app.app[DESK] is desk


async def test_citizens_hear_again_what_was_for_everybody(citizens: App, aired: Aired) -> None:
    answer = await citizens.get("/archive/tinh/index.json", params=aired.query())
    assert [one["title"] for one in (await answer.json())["aired"]] == ["Bài a"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    audio = await citizens.get("/archive/tinh/audio.opus", params=aired.query(9, 19))
    assert audio.headers["Cache-Control"] == "no-store"
    packets = [packet for one in parse_pages(await audio.read())[2:] for packet in one.packets]
    assert len(packets) == 50, "one second of the song; no alert, no drill"


async def test_citizens_are_told_what_there_is_not(citizens: App, aired: Aired, clock: VirtualClock) -> None:
    assert (await citizens.get("/archive/nowhere/index.json", params=aired.query())).status == 404
    assert (await citizens.get("/archive/tinh/audio.opus", params=aired.query(12, 14))).status == 404
    assert (await citizens.get("/archive/tinh/audio.opus", params={"from": "x"})).status == 422
    settled = await citizens.get("/archive/tinh/audio.opus", params=aired.query(0, 9))
    clock.advance(60_000_000)
    settled = await citizens.get("/archive/tinh/audio.opus", params=aired.query(0, 9))
    assert settled.headers["Cache-Control"] == "public, max-age=86400"
    clock.advance(7 * DAY_US)
    assert (await citizens.get("/archive/tinh/audio.opus", params=aired.query())).status == 404
