"""One frame to many links: chunks, urgency, age, and links that take no more."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.clock import VirtualClock
from loa.streamer.dispatch import CHUNK_BYTES, CHUNK_LINKS, MOST_JOBS, Dispatch
from loa.streamer.link import (
    BATCH_BYTES,
    BEHIND_US,
    SEND_BUFFER_BYTES,
    Link,
    LinkState,
    binary_frame,
    prepare_transport,
)
from loa.streamer.outbox import AUDIO_AGE_US, MOST_KEPT, Lane, Piece
from loa.streamer.rows import Rows


class Line(asyncio.WriteTransport):
    """A connection with a window: what does not fit is held, and writing is paused until it is read."""

    def __init__(self, window: int = 1 << 30) -> None:
        self.window = window
        self.written: list[bytes] = []
        self.held = 0
        self.gone = False

    @property
    def writing_paused(self) -> bool:
        return self.held > self.window

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.written.append(data)
        self.held += len(data)

    def read(self) -> None:
        self.held = 0

    def is_closing(self) -> bool:
        return self.gone

    def abort(self) -> None:
        self.gone = True


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.counts: Counter[str] = Counter()
        self.dispatch = Dispatch(self.clock, self.counts)

    def link(self, name: str = "a", window: int = 1 << 30) -> tuple[Link, Line]:
        line = Line(window)
        return Link(name, "place", b"token", line, line, self.counts), line

    def piece(self, frame: bytes, lane: Lane = Lane.AUDIO, *, perishable: bool = False) -> Piece:
        return Piece(frame, lane, self.clock.now_us(), perishable)

    def many(self, count: int) -> tuple[list[Link], list[Line]]:
        pairs = [self.link(str(i)) for i in range(count)]
        return [link for link, _ in pairs], [line for _, line in pairs]

    def finish(self) -> None:
        while self.dispatch.turn():
            pass


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_chunk_at_a_time(bench: Bench) -> None:
    links, lines = bench.many(CHUNK_LINKS * 2 + 1)
    bench.dispatch.send(bench.piece(b"x"), links)
    served = []
    while bench.dispatch.turn():
        served.append(sum(1 for line in lines if line.written))
    assert served == [CHUNK_LINKS, CHUNK_LINKS * 2, CHUNK_LINKS * 2 + 1]
    assert all(line.written == [b"x"] for line in lines)


def test_small_jobs_share_a_chunk(bench: Bench) -> None:
    links, lines = bench.many(3)
    for frame in (b"1", b"2", b"3"):
        bench.dispatch.send(bench.piece(frame), links)
    assert bench.dispatch.turn()
    assert not bench.dispatch.turn()
    assert all(line.written == [b"1", b"2", b"3"] for line in lines)


def test_large_frames_go_to_fewer_links_at_a_stretch(bench: Bench) -> None:
    links, lines = bench.many(CHUNK_LINKS)
    bench.dispatch.send(bench.piece(bytes(CHUNK_BYTES // 4)), links)
    bench.dispatch.turn()
    assert 1 <= sum(1 for line in lines if line.written) <= 4
    bench.finish()
    assert all(len(line.written) == 1 for line in lines)


def test_urgent_overtakes_in_the_middle_of_a_job(bench: Bench) -> None:
    links, lines = bench.many(CHUNK_LINKS * 3)
    bench.dispatch.send(bench.piece(b"audio"), links)
    bench.dispatch.send(bench.piece(b"control", Lane.CONTROL), links)
    bench.dispatch.turn()
    assert lines[0].written == [b"control"], "control before audio"
    bench.dispatch.send(bench.piece(b"U1", Lane.URGENT), links)
    bench.dispatch.send(bench.piece(b"U2", Lane.URGENT), links)
    bench.finish()
    assert lines[0].written == [b"control", b"U1", b"U2", b"audio"]
    assert lines[-1].written == [b"U1", b"U2", b"control", b"audio"]


def test_audio_too_old_to_be_played_is_not_written(bench: Bench) -> None:
    links, lines = bench.many(CHUNK_LINKS + 10)
    bench.dispatch.send(bench.piece(b"old", perishable=True), links)
    bench.dispatch.send(bench.piece(b"start", Lane.URGENT), links[:1])
    bench.dispatch.turn()
    bench.clock.advance(AUDIO_AGE_US + 1)
    bench.finish()
    assert lines[0].written == [b"start", b"old"]
    assert lines[-1].written == []
    assert bench.counts["dropped_audio"] == 11


def test_a_lane_is_bounded(bench: Bench) -> None:
    links, lines = bench.many(1)
    for i in range(MOST_JOBS + 2):
        bench.dispatch.send(bench.piece(b"%d" % i), links)
    bench.dispatch.send(bench.piece(b"U", Lane.URGENT), links)
    bench.finish()
    assert lines[0].written[:2] == [b"U", b"2"]
    assert len(lines[0].written) == MOST_JOBS + 1
    assert bench.counts["dropped_job_audio"] == 2


def test_a_link_that_takes_no_more_costs_only_itself(bench: Bench) -> None:
    slow, slow_line = bench.link("slow", window=10)
    quick, quick_line = bench.link("quick")
    for i in range(5):
        bench.dispatch.send(bench.piece(b"%d-audio" % i, perishable=True), [slow, quick])
    bench.dispatch.send(bench.piece(b"end", Lane.CONTROL), [slow, quick])
    bench.finish()
    assert len(quick_line.written) == 6
    assert slow_line.written == [b"end", b"0-audio", b"1-audio"], "the window was full then"
    bench.dispatch.send(bench.piece(b"start", Lane.URGENT), [slow])
    bench.finish()
    bench.dispatch.sweep()
    assert len(slow_line.written) == 3
    slow_line.read()
    bench.dispatch.sweep()
    assert slow_line.written[3:] == [b"start2-audio3-audio4-audio"]
    slow_line.read()
    bench.dispatch.sweep()
    bench.dispatch.write(bench.piece(b"next"), slow)
    assert slow.state is LinkState.FLOWING
    assert slow_line.written[-1] == b"next"


def test_a_link_that_flows_again_gets_it_in_batches(bench: Bench) -> None:
    slow, line = bench.link(window=10)
    for _ in range(5):
        bench.dispatch.write(bench.piece(bytes(BATCH_BYTES)), slow)
    for _ in range(4):
        line.read()
        bench.dispatch.sweep()
    assert [len(frames) for frames in line.written] == [BATCH_BYTES] * 5


def test_blocked_too_long_is_cut_and_progress_is_not(bench: Bench) -> None:
    slow, line = bench.link(window=10)
    for _ in range(3):
        bench.dispatch.write(bench.piece(bytes(BATCH_BYTES)), slow)
    bench.clock.advance(BEHIND_US)
    line.read()
    bench.dispatch.sweep()
    bench.clock.advance(BEHIND_US)
    bench.dispatch.sweep()
    assert bench.counts["cut_slow"] == 0
    bench.clock.advance(1)
    bench.dispatch.sweep()
    assert slow.state is LinkState.CUT
    assert line.gone
    assert bench.counts["cut_slow"] == 1
    bench.dispatch.write(bench.piece(b"more"), slow)
    bench.dispatch.sweep()
    assert len(line.written) == 2
    assert bench.counts["cut_slow"] == 1


def test_too_much_that_must_not_be_lost_cuts_at_once(bench: Bench) -> None:
    slow, line = bench.link(window=0)
    for _ in range(MOST_KEPT + 1):
        bench.dispatch.write(bench.piece(b"c", Lane.CONTROL), slow)
    assert bench.counts["cut_slow"] == 0
    bench.dispatch.write(bench.piece(b"c", Lane.CONTROL), slow)
    assert line.gone
    assert bench.counts["cut_slow"] == 1


def test_nothing_is_written_to_a_closing_connection(bench: Bench) -> None:
    link, line = bench.link()
    line.gone = True
    bench.dispatch.send(bench.piece(b"x"), [link])
    bench.finish()
    assert line.written == []


async def test_run_serves_jobs_and_blocked_links(bench: Bench) -> None:
    slow, line = bench.link(window=4)
    task = asyncio.create_task(bench.dispatch.run(), name="dispatch")
    await asyncio.sleep(0)
    bench.dispatch.send(bench.piece(b"first"), [slow])
    bench.dispatch.send(bench.piece(b"second"), [slow])
    await until(lambda: line.written == [b"first"] and slow.outbox is not None)
    line.read()
    await until(lambda: line.written == [b"first", b"second"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens on a socket or a fake line
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65_535, b"\x82\x7e\xff\xff"),
        (65_536, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_frames_as_rfc_6455_lays_them_out(size: int, head: bytes) -> None:
    assert binary_frame(bytes(size)) == head + bytes(size)


async def test_a_transport_is_paused_as_soon_as_the_kernel_takes_no_more() -> None:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    prepare_transport(transport)
    assert transport.get_write_buffer_limits() == (0, 1)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES
    transport.abort()
    theirs.close()
    await asyncio.sleep(0)


class Seat:
    def __init__(self, index: int) -> None:
        self.index = index


@given(
    indices=st.lists(st.integers(-1, 9), max_size=30),
    gone=st.sets(st.integers(0, 29)),
    moved=st.lists(st.integers(-1, 9), min_size=30, max_size=30),
    edges=st.lists(st.integers(0, 10), max_size=6),
)
def test_rows_between_slices(indices: list[int], gone: set[int], moved: list[int], edges: list[int]) -> None:
    seats = [Seat(index) for index in indices]
    rows: Rows[Seat] = Rows()
    for seat in seats:
        rows.add(seat)
    for at in gone:
        if at < len(seats):
            rows.discard(seats[at])
            rows.discard(seats[at])
    left = [seat for at, seat in enumerate(seats) if at not in gone]
    slices = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if a < b]

    def check() -> None:
        found = rows.between(slices)
        right = [seat for a, b in slices for seat in left if a <= seat.index < b]
        assert sorted(map(id, found)) == sorted(map(id, right))
        assert len(rows) == len(left)

    check()
    for seat, index in zip(left, moved, strict=False):
        seat.index = index
    rows.sort()
    check()
    assert [seat.index for seat in rows] == sorted(seat.index for seat in left)
