"""The rank check against an oracle of a few lines, on random broadcasts, orders, ends."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from loa.speaker.selector import MAX_ACTIVE, Active, Selector, slot_after, slot_of
from loa.wire.rank import BroadcastClass, Rank

NATION, PROVINCE, COMMUNE = "00" * 8, "01" * 8, "02" * 8
ANCESTRY = (NATION, PROVINCE, COMMUNE)


def ident(number: int) -> str:
    return f"{number:016x}"


@st.composite
def ranks(draw: st.DrawFn) -> Rank:
    cls = draw(st.sampled_from(BroadcastClass))
    detail = draw(st.integers(0, {1: 2, 2: 0, 3: 4}[cls]))
    return Rank(cls, detail, draw(st.integers(0, 3)), draw(st.integers(0, 5)))


@st.composite
def actives(draw: st.DrawFn) -> Active:
    number = draw(st.integers(0, 9))
    begins = draw(st.integers(0, 20))
    return Active(ident(number), ident(number), draw(ranks()), begins, begins + draw(st.integers(0, 20)), 0)


@dataclass(frozen=True)
class End:
    number: int
    at_k: int


@dataclass(frozen=True)
class Remove:
    number: int


@dataclass(frozen=True)
class Order:
    place: str
    numbers: tuple[int, ...]


orders = st.builds(
    Order, st.sampled_from(ANCESTRY), st.lists(st.integers(0, 9), unique=True, max_size=5).map(tuple)
)
steps = st.lists(
    actives()
    | st.builds(End, st.integers(0, 9), st.integers(0, 45))
    | st.builds(Remove, st.integers(0, 9))
    | orders,
    max_size=30,
)


def oracle(known: dict[str, Active], listed: dict[str, tuple[int, ...]], k: int) -> str | None:
    order = next((listed[place] for place in reversed(ANCESTRY) if listed.get(place)), ())

    def place_in_line(active: Active) -> tuple[object, ...]:
        rank = active.rank
        if rank.cls == BroadcastClass.EMERGENCY:
            return (3, rank.detail, rank.level, rank.started_us, active.broadcast)
        if rank.cls == BroadcastClass.PRIORITY:
            number = int(active.broadcast, 16)
            if number in order:
                return (2, 1, -order.index(number), 0, active.broadcast)
            return (2, 0, -rank.started_us, 0, active.broadcast)
        return (1, rank.detail, -rank.started_us, 0, active.broadcast)

    now = [active for active in known.values() if active.from_k <= k < active.until_k]
    return max(now, key=place_in_line).broadcast if now else None


@settings(deadline=None)
@given(steps)
def test_the_winner_is_the_highest_that_is_active(script: list[Active | End | Remove | Order]) -> None:
    selector, known, listed = Selector(), dict[str, Active](), dict[str, tuple[int, ...]]()
    selector.place(ANCESTRY)
    for step in script:
        match step:
            case Active():
                selector.put(step)
                known[step.broadcast] = step
            case End(number, at_k):
                selector.end(ident(number), at_k)
                if ident(number) in known:
                    old = known[ident(number)]
                    until = min(old.until_k, at_k)
                    known[ident(number)] = Active(
                        old.broadcast, old.program, old.rank, old.from_k, until, old.verified_us
                    )
            case Remove(number):
                selector.remove(ident(number))
                known.pop(ident(number), None)
            case Order(place, numbers):
                selector.reorder(place, [ident(number) for number in numbers])
                listed[place] = numbers
        for k in range(0, 46, 3):
            winner = selector.at(k)
            assert (winner.broadcast if winner else None) == oracle(known, listed, k)


def music(begins: int = 0, ends: int = 10_000) -> Active:
    return Active(ident(1), ident(11), Rank(BroadcastClass.ORDINARY, 2, 0, 5), begins, ends, 0)


def alert(begins: int, ends: int = 10_000) -> Active:
    return Active(ident(2), ident(12), Rank(BroadcastClass.EMERGENCY, 4, 14, 9), begins, ends, 0)


def test_what_is_beneath_is_back_in_the_slot_in_which_the_one_above_ends() -> None:
    selector = Selector()
    selector.put(music())
    selector.put(alert(100))
    selector.end(alert(100).broadcast, 200)
    heard = [winner.broadcast if (winner := selector.at(k)) else None for k in (99, 100, 199, 200)]
    assert heard == [ident(1), ident(2), ident(2), ident(1)]


def test_an_end_never_moves_back() -> None:
    selector = Selector()
    selector.put(alert(100))
    selector.end(ident(2), 200)
    selector.end(ident(2), 300)
    assert selector.at(250) is None


def test_a_full_table_gives_up_its_lowest_never_an_emergency() -> None:
    selector = Selector()
    selector.put(alert(0))
    gone = []
    for number in range(100, 100 + MAX_ACTIVE):
        rank = Rank(BroadcastClass.ORDINARY, 0, 0, number)
        gone.append(selector.put(Active(ident(number), ident(number), rank, 0, 10, 0)))
    assert [active.broadcast for active in gone if active] == [ident(99 + MAX_ACTIVE)]
    assert len(selector) == MAX_ACTIVE
    winner = selector.at(5)
    assert winner is not None
    assert winner.broadcast == ident(2)


def test_an_order_of_a_place_that_is_not_above_us_is_not_ours() -> None:
    selector = Selector()
    selector.place(ANCESTRY)
    assert not selector.reorder("ff" * 8, [ident(1)])


def test_moving_away_from_a_commune_leaves_its_order_behind() -> None:
    selector = Selector()
    selector.place(ANCESTRY)
    for number in (1, 2):
        rank = Rank(BroadcastClass.PRIORITY, 0, 0, number)
        selector.put(Active(ident(number), ident(number), rank, 0, 10, 0))
    selector.reorder(COMMUNE, [ident(2)])
    before = selector.at(0)
    selector.place((NATION, PROVINCE, "03" * 8))
    after = selector.at(0)
    assert before is not None
    assert after is not None
    assert (before.broadcast, after.broadcast) == (ident(2), ident(1))


def test_slots() -> None:
    assert [slot_of(us) for us in (0, 19_999, 20_000)] == [0, 0, 1]
    assert [slot_after(us) for us in (0, 1, 20_000, 20_001)] == [0, 1, 1, 2]
