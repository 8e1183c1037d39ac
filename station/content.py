"""The content store: uploads come in, are prepared once, and lie ready to be aired (`shelf.py` says where).

Laws:
- an upload is acknowledged when it is on the disk and in the database; from then on it ends ready or failed,
  through any crash;
- codec work is done elsewhere, few files at a time; what comes in, waits or is worked on is bounded, and more
  is refused (`refused` counts it);
- the disk keeps a reserve for what matters more.
State: the shelf and the thread that works on it, the queue, how far each program is; owned by the loop that
opened it.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from ..codecs.stored import StoredAudio
from ..errors import ConflictError, LoaError, NotFoundError, OperatorError
from .ids import new_id
from .preparer import Preparer
from .programs import Program, ProgramState, clean_title
from .shelf import Shelf, Upload, check_size
from .station import Station

CHUNK_BYTES = 1 << 20
"""Written in a thread: a hop costs 50 us, a megabyte a millisecond."""

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """`upload_bytes`: four hours of 16-bit stereo at 48 kHz are 2.8 GB. `reserve_bytes` stay free on the
    disk.
    """

    upload_bytes: int = 3 << 30
    reserve_bytes: int = 512 << 20
    waiting: int = 64
    workers: int = 1


@dataclass(frozen=True, slots=True)
class ContentEvent:
    """`progress` is 0..1 while preparing, `error` what is wrong when failed."""

    program: str
    state: ProgramState
    progress: float | None = None
    error: str | None = None


TEXT = "text"
"""The kind of a program that is read out: what comes in is a note (`text_note.py`), and is kept."""


@dataclass(slots=True)
class _Job:
    settled: asyncio.Event
    kind: str
    progress: float = 0.0


class ContentStore:
    """`await ContentStore.open(...)`; run `run()` in a task, or nothing is ever prepared."""

    def __init__(
        self, shelf: Shelf, station: Station, preparer: Preparer, texts: Preparer, limits: ContentLimits
    ) -> None:
        self._shelf = shelf
        self._station = station
        self._preparer = preparer
        self._texts = texts
        self._limits = limits
        self._jobs: dict[str, _Job] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()  # holds keys of _jobs, and those are bounded
        self._listeners: list[Callable[[ContentEvent], None]] = []
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="content")
        self.refused = 0

    @classmethod
    async def open(
        cls,
        root: Path,
        station: Station,
        preparer: Preparer,
        limits: ContentLimits | None = None,
        *,
        texts: Preparer | None = None,
    ) -> "ContentStore":
        """Finishes or clears what a crash left. `texts` reads bulletins out; left out: `preparer` does."""
        store = cls(Shelf(root), station, preparer, texts or preparer, limits or ContentLimits())
        try:
            await store._recover()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """After `run` has ended."""
        self._disk.shutdown()

    async def run(self) -> None:
        """Prepares what comes in, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._limits.workers):
                tasks.create_task(self._work(), name=f"prepare {number}")

    async def receive(
        self,
        chunks: AsyncIterable[bytes],
        *,
        place: str,
        title: str,
        now_us: int,
        created_by: str | None = None,
        announced_bytes: int | None = None,
        kind: str = "file",
    ) -> Program:
        """Take an upload in; the program is then `preparing`. If `chunks` raises, nothing is kept.

        ConflictError when too many wait, MediaError when it is empty or too large, OperatorError when the
        disk is full.
        """
        title = clean_title(title)
        check_size(announced_bytes or 0, self._limits.upload_bytes)
        if len(self._jobs) >= self._limits.waiting:
            self.refused += 1
            raise ConflictError(f"upload: {len(self._jobs)} files are in work; expected another try later")
        program_id = new_id()
        self._jobs[program_id] = _Job(asyncio.Event(), kind)
        try:
            await self._take_in(program_id, chunks)
            program = await self._station.programs.add(
                program_id, place=place, title=title, kind=kind, created_by=created_by, now_us=now_us
            )
        except BaseException:
            del self._jobs[program_id]
            await self._on_disk(self._shelf.discard, program_id)
            await self._station.programs.delete(program_id)
            raise
        self._queue.put_nowait(program_id)
        self._tell(ContentEvent(program_id, ProgramState.PREPARING, 0.0))
        return program

    def progress(self, program_id: str) -> float | None:
        """0..1 while it is being prepared, None otherwise."""
        job = self._jobs.get(program_id)
        return job.progress if job is not None else None

    async def settled(self, program_id: str) -> Program:
        """The program when it is ready or failed."""
        if (job := self._jobs.get(program_id)) is not None:
            await job.settled.wait()
        return await self._station.programs.get(program_id)

    async def audio(self, program_id: str) -> StoredAudio:
        """Opened for airing; the caller closes it. ConflictError when it is not ready."""
        await self._need_ready(program_id)
        return await self._on_disk(StoredAudio.open, self._shelf.folder(program_id))

    async def mp3_path(self, program_id: str) -> Path:
        """The file to listen to before airing. ConflictError when it is not ready."""
        await self._need_ready(program_id)
        return self._shelf.mp3(program_id)

    async def text(self, program_id: str) -> bytes:
        """The note that it is read out from. NotFoundError when it is no bulletin."""
        program = await self._station.programs.get(program_id)
        note = await self._on_disk(self._shelf.text, program_id) if program.kind == TEXT else None
        if note is None:
            raise NotFoundError(f"program {program.title!r} was not typed; expected a bulletin that was")
        return note

    async def delete(self, program_id: str) -> None:
        """ConflictError while it is prepared or on air. What is open for airing stays readable."""
        await self._station.programs.get(program_id)
        if program_id in self._jobs:
            raise ConflictError(
                f"program {program_id}: it is being prepared; expected to wait until it is ready"
            )
        if any(broadcast.program == program_id for broadcast in await self._station.broadcasts.open()):
            raise ConflictError(
                f"program {program_id}: it is on air; expected its broadcast to be stopped first"
            )
        await self._on_disk(self._shelf.take_down, program_id)
        await self._station.programs.delete(program_id)
        await self._on_disk(self._shelf.throw_away, program_id)

    def subscribe(self, listener: Callable[[ContentEvent], None]) -> Callable[[], None]:
        """`listener` is called on the loop and must not block. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def _recover(self) -> None:
        programs = self._station.programs
        await self._on_disk(self._shelf.open)
        for program_id in await self._on_disk(self._shelf.taken_down):
            await programs.delete(program_id)
            await self._on_disk(self._shelf.throw_away, program_id)
        for program in await programs.list():
            await self._recover_program(program)
        await self._on_disk(self._shelf.sweep, tuple(self._jobs))

    async def _recover_program(self, program: Program) -> None:
        measured = await self._on_disk(self._shelf.measured, program.id)
        if program.state is ProgramState.READY and measured is None:
            await self._station.programs.failed(program.id, "its files are gone from the content folder")
        if program.state is not ProgramState.PREPARING:
            return
        if measured is not None:
            await self._station.programs.ready(program.id, folder=program.id, measured=measured)
        elif self._shelf.upload(program.id).exists():
            self._jobs[program.id] = _Job(asyncio.Event(), program.kind)
            self._queue.put_nowait(program.id)
        else:
            await self._station.programs.failed(program.id, "its upload was lost when the server stopped")

    async def _take_in(self, program_id: str, chunks: AsyncIterable[bytes]) -> None:
        upload = Upload(self._shelf.upload(program_id), self._limits.upload_bytes)
        try:
            waiting = bytearray()
            async for chunk in chunks:
                waiting += chunk
                if len(waiting) >= CHUNK_BYTES:
                    await self._on_disk(self._write, upload, bytes(waiting))
                    waiting.clear()
            await self._on_disk(self._write, upload, bytes(waiting))
            await self._on_disk(upload.finish)
        finally:
            await self._on_disk(upload.close)

    def _write(self, upload: Upload, data: bytes) -> None:
        if self._shelf.free_bytes() - len(data) < self._limits.reserve_bytes:
            raise OperatorError(
                f"upload: the disk has less than {self._limits.reserve_bytes >> 20} MiB left, and those are "
                "reserved; expected some content to be deleted first"
            )
        upload.write(data)

    async def _work(self) -> None:
        while True:
            program_id = await self._queue.get()
            try:
                event = await self._prepare(program_id)
            except BaseException:
                self._queue.put_nowait(program_id)  # whoever starts `run` again finds it
                raise
            self._jobs.pop(program_id).settled.set()
            self._tell(event)

    async def _prepare(self, program_id: str) -> ContentEvent:
        folder = await self._on_disk(self._shelf.begin_work, program_id)
        upload, typed = self._shelf.upload(program_id), self._jobs[program_id].kind == TEXT
        preparer = self._texts if typed else self._preparer
        try:
            measured = await preparer.prepare(upload, folder, lambda part: self._note(program_id, part))
            await self._on_disk(partial(self._shelf.put, program_id, measured, typed=typed))
        except (LoaError, OSError) as problem:
            error = str(problem).replace(upload.name, "the file")
            if typed:
                await self._on_disk(self._shelf.keep_text, program_id)
            await self._station.programs.failed(program_id, error)
            await self._on_disk(self._shelf.discard, program_id)
            return ContentEvent(program_id, ProgramState.FAILED, error=error)
        await self._station.programs.ready(program_id, folder=program_id, measured=measured)
        return ContentEvent(program_id, ProgramState.READY)

    def _note(self, program_id: str, progress: float) -> None:
        self._jobs[program_id].progress = progress
        self._tell(ContentEvent(program_id, ProgramState.PREPARING, progress))

    def _tell(self, event: ContentEvent) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    async def _on_disk(self, work: Callable[[*Given], Result], *given: *Given) -> Result:
        """In the one thread that touches the folder: what is cancelled half-way ends before what follows."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *given)

    async def _need_ready(self, program_id: str) -> None:
        program = await self._station.programs.get(program_id)
        if program.state is not ProgramState.READY:
            raise ConflictError(f"program {program.title!r} is {program.state}; expected one that is ready")


async def file_chunks(path: Path) -> AsyncIterator[bytes]:
    """A file of this machine as if it were uploaded. NotFoundError when it cannot be read."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except OSError as problem:
        raise NotFoundError(f"file {path}: {problem.strerror}; expected one to read") from problem
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
    finally:
        file.close()
