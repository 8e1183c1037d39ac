"""The archive: what a place was given to hear, what of it is kept, and what goes when."""

from pathlib import Path

import pytest

from loa.clock import VirtualClock
from loa.codecs.frame import FRAME_US
from loa.codecs.ogg import parse_pages
from loa.codecs.opus import OPUS_PACKET_BYTES, silence_packet
from loa.station.archive import DAY_US, EMERGENCY_DAYS_FACTOR, Archive, Rule, Run
from loa.station.recordings import Slot
from loa.station.station import Station
from loa.streamer.outputs.recording import Stretch
from loa.wire.rank import BroadcastClass

PROVINCE, COMMUNE, HAMLET, OTHER = (f"{n:016x}" for n in range(1, 5))
ANCESTRY = (PROVINCE, COMMUNE, HAMLET)
SONG, ALERT = "a" * 16, "e" * 16
K = 90_000_000_000


def at(frame: int) -> int:
    return (K + frame) * FRAME_US


class Scene:
    def __init__(self, station: Station, folder: Path, rule: Rule) -> None:
        self.clock = VirtualClock(at(0))
        self.archive = Archive(folder, station.recordings, self.clock, rule)
        self.recordings = station.recordings

    async def record(
        self, program: str, first: int, frames: int, cls: BroadcastClass = BroadcastClass.ORDINARY
    ) -> Path:
        stretch = Stretch(program, program, cls, K + first)
        path = self.archive.folder / stretch.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(n.to_bytes(OPUS_PACKET_BYTES, "big") for n in range(first, first + frames)))
        self.archive.begun(stretch)
        self.archive.finished(stretch, frames)
        await self.archive.drain()
        return path

    async def air(self, frame: int, program: str | None, *places: tuple[str, bool]) -> None:
        self.archive.changed(places or ((PROVINCE, True),), at(frame), program, program)
        await self.archive.drain()

    async def heard(self, first: int, end: int) -> list[tuple[str, int, int]]:
        slots = await self.archive.slots(ANCESTRY, at(first), at(end))
        return [(s.program, s.from_us // FRAME_US - K, s.until_us // FRAME_US - K) for s in slots]


@pytest.fixture
def scene(station: Station, tmp_path: Path) -> Scene:
    return Scene(station, tmp_path / "recordings", Rule(days=30, room_bytes=10_000 * OPUS_PACKET_BYTES))


async def test_a_place_hears_what_won_there_or_above_it(scene: Scene) -> None:
    await scene.air(0, None)
    await scene.air(100, SONG)
    await scene.air(200, ALERT, (COMMUNE, True))
    await scene.air(300, SONG, (COMMUNE, True))
    await scene.air(320, ALERT, (OTHER, True), (COMMUNE, False))
    await scene.air(500, None)
    assert await scene.heard(0, 1000) == [(SONG, 100, 200), (ALERT, 200, 300), (SONG, 300, 500)]
    assert await scene.heard(250, 350) == [(ALERT, 250, 300), (SONG, 300, 350)]
    assert await scene.heard(500, 600) == []
    assert await scene.heard(-100, -50) == [], "before there was anything"


async def test_what_is_kept_fills_a_slot_and_the_rest_is_silence(scene: Scene) -> None:
    await scene.record(SONG, 100, 50)
    await scene.record(SONG, 180, 100)
    slot = Slot(at(90), at(250), SONG, SONG)
    ((*runs,),) = await scene.archive.kept([slot])
    assert [(run.frames, run.skip, run.file is None) for run in runs] == [
        (10, 0, True),
        (50, 0, False),
        (30, 0, True),
        (70, 0, False),
    ]
    packets = [packet for some in scene.archive.packets(runs) for packet in some]
    quiet = silence_packet()
    assert [quiet if p == quiet else int.from_bytes(p, "big") for p in packets] == [
        *[quiet] * 10,
        *range(100, 150),
        *[quiet] * 30,
        *range(180, 250),
    ]
    ((*inner,),) = await scene.archive.kept([Slot(at(200), at(210), SONG, SONG)])
    assert [(run.frames, run.skip) for run in inner] == [(10, 20)]


async def test_a_piece_is_one_ogg_file(scene: Scene) -> None:
    await scene.record(SONG, 0, 120)
    runs = [Run(30), *(await scene.archive.kept([Slot(at(0), at(120), SONG, SONG)]))[0]]
    pages = parse_pages(b"".join(scene.archive.ogg(runs)))
    assert [page.sequence for page in pages] == list(range(len(pages)))
    assert pages[-1].granule == 150 * 960
    assert sum(len(page.packets) for page in pages[2:]) == 150


async def test_what_a_crash_left_open_is_as_long_as_its_file(scene: Scene, station: Station) -> None:
    stretch = Stretch(SONG, SONG, BroadcastClass.ORDINARY, K)
    path = scene.archive.folder / stretch.file
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(70 * OPUS_PACKET_BYTES + 13))
    scene.archive.begun(stretch)
    gone = Stretch(ALERT, ALERT, BroadcastClass.EMERGENCY, K)
    scene.archive.begun(gone)
    await scene.archive.drain()
    assert len(await station.recordings.unfinished()) == 2
    await Archive(scene.archive.folder, station.recordings, scene.clock, Rule())._adopt()
    assert await station.recordings.unfinished() == ()
    (one,) = await station.recordings.of_programs([SONG, ALERT], 0, at(10**6))
    assert (one.program, one.frames) == (SONG, 70)


async def test_the_old_goes_and_emergencies_stay_ten_times_as_long(scene: Scene) -> None:
    song = await scene.record(SONG, 0, 50)
    alert = await scene.record(ALERT, 0, 50, BroadcastClass.EMERGENCY)
    scene.clock.advance(29 * DAY_US)
    await scene.archive.tidy()
    assert (song.exists(), alert.exists()) == (True, True)
    scene.clock.advance(2 * DAY_US)
    await scene.archive.tidy()
    assert (song.exists(), alert.exists()) == (False, True)
    scene.clock.advance(30 * EMERGENCY_DAYS_FACTOR * DAY_US)
    await scene.archive.tidy()
    assert not alert.exists()
    assert list(scene.archive.folder.iterdir()) == [], "empty folders go as well"


async def test_without_room_the_oldest_goes_first_and_emergencies_last(scene: Scene) -> None:
    alert = await scene.record(ALERT, 0, 4_000, BroadcastClass.EMERGENCY)
    songs = [await scene.record(f"{n:016x}", 10_000 * (n + 1), 3_000) for n in range(4)]
    await scene.archive.tidy()
    assert [path.exists() for path in (alert, *songs)] == [True, False, False, True, True]
    big = await scene.record(SONG, 10**6, 9_000)
    await scene.archive.tidy()
    assert [path.exists() for path in (alert, *songs, big)] == [True, *[False] * 4, False]


async def test_saying_it_twice_changes_nothing(scene: Scene) -> None:
    await scene.record(SONG, 0, 50)
    await scene.record(SONG, 0, 50)
    assert await scene.recordings.frames() == 50
