"""Tries per key: a burst, then one at a time; and an attacker with many addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.web.rate_limit import RateLimit, address_key

SECOND = 1_000_000


def test_a_burst_then_a_wait_then_one_more() -> None:
    limit = RateLimit(burst=3, refill_s=10)
    for _ in range(3):
        assert limit.wait_s("a", 0) == 0
        limit.spend("a", 0)
    assert limit.wait_s("a", 0) == 10
    assert limit.wait_s("b", 0) == 0
    assert limit.wait_s("a", 4 * SECOND + 1) == 6
    assert limit.wait_s("a", 10 * SECOND) == 0
    limit.spend("a", 10 * SECOND)
    assert limit.wait_s("a", 10 * SECOND) == 10
    limit.forgive("a")
    assert limit.wait_s("a", 10 * SECOND) == 0


@given(st.lists(st.integers(0, 20 * SECOND), max_size=60))
def test_whoever_obeys_never_gets_more_than_the_bucket_gives(pauses: list[int]) -> None:
    limit, now, allowed = RateLimit(burst=5, refill_s=3), 0, 0
    for pause in pauses:
        now += pause
        if limit.wait_s("a", now) == 0:
            limit.spend("a", now)
            allowed += 1
    assert allowed <= 5 + now // (3 * SECOND)


def test_the_quietest_is_forgotten_first() -> None:
    limit = RateLimit(burst=1, refill_s=100, max_keys=2)
    for key in ("a", "b", "a", "c"):
        limit.spend(key, 0)
    assert limit.forgotten == 1
    assert limit.wait_s("b", 0) == 0
    assert limit.wait_s("a", 0) > 0


@pytest.mark.parametrize(
    ("remote", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("/run/loa.sock", "unknown"),
    ],
)
def test_who_stands_behind_an_address(remote: str | None, key: str) -> None:
    assert address_key(remote) == key
