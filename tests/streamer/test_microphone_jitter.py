"""The FIFO of a microphone: whatever the network does, 960 samples a call, a bounded delay, and few scars."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, Pcm
from loa.streamer.jitter import (
    CAPACITY_SAMPLES,
    MAX_TARGET_SAMPLES,
    START_SAMPLES,
    STOP_FRAMES,
    JitterFifo,
)

MS = 48


class Voice:
    """A steady vowel of 150 Hz, so that a bad splice shows as a jump."""

    def __init__(self) -> None:
        self._at = 0

    def say(self, samples: int) -> Pcm:
        t = np.arange(self._at, self._at + samples) / 48_000
        self._at += samples
        wave = sum(np.sin(2 * np.pi * 150 * n * t) / n for n in (1, 2, 3))
        return np.asarray(6000 * wave, dtype=np.int16)


def steepest(pcm: Pcm) -> int:
    return int(np.abs(np.diff(pcm.astype(np.int32))).max())


def weakest(pcm: Pcm) -> float:
    """The least rms over a period of the voice: two waves out of step would cancel each other."""
    squares = pcm.astype(np.float64) ** 2
    return float(np.sqrt(np.convolve(squares, np.ones(320) / 320, "valid").min()))


STEEPEST = steepest(Voice().say(48_000))
WEAKEST = weakest(Voice().say(48_000))
SCAR = 2 * STEEPEST
"""A cross-fade of two like waves may be somewhat steeper than either; a click is several thousand."""


def run(fifo: JitterFifo, packets: Iterable[int], voice: Voice | None = None) -> Pcm:
    """One tick for each entry: so many samples come, then a frame goes out."""
    voice = voice or Voice()
    out = []
    for samples in packets:
        if samples:
            fifo.push(voice.say(samples))
        frame = fifo.frame()
        assert frame.shape == (FRAME_SAMPLES,)
        assert frame.dtype == np.int16
        out.append(frame)
    return np.concatenate(out)


def test_before_anything_comes_there_is_silence_and_no_complaint() -> None:
    fifo = JitterFifo()
    assert not run(fifo, [0] * 5).any()
    assert fifo.counters.underruns == 0


def test_it_starts_with_forty_milliseconds_and_keeps_them() -> None:
    fifo = JitterFifo()
    voice = Voice()
    assert not run(fifo, [960], voice).any()
    assert run(fifo, [960], voice).any()
    heard = run(fifo, [960] * 500, voice)
    assert fifo.held_samples == START_SAMPLES - FRAME_SAMPLES
    assert steepest(heard) <= STEEPEST
    assert (fifo.counters.underruns, fifo.counters.shortened, fifo.counters.stretched) == (0, 0, 0)


def test_it_begins_with_a_fade() -> None:
    fifo = JitterFifo()
    fifo.push(np.full(START_SAMPLES, 10_000, np.int16))
    frame = fifo.frame()
    assert abs(int(frame[0])) < 100
    assert frame[-1] == 10_000


def test_when_it_runs_dry_it_fades_out_and_asks_for_more_reserve() -> None:
    fifo = JitterFifo()
    fifo.push(np.full(START_SAMPLES + 100, 10_000, np.int16))
    frames = [fifo.frame() for _ in range(4)]
    assert fifo.counters.underruns == 1
    assert not frames[3].any()
    last = frames[2]
    assert last[0] == 10_000
    assert abs(int(last[99])) < 200
    assert not last[100:].any()
    assert fifo.target_samples > START_SAMPLES


def test_packets_that_wobble_by_fifteen_milliseconds_cost_nothing() -> None:
    """Every second packet is late for one tick."""
    fifo = JitterFifo()
    run(fifo, [960, 960, *[1920, 0] * 500])
    assert fifo.counters.underruns == 0
    assert fifo.held_samples <= 60 * MS


def test_packets_of_sixty_milliseconds_are_taken_as_they_come() -> None:
    fifo = JitterFifo()
    run(fifo, [2880, 0, 0] * 200)
    assert fifo.counters.underruns == 0
    assert fifo.held_samples <= 80 * MS


@pytest.mark.parametrize("frames", [5, 10, 22])
def test_what_a_stall_held_up_is_made_up_for_within_a_second(frames: int) -> None:
    fifo, voice = JitterFifo(), Voice()
    run(fifo, [960] * 100, voice)
    run(fifo, [0] * frames, voice)
    back = run(fifo, [(frames + 1) * 960, *[960] * 49], voice)
    assert fifo.held_samples <= fifo.target_samples + 10 * MS
    assert fifo.counters.dropped_samples == 0
    assert steepest(back[480:]) <= SCAR
    assert weakest(back[480:]) > 0.9 * WEAKEST
    run(fifo, [960] * 100, voice)
    assert (fifo.counters.underruns, fifo.counters.stretched) == (1, 0)


def test_after_a_stall_it_returns_to_its_first_target_in_time() -> None:
    fifo, voice = JitterFifo(), Voice()
    run(fifo, [*[960] * 100, 0, 0, 0, *[960] * 1200], voice)
    assert fifo.target_samples == START_SAMPLES
    assert fifo.held_samples <= START_SAMPLES + 10 * MS


def test_a_caller_who_hung_up_and_comes_back_starts_afresh() -> None:
    fifo, voice = JitterFifo(), Voice()
    run(fifo, [*[960] * 50, *[0] * (STOP_FRAMES + 5)], voice)
    assert fifo.target_samples == START_SAMPLES


@pytest.mark.parametrize("ppm", [-500, 500])
def test_a_clock_that_is_off_is_followed_without_a_gap(ppm: int) -> None:
    """A minute of a sound card that is 500 ppm fast or slow: 1440 samples too many or too few."""
    fifo, voice = JitterFifo(), Voice()
    due = 0.0
    packets = []
    for _ in range(3000):
        due += 960 * (1 + ppm / 1e6)
        packets.append(int(due))
        due -= packets[-1]
    heard = run(fifo, [960, *packets], voice)
    assert fifo.counters.underruns == 0
    assert fifo.held_samples <= START_SAMPLES + 10 * MS
    assert steepest(heard[4 * 960 :]) <= SCAR
    assert weakest(heard[4 * 960 :]) > 0.9 * WEAKEST
    assert fifo.counters.shortened + fifo.counters.stretched > 0


def test_more_than_it_holds_drops_the_oldest() -> None:
    fifo = JitterFifo()
    fifo.push(np.arange(CAPACITY_SAMPLES + 1000).astype(np.int16))
    assert fifo.held_samples == START_SAMPLES
    assert fifo.counters.overruns == 1
    assert fifo.counters.dropped_samples == CAPACITY_SAMPLES + 1000 - START_SAMPLES
    assert fifo.frame()[-1] == np.int16(CAPACITY_SAMPLES + 1000 - START_SAMPLES + FRAME_SAMPLES - 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=120))
def test_nothing_that_comes_breaks_its_laws(packets: list[int]) -> None:
    fifo = JitterFifo()
    for samples in packets:
        fifo.push(np.full(samples, 1000, np.int16))
        assert fifo.held_samples <= CAPACITY_SAMPLES
        frame = fifo.frame()
        assert frame.shape == (FRAME_SAMPLES,)
        assert frame.min() >= 0
        assert frame.max() <= 1001
        assert START_SAMPLES <= fifo.target_samples <= MAX_TARGET_SAMPLES
