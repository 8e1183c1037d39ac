"""Rank against a naive oracle that says the rule in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.wire.rank import BroadcastClass, Origin, Rank, Severity, beats

ORDINARY, PRIORITY, EMERGENCY = BroadcastClass
times = st.integers(0, 2**53 - 1) | st.integers(10**15, 10**15 + 3)
positions = st.none() | st.integers(0, 2**16 - 1)
ranks = (
    st.builds(Rank, st.just(ORDINARY), st.integers(0, 2), st.integers(0, 15), times)
    | st.builds(
        Rank, st.just(PRIORITY), st.just(0), st.integers(0, 15), times, st.none() | st.integers(0, 2**16 - 1)
    )
    | st.builds(Rank, st.just(EMERGENCY), st.integers(0, 4), st.integers(0, 15), times)
)
ids = st.binary(min_size=8, max_size=8).map(bytes.hex)


def wins(a: Rank, a_id: str, b: Rank, b_id: str) -> bool:
    """The rule, step by step."""
    if a.cls != b.cls:
        return a.cls > b.cls
    if a.cls is EMERGENCY:
        if a.detail != b.detail:
            return a.detail > b.detail
        if a.level != b.level:
            return a.level > b.level
        if a.started_us != b.started_us:
            return a.started_us > b.started_us
        return a_id > b_id
    if a.cls is ORDINARY and a.detail != b.detail:
        return a.detail > b.detail
    if a.cls is PRIORITY and a.position != b.position:
        if a.position is None or b.position is None:
            return b.position is None
        return a.position < b.position
    if a.position is None and a.started_us != b.started_us:
        return a.started_us < b.started_us
    return a_id > b_id


@given(ranks, ids, ranks, ids)
def test_the_key_says_what_the_rule_says(a: Rank, a_id: str, b: Rank, b_id: str) -> None:
    assert beats(a.key, a_id, b.key, b_id) is wins(a, a_id, b, b_id)


@given(ranks, ids, ranks, ids)
def test_one_of_two_wins(a: Rank, a_id: str, b: Rank, b_id: str) -> None:
    same = (a.key, a_id) == (b.key, b_id)
    assert beats(a.key, a_id, b.key, b_id) + beats(b.key, b_id, a.key, a_id) == (0 if same else 1)


@given(ranks)
def test_a_key_has_63_bits(rank: Rank) -> None:
    assert 0 < rank.key < 2**63


@pytest.mark.parametrize(
    ("rank", "key"),
    [
        (Rank(EMERGENCY, Severity.EXTREME, 15, 5), 3 << 61 | 4 << 58 | 15 << 54 | 5),
        (Rank(PRIORITY, 0, 9, 5), 2 << 61 | 2**53 - 5),
        (Rank(PRIORITY, 0, 9, 5, 3), 2 << 61 | 2**53 + 2**16 - 3),
        (Rank(ORDINARY, Origin.LIVE, 9, 5), 1 << 61 | 2 << 58 | 2**53 - 5),
    ],
)
def test_golden_keys(rank: Rank, key: int) -> None:
    assert rank.key == key


@pytest.mark.parametrize(
    ("cls", "detail", "level", "started_us", "position"),
    [
        (ORDINARY, 3, 0, 0, None),
        (PRIORITY, 1, 0, 0, None),
        (EMERGENCY, 5, 0, 0, None),
        (EMERGENCY, -1, 0, 0, None),
        (EMERGENCY, 0, 16, 0, None),
        (EMERGENCY, 0, -1, 0, None),
        (EMERGENCY, 0, 0, -1, None),
        (EMERGENCY, 0, 0, 2**53, None),
        (PRIORITY, 0, 0, 0, 2**16),
        (PRIORITY, 0, 0, 0, -1),
    ],
)
def test_what_is_no_rank(
    cls: BroadcastClass, detail: int, level: int, started_us: int, position: int | None
) -> None:
    with pytest.raises(ValueError):
        Rank(cls, detail, level, started_us, position)
