"""The territory's line: subtrees are slices, order is stable, broken trees are refused by name."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.errors import NotFoundError, OperatorError
from loa.streamer.territory import Place, Territory


def place(name: str, parent: str | None = None, position: int = 0, slug: str = "") -> Place:
    return Place(id=name, parent=parent, name=name, slug=slug or name, kind="zone", position=position)


PROVINCE = [
    place("province", slug="dong-thap"),
    place("north", "province", position=1),
    place("south", "province", position=2),
    place("n1", "north"),
    place("n2", "north"),
    place("s1", "south"),
    place("s1a", "s1"),
]


def test_every_subtree_is_a_slice_of_the_line() -> None:
    territory = Territory(PROVINCE)
    assert territory.ids == ("province", "north", "n1", "n2", "south", "s1", "s1a")
    assert territory.slice("province") == (0, 7)
    assert territory.slice("north") == (1, 4)
    assert territory.slice("south") == (4, 7)
    assert territory.slice("s1a") == (6, 7)
    assert [territory.at(i).id for i in range(len(territory))] == list(territory.ids)


def test_what_stands_above_a_place() -> None:
    territory = Territory(PROVINCE)
    assert territory.ancestry("s1a") == ("province", "south", "s1", "s1a")
    assert territory.ancestry("province") == ("province",)
    assert [territory.depth(i) for i in territory.ids] == [0, 1, 2, 2, 1, 2, 3]
    assert territory.path("s1a") == "dong-thap/south/s1/s1a"
    assert territory.get("n2").parent == "north"


def test_siblings_stand_by_position_then_name_then_id() -> None:
    line = Territory(
        [
            Place("r", None, "root", "root", "nation"),
            Place("c", "r", "Bến", "c", "zone", 1),
            Place("b", "r", "An", "b", "zone", 1),
            Place("a", "r", "An", "a", "zone", 1),
            Place("d", "r", "Zét", "d", "zone", 0),
        ]
    )
    assert line.ids == ("r", "d", "a", "b", "c")


def test_several_roots_and_none() -> None:
    assert Territory([place("b"), place("a"), place("c", "b")]).ids == ("a", "b", "c")
    empty = Territory([])
    assert len(empty) == 0
    assert empty.covering(["a"]) == []


def test_targets_are_merged_into_disjoint_slices() -> None:
    territory = Territory(PROVINCE)
    assert territory.covering(["north"]) == [(1, 4)]
    assert territory.covering(["s1a", "n1"]) == [(2, 3), (6, 7)]
    assert territory.covering(["n2", "n1"]) == [(2, 4)], "neighbours touch, so they are one slice"
    assert territory.covering(["n1", "north", "n1"]) == [(1, 4)], "a place inside another adds nothing"
    assert territory.covering(["south", "north", "province"]) == [(0, 7)]


def test_an_area_that_cannot_be_read_is_nobody() -> None:
    territory = Territory(PROVINCE)
    assert territory.covering([]) == []
    assert territory.covering(["", "*", "nowhere"]) == []
    assert territory.covering(["nowhere", "n1"]) == [(2, 3)]


def test_unknown_places_are_named() -> None:
    territory = Territory(PROVINCE)
    assert "n1" in territory
    assert "nowhere" not in territory
    for ask in (territory.index, territory.slice, territory.ancestry, territory.depth, territory.path):
        with pytest.raises(NotFoundError, match="nowhere"):
            ask("nowhere")
    with pytest.raises(IndexError, match="-1"):
        territory.at(-1)
    with pytest.raises(IndexError, match="7"):
        territory.at(7)


@pytest.mark.parametrize(
    ("places", "fault"),
    [
        ([place("a"), place("a")], "a is there twice"),
        ([place("a"), place("b", "gone")], "b .*parent gone does not exist"),
        ([place("a", "a")], "a -> a"),
        (
            [place("root"), place("a", "c"), place("b", "a"), place("c", "b"), place("under", "a")],
            "a -> c -> b -> a",
        ),
    ],
)
def test_broken_trees_are_refused_by_name(places: list[Place], fault: str) -> None:
    with pytest.raises(OperatorError, match=fault):
        Territory(places)


@pytest.mark.parametrize(("identity", "slug"), [("", "x"), ("a", ""), ("a", "x/y")])
def test_a_place_is_valid_from_construction(identity: str, slug: str) -> None:
    with pytest.raises(OperatorError, match="expected"):
        Place(identity, None, "name", slug, "zone")


def test_a_chain_deeper_than_the_interpreters_stack() -> None:
    depth = 5_000
    territory = Territory([place("0"), *(place(str(i), str(i - 1)) for i in range(1, depth))])
    assert territory.depth(str(depth - 1)) == depth - 1
    assert territory.slice("10") == (10, depth)
    assert len(territory.ancestry(str(depth - 1))) == depth


@settings(max_examples=60)
@given(parents=st.lists(st.integers(0, 1 << 30), max_size=40), seed=st.integers(0, 1 << 30))
def test_slices_are_exactly_the_descendants(parents: list[int], seed: int) -> None:
    places = [place("p0")]
    for i, number in enumerate(parents, start=1):
        above = number % (i + 1)
        places.append(place(f"p{i}", None if above == i else f"p{above}", position=number % 3))
    territory = Territory(places)
    for each in places:
        a, b = territory.slice(each.id)
        inside = {other.id for other in places if each.id in territory.ancestry(other.id)}
        assert {territory.at(i).id for i in range(a, b)} == inside
    random.Random(seed).shuffle(places)
    assert Territory(places).ids == territory.ids, "the order they come in does not matter"
