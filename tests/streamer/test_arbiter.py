"""The arbiter against an oracle of ten lines, on random trees and random starts, stops, orders and moves."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loa.errors import ConflictError, NotFoundError, OperatorError
from loa.streamer.arbiter import Arbiter, Change, Changes, Claim
from loa.streamer.territory import Place, Territory
from loa.wire.rank import BroadcastClass, Rank, beats

T0_US = 1_800_000_000_000_000


def identity(number: int) -> str:
    return f"{number:016x}"


def tree(parents: dict[int, int | None]) -> Territory:
    return Territory(
        Place(identity(i), None if up is None else identity(up), f"p{i}", f"p{i}", "zone")
        for i, up in parents.items()
    )


def claim(number: int, rank: Rank, *targets: int) -> Claim:
    return Claim(identity(number), identity(0xFF00 + number), rank, tuple(identity(t) for t in targets))


def ordinary(at: int = 0, origin: int = 0) -> Rank:
    return Rank(BroadcastClass.ORDINARY, origin, 0, T0_US + at)


def priority(at: int = 0) -> Rank:
    return Rank(BroadcastClass.PRIORITY, 0, 0, T0_US + at)


def emergency(at: int = 0, severity: int = 3, level: int = 15) -> Rank:
    return Rank(BroadcastClass.EMERGENCY, severity, level, T0_US + at)


def on_air(arbiter: Arbiter) -> list[int | None]:
    winners = (arbiter.winner_at(i) for i in range(len(arbiter.territory)))
    return [None if winner is None else int(winner, 16) for winner in winners]


PROVINCE = {1: None, 2: 1, 3: 2, 4: 2, 5: 1, 6: 5}
"""Line: 1 [2 [3 4] 5 [6]], so place n stands at index n - 1."""


@pytest.fixture
def arbiter() -> Arbiter:
    return Arbiter(tree(PROVINCE))


def test_an_emergency_takes_the_province_and_gives_it_back(arbiter: Arbiter) -> None:
    assert arbiter.start(claim(0xA, ordinary(), 2)) == (Change(1, 4, None, identity(0xA)),)
    assert arbiter.start(claim(0xB, emergency(), 1)) == (
        Change(0, 1, None, identity(0xB)),
        Change(1, 4, identity(0xA), identity(0xB)),
        Change(4, 6, None, identity(0xB)),
    )
    assert on_air(arbiter) == [0xB] * 6
    assert (arbiter.winning(identity(0xA)), arbiter.covered(identity(0xA))) == (0, 3)
    assert arbiter.segments(identity(0xB)) == [(0, 6)]
    assert arbiter.stop(identity(0xB)) == (
        Change(0, 1, identity(0xB), None),
        Change(1, 4, identity(0xB), identity(0xA)),
        Change(4, 6, identity(0xB), None),
    )
    assert on_air(arbiter) == [None, 0xA, 0xA, 0xA, None, None]


@pytest.mark.parametrize(
    ("stronger", "weaker"),
    [
        (emergency(), priority()),
        (priority(), ordinary()),
        (emergency(severity=4, level=1), emergency(severity=3, level=15)),
        (emergency(level=15), emergency(level=14, at=9)),
        (emergency(at=1), emergency(at=0)),
        (priority(at=0), priority(at=1)),
        (ordinary(origin=2, at=1), ordinary(origin=1)),
        (ordinary(at=0), ordinary(at=1)),
    ],
)
def test_the_stronger_wins_whoever_came_first(arbiter: Arbiter, stronger: Rank, weaker: Rank) -> None:
    arbiter.start(claim(0xA, weaker, 2))
    arbiter.start(claim(0xB, stronger, 1))
    assert on_air(arbiter) == [0xB] * 6
    arbiter.stop(identity(0xB))
    arbiter.stop(identity(0xA))
    arbiter.start(claim(0xB, stronger, 1))
    assert arbiter.start(claim(0xA, weaker, 2)) == ()
    assert on_air(arbiter) == [0xB] * 6


def test_equal_ranks_go_by_the_higher_id_in_either_order(arbiter: Arbiter) -> None:
    low, high = claim(0x1, ordinary(), 1), claim(0xFFFFFFFFFFFFFFFF, ordinary(), 2)
    arbiter.start(low)
    arbiter.start(high)
    assert on_air(arbiter) == [1, *[0xFFFFFFFFFFFFFFFF] * 3, 1, 1]
    arbiter.stop(low.broadcast)
    assert arbiter.start(low) == (Change(0, 1, None, low.broadcast), Change(4, 6, None, low.broadcast))


def test_an_empty_or_unknown_target_is_nobody(arbiter: Arbiter) -> None:
    assert arbiter.start(claim(0xA, emergency())) == ()
    assert arbiter.start(claim(0xB, emergency(), 99)) == ()
    assert on_air(arbiter) == [None] * 6
    assert arbiter.covered(identity(0xB)) == 0
    assert arbiter.segments(identity(0xB)) == []
    assert arbiter.stop(identity(0xA)) == ()
    arbiter.retarget(tree({**PROVINCE, 99: 1}))
    assert on_air(arbiter) == [*[None] * 6, 0xB], "the place exists now"


def test_separate_targets_leave_what_lies_between(arbiter: Arbiter) -> None:
    assert arbiter.start(claim(0xA, ordinary(), 3, 6)) == (
        Change(2, 3, None, identity(0xA)),
        Change(5, 6, None, identity(0xA)),
    )
    arbiter.start(claim(0xB, priority(), 2, 6))
    assert arbiter.segments(identity(0xB)) == [(1, 4), (5, 6)]
    assert arbiter.stop(identity(0xB)) == (
        Change(1, 2, identity(0xB), None),
        Change(2, 3, identity(0xB), identity(0xA)),
        Change(3, 4, identity(0xB), None),
        Change(5, 6, identity(0xB), identity(0xA)),
    )


def test_stopping_what_is_not_on_air_changes_nothing(arbiter: Arbiter) -> None:
    arbiter.start(claim(0xA, ordinary(), 1))
    assert arbiter.stop(identity(0xB)) == ()
    assert arbiter.stop(identity(0xA)) != ()
    assert arbiter.stop(identity(0xA)) == ()
    assert arbiter.segments(identity(0xA)) == []
    assert arbiter.claims == ()


def test_a_commune_orders_its_own_priority_class_only(arbiter: Arbiter) -> None:
    first, second, music = claim(0xA, priority(0), 1), claim(0xB, priority(1), 1), claim(0xC, ordinary(), 1)
    for each in (first, second, music):
        arbiter.start(each)
    assert on_air(arbiter) == [0xA] * 6
    changed = arbiter.reorder(identity(2), [music.broadcast, second.broadcast])
    assert changed == (Change(1, 4, first.broadcast, second.broadcast),)
    assert on_air(arbiter) == [0xA, 0xB, 0xB, 0xB, 0xA, 0xA], "listed beats unlisted, and only there"
    assert arbiter.reorder(identity(3), [first.broadcast]) == (
        Change(2, 3, second.broadcast, first.broadcast),
    )
    assert arbiter.reorder(identity(1), [second.broadcast]) == (
        Change(0, 1, first.broadcast, second.broadcast),
        Change(4, 6, first.broadcast, second.broadcast),
    ), "a deeper order stays"
    assert arbiter.reorder(identity(3), []) == (Change(2, 3, first.broadcast, second.broadcast),)
    arbiter.start(claim(0xD, emergency(), 3))
    assert on_air(arbiter) == [0xB, 0xB, 0xD, 0xB, 0xB, 0xB]


def test_a_position_waits_for_its_broadcast(arbiter: Arbiter) -> None:
    arbiter.start(claim(0xA, priority(0), 1))
    assert arbiter.reorder(identity(2), [identity(0xB), identity(0xA)]) == ()
    arbiter.start(claim(0xB, priority(1), 1))
    assert on_air(arbiter) == [0xA, 0xB, 0xB, 0xB, 0xA, 0xA]


def test_wrong_orders_are_refused(arbiter: Arbiter) -> None:
    with pytest.raises(NotFoundError, match=identity(99)):
        arbiter.reorder(identity(99), [])
    with pytest.raises(OperatorError, match="each one once"):
        arbiter.reorder(identity(1), [identity(0xA), identity(0xA)])
    with pytest.raises(OperatorError, match="at most 65535"):
        arbiter.reorder(identity(1), [identity(i) for i in range(1 << 16)])
    with pytest.raises(OperatorError, match="16 lower-case hex digits"):
        replace(claim(0xA, ordinary(), 1), broadcast="0xA")
    arbiter.start(claim(0xA, ordinary(), 1))
    with pytest.raises(ConflictError, match=identity(0xA)):
        arbiter.start(claim(0xA, ordinary(), 1))


def test_moving_a_commune_moves_what_it_hears(arbiter: Arbiter) -> None:
    arbiter.start(claim(0xA, ordinary(), 2))
    arbiter.start(claim(0xB, ordinary(), 5))
    assert on_air(arbiter) == [None, 0xA, 0xA, 0xA, 0xB, 0xB]
    changes = arbiter.retarget(tree({1: None, 2: 1, 4: 2, 5: 1, 3: 5, 7: 1}))
    assert arbiter.territory.ids == tuple(identity(i) for i in (1, 2, 4, 5, 3, 7))
    assert on_air(arbiter) == [None, 0xA, 0xA, 0xB, 0xB, None]
    assert changes == (Change(4, 5, identity(0xA), identity(0xB)),), "place 3, at its new index; 6 is gone"
    with pytest.raises(IndexError):
        arbiter.winner_at(6)


def test_ten_thousand_places_and_a_hundred_claims() -> None:
    parents: dict[int, int | None] = {1: None}
    for i in range(2, 10_001):
        parents[i] = 1 if i <= 101 else 2 + (i - 102) % 100
    arbiter = Arbiter(tree(parents))
    for commune in range(2, 102):
        arbiter.start(claim(commune, ordinary(commune), commune))
    before = on_air(arbiter)
    assert before.count(None) == 1
    changes = arbiter.start(claim(0xE000, emergency(), 1))
    assert len(changes) == 101
    assert arbiter.winning(identity(0xE000)) == arbiter.covered(identity(0xE000)) == 10_000
    assert len(arbiter.stop(identity(0xE000))) == 101
    assert on_air(arbiter) == before


def oracle(
    territory: Territory, claims: dict[str, Claim], orders: dict[str, list[str]], at: str
) -> str | None:
    """Law 1, said naively: ask every claim at one place, and let the winners fight one by one."""
    best, best_key = "", -1
    for each in claims.values():
        above = territory.ancestry(at)
        if set(each.targets).isdisjoint(above):
            continue
        order = next((orders[place] for place in reversed(above) if place in orders), [])
        listed = each.rank.cls == BroadcastClass.PRIORITY and each.broadcast in order
        rank = replace(each.rank, position=order.index(each.broadcast)) if listed else each.rank
        if beats(rank.key, each.broadcast, best_key, best):
            best, best_key = each.broadcast, rank.key
    return best or None


RANKS = st.one_of(
    st.builds(ordinary, st.integers(0, 3), st.integers(0, 2)),
    st.builds(priority, st.integers(0, 3)),
    st.builds(emergency, st.integers(0, 3), st.integers(0, 4), st.integers(0, 15)),
)
NUMBERS = st.integers(0, 1 << 20)
MANY = st.lists(NUMBERS, max_size=4)


class AgainstTheOracle(RuleBasedStateMachine):
    """Places are numbered 0..; a number from outside picks one by its remainder."""

    @initialize(parents=st.lists(NUMBERS, min_size=1, max_size=25))
    def plant(self, parents: list[int]) -> None:
        self.parents = {i: (number % (i + 1)) - 1 for i, number in enumerate(parents)}
        self.claims: dict[str, Claim] = {}
        self.orders: dict[str, list[str]] = {}
        self.started = 0
        self.arbiter = Arbiter(self.grow())
        self.heard: dict[str, str | None] = dict.fromkeys(self.arbiter.territory.ids)

    def grow(self) -> Territory:
        return tree({i: None if up < 0 else up for i, up in self.parents.items()})

    def pick(self, number: int) -> int:
        return sorted(self.parents)[number % len(self.parents)]

    def follow(self, changes: Changes) -> None:
        """What the changes say must lead from what was heard to what is."""
        end = 0
        for change in changes:
            assert end <= change.a < change.b
            assert change.before != change.after
            end = change.b
            for i in range(change.a, change.b):
                place = self.arbiter.territory.at(i).id
                assert self.heard.get(place) == change.before
                self.heard[place] = change.after

    @rule(rank=RANKS, over=MANY, lost=st.booleans(), number=st.integers(1, 1 << 50))
    def start(self, rank: Rank, over: list[int], lost: bool, number: int) -> None:
        self.started += 1
        one = claim(number * 1000 + self.started, rank, *(self.pick(t) for t in over), *([9999] * lost))
        self.claims[one.broadcast] = one
        self.follow(self.arbiter.start(one))

    @precondition(lambda self: self.claims)
    @rule(number=NUMBERS)
    def stop(self, number: int) -> None:
        broadcast = list(self.claims)[number % len(self.claims)]
        del self.claims[broadcast]
        self.follow(self.arbiter.stop(broadcast))

    @rule(number=NUMBERS, picks=MANY)
    def reorder(self, number: int, picks: list[int]) -> None:
        place, known = identity(self.pick(number)), [*self.claims, identity(0xDEAD)]
        order = list(dict.fromkeys(known[pick % len(known)] for pick in picks))
        if order:
            self.orders[place] = order
        else:
            self.orders.pop(place, None)
        self.follow(self.arbiter.reorder(place, order))

    @rule(moving=NUMBERS, to=NUMBERS)
    def reparent(self, moving: int, to: int) -> None:
        place, parent = self.pick(moving), self.pick(to)
        if identity(place) not in self.arbiter.territory.ancestry(identity(parent)):
            self.parents[place] = parent
        self.redraw()

    @rule(number=NUMBERS, into=NUMBERS)
    def merge(self, number: int, into: int) -> None:
        """A place is dissolved; what hung from it hangs from its heir, which is not below it."""
        gone, heir = self.pick(number), self.pick(into)
        if identity(gone) in self.arbiter.territory.ancestry(identity(heir)):
            return
        del self.parents[gone]
        self.parents.update({i: heir for i, up in self.parents.items() if up == gone})
        self.redraw()

    @rule(number=NUMBERS)
    def found(self, number: int) -> None:
        self.parents[max(self.parents) + 1] = self.pick(number)
        self.redraw()

    def redraw(self) -> None:
        territory = self.grow()
        self.orders = {place: order for place, order in self.orders.items() if place in territory}
        self.heard = {place: self.heard.get(place) for place in territory.ids}
        self.follow(self.arbiter.retarget(territory))

    @invariant()
    def decides_as_the_oracle(self) -> None:
        if not hasattr(self, "arbiter"):
            return
        territory = self.arbiter.territory
        right = {place: oracle(territory, self.claims, self.orders, place) for place in territory.ids}
        assert {territory.at(i).id: self.arbiter.winner_at(i) for i in range(len(territory))} == right
        assert self.heard == right
        for broadcast, each in self.claims.items():
            inside = [i for a, b in self.arbiter.segments(broadcast) for i in range(a, b)]
            assert inside == [i for i, place in enumerate(territory.ids) if right[place] == broadcast]
            assert self.arbiter.winning(broadcast) == len(inside)
            below = [p for p in territory.ids if not set(each.targets).isdisjoint(territory.ancestry(p))]
            assert self.arbiter.covered(broadcast) == len(below)


TestAgainstTheOracle = AgainstTheOracle.TestCase
TestAgainstTheOracle.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
