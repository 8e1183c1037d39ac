"""The journal: what must not be lost, on the disk before anybody is told that it was accepted.

Laws:
- `append` returns after fsync; what it returned for is read back after any crash, in order (`record.py`);
- a torn tail, which only a crash leaves, was never acknowledged: it is cut off, kept beside the segment as
  `.torn`, and reported; damage anywhere else is an error, and nothing is thrown away;
- one process at a time; all disk work in one thread of its own, so that it waits behind nothing else;
- after a failed fsync nobody knows what the disk holds: the journal takes no more and says so.
State: the segments of its folder, the open one and the position in it; owned by the journal's thread.
"""

import asyncio
import contextlib
import fcntl
import itertools
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import ConflictError, OperatorError, ProtocolError
from .durable import sync_file, sync_folder, write_all
from .record import (
    JOURNAL_ID_BYTES,
    MAX_PAYLOAD_BYTES,
    SEGMENT_HEADER_BYTES,
    Position,
    Record,
    Segment,
    build_record,
    build_segment_header,
    parse_segment,
)

SEGMENT_BYTES = 4 << 20
"""A new file after this: read whole at start in a few milliseconds, and old ones can go one by one."""
MAX_WAITING = 256
"""Appends on their way to the disk; at some 5 ms each the last would wait a second."""


