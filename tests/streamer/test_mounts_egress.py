"""Egress on a virtual clock: what each listener gets, over switches, late packets and stalls."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from loa.clock import VirtualClock
from loa.codecs.icy import IcyInserter
from loa.codecs.mp3 import MP3_FRAME_BYTES, silence_frame, split_frames
from loa.streamer.blocks import Mp3Packing, due_us, first_undue
from loa.streamer.egress import GRACE_US, MAX_LATE_US, Egress
from loa.streamer.listener import Listener
from loa.streamer.mount import BURST_BLOCKS

QUIET = silence_frame()
PLACE, OTHER = "00000000000000aa", "00000000000000bb"
BLOCK_US = 96_000


class Program:
    """Frames that name themselves: the program's letter and the grid number. `until` bounds what exists."""

    def __init__(self, name: str, since: int = 0, until: int | None = None) -> None:
        self.id = name * 16
        self.since = since
        self.until = until
        self.wanted: list[bool] = []

    def mp3(self, k: int) -> bytes | None:
        if k < self.since or (self.until is not None and k >= self.until):
            return None
        return QUIET[:4] + f"{self.id[0]}{k}".encode().ljust(MP3_FRAME_BYTES - 4, b"\0")

    def opus(self, k: int) -> bytes | None:
        return None

    def want_mp3(self, wanted: bool) -> None:
        self.wanted.append(wanted)


def frames_of(data: bytes) -> list[str]:
    """The names of the frames, "-" for silence."""
    return ["-" if frame == QUIET else frame[4:].rstrip(b"\0").decode() for frame in split_frames(data)]


@dataclass
class Air:
    playing: dict[str, Program | None] = field(default_factory=dict)
    title: str = "Bản tin"

    def resolve(self, path: str) -> str | None:
        return path

    def program_at(self, place_id: str) -> Program | None:
        return self.playing.get(place_id)

    def title_at(self, place_id: str) -> str:
        return self.title

    def name_of(self, place_id: str) -> str:
        return "Cao Lãnh"


class Pipe(asyncio.Transport):
    """A connection in memory. `stalled` keeps what is written, as a peer that does not read."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.writes: list[bytes] = []
        self.stalled = False
        self.buffered = 0
        self.high = 64 * 1024
        self.lost = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert isinstance(data, bytes)
        self.writes.append(data)
        self.data += data
        if self.stalled:
            self.buffered += len(data)
            if self.buffered > self.high and self.protocol is not None:
                self.protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.lost

    def close(self) -> None:
        if not self.lost and self.protocol is not None:
            self.lost = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class SteppedPace:
    """Time passes when the test says so, deadline by deadline."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    async def until(self, at_us: int) -> None:
        if at_us <= self._clock.now_us():
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((at_us, future))
        await future

    async def pass_until(self, at_us: int) -> None:
        await settle()
        while due := [sleeper for sleeper in self._sleepers if sleeper[0] <= at_us]:
            sleeper = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(sleeper)
            self._clock.advance(max(0, sleeper[0] - self._clock.now_us()))
            if not sleeper[1].cancelled():
                sleeper[1].set_result(None)
            await settle()
        self._clock.advance(max(0, at_us - self._clock.now_us()))


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


