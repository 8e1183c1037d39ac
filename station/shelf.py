"""The content store's folder: what lies where, and how it gets there in one step. Everything here blocks.

    <program id>/   opus.bin, audio.mp3 (`codecs.stored`), measured.json: complete, or not there at all;
                    of a typed bulletin text.json too, which is alone there when it cannot be read out
    incoming/       uploads that wait for their worker; `.part` while they come in
    preparing/      where workers write
    deleted/        on their way out

Laws: a program's folder appears under its id at once, complete and synced; what a crash leaves half-done lies
in one of the three other folders, and `sweep` clears them. A folder that no program claims is left alone: it
may be that the wrong database was opened.
"""

import json
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ..codecs.stored import MP3_FILE
from ..errors import ConfigError, MediaError, OperatorError, ProtocolError
from ..trust.ids import is_id
from .durable import replace_file, sync_file, sync_folder, write_all
from .measured import Measured, build_measured, parse_measured

_NOTE = "measured.json"
TEXT_FILE = "text.json"
"""What is read out (`text_note.py`)."""


class Shelf:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._preparing = root / "preparing"
        self._deleted = root / "deleted"

    def open(self) -> None:
        try:
            for folder in (self._incoming, self._preparing, self._deleted):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise ConfigError(
                f"content {self._root}: {problem.strerror}; expected to write in it"
            ) from problem

    def folder(self, program_id: str) -> Path:
        return self._root / program_id

    def mp3(self, program_id: str) -> Path:
        return self._root / program_id / MP3_FILE

    def upload(self, program_id: str) -> Path:
        return self._incoming / program_id

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._root).free

    def begin_work(self, program_id: str) -> Path:
        """An empty folder for a worker."""
        folder = self._preparing / program_id
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def put(self, program_id: str, measured: Measured, *, typed: bool = False) -> None:
        """What the worker made becomes the program's; its upload goes, or is kept beside it if it was
        typed."""
        made = self._preparing / program_id
        if typed:
            shutil.copyfile(self.upload(program_id), made / TEXT_FILE)
        replace_file(made / _NOTE, json.dumps(build_measured(measured)).encode(), mode=0o644)
        for path in made.iterdir():
            with path.open("rb") as file:
                sync_file(file.fileno())
        sync_folder(made)
        made.rename(self.folder(program_id))
        sync_folder(self._root)
        self.upload(program_id).unlink(missing_ok=True)

    def measured(self, program_id: str) -> Measured | None:
        """What was noted beside a complete program; None when there is none."""
        try:
            note = (self.folder(program_id) / _NOTE).read_bytes()
            return parse_measured(json.loads(note))
        except (FileNotFoundError, ValueError, ProtocolError):
            return None

    def keep_text(self, program_id: str) -> None:
        """The note of a bulletin that came to nothing, so that it can be mended; lost if the disk fails."""
        with suppress(OSError):
            alone = self.begin_work(program_id)
            self.upload(program_id).rename(alone / TEXT_FILE)
            sync_folder(alone)
            alone.rename(self.folder(program_id))
            sync_folder(self._root)

    def text(self, program_id: str) -> bytes | None:
        """The note of a bulletin, wherever it is on its way; None when it is none."""
        for path in (self.folder(program_id) / TEXT_FILE, self.upload(program_id)):
            with suppress(FileNotFoundError):
                return path.read_bytes()
        return None

    def discard(self, program_id: str) -> None:
        """An upload that came to nothing."""
        for path in (self.upload(program_id), _part(self.upload(program_id))):
            path.unlink(missing_ok=True)
        shutil.rmtree(self._preparing / program_id, ignore_errors=True)

    def take_down(self, program_id: str) -> None:
        """First step of a deletion; `sweep` finds it if there is no second."""
        with suppress(FileNotFoundError):
            self.folder(program_id).rename(self._deleted / program_id)
            sync_folder(self._root)

    def throw_away(self, program_id: str) -> None:
        shutil.rmtree(self._deleted / program_id, ignore_errors=True)

    def taken_down(self) -> list[str]:
        return [path.name for path in self._deleted.iterdir() if is_id(path.name)]

    def sweep(self, waiting: Collection[str]) -> None:
        """Clear what no program in `waiting` still needs. Only at start, while nothing comes in."""
        for path in self._incoming.iterdir():
            if path.name not in waiting:
                path.unlink()
        for path in self._preparing.iterdir():
            shutil.rmtree(path, ignore_errors=True)


class Upload:
    """A file that comes in: under another name until it is whole and synced. All methods from one thread."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._file = -1
        self.size = 0

    def write(self, data: bytes) -> None:
        """MediaError beyond the limit, OperatorError when the disk takes no more."""
        self.size += len(data)
        check_size(self.size, self._limit_bytes)
        try:
            if self._file < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._file = os.open(_part(self._path), flags, 0o600)
            write_all(self._file, data)
        except OSError as problem:
            raise OperatorError(f"upload: {problem.strerror}; expected room on the disk") from problem

    def finish(self) -> None:
        if self.size == 0:
            raise MediaError("upload: it is empty; expected an audio file")
        sync_file(self._file)
        _part(self._path).rename(self._path)
        sync_folder(self._path.parent)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def check_size(size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise MediaError(f"upload: more than {limit_bytes >> 20} MiB; expected a file of at most that")


def _part(path: Path) -> Path:
    return path.with_suffix(".part")