class Journal:
    """`await Journal.open(folder)`, `await append(payload)`, `replay()`, `await close()`.

    `healed` says in words what a crash had left torn, None if nothing. `refused` counts appends turned away
    because too many waited.
    """

    def __init__(self, folder: Path, segment_bytes: int, sync: Callable[[int], None]) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting = 0
        self._lock = -1
        self._file = -1
        self._size = 0
        self._position = Position.start(bytes(JOURNAL_ID_BYTES))
        self._broken: str | None = None
        self.healed: str | None = None
        self.refused = 0

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        sync: Callable[[int], None] = sync_file,
    ) -> "Journal":
        """ConflictError when another process has it, OperatorError when it is damaged or not writable.

        `sync` is what puts a file's bytes onto the disk; a test gives one that fails.
        """
        journal = cls(folder, segment_bytes, sync)
        try:
            await asyncio.get_running_loop().run_in_executor(journal._thread, journal._open)
        except BaseException:
            await journal.close()
            raise
        return journal

    @property
    def id(self) -> str:
        """Random, for the journal's life: sequences of two journals cannot be taken for each other's."""
        return self._position.journal.hex()

    @property
    def last(self) -> int:
        """The sequence of the last record on the disk; 0 when there is none."""
        return self._position.sequence

    async def append(self, payload: bytes) -> int:
        """Returns the record's sequence when it is on the disk. OperatorError when the disk refuses it.

        A caller that is cancelled leaves it open whether the record was written.
        """
        if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
            raise OperatorError(
                f"journal: {len(payload)} bytes; expected 1 to {MAX_PAYLOAD_BYTES} in a record"
            )
        if self._waiting >= MAX_WAITING:
            self.refused += 1
            raise ConflictError(
                f"journal: {MAX_WAITING} records wait for the disk; expected another try in a second"
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._append, payload)
        finally:
            self._waiting -= 1

    def replay(self, after: int = 0) -> Iterator[Record]:
        """The records on the disk beyond sequence `after`, in order. Blocks: it reads files."""
        last = self.last
        for path in _segments(self._folder):
            if (segment := _read(path)) is None or segment.end.sequence <= after:
                continue
            for record in segment.records:
                if after < record.sequence <= last:
                    yield record

    async def read(self, after: int = 0) -> tuple[Record, ...]:
        """As `replay`, in the journal's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: tuple(self.replay(after)))

    async def retire(self, upto: int, *, keep: int = 8) -> int:
        """Delete segments that hold nothing beyond sequence `upto`, except the `keep` newest; returns how
        many.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._retire, upto, keep)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise OperatorError(
                f"journal {self._folder}: {problem.strerror}; expected a folder to write in"
            ) from problem
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise ConflictError(
                f"journal {self._folder}: another process has it; expected only one"
            ) from problem
        try:
            self._recover()
        except ProtocolError as problem:
            raise OperatorError(
                f"{problem}. It holds accepted orders: keep it; a new one is begun when it is moved away"
            ) from problem

    def _recover(self) -> None:
        """Check every segment and the chain across them, heal the torn tail, stand behind the last record."""
        before: Segment | None = None
        paths = _segments(self._folder)
        for path in paths:
            segment = _read(path)
            torn = segment is None or segment.whole_bytes < path.stat().st_size
            if torn and path != paths[-1]:
                raise ProtocolError(
                    f"journal {path}: torn, though a later segment exists; expected a whole one"
                )
            if segment is not None and before is not None and segment.begin != before.end:
                raise ProtocolError(
                    f"journal {path}: does not continue the segment before; expected none missing"
                )
            if torn:
                self._heal(path, segment.whole_bytes if segment is not None else 0)
            before = segment or before
        if before is not None:
            self._position = before.end
        if before is not None and (path := paths[-1]).exists():
            self._file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            self._size = os.lseek(self._file, 0, os.SEEK_END)
        else:
            start = Position.start(secrets.token_bytes(JOURNAL_ID_BYTES))
            self._begin_segment(before.end if before is not None else start)

    def _heal(self, path: Path, whole_bytes: int) -> None:
        data = path.read_bytes()
        beside = path.with_suffix(f".{whole_bytes}-{secrets.token_hex(4)}.torn")
        with beside.open("xb") as kept:
            kept.write(data[whole_bytes:])
            kept.flush()
            self._sync(kept.fileno())
        if whole_bytes < SEGMENT_HEADER_BYTES:
            path.unlink()
        else:
            with path.open("r+b") as torn:
                torn.truncate(whole_bytes)
                self._sync(torn.fileno())
        sync_folder(self._folder)
        self.healed = (
            f"journal {path}: {len(data) - whole_bytes} bytes of an unfinished record moved to {beside.name}"
        )

    def _begin_segment(self, begin: Position) -> None:
        path = self._folder / f"{begin.sequence + 1:020d}.journal"
        new = path.with_suffix(".new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_all(file, build_segment_header(begin))
            self._sync(file)
            new.rename(path)
            sync_folder(self._folder)
        except BaseException:
            os.close(file)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._position = file, SEGMENT_HEADER_BYTES, begin

    def _append(self, payload: bytes) -> int:
        if self._broken is not None:
            raise OperatorError(
                f"journal {self._folder}: {self._broken}; expected a repaired disk and a restart"
            )
        try:
            if self._size >= self._segment_bytes:
                self._begin_segment(self._position)
            data, after = build_record(self._position, payload)
            write_all(self._file, data)
        except OSError as problem:
            self._cut_back(problem)
            raise OperatorError(
                f"journal {self._folder}: {problem.strerror}; expected room on the disk"
            ) from problem
        try:
            self._sync(self._file)
        except OSError as problem:
            self._broken = f"the disk failed to keep a record ({problem.strerror})"
            raise OperatorError(
                f"journal {self._folder}: {self._broken}; expected a disk that works"
            ) from problem
        self._size += len(data)
        self._position = after
        return after.sequence

    def _cut_back(self, problem: OSError) -> None:
        """Take half a record away again, so that the next one does not follow garbage."""
        try:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            self._sync(self._file)
        except OSError:
            self._broken = f"half a record could not be taken back ({problem.strerror})"

    def _retire(self, upto: int, keep: int) -> int:
        paths = _segments(self._folder)
        old = [path for path, later in itertools.pairwise(paths) if _first(later) <= upto + 1]
        gone = old[: max(0, min(len(old), len(paths) - keep))]
        for path in gone:
            path.unlink()
        if gone:
            sync_folder(self._folder)
        return len(gone)

    def _close(self) -> None:
        for file in (self._file, self._lock):
            if file >= 0:
                with contextlib.suppress(OSError):
                    os.close(file)
        self._file = self._lock = -1
        self._broken = "it is closed"


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def _first(path: Path) -> int:
    return int(path.stem)


def _read(path: Path) -> Segment | None:
    return parse_segment(path.read_bytes(), str(path))