class Stage:
    """An egress for MP3, running, and the means to watch it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.pace = SteppedPace(self.clock)
        self.air = Air()
        self.egress = Egress(Mp3Packing(), self.air, self.clock, self.pace)
        self.first = first_undue(self.egress.packing, self.clock.now_us())

    def join(self, place: str = PLACE, inserter: IcyInserter | None = None) -> tuple[Listener, Pipe]:
        listener, burst = self.egress.join(place, inserter)
        pipe = Pipe()
        listener.adopt(pipe, self.egress.packing.bytes_per_s)
        listener.greet(b"", burst, self.air.title)
        return listener, pipe

    async def write(self, blocks: int = 1) -> None:
        """Let time pass until so many more blocks are due."""
        for _ in range(blocks):
            await self.pace.pass_until(due_us(self.egress.packing, self.first))
            self.first += 1

    def names(self, program: Program, begin: int, end: int) -> list[str]:
        """The frames of the blocks begin to end of a program."""
        return [f"{program.id[0]}{k}" for k in range(4 * begin, 4 * end)]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(stage.egress.run())
        yield stage
        stage.egress.close()
        await settle()
        running.cancel()
    assert stage.egress.listeners == 0


async def test_a_listener_gets_the_burst_and_then_every_block_once(stage: Stage) -> None:
    program = stage.air.playing[PLACE] = Program("a")
    begin = stage.first
    _, pipe = stage.join()
    assert frames_of(pipe.data) == stage.names(program, begin - BURST_BLOCKS, begin)
    await stage.write(5)
    assert frames_of(pipe.data) == stage.names(program, begin - BURST_BLOCKS, begin + 5)


async def test_no_block_is_written_before_its_last_frame_begins(stage: Stage) -> None:
    stage.air.playing[PLACE] = Program("a")
    _, pipe = stage.join()
    burst = len(pipe.writes)
    await stage.pace.pass_until(due_us(stage.egress.packing, stage.first) - 1)
    assert len(pipe.writes) == burst
    await stage.pace.pass_until(due_us(stage.egress.packing, stage.first))
    assert len(pipe.writes) == burst + 1


async def test_all_listeners_of_a_program_get_the_same_object(stage: Stage) -> None:
    program = Program("a")
    stage.air.playing = {PLACE: program, OTHER: program}
    pipes = [stage.join(place)[1] for place in (PLACE, PLACE, OTHER)]
    await stage.write()
    assert len({id(pipe.writes[-1]) for pipe in pipes}) == 1


async def test_a_switch_takes_whole_blocks_without_gap_or_repeat(stage: Stage) -> None:
    first, second = Program("a"), Program("b")
    begin = stage.first
    stage.air.playing[PLACE] = first
    _, pipe = stage.join()
    await stage.write(2)
    stage.air.playing[PLACE] = second
    await stage.write(2)
    stage.air.playing[PLACE] = None
    await stage.write(1)
    stage.air.playing[PLACE] = first
    await stage.write(1)
    played = frames_of(pipe.data)[4 * BURST_BLOCKS :]
    assert played == [
        *stage.names(first, begin, begin + 2),
        *stage.names(second, begin + 2, begin + 4),
        *["-"] * 4,
        *stage.names(first, begin + 5, begin + 6),
    ]


async def test_places_with_different_programs_are_kept_apart(stage: Stage) -> None:
    stage.air.playing = {PLACE: Program("a"), OTHER: Program("b")}
    _, here = stage.join(PLACE)
    _, there = stage.join(OTHER)
    await stage.write(2)
    assert {name[0] for name in frames_of(here.data)} == {"a"}
    assert {name[0] for name in frames_of(there.data)} == {"b"}


async def test_a_program_that_begins_inside_a_block_is_silent_before_it(stage: Stage) -> None:
    k = 4 * stage.first + 2
    _, pipe = stage.join()
    stage.air.playing[PLACE] = Program("a", since=k)
    await stage.write()
    assert frames_of(pipe.data)[-4:] == ["-", "-", f"a{k}", f"a{k + 1}"]
    assert stage.egress.counters.silent_frames == 2


async def test_late_live_frames_are_waited_for_while_others_are_served(stage: Stage) -> None:
    live, file = Program("a", until=4 * stage.first + 3), Program("b")
    stage.air.playing = {PLACE: live, OTHER: file}
    _, waiting = stage.join(PLACE)
    _, served = stage.join(OTHER)
    begin = stage.first
    await stage.write()
    assert frames_of(served.data)[-4:] == stage.names(file, begin, begin + 1)
    assert frames_of(waiting.data)[-4:] == stage.names(live, begin - 1, begin)
    live.until = None
    await stage.pace.pass_until(due_us(stage.egress.packing, begin) + 20_000)
    assert frames_of(waiting.data)[-4:] == stage.names(live, begin, begin + 1)
    assert stage.egress.counters.silent_frames == 0


async def test_frames_that_never_come_are_silence_after_the_grace(stage: Stage) -> None:
    stage.air.playing[PLACE] = Program("a", until=4 * stage.first + 3)
    _, pipe = stage.join()
    begin = stage.first
    await stage.pace.pass_until(due_us(stage.egress.packing, begin) + GRACE_US)
    assert frames_of(pipe.data)[-4:] == [*stage.names(Program("a"), begin, begin + 1)[:3], "-"]


async def test_who_joins_while_a_block_is_waited_for_gets_it_whole(stage: Stage) -> None:
    live = stage.air.playing[PLACE] = Program("a", until=4 * stage.first + 3)
    stage.join(OTHER)
    begin = stage.first
    await stage.write()
    _, pipe = stage.join(PLACE)
    live.until = None
    await stage.write(2)
    assert frames_of(pipe.data) == stage.names(live, begin - BURST_BLOCKS, begin + 3)


async def test_an_emergency_that_begins_during_the_grace_is_in_that_block(stage: Stage) -> None:
    stage.air.playing[PLACE] = Program("a", until=4 * stage.first + 3)
    _, pipe = stage.join()
    begin = stage.first
    await stage.write()
    alarm = stage.air.playing[PLACE] = Program("e")
    await stage.pace.pass_until(due_us(stage.egress.packing, begin) + 20_000)
    assert frames_of(pipe.data)[-4:] == stage.names(alarm, begin, begin + 1)


async def test_mp3_is_wanted_while_someone_hears_it_and_no_longer(stage: Stage) -> None:
    first, second = Program("a"), Program("b")
    stage.air.playing[PLACE] = first
    listener, pipe = stage.join()
    assert first.wanted == [True]
    await stage.write(1)
    stage.air.playing[PLACE] = second
    await stage.write(1)
    assert (first.wanted, second.wanted) == ([True, False], [True])
    listener.close()
    await stage.write(2)
    assert second.wanted == [True, False]
    assert pipe.lost


async def test_one_who_comes_and_goes_at_once_leaves_no_want_behind(stage: Stage) -> None:
    program = stage.air.playing[PLACE] = Program("a")
    listener, _ = stage.join()
    listener.close()
    await stage.write(2)
    assert program.wanted == [True, False]


async def test_a_want_from_before_the_start_is_let_go() -> None:
    stage = Stage()
    program = stage.air.playing[PLACE] = Program("a")
    stage.join()[0].close()
    await settle()
    running = asyncio.create_task(stage.egress.run())
    await settle()
    running.cancel()
    assert program.wanted == [True, False]


async def test_a_listener_that_does_not_read_is_cut_off_alone(stage: Stage) -> None:
    stage.air.playing[PLACE] = Program("a")
    _, slow = stage.join()
    _, good = stage.join()
    slow.stalled = True
    await stage.write(60)
    assert slow.lost
    assert not good.lost
    assert slow.buffered < 5 * stage.egress.packing.bytes_per_s
    assert (stage.egress.listeners, stage.egress.counters.too_slow) == (1, 1)
    assert frames_of(good.data) == stage.names(Program("a"), stage.first - 60 - BURST_BLOCKS, stage.first)


async def test_after_a_long_stall_the_stream_goes_on_where_it_is_now(stage: Stage) -> None:
    program = stage.air.playing[PLACE] = Program("a")
    _, pipe = stage.join()
    await stage.write()
    stage.clock.advance(MAX_LATE_US + 10 * BLOCK_US)
    stage.first = first_undue(stage.egress.packing, stage.clock.now_us())
    await stage.write()
    assert frames_of(pipe.data)[-4:] == stage.names(program, stage.first - 1, stage.first)
    assert len(pipe.writes) == 3
    assert stage.egress.counters.skipped_blocks > 50


async def test_after_a_short_stall_nothing_is_left_out(stage: Stage) -> None:
    program = stage.air.playing[PLACE] = Program("a")
    begin = stage.first
    _, pipe = stage.join()
    stage.clock.advance(10 * BLOCK_US)
    await settle()
    stage.first = first_undue(stage.egress.packing, stage.clock.now_us())
    await stage.write()
    assert frames_of(pipe.data) == stage.names(program, begin - BURST_BLOCKS, stage.first)


@pytest.mark.parametrize("places", [1, 5, 500])
async def test_the_loop_is_given_back_between_slices(stage: Stage, places: int) -> None:
    """Whatever else is on the loop runs after every 200 writes at the latest."""
    stage.air.playing = {str(place): Program("a") for place in range(places)}
    pipes = [stage.join(str(number % places))[1] for number in range(500)]
    await settle()
    seen: list[int] = []

    async def other() -> None:
        while not seen or seen[-1] < 1000:
            seen.append(sum(len(pipe.writes) for pipe in pipes))
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await stage.write()
    await task
    assert seen[0] == 500
    assert max(after - before for before, after in itertools.pairwise(seen)) <= 200


async def test_titles_go_to_those_who_asked_for_them(stage: Stage) -> None:
    stage.air.playing[PLACE] = Program("a")
    _, titled = stage.join(inserter=IcyInserter(1000))
    _, plain = stage.join()
    await stage.write(2)
    stage.air.title = "Khẩn cấp"
    await stage.write(3)
    assert "StreamTitle='Bản tin';".encode() in titled.data
    assert "StreamTitle='Khẩn cấp';".encode() in titled.data
    assert frames_of(without_titles(titled.data, 1000)) == frames_of(plain.data)


def without_titles(data: bytes, metaint: int) -> bytes:
    """What a player does with an ICY stream."""
    audio = b""
    while len(data) > metaint:
        audio += data[:metaint]
        data = data[metaint + 1 + 16 * data[metaint] :]
    return audio + data


async def test_it_counts_listeners_by_place(stage: Stage) -> None:
    listener, _ = stage.join(PLACE)
    stage.join(PLACE)
    stage.join(OTHER)
    assert (stage.egress.listeners_of(PLACE), stage.egress.listeners_of(OTHER)) == (2, 1)
    listener.close()
    await settle()
    assert (stage.egress.listeners_of(PLACE), stage.egress.listeners) == (1, 2)
    assert (stage.egress.counters.joined, stage.egress.counters.left) == (3, 1)
