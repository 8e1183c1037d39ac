"""A program that was encoded when it was uploaded, read by packet number.

A folder holds `opus.bin` (packets of OPUS_PACKET_BYTES) and `audio.mp3` (frames of MP3_FRAME_BYTES), end to
end, with nothing around them, so packet i lies at i times its size. Laws: a read is a copy out of a
read-only map, safe from any thread and without a lock; the pages belong to the kernel, so a thousand open
programs cost address space, not memory. Whoever opened it closes it; a read after that is an error, never a
crash.
"""

import mmap
from pathlib import Path
from types import TracebackType

from ..errors import InternalError, MediaError
from .mp3 import MP3_FRAME_BYTES
from .opus import OPUS_PACKET_BYTES

OPUS_FILE = "opus.bin"
MP3_FILE = "audio.mp3"


class StoredAudio:
    """Open with `StoredAudio.open(folder)`."""

    def __init__(self, opus: mmap.mmap, mp3: mmap.mmap) -> None:
        self._opus = opus
        self._mp3 = mp3
        self.frames = len(opus) // OPUS_PACKET_BYTES
        self.mp3_frames = len(mp3) // MP3_FRAME_BYTES

    @classmethod
    def open(cls, folder: Path) -> "StoredAudio":
        """MediaError when a file is missing, empty or not a whole number of packets."""
        opus = _map(folder / OPUS_FILE, OPUS_PACKET_BYTES)
        try:
            return cls(opus, _map(folder / MP3_FILE, MP3_FRAME_BYTES))
        except MediaError:
            opus.close()
            raise

    def opus(self, index: int) -> bytes:
        """Packet `index`, 0 to frames - 1."""
        return _read(self._opus, index, self.frames, OPUS_PACKET_BYTES)

    def mp3(self, index: int) -> bytes:
        """Frame `index`, 0 to mp3_frames - 1."""
        return _read(self._mp3, index, self.mp3_frames, MP3_FRAME_BYTES)

    def close(self) -> None:
        """Closing twice is fine."""
        self._opus.close()
        self._mp3.close()

    def __enter__(self) -> "StoredAudio":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read(mapped: mmap.mmap, index: int, count: int, size: int) -> bytes:
    if not 0 <= index < count:
        raise InternalError(f"packet {index} of stored audio was asked for, expected 0 to {count - 1}")
    try:
        return mapped[index * size : (index + 1) * size]
    except ValueError as error:
        raise InternalError(f"packet {index} of stored audio was asked for after it was closed") from error


def _map(path: Path, unit: int) -> mmap.mmap:
    try:
        size = path.stat().st_size
        if size == 0 or size % unit:
            raise MediaError(f"{path.name} has {size} bytes, expected a multiple of {unit}")
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise MediaError(f"{path.name} of a stored program cannot be read: {error.strerror}") from error
