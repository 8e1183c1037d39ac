"""Network time over bad networks: simulated clocks, delays and losses, no waiting."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.wire.nettime import (
    BURST_EVERY_US,
    FIX_SAMPLES,
    LOST_AFTER,
    MAX_ASKS,
    MAX_DELAY_US,
    MAX_DRIFT_PPM,
    MAX_SLEW_PPM,
    STEADY_EVERY_US,
    FollowedClock,
    OffsetFilter,
    PendingAsks,
)

EPOCH_US = 1_800_000_000_000_000
CLOCK = "ab" * 8
Delay = Callable[[], int]


def quick() -> int:
    return 5_000


class World:
    """A follower whose local clock drifts, and a node, with a network between them."""

    def __init__(
        self, drift_ppm: float = 0.0, there: Delay = lambda: 5_000, back: Delay = lambda: 5_000
    ) -> None:
        self.true_us = EPOCH_US
        self.drift_ppm = drift_ppm
        self.local_from_us = 0
        self.there, self.back = there, back
        self.clock = FollowedClock()
        self.node_offset_us = 0

    @property
    def local_us(self) -> int:
        gone = self.true_us - EPOCH_US
        return self.local_from_us + 7_000_000 + gone + round(gone * self.drift_ppm / 1_000_000)

    @property
    def node_us(self) -> int:
        return self.true_us + self.node_offset_us

    def exchange(self, clock_id: str = CLOCK) -> bool:
        t1 = self.local_us
        self.true_us += self.there()
        t2 = self.node_us
        self.true_us += 200
        t3 = self.node_us
        self.true_us += self.back()
        return self.clock.feed(clock_id, t1, t2, t3, self.local_us)

    def run(self, seconds: float, every_us: int = STEADY_EVERY_US, clock_id: str = CLOCK) -> None:
        until_us = self.true_us + round(seconds * 1_000_000)
        while self.true_us < until_us:
            self.exchange(clock_id)
            self.true_us += every_us

    def settle(self) -> None:
        self.run(2, BURST_EVERY_US)

    def off_us(self) -> int:
        now_us = self.clock.now_us(self.local_us)
        assert now_us is not None
        return now_us - self.node_us


def test_no_time_before_the_first_fix_and_good_time_after_it() -> None:
    world = World()
    for _ in range(FIX_SAMPLES - 1):
        assert world.clock.now_us(world.local_us) is None
        assert world.clock.error_us(world.local_us) is None
        world.exchange()
    world.exchange()
    assert abs(world.off_us()) <= 1
    assert world.clock.steps == 1


@pytest.mark.parametrize("drift_ppm", [-80, -20, 0, 50, 100])
def test_a_day_on_a_drifting_crystal(drift_ppm: int) -> None:
    noise = random.Random(drift_ppm)
    delay: Delay = lambda: 8_000 + round(noise.expovariate(1 / 4_000))  # noqa: E731
    world = World(drift_ppm, delay, delay)
    world.settle()
    world.run(1800)
    worst = 0
    for _ in range(500):
        world.run(60)
        worst = max(worst, abs(world.off_us()))
    assert worst < 8_000
    assert world.clock.steps == 1
    assert world.clock.outliers == 0


def test_holdover_on_the_measured_drift() -> None:
    world = World(60)
    world.settle()
    world.run(3600)
    world.true_us += 3_600_000_000
    assert abs(world.off_us()) < 5_000
    error_us = world.clock.error_us(world.local_us)
    assert error_us is not None
    assert error_us > 20_000


def test_two_hours_of_anchors_bound_the_drift_on_a_slow_line() -> None:
    """A round trip of 60 ms: 31 ms of doubt, and 14 ppm for each hour of holdover."""
    world = World(-40, lambda: 30_000, lambda: 30_000)
    world.settle()
    world.run(3 * 3600)
    world.true_us += 3_600_000_000
    error_us = world.clock.error_us(world.local_us)
    assert error_us is not None
    assert abs(world.off_us()) < error_us < 31_000 + 3600 * 16


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(-100, 100), st.integers(0, 200_000), st.integers(0, 200_000))
def test_the_true_time_lies_within_the_error_it_states(seed: int, drift: int, there: int, back: int) -> None:
    noise = random.Random(seed)
    world = World(
        drift,
        lambda: there + round(noise.expovariate(1 / 20_000)),
        lambda: back + round(noise.expovariate(1 / 20_000)),
    )
    world.settle()
    for _ in range(40):
        world.run(noise.uniform(1, 300))
        error_us = world.clock.error_us(world.local_us)
        if error_us is not None:
            assert abs(world.off_us()) <= error_us


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.floats(-MAX_DRIFT_PPM, MAX_DRIFT_PPM))
def test_it_never_runs_backwards_nor_faster_than_it_may_slew(seed: int, drift: float) -> None:
    noise = random.Random(seed)
    delay: Delay = lambda: round(noise.expovariate(1 / 100_000))  # noqa: E731
    world = World(drift, delay, delay)
    world.settle()
    if world.clock.now_us(world.local_us) is None:
        return
    steps = world.clock.steps
    local_us, last_us = world.local_us, world.clock.now_us(world.local_us) or 0
    for _ in range(300):
        if noise.random() < 0.2:
            world.exchange()
        world.true_us += noise.choice([1, 2, 3, 1000, 1_000_000, 64_000_000])
        now_us = world.clock.now_us(world.local_us) or 0
        if world.clock.steps == steps:
            assert now_us >= last_us
            gone_us = world.local_us - local_us
            assert abs(now_us - last_us - gone_us) <= gone_us * (MAX_SLEW_PPM + MAX_DRIFT_PPM) / 1_000_000 + 2
        steps, local_us, last_us = world.clock.steps, world.local_us, now_us


def test_a_delayed_answer_moves_nothing_much() -> None:
    """Whoever holds back answers shifts the estimate by half of what he adds; the quick ones outvote him."""
    world = World()
    world.settle()
    world.back = lambda: 1_500_000
    for _ in range(5):
        world.exchange()
    assert abs(world.off_us()) < 1_000


def test_an_answer_held_back_too_long_is_refused() -> None:
    world = World(back=lambda: MAX_DELAY_US)
    assert not world.exchange()


def test_an_outlier_changes_nothing() -> None:
    world = World()
    world.settle()
    for shift in (40_000, -90_000, 3_600_000_000):
        world.node_offset_us = shift
        assert not world.exchange()
        world.node_offset_us = 0
        assert world.exchange()
    assert world.clock.outliers == 3
    assert world.clock.steps == 1
    assert abs(world.off_us()) < 1_000


def test_a_laptop_that_slept_finds_the_time_again() -> None:
    """Its monotonic clock stood still for an hour: a run of answers that agree with each other is
    believed.
    """
    world = World()
    world.settle()
    world.local_from_us -= 3_600_000_000
    for _ in range(LOST_AFTER - 1):
        assert not world.exchange()
    assert world.exchange()
    assert abs(world.off_us()) < 1_000
    assert world.clock.steps == 2


def test_outliers_that_contradict_each_other_are_never_believed() -> None:
    world = World()
    world.settle()
    for number in range(1, 12):
        world.node_offset_us = number * 1_000_000
        assert not world.exchange()
    assert world.clock.steps == 1


def test_a_new_clock_id_steps_once_it_has_a_fix_of_its_own() -> None:
    world = World()
    world.settle()
    world.node_offset_us = 250_000
    for _ in range(FIX_SAMPLES - 1):
        world.exchange("cd" * 8)
        assert abs(world.off_us() + 250_000) < 1_000
    world.exchange("cd" * 8)
    assert abs(world.off_us()) < 1_000
    assert world.clock.steps == 2


def test_within_one_clock_a_correction_is_slewed() -> None:
    world = World(there=lambda: 400_000, back=lambda: 0)
    for _ in range(FIX_SAMPLES):
        world.exchange()
    before_us = world.off_us()
    assert before_us == pytest.approx(200_000, abs=100)
    world.there = lambda: 0
    world.exchange()
    assert abs(world.off_us() - before_us) < 500
    world.true_us += 10_000_000
    assert world.off_us() == pytest.approx(before_us - 10_000_000 * MAX_SLEW_PPM / 1_000_000, abs=10)
    assert world.clock.steps == 1


@pytest.mark.parametrize(
    ("t1", "t2", "t3", "t4"),
    [
        (10, 100, 100, 9),
        (10, 100, 99, 20),
        (0, 0, 5_000, 1_000),
        (0, 0, 0, MAX_DELAY_US + 1),
    ],
)
def test_impossible_answers(t1: int, t2: int, t3: int, t4: int) -> None:
    offsets = OffsetFilter()
    assert not offsets.feed(t1, t2, t3, t4)
    assert offsets.refused == 1


def test_an_answer_counts_once_and_only_for_our_question() -> None:
    asks = PendingAsks()
    asks.ask(123, 7)
    assert asks.take(124) is None
    assert asks.take(123) == 7
    assert asks.take(123) is None
    for number in range(MAX_ASKS + 1):
        asks.ask(number, number)
    assert asks.take(0) is None
    assert asks.take(1) == 1


def test_it_asks_quickly_at_first() -> None:
    world = World()
    assert world.clock.next_ask_us(5) == 5 + BURST_EVERY_US
    world.run(10, BURST_EVERY_US)
    assert world.clock.next_ask_us(5) == 5 + STEADY_EVERY_US
