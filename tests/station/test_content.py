"""The content store: an upload ends ready or failed, through any crash, and costs nothing but itself."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from loa.codecs.mp3 import MP3_FRAME_BYTES
from loa.codecs.opus import OPUS_PACKET_BYTES
from loa.codecs.stored import MP3_FILE, OPUS_FILE
from loa.errors import ConflictError, MediaError, NotFoundError, OperatorError
from loa.station.broadcast import Broadcast
from loa.station.content import ContentEvent, ContentLimits, ContentStore, file_chunks
from loa.station.measured import Measured
from loa.station.place import Place
from loa.station.programs import Program, ProgramState
from loa.station.schema import ProgramRow
from loa.station.station import Station
from loa.wire.rank import BroadcastClass, Origin, Severity

HERE = "e" * 16

MEASURED = Measured(6, 5, 0.12, -16.0, -1.2, (0, 50, 100))


class FakePreparer:
    """Prepares files whose first word says how it goes: `good`, `bad`, or `slow` (until it is let go)."""

    def __init__(self) -> None:
        self.at_once = 0
        self.most_at_once = 0
        self.go_on = asyncio.Event()
        self.started = asyncio.Event()

    async def prepare(self, source: Path, folder: Path, on_progress: Callable[[float], None]) -> Measured:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        self.started.set()
        try:
            data = await asyncio.to_thread(source.read_bytes)
            return await self._prepare(data, folder, on_progress)
        finally:
            self.at_once -= 1

    async def _prepare(self, data: bytes, folder: Path, on_progress: Callable[[float], None]) -> Measured:
        (folder / OPUS_FILE).write_bytes(bytes(MEASURED.frames * OPUS_PACKET_BYTES))
        on_progress(0.5)
        if data.startswith(b"slow"):
            await self.go_on.wait()
        await asyncio.sleep(0)
        if data.startswith(b"bad"):
            raise MediaError("no audio in it; expected some")
        (folder / MP3_FILE).write_bytes(bytes(MEASURED.mp3_frames * MP3_FRAME_BYTES))
        return MEASURED


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def broken_off(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    raise ConnectionResetError("the browser is gone")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "content"


@pytest.fixture
def preparer() -> FakePreparer:
    return FakePreparer()


@contextlib.asynccontextmanager
async def opened(
    root: Path, station: Station, preparer: FakePreparer, limits: ContentLimits | None = None
) -> AsyncIterator[ContentStore]:
    store = await ContentStore.open(root, station, preparer, limits)
    running = asyncio.create_task(store.run())
    try:
        yield store
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        store.close()


@pytest.fixture
async def store(root: Path, station: Station, preparer: FakePreparer) -> AsyncIterator[ContentStore]:
    async with opened(root, station, preparer) as store:
        yield store


def preparing_again(program_id: str) -> sa.Update:
    return (
        sa.update(ProgramRow)
        .where(ProgramRow.id == program_id)
        .values(state=ProgramState.PREPARING, folder=None)
    )


def on_air(program_id: str, place_id: str, now_us: int) -> Broadcast:
    return Broadcast(
        "1" * 16,
        program_id,
        "file",
        "x",
        BroadcastClass.ORDINARY,
        Severity.UNKNOWN,
        Origin.LIVE,
        False,
        (place_id,),
        place_id,
        None,
        "drop",
        now_us,
        now_us + 1,
    )


def left(root: Path) -> set[str]:
    """All that lies in the content folder, its own three folders aside."""
    return {str(path.relative_to(root)) for path in root.rglob("*")} - {"incoming", "preparing", "deleted"}


def complete(program: Program) -> set[str]:
    return {program.id, *(f"{program.id}/{name}" for name in (OPUS_FILE, MP3_FILE, "measured.json"))}


async def test_an_upload_is_acknowledged_prepared_and_can_be_aired(
    store: ContentStore, root: Path, now_us: int
) -> None:
    events: list[ContentEvent] = []
    stop = store.subscribe(events.append)
    program = await store.receive(chunks(b"go", b"od"), place=HERE, title="Nhạc nền", now_us=now_us)
    assert (program.state, store.progress(program.id)) == (ProgramState.PREPARING, 0.0)
    ready = await store.settled(program.id)
    assert (ready.state, ready.measured, ready.folder) == (ProgramState.READY, MEASURED, program.id)
    assert store.progress(program.id) is None
    assert left(root) == complete(program)
    audio = await store.audio(program.id)
    assert (audio.frames, audio.mp3_frames) == (6, 5)
    audio.close()
    assert (await store.mp3_path(program.id)).exists()
    assert [(event.state, event.progress) for event in events] == [
        (ProgramState.PREPARING, 0.0),
        (ProgramState.PREPARING, 0.5),
        (ProgramState.READY, None),
    ]
    stop()


async def test_a_bad_file_fails_with_its_reason_and_leaves_nothing(
    store: ContentStore, root: Path, now_us: int
) -> None:
    bad = await store.receive(chunks(b"bad"), place=HERE, title="Ảnh", now_us=now_us)
    good = await store.receive(chunks(b"good"), place=HERE, title="Nhạc", now_us=now_us)
    failed = await store.settled(bad.id)
    assert (failed.state, failed.error) == (ProgramState.FAILED, "no audio in it; expected some")
    assert (await store.settled(good.id)).state is ProgramState.READY, "the next one is none the worse"
    assert left(root) == complete(good)
    for use in (store.audio(bad.id), store.mp3_path(bad.id)):
        with pytest.raises(ConflictError, match="failed"):
            await use


async def test_empty_too_large_and_broken_off_uploads_leave_nothing(
    root: Path, station: Station, preparer: FakePreparer, now_us: int
) -> None:
    async with opened(root, station, preparer, ContentLimits(upload_bytes=3 << 20)) as store:
        megabyte = bytes(1 << 20)
        for parts, says in (((b"",), "empty"), ((), "empty"), ((megabyte,) * 4, "more than 3 MiB")):
            with pytest.raises(MediaError, match=says):
                await store.receive(chunks(*parts), place=HERE, title="x", now_us=now_us)
        with pytest.raises(MediaError, match="more than 3 MiB"):
            await store.receive(
                chunks(b"good"), place=HERE, title="x", now_us=now_us, announced_bytes=4 << 20
            )
        with pytest.raises(ConnectionResetError):
            await store.receive(broken_off(megabyte, megabyte), place=HERE, title="x", now_us=now_us)
        with pytest.raises(OperatorError, match="title"):
            await store.receive(chunks(b"good"), place=HERE, title=" ", now_us=now_us)
        assert (left(root), await station.programs.list()) == (set(), ())
        program = await store.receive(chunks(*(megabyte,) * 3), place=HERE, title="x", now_us=now_us)
        await store.settled(program.id)


async def test_an_upload_cancelled_in_the_middle_leaves_nothing(
    store: ContentStore, station: Station, root: Path, now_us: int
) -> None:
    arrived = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        arrived.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(store.receive(stalling(), place=HERE, title="x", now_us=now_us))
    await arrived.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert (left(root), await station.programs.list()) == (set(), ())


async def test_a_disk_that_is_nearly_full_takes_no_upload(
    root: Path, station: Station, preparer: FakePreparer, now_us: int
) -> None:
    reserve = shutil.disk_usage(root.parent).total
    async with opened(root, station, preparer, ContentLimits(reserve_bytes=reserve)) as store:
        with pytest.raises(OperatorError, match="disk has less"):
            await store.receive(chunks(b"good"), place=HERE, title="x", now_us=now_us)
    assert left(root) == set()


async def test_what_waits_is_bounded_and_worked_on_few_at_a_time(
    root: Path, station: Station, preparer: FakePreparer, now_us: int
) -> None:
    async with opened(root, station, preparer, ContentLimits(waiting=5, workers=2)) as store:
        programs = [
            await store.receive(chunks(b"slow"), place=HERE, title=f"{n}", now_us=now_us) for n in range(5)
        ]
        with pytest.raises(ConflictError, match="in work"):
            await store.receive(chunks(b"good"), place=HERE, title="x", now_us=now_us)
        assert store.refused == 1
        preparer.go_on.set()
        assert [(await store.settled(program.id)).state for program in programs] == [ProgramState.READY] * 5
        assert preparer.most_at_once == 2
        await store.receive(chunks(b"good"), place=HERE, title="x", now_us=now_us)


async def test_a_deleted_program_is_gone_while_what_airs_it_reads_on(
    store: ContentStore, station: Station, root: Path, preparer: FakePreparer, now_us: int
) -> None:
    slow = await store.receive(chunks(b"slow"), place=HERE, title="x", now_us=now_us)
    with pytest.raises(ConflictError, match="being prepared"):
        await store.delete(slow.id)
    preparer.go_on.set()
    await store.settled(slow.id)
    audio = await store.audio(slow.id)
    await store.delete(slow.id)
    assert (left(root), await station.programs.list()) == (set(), ())
    assert len(audio.opus(5)) == OPUS_PACKET_BYTES
    audio.close()
    for use in (store.delete(slow.id), store.audio(slow.id), store.settled(slow.id)):
        with pytest.raises(NotFoundError, match=slow.id):
            await use


async def test_stopped_while_preparing_it_is_finished_after_the_next_start(
    root: Path, station: Station, preparer: FakePreparer, now_us: int
) -> None:
    async with opened(root, station, preparer) as store:
        slow = await store.receive(chunks(b"slow"), place=HERE, title="x", now_us=now_us)
        waiting = await store.receive(chunks(b"good"), place=HERE, title="y", now_us=now_us)
        await preparer.started.wait()
    assert (await station.programs.get(slow.id)).state is ProgramState.PREPARING
    preparer.go_on.set()
    async with opened(root, station, preparer) as store:
        for program in (slow, waiting):
            assert (await store.settled(program.id)).state is ProgramState.READY
    assert left(root) == complete(slow) | complete(waiting)


async def test_stopped_and_started_again_without_a_restart_it_goes_on(
    root: Path, station: Station, preparer: FakePreparer, now_us: int
) -> None:
    store = await ContentStore.open(root, station, preparer)
    slow = await store.receive(chunks(b"slow"), place=HERE, title="x", now_us=now_us)
    for _ in range(2):
        running = asyncio.create_task(store.run())
        await preparer.started.wait()
        running.cancel()
        await asyncio.wait([running])
        preparer.started.clear()
    preparer.go_on.set()
    running = asyncio.create_task(store.run())
    assert (await store.settled(slow.id)).state is ProgramState.READY
    running.cancel()
    await asyncio.wait([running])
    store.close()


async def test_every_half_done_thing_a_crash_can_leave_is_finished_or_cleared(
    root: Path, station: Station, preparer: FakePreparer, now_us: int
) -> None:
    async with opened(root, station, preparer) as store:
        done = [
            await store.receive(chunks(b"good"), place=HERE, title=f"{n}", now_us=now_us) for n in range(4)
        ]
        for program in done:
            await store.settled(program.id)
    put, going, gone, kept = done
    # Crashed between the folder's appearance and the database:
    async with station.database.write() as session:
        await session.execute(preparing_again(put.id))
    (root / "incoming" / put.id).write_bytes(b"good")
    # in the middle of a deletion; with the files lost:
    (root / going.id).rename(root / "deleted" / going.id)
    shutil.rmtree(root / gone.id)
    # before an upload was acknowledged, in the middle of one, in the middle of a worker's writing:
    (root / "incoming" / ("e" * 16)).write_bytes(b"good")
    (root / "incoming" / "f0f0f0f0f0f0f0f0.part").write_bytes(b"go")
    (root / "preparing" / ("d" * 16)).mkdir()
    (root / "preparing" / ("d" * 16) / OPUS_FILE).write_bytes(b"half")
    # after the row, with the upload lost to a bad disk:
    lost = await station.programs.add("c" * 16, place=HERE, title="mất", now_us=now_us)
    async with opened(root, station, preparer) as store:
        states = {program.id: (program.state, program.error) for program in await station.programs.list()}
        assert states == {
            put.id: (ProgramState.READY, None),
            kept.id: (ProgramState.READY, None),
            gone.id: (ProgramState.FAILED, "its files are gone from the content folder"),
            lost.id: (ProgramState.FAILED, "its upload was lost when the server stopped"),
        }
        assert left(root) == complete(put) | complete(kept)
        (await store.audio(put.id)).close()


async def test_a_folder_no_program_claims_is_left_alone(
    root: Path, station: Station, preparer: FakePreparer
) -> None:
    stranger = root / ("9" * 16)
    stranger.mkdir(parents=True)
    async with opened(root, station, preparer):
        assert stranger.exists()


async def test_a_program_on_air_is_not_deleted(
    store: ContentStore, station: Station, province: Place, now_us: int
) -> None:
    program = await store.receive(chunks(b"good"), place=HERE, title="x", now_us=now_us)
    await store.settled(program.id)
    broadcast = on_air(program.id, province.id, now_us)
    await station.broadcasts.add(broadcast)
    with pytest.raises(ConflictError, match="on air"):
        await store.delete(program.id)
    await station.broadcasts.end(broadcast.id, at_us=now_us, reason="stopped")
    await store.delete(program.id)


async def test_a_local_file_comes_in_as_if_it_were_uploaded(
    store: ContentStore, tmp_path: Path, now_us: int
) -> None:
    source = tmp_path / "song.wav"
    source.write_bytes(b"good" + bytes(3 << 20))
    program = await store.receive(file_chunks(source), place=HERE, title="x", now_us=now_us)
    assert (await store.settled(program.id)).state is ProgramState.READY
    with pytest.raises(NotFoundError, match=r"no\.wav"):
        await store.receive(file_chunks(tmp_path / "no.wav"), place=HERE, title="x", now_us=now_us)
