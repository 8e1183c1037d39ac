"""Which address is on air: the pure core, on a virtual clock, against addresses that fail by script."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.streamer.sources.radio_switch import (
    DEAD_US,
    LOUD_US,
    MOST_PAUSE_SILENT_US,
    SETTLE_US,
    Heard,
    Switch,
)

STEP_US = 100_000
CONNECT_US = 300_000


@dataclass
class Net:
    """Addresses as the worker sees them. `how(index, at_us)`: "up", "down", "dead" or "stalled"."""

    count: int
    how: Callable[[int, int], str]
    now_us: int = 0
    opened: dict[int, int] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    alive: dict[int, int] = field(default_factory=dict)
    loud: dict[int, int] = field(default_factory=dict)
    attempts: list[tuple[int, int]] = field(default_factory=list)
    gaps_us: int = 0

    def __post_init__(self) -> None:
        self.switch = Switch(self.count, lambda: 0.5)

    def run(self, seconds: float) -> int | None:
        for _ in range(int(seconds * 1e6 / STEP_US)):
            self.now_us += STEP_US
            step = self.switch.step(self.now_us, {index: self._heard(index) for index in self.opened})
            assert len(set(step.close)) == len(step.close)
            assert not set(step.open) & set(self.opened), "opened once"
            assert set(step.close) <= set(self.opened)
            for index in step.close:
                del self.opened[index]
                self.first.pop(index, None)
            for index in step.open:
                self.opened[index] = self.now_us
                self.attempts.append((index, self.now_us))
            assert step.air is None or step.air in self.opened, "what is on air is open"
        return self.switch.air

    def _heard(self, index: int) -> Heard:
        how = self.how(index, self.now_us)
        if how == "down":
            return Heard(self.first.get(index), 0, 0, "gone")
        if self.now_us - self.opened[index] < CONNECT_US:
            return Heard()
        if how != "stalled" and index not in self.first:
            self.first[index] = self.alive[index] = self.now_us
            self.loud[index] = self.now_us - LOUD_US
        if index not in self.first:
            return Heard()
        if how != "stalled":
            self.alive[index] = self.now_us
        if how == "up":
            self.loud[index] = self.now_us
        dry_us = self.now_us - self.alive[index]
        return Heard(self.first[index], dry_us, self.now_us - self.loud[index] - dry_us)


def at(seconds: float) -> int:
    return int(seconds * 1e6)


def test_the_first_address_is_on_air_and_nothing_else_is_open() -> None:
    net = Net(3, lambda index, now: "up")
    assert net.run(30) == 0
    assert set(net.opened) == {0}
    assert [index for index, _ in net.attempts] == [0], "one that is well takes no second connection"


@pytest.mark.parametrize("fault", ["down", "stalled"])
def test_a_broken_link_gives_way_within_three_seconds_and_comes_back_when_settled(fault: str) -> None:
    net = Net(2, lambda index, now: fault if index == 0 and at(10) <= now < at(40) else "up")
    net.run(10)
    assert net.run(3) == 1
    assert net.run(26) == 1
    assert net.switch.standings[0].failures >= 1
    assert net.run(30 + SETTLE_US / 1e6) == 0
    assert net.switch.switches == 2


def test_dead_air_gives_way_within_twelve_seconds_and_a_pause_does_not() -> None:
    net = Net(2, lambda index, now: "dead" if index == 0 and now >= at(20) else "up")
    assert net.run(20 + DEAD_US / 1e6 - 1) == 0
    assert net.run(3) == 1
    paused = Net(2, lambda index, now: "dead" if index == 0 and at(20) <= now < at(28) else "up")
    assert paused.run(60) == 0
    assert paused.switch.switches == 0


def test_dead_air_with_nothing_better_stays_on_air() -> None:
    net = Net(2, lambda index, now: "dead" if index == 0 else "down")
    assert net.run(60) == 0
    both = Net(2, lambda index, now: "dead" if now > at(5) else "up")
    assert both.run(60) == 0, "no use in changing one silence for another"


def test_a_first_address_that_hangs_holds_nobody_up() -> None:
    net = Net(3, lambda index, now: "stalled" if index < 2 else "up")
    assert net.run(3) == 2


def test_it_is_tried_for_ever_with_pauses_that_grow_and_have_a_bound() -> None:
    net = Net(1, lambda index, now: "down" if now < at(600) else "up")
    assert net.run(600) is None
    times = [now for _, now in net.attempts]
    pauses = [b - a for a, b in pairwise(times)]
    assert pauses[0] < 1_000_000
    assert max(pauses) <= MOST_PAUSE_SILENT_US + 2 * STEP_US
    assert net.run(MOST_PAUSE_SILENT_US / 1e6 + 1) == 0


def test_one_that_fails_again_and_again_must_settle_for_longer() -> None:
    """It sounds for 14 s of each 28 s: after a few times it is left where it is."""
    net = Net(2, lambda index, now: "up" if index == 1 or now % at(28) < at(14) else "down")
    net.run(300)
    early = net.switch.switches
    net.run(600)
    assert net.switch.switches - early <= 2
    assert net.switch.air == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["up", "down", "dead", "stalled"]), st.integers(1, 30)),
        max_size=12,
    )
)
def test_whatever_fails_when_one_is_up_for_long_enough_it_is_heard(
    faults: list[tuple[int, str, int]],
) -> None:
    script: list[tuple[int, dict[int, str]]] = []
    end, now = dict.fromkeys(range(3), "up"), 0
    for index, state, seconds in faults:
        end[index] = state
        script.append((now, dict(end)))
        now += at(seconds)

    def how(index: int, at_us: int) -> str:
        stage = [states for begins, states in script if begins <= at_us]
        return (stage[-1] if stage else dict.fromkeys(range(3), "up"))[index]

    net = Net(3, how)
    net.run(now / 1e6 + 1)
    net.run(90)
    if up := [index for index, last in end.items() if last == "up"]:
        assert net.switch.air in up
