"""The recorder: what aired is in the files, packet by packet, whatever the disk does."""

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from loa.clock import VirtualClock
from loa.codecs.frame import FRAME_US
from loa.codecs.opus import OPUS_PACKET_BYTES
from loa.streamer.broadcast import (
    AirEvent,
    BroadcastEnded,
    BroadcastStarted,
    OnAir,
    Order,
    Overridden,
    State,
    ToneSource,
)
from loa.streamer.outputs import recording
from loa.streamer.outputs.recording import Recorder, Stretch, tops
from loa.streamer.territory import Place, Territory
from loa.wire.rank import BroadcastClass

PROVINCE, NORTH, HAMLET, SOUTH = (f"{n:016x}" for n in range(1, 5))
ONE, OTHER = "a" * 16, "b" * 16
LAND = Territory(
    [
        Place(PROVINCE, None, "Tỉnh", "tinh", "province"),
        Place(NORTH, PROVINCE, "Bắc", "bac", "commune"),
        Place(HAMLET, NORTH, "Thôn", "thon", "hamlet"),
        Place(SOUTH, PROVINCE, "Nam", "nam", "commune"),
    ]
)


class Program:
    def __init__(self, name: str, since: int, holes: Sequence[int] = ()) -> None:
        self.id, self._since, self._holes = name, since, set(holes)

    def opus(self, k: int) -> bytes | None:
        there = k >= self._since and k not in self._holes
        return k.to_bytes(OPUS_PACKET_BYTES, "big") if there else None


class Air:
    def __init__(self) -> None:
        self.territory = LAND
        self.programs: dict[str, Program] = {}
        self.tell: Callable[[AirEvent], None] = lambda event: None

    def program_of(self, broadcast_id: str) -> Program | None:
        return self.programs.get(broadcast_id)

    def subscribe(self, listener: Callable[[AirEvent], None]) -> Callable[[], None]:
        self.tell = listener
        return lambda: None


class Book:
    def __init__(self) -> None:
        self.begun_: list[Stretch] = []
        self.finished_: list[tuple[Stretch, int]] = []
        self.changes: list[tuple[Sequence[tuple[str, bool]], int, str | None, str | None]] = []

    def begun(self, stretch: Stretch) -> None:
        self.begun_.append(stretch)

    def finished(self, stretch: Stretch, frames: int) -> None:
        self.finished_.append((stretch, frames))

    def changed(
        self, places: Sequence[tuple[str, bool]], at_us: int, broadcast: str | None, program: str | None
    ) -> None:
        self.changes.append((places, at_us, broadcast, program))


def on_air(broadcast: str, started_us: int, ended_us: int | None = None) -> OnAir:
    order = Order(
        id=broadcast,
        program_id=broadcast,
        title="Bản tin",
        targets=(PROVINCE,),
        cls=BroadcastClass.ORDINARY,
        issuer_place=PROVINCE,
        expires_us=started_us + 10**10,
        source=ToneSource(),
    )
    return OnAir(order, State.PLAYING, started_us, 1, 1, ended_us)


class Scene:
    def __init__(self, folder: Path) -> None:
        self.clock, self.air, self.book, self.folder = VirtualClock(), Air(), Book(), folder
        self.recorder = Recorder(self.air, self.clock, self.book, folder)
        self.k = self.clock.now_us() // FRAME_US
        self._work = asyncio.create_task(self.recorder.run())

    def start(self, name: str = ONE, holes: Sequence[int] = ()) -> None:
        self.air.programs[name] = Program(name, self.k, holes)
        self.air.tell(BroadcastStarted(on_air(name, self.clock.now_us())))

    def stop(self, name: str = ONE) -> None:
        self.air.tell(BroadcastEnded(on_air(name, 1, self.clock.now_us())))

    async def pass_frames(self, frames: int) -> None:
        """And let the recorder look, as it does a few times a second."""
        self.clock.advance(frames * FRAME_US)
        await asyncio.sleep(0.02)

    async def end(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    def numbers(self, stretch: Stretch) -> list[int]:
        data = (self.folder / stretch.file).read_bytes()
        assert len(data) % OPUS_PACKET_BYTES == 0
        return [
            int.from_bytes(data[n : n + OPUS_PACKET_BYTES], "big") - self.k
            for n in range(0, len(data), OPUS_PACKET_BYTES)
        ]


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "EVERY_S", 0.001)


