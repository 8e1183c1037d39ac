"""The line to a sound device: aligned to the sample, steered where clocks drift, re-centred after
glitches."""

from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, FRAME_US, SAMPLE_RATE, Pcm
from loa.speaker.line import MAX_QUEUED_US, Line
from loa.speaker.steering import JUMP_US, MAX_PPM, Steering

BLOCK = 480
BLOCK_US = 10_000
BEGINS_US = 1_800_000_000_000_000


def ramp(number: int) -> Pcm:
    """Frame `number` of a line whose samples count (modulo 16 bits)."""
    at = np.arange(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES)
    return (at % 30_000 + 1).astype(np.int16)


class Device:
    """Asks for blocks at its own pace: `ppm` faster than network time."""

    def __init__(self, line: Line, ppm: float = 0.0) -> None:
        self.line, self._step_us = line, BLOCK_US / (1 + ppm / 1_000_000)
        self.at_us = float(BEGINS_US)
        self._number = 0

    def run(self, seconds: float, *, feed: bool = True) -> Iterator[tuple[int, Pcm]]:
        """Blocks with the network time at which each sounds; frames are put 60 ms ahead."""
        for _ in range(int(seconds * 100)):
            while feed and BEGINS_US + self._number * FRAME_US < self.at_us + 60_000:
                self.line.put(ramp(self._number), BEGINS_US + self._number * FRAME_US)
                self._number += 1
            yield int(self.at_us), self.line.take(BLOCK, int(self.at_us))
            self.at_us += self._step_us

    def stall(self, microseconds: int) -> None:
        self.at_us += microseconds


def error_us(at_us: int, block: Pcm) -> float:
    """How late the first sample of a block of the ramp is."""
    due = (at_us - BEGINS_US) * SAMPLE_RATE / 1_000_000
    behind = (due - (int(block[0]) - 1)) % 30_000
    return (behind if behind < 15_000 else behind - 30_000) * 1_000_000 / SAMPLE_RATE


def test_the_first_sample_is_aligned_to_the_sample() -> None:
    line = Line()
    line.put(ramp(0), BEGINS_US + 3_333)
    blocks = np.concatenate([line.take(BLOCK, BEGINS_US + number * BLOCK_US) for number in range(2)])
    assert int(np.argmax(blocks > 0)) == 3_333 * 48 // 1000


def test_without_frames_it_is_silence() -> None:
    assert not Line().take(BLOCK, BEGINS_US).any()


def test_frames_come_out_whole_and_in_order() -> None:
    device = Device(Line())
    heard = np.concatenate([block for _, block in device.run(1.0)])
    expected = np.concatenate([ramp(number) for number in range(50)])
    assert np.array_equal(heard, expected)


@settings(deadline=None)
@given(st.floats(-300, 300))
def test_a_drifting_device_is_kept_within_a_millisecond(ppm: float) -> None:
    device = Device(Line(), ppm)
    errors = [error_us(at, block) for at, block in device.run(20.0) if block.any()]
    assert max(abs(error) for error in errors[200:]) < 1_000
    assert device.line.jumps == 0


def test_after_a_stall_it_is_back_at_its_target_within_a_second() -> None:
    for stall_us in (20_000, 50_000, 200_000, 900_000):
        device = Device(Line())
        list(device.run(2.0))
        device.stall(stall_us)
        errors = [error_us(at, block) for at, block in device.run(2.0) if block.any()]
        assert max(abs(error) for error in errors[100:]) < 1_000, stall_us


def test_a_device_that_jumps_back_is_followed() -> None:
    device = Device(Line())
    list(device.run(2.0))
    device.stall(-100_000)
    errors = [error_us(at, block) for at, block in device.run(2.0) if block.any()]
    assert abs(errors[-1]) < 1_000


def test_what_lies_between_runs_is_silence_of_the_right_length() -> None:
    line = Line()
    line.put(ramp(0), BEGINS_US)
    line.put(ramp(0), BEGINS_US + 50_000)
    heard = np.concatenate([line.take(BLOCK, BEGINS_US + number * BLOCK_US) for number in range(8)])
    assert np.flatnonzero(heard > 0)[FRAME_SAMPLES] == 50 * 48
    assert np.count_nonzero(heard) == 2 * FRAME_SAMPLES


def test_what_overlaps_is_dropped() -> None:
    line = Line()
    line.put(ramp(0), BEGINS_US)
    line.put(ramp(1), BEGINS_US + 10_000)
    heard = np.concatenate([line.take(BLOCK, BEGINS_US + number * BLOCK_US) for number in range(4)])
    assert np.count_nonzero(heard) == FRAME_SAMPLES * 3 // 2


def test_the_queue_is_bounded_and_counts() -> None:
    line = Line()
    for number in range(400):
        line.put(ramp(number), BEGINS_US + number * FRAME_US)
    assert line.dropped_frames == 400 - MAX_QUEUED_US // FRAME_US - 1


@settings(deadline=None)
@given(st.lists(st.integers(-JUMP_US, JUMP_US), min_size=1, max_size=300))
def test_steering_is_never_heard_unless_it_jumps(errors: list[int]) -> None:
    steering, owed = Steering(), 0
    for error in errors:
        jumps = steering.jumps
        owed += steering.correct(error, BLOCK)
        if steering.jumps != jumps:
            owed = 0
        assert abs(owed) <= len(errors) * BLOCK * MAX_PPM / 1_000_000 + 1


def test_one_wild_reading_below_the_jump_moves_nothing_much() -> None:
    steering = Steering()
    for _ in range(100):
        steering.correct(0, BLOCK)
    assert steering.correct(50_000, BLOCK) == 0
    assert steering.jumps == 0
