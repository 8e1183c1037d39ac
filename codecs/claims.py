"""What the head of a sound file claims about its length, where the claim can be trusted.

A file that was cut short in an upload plays up to the cut, and nobody would know that the end of the notice
is missing. FFmpeg reports a duration for most files, but some of these are guesses from the size of the
file, which is cut too. So: only containers that state a length are asked, and RIFF, whose statement FFmpeg
corrects by the size, is read here. No claim (None) is always an acceptable answer.
"""

from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer

_STATED_BY_STREAM = frozenset({"aiff", "flac", "mov", "tta", "wv"})
_STATED_BY_FILE = frozenset({"matroska"})

_HEAD_BYTES = 65_536
"""Enough to pass the tags before the first MP3 frame, pictures excepted; those are skipped by their stated
size."""

_MP3_LENGTH_TAGS = (b"Xing", b"Info", b"VBRI")
_STREAMED_RIFF_BYTES = 0x7FFF_0000
"""Sizes from here on are what programs write that cannot know the size yet."""

_MICROSECONDS = 1_000_000


def stated_s(path: Path, container: InputContainer, stream: AudioStream) -> float | None:
    """The length in seconds that the file's head states."""
    names = set(container.format.name.split(","))
    if names & _STATED_BY_FILE and len(container.streams) == 1 and container.duration:
        return container.duration / _MICROSECONDS
    trusted = names & _STATED_BY_STREAM or ("mp3" in names and _mp3_states_length(path))
    if not trusted or stream.duration is None or stream.time_base is None:
        return None
    return float(stream.duration * stream.time_base)


def missing_bytes(path: Path) -> int:
    """How many bytes a RIFF file (WAV, AVI) lacks of what its head states; 0 for any other file."""
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF":
        return 0
    stated = int.from_bytes(head[4:8], "little") + 8
    return max(0, stated - path.stat().st_size) if stated < _STREAMED_RIFF_BYTES else 0


def _mp3_states_length(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            size = 0
            for part in head[6:10]:
                size = size << 7 | part & 0x7F
            file.seek(10 + size)
        start = file.read(_HEAD_BYTES)
    return any(tag in start[:_HEAD_BYTES] for tag in _MP3_LENGTH_TAGS)
