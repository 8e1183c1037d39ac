"""The delay: at its target, stretched only when everything is late, and back within a second."""

from hypothesis import given, settings
from hypothesis import strategies as st

from loa.speaker.delay import CALM_US, MAX_EXTRA_US, Delay

LATENCY_US = 200_000
STEP_US = 60_000


def feed(delay: Delay, transit_us: list[int], begin_us: int = 1_000_000_000) -> list[int]:
    """Datagrams of 60 ms, each with its time on the way; the delay after each."""
    seen = []
    for number, transit in enumerate(transit_us):
        media_us = begin_us + number * STEP_US
        delay.arrived(media_us, media_us + transit)
        seen.append(delay.delay_us)
    return seen


@settings(deadline=None)
@given(st.lists(st.integers(0, LATENCY_US), min_size=1, max_size=60))
def test_what_comes_in_time_never_moves_it(transit: list[int]) -> None:
    assert set(feed(Delay(LATENCY_US), transit)) == {LATENCY_US}


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000_000), max_size=200))
def test_it_is_never_stretched_without_bound(transit: list[int]) -> None:
    for delay_us in feed(Delay(LATENCY_US), transit):
        assert LATENCY_US <= delay_us <= LATENCY_US + MAX_EXTRA_US


def test_a_network_slower_than_the_target_is_heard_late_rather_than_never() -> None:
    delay = Delay(LATENCY_US)
    feed(delay, [500_000] * 5)
    assert 500_000 < delay.delay_us < 700_000


def test_one_late_datagram_moves_nothing() -> None:
    assert set(feed(Delay(LATENCY_US), [20_000, 20_000, 20_000, 20_000, 250_000])) == {LATENCY_US}


def test_what_a_stall_held_back_and_comes_all_at_once_moves_nothing() -> None:
    delay, now_us = Delay(LATENCY_US), 1_002_000_000
    for number in range(10):
        delay.arrived(1_000_000_000 + number * STEP_US, now_us + number * 100)
    assert delay.delay_us == LATENCY_US


def test_back_to_the_target_within_a_second_of_calm() -> None:
    delay = Delay(LATENCY_US)
    feed(delay, [500_000] * 10)
    calm = feed(delay, [50_000] * 17, begin_us=1_001_100_000)
    assert calm[0] > LATENCY_US
    assert calm[-1] == LATENCY_US
    assert CALM_US < 1_000_000


def test_a_worse_path_stretches_further() -> None:
    delay = Delay(LATENCY_US)
    feed(delay, [500_000] * 5)
    feed(delay, [900_000] * 2, begin_us=1_000_300_000)
    assert delay.delay_us > 900_000


def test_a_new_latency_starts_anew() -> None:
    delay = Delay(LATENCY_US)
    feed(delay, [500_000] * 5)
    delay.retarget(300_000)
    assert (delay.delay_us, delay.target_us) == (300_000, 300_000)
