"""Counting speakers below places, against a count by hand."""

from hypothesis import given
from hypothesis import strategies as st

from loa.streamer.territory import Place, Territory
from loa.web.census import Census, Count, Standing


def ident(number: int) -> str:
    return f"{number:016x}"


@st.composite
def territories(draw: st.DrawFn) -> Territory:
    parents = [draw(st.integers(-1, n - 1)) for n in range(draw(st.integers(1, 12)))]
    return Territory(
        Place(ident(n), ident(parent) if parent >= 0 else None, f"P{n}", f"p{n}", "zone")
        for n, parent in enumerate(parents)
    )


standings = st.builds(
    Standing, place=st.integers(0, 13).map(ident), online=st.booleans(), faulty=st.booleans()
)
steps = st.lists(st.tuples(st.integers(0, 9), st.none() | standings), max_size=40)


def by_hand(territory: Territory, known: dict[str, Standing], targets: set[str]) -> Count:
    def below(place: str) -> bool:
        return place in territory and bool(targets.intersection(territory.ancestry(place)))

    found = [standing for standing in known.values() if below(standing.place)]
    places = sum(below(place) for place in territory.ids)
    return Count(len(found), sum(s.online for s in found), sum(s.faulty for s in found), places)


@given(territories(), territories(), steps, st.sets(st.integers(0, 13).map(ident)))
def test_it_counts_as_by_hand(first: Territory, second: Territory, made: object, targets: set[str]) -> None:
    census, known = Census(first), dict[str, Standing]()
    assert isinstance(made, list)
    for number, standing in made:
        name = f"speaker {number}"
        if standing is None:
            census.remove(name)
            known.pop(name, None)
        else:
            assert census.put(name, standing) == (known.get(name) != standing)
            known[name] = standing
        assert census.of(targets) == by_hand(first, known, targets)
    census.set_territory(second)
    assert census.of(targets) == by_hand(second, known, targets)


def test_nobody_is_counted_twice() -> None:
    territory = Territory(
        [Place(ident(0), None, "A", "a", "commune"), Place(ident(1), ident(0), "B", "b", "zone")]
    )
    census = Census(territory)
    census.put("s", Standing(ident(1), online=True, faulty=False))
    assert census.of([ident(0), ident(1), ident(0)]) == Count(1, 1, 0, 2)
    assert census.of([]) == Count(0, 0, 0, 0)
    assert census.of(["nowhere"]) == Count(0, 0, 0, 0)
