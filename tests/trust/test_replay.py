"""Once heard is enough: the window against a naive oracle, and the floor through a restart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import RefusedError
from loa.trust.replay import MAX_EARLY_US, MAX_ENDED, MAX_LATE_US, WINDOW, Freshness, ReplayWindow

NOW_US = 1_800_000_000_000_000


@given(st.lists(st.integers(0, 3 * WINDOW) | st.integers(0, 50) | st.integers(0, 2**32 - 1), max_size=200))
def test_the_window_is_a_set_of_the_last_numbers(sequences: list[int]) -> None:
    window, seen, highest = ReplayWindow(), set[int](), -1
    for sequence in sequences:
        expected = sequence not in seen and sequence > highest - WINDOW
        assert window.is_new(sequence) is expected
        assert window.accept(sequence) is expected
        if expected:
            seen.add(sequence)
            highest = max(highest, sequence)


@given(st.lists(st.integers(0, 400), min_size=1, max_size=100))
def test_each_number_is_accepted_once(sequences: list[int]) -> None:
    window = ReplayWindow()
    assert sum(window.accept(one) for one in sequences * 3) == len(set(sequences))


def test_asking_changes_nothing() -> None:
    window = ReplayWindow()
    assert window.is_new(2**31)
    assert window.accept(5)
    assert window.is_new(2**31)
    assert window.is_new(4)
    assert not window.is_new(5)


def reason(freshness: Freshness, media_us: int, now_us: int | None) -> str:
    try:
        freshness.check(media_us, now_us)
    except RefusedError as error:
        return error.reason
    return ""


@pytest.mark.parametrize(
    ("offset_us", "expected"),
    [
        (-MAX_LATE_US, ""),
        (-MAX_LATE_US - 1, "replay"),
        (0, ""),
        (MAX_EARLY_US, ""),
        (MAX_EARLY_US + 1, "future"),
    ],
)
def test_with_a_trusted_clock(offset_us: int, expected: str) -> None:
    assert reason(Freshness(), NOW_US + offset_us, NOW_US) == expected


def test_without_one_nothing_heard_before_the_restart_is_heard_again() -> None:
    before = Freshness()
    before.acted(NOW_US)
    after = Freshness(before.floor_us)
    assert reason(after, NOW_US, None) == "replay"
    assert reason(after, NOW_US + 1, None) == ""
    after.acted(NOW_US + 60_000_000)
    assert reason(after, NOW_US + 60_000_000 - MAX_LATE_US, None) == ""
    assert reason(after, NOW_US + 60_000_000 - MAX_LATE_US - 1, None) == "replay"
    assert reason(after, NOW_US, None) == "replay"


@given(st.lists(st.integers(0, 2**53), max_size=20))
def test_the_floor_only_rises(times: list[int]) -> None:
    freshness = Freshness(1000)
    floors = []
    for time in times:
        freshness.acted(time)
        floors.append(freshness.floor_us)
    assert floors == sorted(floors)
    assert freshness.floor_us == max([1000, *times])


def test_what_ended_stays_ended_until_its_own_expiry() -> None:
    freshness = Freshness()
    freshness.end("b1", NOW_US + 10)
    freshness.end("b1", NOW_US)
    freshness.end("b2", NOW_US)
    freshness.expire(NOW_US)
    assert freshness.is_ended("b1")
    assert not freshness.is_ended("b2")
    freshness.expire(NOW_US + 10)
    assert not freshness.is_ended("b1")


def test_what_ended_is_bounded_and_counted() -> None:
    freshness = Freshness()
    for number in range(MAX_ENDED + 3):
        freshness.end(str(number), NOW_US + number)
        freshness.end("0", NOW_US + 10 * MAX_ENDED)
    assert freshness.forgotten == 3
    assert freshness.is_ended("0")
    assert not freshness.is_ended("3")
    assert not freshness.is_ended("2")
    assert freshness.is_ended("4")
    assert freshness.is_ended(str(MAX_ENDED + 2))
