"""Places: ids stay, paths follow names, and every path ever given leads where it led."""

import pytest

from loa.errors import ConflictError, NotFoundError, OperatorError
from loa.station.place import MAX_DEPTH, Inherited, NewPlace, Place, PlaceChange, inherited
from loa.station.speaker import NewSpeaker
from loa.station.station import Station


async def test_the_line_is_depth_first_with_siblings_in_their_order(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    second = await station.places.add(
        NewPlace("Sa Đéc", "commune", parent=province.id, position=2), now_us=now_us
    )
    hamlet = await station.places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    first = await station.places.add(
        NewPlace("Hồng Ngự", "commune", parent=province.id, position=0), now_us=now_us
    )
    await station.places.change(commune.id, PlaceChange(position=1), now_us=now_us)
    line = await station.places.list()
    assert [place.id for place in line] == [province.id, first.id, commune.id, hamlet.id, second.id]
    assert [(place.path, place.depth) for place in line] == [
        ("dong-thap", 0),
        ("dong-thap/hong-ngu", 1),
        ("dong-thap/cao-lanh", 1),
        ("dong-thap/cao-lanh/ap-1", 2),
        ("dong-thap/sa-dec", 1),
    ]


async def test_siblings_of_one_name_get_numbers_and_an_asked_for_slug_is_refused_when_taken(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    twin = await station.places.add(NewPlace("Cao  Lanh", "commune", parent=province.id), now_us=now_us)
    third = await station.places.add(NewPlace("CAO LÃNH!", "commune", parent=province.id), now_us=now_us)
    assert (twin.slug, twin.name, third.slug) == ("cao-lanh-2", "Cao Lanh", "cao-lanh-3")
    with pytest.raises(ConflictError, match="cao-lanh"):
        await station.places.add(
            NewPlace("Khác", "commune", parent=province.id, slug="cao-lanh"), now_us=now_us
        )
    cousin = await station.places.add(NewPlace("Cao Lãnh", "hamlet", parent=commune.id), now_us=now_us)
    assert cousin.path == "dong-thap/cao-lanh/cao-lanh"


async def test_a_name_without_ascii_gets_its_id_for_a_slug(
    station: Station, province: Place, now_us: int
) -> None:
    khmer = await station.places.add(NewPlace("ភូមិ", "hamlet", parent=province.id), now_us=now_us)
    assert khmer.slug == khmer.id
    assert await station.places.resolve(f"dong-thap/{khmer.id}") == khmer.id


async def test_every_path_ever_stays_resolvable_through_renames_and_moves_of_ancestors(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    places = station.places
    area = await places.add(NewPlace("Khu vực 1", "area", parent=province.id), now_us=now_us)
    hamlet = await places.add(NewPlace("Ấp Đông", "hamlet", parent=commune.id), now_us=now_us)
    await places.change(province.id, PlaceChange(name="Tiền Giang"), now_us=now_us + 1)
    await places.change(commune.id, PlaceChange(parent=area.id), now_us=now_us + 2)
    await places.change(hamlet.id, PlaceChange(name="Ấp Tây"), now_us=now_us + 3)
    ever = {
        "dong-thap/cao-lanh/ap-dong",
        "tien-giang/cao-lanh/ap-dong",
        "tien-giang/khu-vuc-1/cao-lanh/ap-dong",
        "tien-giang/khu-vuc-1/cao-lanh/ap-tay",
    }
    assert {path for path, place in (await places.paths()).items() if place == hamlet.id} == ever
    for path in ever:
        assert await places.resolve(path) == hamlet.id
    assert await places.resolve("/Tien-Giang/Khu-Vuc-1/") == area.id
    assert await places.resolve(hamlet.id) == hamlet.id
    assert await places.resolve("dong-thap/khac") is None
    assert (await places.get(hamlet.id)).path == "tien-giang/khu-vuc-1/cao-lanh/ap-tay"


async def test_a_path_that_was_once_given_is_never_given_to_another(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    places = station.places
    hamlet = await places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    await places.change(commune.id, PlaceChange(name="Mỹ Ngãi"), now_us=now_us)
    await places.change(hamlet.id, PlaceChange(parent=province.id), now_us=now_us)
    heir = await places.add(NewPlace("Cao Lãnh", "commune", parent=province.id), now_us=now_us)
    assert heir.slug == "cao-lanh-2", "cao-lanh still leads to the commune that was once called so"
    newcomer = await places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    assert newcomer.path == "dong-thap/my-ngai/ap-1-2"
    # Back to its old name: its own old path is its own, and the newcomer's numbered one clashes with nothing.
    back = await places.change(commune.id, PlaceChange(name="Cao Lãnh"), now_us=now_us)
    assert back.path == "dong-thap/cao-lanh"
    assert await places.resolve("dong-thap/cao-lanh/ap-1") == hamlet.id
    assert await places.resolve("dong-thap/cao-lanh/ap-1-2") == newcomer.id


async def test_a_move_that_would_take_a_descendants_path_from_another_place_gets_a_numbered_slug(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    places = station.places
    leaver = await places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    await places.change(leaver.id, PlaceChange(parent=province.id), now_us=now_us)
    await places.change(commune.id, PlaceChange(name="Mỹ Ngãi"), now_us=now_us)
    comer = await places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    assert comer.path == "dong-thap/my-ngai/ap-1"
    back = await places.change(commune.id, PlaceChange(name="Cao Lãnh"), now_us=now_us)
    assert back.path == "dong-thap/cao-lanh-2", "dong-thap/cao-lanh/ap-1 led to the hamlet that left"
    assert await places.resolve("dong-thap/cao-lanh/ap-1") == leaver.id
    with pytest.raises(ConflictError, match="dong-thap/cao-lanh/ap-1"):
        await places.change(commune.id, PlaceChange(slug="cao-lanh"), now_us=now_us)


async def test_a_change_that_leaves_the_name_leaves_the_address(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    places = station.places
    twin = await places.add(NewPlace("Cao Lãnh", "commune", parent=province.id), now_us=now_us)
    changed = await places.change(
        twin.id, PlaceChange(name="CAO LÃNH", kind="ward", latency_ms=300, profile="lan"), now_us=now_us
    )
    assert (changed.slug, changed.name, changed.kind) == ("cao-lanh-2", "CAO LÃNH", "ward")
    assert (changed.latency_ms, changed.profile) == (300, "lan")
    await places.delete(commune.id)
    assert (await places.change(twin.id, PlaceChange(name="cao lãnh"), now_us=now_us)).slug == "cao-lanh-2"
    inheriting = await places.change(twin.id, PlaceChange(latency_ms=None), now_us=now_us)
    assert (inheriting.latency_ms, inheriting.profile, inheriting.parent) == (None, "lan", province.id)


async def test_circles_second_roots_and_moving_the_root_are_refused(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    places = station.places
    hamlet = await places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    for parent in (commune.id, hamlet.id):
        with pytest.raises(ConflictError, match="inside it"):
            await places.change(commune.id, PlaceChange(parent=parent), now_us=now_us)
    with pytest.raises(ConflictError, match="root"):
        await places.change(province.id, PlaceChange(parent=commune.id), now_us=now_us)
    with pytest.raises(ConflictError, match="has its root"):
        await places.add(NewPlace("Huế", "province"), now_us=now_us)
    with pytest.raises(NotFoundError, match="0000000000000000"):
        await places.change(commune.id, PlaceChange(parent="0" * 16), now_us=now_us)
    assert [place.path for place in await places.list()] == [
        "dong-thap",
        "dong-thap/cao-lanh",
        "dong-thap/cao-lanh/ap-1",
    ]


async def test_a_refused_change_leaves_nothing_behind(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    before, version = await station.places.list(), await station.places.version()
    with pytest.raises(NotFoundError):
        await station.places.add_many(
            (NewPlace("Một", "hamlet", parent=commune.id), NewPlace("Hai", "hamlet", parent="f" * 16)),
            now_us=now_us,
        )
    assert (await station.places.list(), await station.places.version()) == (before, version)


async def test_deleting_what_holds_something_is_refused(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    with pytest.raises(ConflictError, match="root"):
        await station.places.delete(province.id)
    hamlet = await station.places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    with pytest.raises(ConflictError, match="1 places"):
        await station.places.delete(commune.id)
    speaker = await station.speakers.add(NewSpeaker(hamlet.id, "Cụm 1", "ab" * 32), now_us=now_us)
    with pytest.raises(ConflictError, match="1 speakers"):
        await station.places.delete(hamlet.id)
    await station.speakers.delete(speaker.id, now_us=now_us)
    await station.places.delete(hamlet.id)
    assert await station.places.resolve("dong-thap/cao-lanh/ap-1") is None
    again = await station.places.add(NewPlace("Ấp 1", "hamlet", parent=commune.id), now_us=now_us)
    assert again.path == "dong-thap/cao-lanh/ap-1", "a deleted place's paths are free"


async def test_the_depth_of_the_tree_has_its_limit_on_making_and_on_moving(
    station: Station, province: Place, now_us: int
) -> None:
    chain = [province]
    for level in range(MAX_DEPTH):
        new = NewPlace(f"Tầng {level}", "zone", parent=chain[-1].id)
        chain.append(await station.places.add(new, now_us=now_us))
    assert chain[-1].depth == MAX_DEPTH
    with pytest.raises(OperatorError, match="levels deep"):
        await station.places.add(NewPlace("Quá", "zone", parent=chain[-1].id), now_us=now_us)
    pair = await station.places.add(NewPlace("Cặp", "zone", parent=province.id), now_us=now_us)
    await station.places.add(NewPlace("Con", "zone", parent=pair.id), now_us=now_us)
    with pytest.raises(OperatorError, match="levels deep"):
        await station.places.change(pair.id, PlaceChange(parent=chain[-2].id), now_us=now_us)


async def test_settings_are_inherited_from_the_nearest_above(
    station: Station, province: Place, commune: Place, now_us: int
) -> None:
    hamlet = await station.places.add(
        NewPlace("Ấp 1", "hamlet", parent=commune.id, latency_ms=120), now_us=now_us
    )
    await station.places.change(province.id, PlaceChange(latency_ms=400, profile="wan"), now_us=now_us)
    places = {place.id: place for place in await station.places.list()}
    assert inherited(places, hamlet.id) == Inherited(120, "wan")
    assert inherited(places, commune.id) == Inherited(400, "wan")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": " \t"}, "name of the place"),
        ({"name": "x" * 121}, "120"),
        ({"name": "a\x00b"}, "cannot be shown"),
        ({"kind": "Tỉnh"}, "kind"),
        ({"slug": "Cao-Lanh"}, "slug"),
        ({"slug": "a--b"}, "slug"),
        ({"slug": "0123456789abcdef"}, "no id"),
        ({"position": -1}, "position"),
        ({"latency_ms": 0}, "latency"),
        ({"profile": "moon"}, "profile"),
        ({"id": "XYZ"}, "16 lower-case hex"),
    ],
)
def test_a_place_that_cannot_be_is_refused_on_construction(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        NewPlace(**({"name": "Cao Lãnh", "kind": "commune"} | wrong))  # type: ignore[arg-type]
