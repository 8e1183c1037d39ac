"""Where an order sounds and as whom, on random trees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import OperatorError
from loa.streamer.broadcast import MAX_DURATION_S
from loa.streamer.territory import Place, Territory
from loa.web.model import MAX_TARGETS
from loa.web.order_rules import acting_place, common_place, lasting_s, origin_of, read_targets
from loa.wire.rank import BroadcastClass, Origin


def ident(number: int) -> str:
    return f"{number:016x}"


@st.composite
def orders(draw: st.DrawFn) -> tuple[Territory, list[str]]:
    """A tree, and some of its places."""
    size = draw(st.integers(1, 14))
    parents = [draw(st.integers(-1 if draw(st.booleans()) else 0, n - 1)) if n else -1 for n in range(size)]
    territory = Territory(
        Place(ident(n), ident(parent) if parent >= 0 else None, f"P{n}", f"p{n}", "zone")
        for n, parent in enumerate(parents)
    )
    return territory, draw(st.lists(st.integers(0, size - 1).map(ident), min_size=1, max_size=8))


def covered(territory: Territory, targets: list[str] | tuple[str, ...]) -> set[str]:
    return {place for place in territory.ids if set(targets).intersection(territory.ancestry(place))}


@given(orders())
def test_what_is_read_covers_the_same_and_nothing_twice(order: tuple[Territory, list[str]]) -> None:
    territory, targets = order
    read = read_targets(targets, territory, territory.__contains__)
    assert covered(territory, read) == covered(territory, targets)
    assert set(read) <= set(targets)
    for target in read:
        assert not set(territory.ancestry(target)[:-1]).intersection(read)
    assert list(read) == sorted(read, key=territory.index)
    assert len(read) == len(set(read))


@given(orders())
def test_the_place_acted_as_is_the_lowest_that_covers_all(order: tuple[Territory, list[str]]) -> None:
    territory, targets = order
    above = [set(territory.ancestry(target)) for target in targets]
    shared = set.intersection(*above)
    expected = max(shared, key=territory.depth) if shared else None
    assert common_place(targets, territory) == expected
    if expected is None:
        with pytest.raises(OperatorError, match="below one root"):
            acting_place(None, targets, territory, territory.__contains__)
    else:
        assert acting_place(None, targets, territory, territory.__contains__) == expected


@given(orders(), st.integers(0, 13).map(ident))
def test_nobody_acts_as_a_place_that_does_not_cover_all(order: tuple[Territory, list[str]], at: str) -> None:
    territory, targets = order
    if at in territory and all(at in territory.ancestry(target) for target in targets):
        assert acting_place(at, targets, territory, territory.__contains__) == at
    else:
        with pytest.raises(OperatorError):
            acting_place(at, targets, territory, territory.__contains__)


@pytest.mark.parametrize(
    "targets", [[], ["nowhere"], [ident(0), "nowhere"], [ident(n) for n in range(MAX_TARGETS + 1)]]
)
def test_an_area_that_cannot_be_read_is_an_error_and_nobody(targets: list[str]) -> None:
    with pytest.raises(OperatorError, match="targets"):
        read_targets(targets, Territory([Place(ident(0), None, "A", "a", "nation")]), lambda place: True)


@pytest.mark.parametrize(
    ("kind", "live", "origin"),
    [
        ("province", True, Origin.RELAY),
        ("province", False, Origin.RELAY),
        ("commune", True, Origin.LIVE),
        ("commune", False, Origin.SCHEDULE),
        ("hamlet", True, Origin.LIVE),
    ],
)
def test_what_comes_from_above_the_commune_is_a_relay(kind: str, live: bool, origin: Origin) -> None:
    territory = Territory([Place(ident(0), None, "A", "a", kind)])
    assert origin_of(ident(0), territory, live=live) is origin


@pytest.mark.parametrize("cls", list(BroadcastClass))
def test_every_class_ends_by_itself(cls: BroadcastClass) -> None:
    most = MAX_DURATION_S[cls]
    assert lasting_s(cls, None) == most
    assert lasting_s(cls, 30) == 30
    with pytest.raises(OperatorError, match=str(most)):
        lasting_s(cls, most + 1)
