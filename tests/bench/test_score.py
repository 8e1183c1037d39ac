"""The score of a mount, against the mount's own packing: the age of a block is known without being fitted."""

import pytest

from loa.bench.score import BLOCK_BYTES, BLOCK_US, Score
from loa.codecs.frame import FRAME_US
from loa.codecs.mp3 import MP3_FRAME_BYTES, silence_frame
from loa.errors import InternalError
from loa.streamer.blocks import Mp3Packing, packets_of
from loa.streamer.program import Program

NOW_US = 1_800_000_000_000_000
MP3_FRAMES = 25
PACKING = Mp3Packing()
QUIET = silence_frame()


class Clip:
    """Frames that differ, and whose number of blocks is no whole one."""

    frames = MP3_FRAMES * 6 // 5
    mp3_frames = MP3_FRAMES

    def opus(self, index: int) -> bytes:
        return bytes([index])

    def mp3(self, index: int) -> bytes:
        return QUIET[:4] + bytes([index]) * (MP3_FRAME_BYTES - 4)


def mount(begin_k: int) -> tuple[bytes, Program]:
    """The file, and its program on air over and over from frame `begin_k` on."""
    clip = Clip()
    program = Program("00000000000000aa", [clip] * 50)
    program.start(begin_k)
    return b"".join(map(clip.mp3, range(MP3_FRAMES))), program


def sent(program: Program, number: int) -> bytes:
    return PACKING.pack(packets_of(PACKING, program, number), number)


@pytest.mark.parametrize("late_k", [1, 2], ids=["next frame", "a tick in between"])
@pytest.mark.parametrize("shift_us", range(0, 6 * FRAME_US, 7_000))
def test_every_block_is_known_by_its_number(shift_us: int, late_k: int) -> None:
    started_us = NOW_US + shift_us
    file, program = mount(started_us // FRAME_US + late_k)
    score = Score(file, started_us)
    first = NOW_US // BLOCK_US + 20
    for number in range(first, first + 30):
        read_us = (number + 1) * BLOCK_US
        assert score.find(sent(program, number), read_us) == number
        assert score.block(number) == sent(program, number)
        assert score.age_us(number, read_us) == BLOCK_US


def test_a_delay_is_seen() -> None:
    file, program = mount(NOW_US // FRAME_US + 1)
    score = Score(file, NOW_US)
    number = NOW_US // BLOCK_US + 20
    read_us = (number + 1) * BLOCK_US + 180_000
    found = score.find(sent(program, number), read_us)
    assert found is not None
    assert score.age_us(found, read_us) == BLOCK_US + 180_000


def test_what_is_not_the_file_is_found_nowhere() -> None:
    file, _ = mount(NOW_US // FRAME_US + 1)
    assert Score(file, NOW_US).find(QUIET * 4, NOW_US + BLOCK_US) is None


def test_a_stream_off_its_grid_is_an_error() -> None:
    file, program = mount(NOW_US // FRAME_US + 1)
    number = NOW_US // BLOCK_US + 20
    shifted = sent(program, number)[2 * MP3_FRAME_BYTES :] + sent(program, number + 1)
    with pytest.raises(InternalError, match="begins a stream"):
        Score(file, NOW_US).find(shifted[:BLOCK_BYTES], (number + 1) * BLOCK_US)


def test_a_file_of_equal_frames_cannot_be_followed() -> None:
    with pytest.raises(InternalError, match="frames differ"):
        Score(QUIET * 100, NOW_US)
