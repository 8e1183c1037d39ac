"""Stored audio: any packet by its number, from any thread, and no crash after closing."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loa.codecs.mp3 import MP3_FRAME_BYTES
from loa.codecs.opus import OPUS_PACKET_BYTES
from loa.codecs.stored import MP3_FILE, OPUS_FILE, StoredAudio
from loa.errors import InternalError, MediaError

OPUS = [bytes([n]) * OPUS_PACKET_BYTES for n in range(60)]
MP3 = [bytes([n]) * MP3_FRAME_BYTES for n in range(50)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / OPUS_FILE).write_bytes(b"".join(OPUS))
    (tmp_path / MP3_FILE).write_bytes(b"".join(MP3))
    return tmp_path


def test_every_packet_is_read_by_its_number(folder: Path) -> None:
    with StoredAudio.open(folder) as stored:
        assert (stored.frames, stored.mp3_frames) == (60, 50)
        assert [stored.opus(n) for n in range(stored.frames)] == OPUS
        assert [stored.mp3(n) for n in range(stored.mp3_frames)] == MP3


def test_threads_read_at_once(folder: Path) -> None:
    with StoredAudio.open(folder) as stored, ThreadPoolExecutor(8) as pool:
        wanted = [n % 60 for n in range(5_000)]
        assert list(pool.map(stored.opus, wanted)) == [OPUS[n] for n in wanted]


@pytest.mark.parametrize("index", [-1, 60, 10**12])
def test_a_number_outside_is_our_own_bug(folder: Path, index: int) -> None:
    with StoredAudio.open(folder) as stored:
        for read in (stored.opus, stored.mp3):
            with pytest.raises(InternalError, match=f"packet {index}"):
                read(index)


def test_reading_after_closing_is_an_error_and_closing_twice_is_none(folder: Path) -> None:
    stored = StoredAudio.open(folder)
    stored.close()
    stored.close()
    with pytest.raises(InternalError, match="after it was closed"):
        stored.opus(0)


def test_what_was_deleted_is_still_read_by_who_has_it_open(folder: Path) -> None:
    with StoredAudio.open(folder) as stored:
        (folder / OPUS_FILE).unlink()
        assert stored.opus(59) == OPUS[59]


@pytest.mark.parametrize("name", [OPUS_FILE, MP3_FILE])
@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), (b"", "has 0 bytes"), (bytes(81), "has 81 bytes, expected a multiple")],
    ids=["missing", "empty", "cut"],
)
def test_a_broken_folder_says_which_file_and_why(
    folder: Path, name: str, content: bytes | None, says: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(MediaError, match=f"{name}.*{says}"):
        StoredAudio.open(folder)
