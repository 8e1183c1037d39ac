import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES, Pcm
from loa.codecs.mp3 import MP3_FRAME_BYTES
from loa.codecs.opus import OPUS_PACKET_BYTES, OpusDecoder
from loa.streamer.program import Program

K = 90_000_000_000


class Numbered:
    """A clip whose packets say which they are."""

    def __init__(self, name: bytes, frames: int) -> None:
        self.name, self.frames, self.mp3_frames = name, frames, frames * 20 // 24

    def opus(self, index: int) -> bytes:
        if not 0 <= index < self.frames:
            raise IndexError(index)
        return b"%s%d" % (self.name, index)

    def mp3(self, index: int) -> bytes:
        if not 0 <= index < self.mp3_frames:
            raise IndexError(index)
        return b"%s/%d" % (self.name, index)


class Sine:
    def __init__(self) -> None:
        self._n = 0

    def frame(self) -> Pcm:
        t = np.arange(self._n, self._n + FRAME_SAMPLES)
        self._n += FRAME_SAMPLES
        return (8000 * np.sin(2 * np.pi * 440 * t / 48_000)).astype(np.int16)


def test_clips_follow_one_another_on_both_grids() -> None:
    program = Program("0" * 16, [Numbered(b"a", 6), Numbered(b"b", 12)])
    program.start(K)
    assert [program.opus(K + i) for i in (-1, 0, 5, 6, 17, 18)] == [None, b"a0", b"a5", b"b0", b"b11", None]
    j = -(-K * 20 // 24)
    got = [program.mp3(j + i) for i in range(15)]
    assert got == [b"a/%d" % i for i in range(5)] + [b"b/%d" % i for i in range(10)]
    assert program.mp3(j + 15) is None
    assert not program.over(K + 17)
    assert program.over(K + 18)


@pytest.mark.parametrize("phase", range(6))
def test_mp3_frames_are_read_once_each_wherever_the_program_began(phase: int) -> None:
    program = Program("0" * 16, [Numbered(b"a", 600)])
    program.start(K + phase)
    j = (K + phase) * 20 // 24 + 1
    numbers = [int((program.mp3(j + i) or b"/-1").split(b"/")[1]) for i in range(490)]
    assert numbers == list(range(numbers[0], numbers[0] + 490))
    assert numbers[0] in (0, 1)


def test_pause_and_resume() -> None:
    program = Program("0" * 16, [Numbered(b"a", 100)])
    program.start(K)
    program.pause(K + 40)
    assert program.opus(K + 39) == b"a39"
    assert program.opus(K + 40) is None
    assert not program.running
    program.start(K + 500)
    assert program.opus(K + 500) == b"a40"
    program.pause(K + 510, rewind=True)
    program.start(K + 600)
    assert program.opus(K + 600) == b"a0"


def test_live_follows_its_chime_and_is_encoded_once() -> None:
    program = Program("0" * 16, [Numbered(b"c", 3)], Sine())
    program.start(K)
    for k in range(K, K + 20):
        program.produce(k)
    assert program.opus(K + 2) == b"c2"
    assert program.speaking(K + 3)
    assert not program.speaking(K + 2)
    packets = [program.opus(k) for k in range(K + 3, K + 20)]
    assert all(packet is not None and len(packet) == OPUS_PACKET_BYTES for packet in packets)
    decoder = OpusDecoder()
    heard = np.concatenate([decoder.decode(packet) for packet in packets if packet])
    assert np.abs(heard[:48]).max() < 3000, "it fades in"
    assert np.abs(heard[4800:]).max() > 6000
    assert program.opus(K + 20) is None
    assert program.ready(K + 19, 1, K + 19)
    assert not program.ready(K + 19, 3, K + 19)
    assert not program.over(K + 10_000)


def test_live_mp3_costs_nothing_until_wanted_and_is_on_the_grid() -> None:
    program = Program("0" * 16, [], Sine())
    program.start(K)
    for k in range(K, K + 10):
        program.produce(k)
    assert program.mp3((K + 5) * 20 // 24) is None
    program.want_mp3(True)
    for k in range(K + 10, K + 40):
        program.produce(k)
    first = -(-(K + 10) * 20 // 24)
    frames = [program.mp3(j) for j in range(first, first + 20)]
    assert all(frame is not None and len(frame) == MP3_FRAME_BYTES for frame in frames)
    program.want_mp3(False)
    program.produce(K + 40)
    assert program.mp3(first + 26) is None


def test_a_hole_in_the_ticks_does_not_shift_live_sound() -> None:
    program = Program("0" * 16, [], Sine())
    program.want_mp3(True)
    program.start(K)
    for k in [*range(K, K + 10), *range(K + 15, K + 40)]:
        program.produce(k)
    assert program.opus(K + 12) is None
    assert program.opus(K + 15) is not None
    assert program.mp3((K + 30) * 20 // 24) is not None