async def test_every_packet_is_written_once_and_in_order(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.recorder.attach()
    scene.start()
    for _ in range(30):
        await scene.pass_frames(7)
    scene.stop()
    await scene.end()
    ((stretch, frames),) = scene.book.finished_
    assert scene.book.begun_ == [stretch]
    assert (stretch.first_k, stretch.program, frames) == (scene.k, ONE, 210)
    assert scene.numbers(stretch) == list(range(210))
    assert scene.recorder.counts.written == 210


async def test_a_pause_makes_two_stretches(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.recorder.attach()
    scene.start(holes=range(scene.k + 50, scene.k + 80))
    for _ in range(10):
        await scene.pass_frames(15)
    scene.stop()
    await scene.end()
    assert [(s.first_k - scene.k, n) for s, n in scene.book.finished_] == [(0, 50), (80, 70)]


async def test_the_end_of_the_node_is_the_end_of_the_stretch(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.recorder.attach()
    scene.start()
    await scene.pass_frames(60)
    await scene.end()
    assert [n for _, n in scene.book.finished_] == [60]


async def test_a_disk_that_is_full_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file stands where the folder should be")
    scene = Scene(blocked)
    scene.recorder.attach()
    scene.start()
    await scene.pass_frames(100)
    scene.stop()
    await scene.pass_frames(1)
    assert "not being recorded" in (scene.recorder.fault or "")
    assert scene.recorder.counts.failed > 0
    blocked.unlink()
    scene.start(OTHER)
    await scene.pass_frames(100)
    scene.stop(OTHER)
    await scene.end()
    assert await scene.recorder.check() is None
    assert [s.program for s in scene.book.begun_] == [OTHER]


async def test_a_write_that_fails_leaves_whole_packets(tmp_path: Path) -> None:
    """The device that is always full takes nothing, and says so at the flush."""
    scene = Scene(tmp_path)
    scene.recorder.attach()
    day = tmp_path / Stretch(ONE, ONE, BroadcastClass.ORDINARY, scene.k).file
    day.parent.mkdir(parents=True)
    day.symlink_to("/dev/full")
    scene.start()
    await scene.pass_frames(100)
    scene.stop()
    await scene.end()
    assert os.strerror(errno.ENOSPC) in (scene.recorder.fault or "")
    assert [n for _, n in scene.book.finished_] == [0]


async def test_a_disk_that_hangs_costs_packets_and_never_the_air(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "QUEUE_CHUNKS", 3)
    monkeypatch.setattr(recording, "CLOSE_S", 0.1)
    scene = Scene(tmp_path)
    stuck = tmp_path / Stretch(ONE, ONE, BroadcastClass.ORDINARY, scene.k).file
    stuck.parent.mkdir(parents=True)
    os.mkfifo(stuck)
    scene.recorder.attach()
    scene.start()
    for _ in range(20):
        await scene.pass_frames(20)
    assert scene.recorder.counts.dropped > 100
    with stuck.open("rb", buffering=0) as reader:
        scene.stop()
        await scene.end()
        assert reader.read(1)


async def test_who_won_where_is_passed_on(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.recorder.attach()
    scene.start()
    at_us = scene.clock.now_us()
    scene.air.tell(Overridden([(0, 4)], None, ONE, at_us))
    scene.air.tell(Overridden([(0, 1), (3, 4)], ONE, None, at_us + 1))
    await scene.end()
    first, all_, some = scene.book.changes
    assert first == ([(PROVINCE, True)], at_us, None, None)
    assert all_ == ([(PROVINCE, True)], at_us, ONE, ONE)
    assert some == ([(PROVINCE, False), (SOUTH, True)], at_us + 1, None, None)


@pytest.mark.parametrize(("a", "b"), [(a, b) for a in range(5) for b in range(a, 5)])
def test_tops_cover_the_slice_and_nothing_else(a: int, b: int) -> None:
    covered: list[int] = []
    for name, whole in tops(LAND, a, b):
        first, end = LAND.slice(name)
        covered += range(first, end if whole else first + 1)
    assert covered == list(range(a, b))
