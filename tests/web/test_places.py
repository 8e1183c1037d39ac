"""Reading and editing the tree, and what follows from an edit."""

from typing import Any

from loa.streamer.air import Air

PLACES = "/api/v1/places"


async def test_parents_come_before_their_children_with_all_a_page_needs(page: Any, land: Any) -> None:
    told = await page.get(PLACES)
    assert [(place["name"], place["depth"], place["speakers"]) for place in told] == [
        ("Đồng Tháp", 0, 6),
        ("Cao Lãnh", 1, 4),
        ("Ấp 1", 2, 2),
        ("Mỹ Tho", 1, 2),
    ]
    assert [place["path"] for place in told][:2] == ["dong-thap", "dong-thap/cao-lanh"]
    assert told[1]["parent"] == land.province.id


async def test_a_new_place_is_on_the_line_at_once(page: Any, land: Any, air: Air, network: Any) -> None:
    told = await page.post(PLACES, {"parent": land.south.id, "name": "Ấp Tân", "kind": "hamlet"})
    assert (told["path"], told["depth"], told["speakers"]) == ("dong-thap/my-tho/ap-tan", 2, 0)
    assert air.territory.ancestry(told["id"]) == (land.province.id, land.south.id, told["id"])
    assert network.told == ["places"]


async def test_a_place_that_moves_takes_its_speakers_along(page: Any, land: Any, air: Air) -> None:
    moved = await page.call("PATCH", f"{PLACES}/{land.hamlet.id}", {"parent": land.south.id})
    assert moved["path"] == "dong-thap/my-tho/ap-1"
    speakers = {place["id"]: place["speakers"] for place in await page.get(PLACES)}
    assert (speakers[land.north.id], speakers[land.south.id]) == (2, 4)
    assert air.territory.ancestry(land.hamlet.id)[1] == land.south.id


async def test_what_is_left_out_stays_and_null_inherits(page: Any, land: Any) -> None:
    path = f"{PLACES}/{land.north.id}"
    changed = await page.call("PATCH", path, {"latency_ms": 600, "profile": "lan"})
    assert (changed["latency_ms"], changed["profile"], changed["name"]) == (600, "lan", "Cao Lãnh")
    changed = await page.call("PATCH", path, {"name": "Cao Lãnh mới"})
    assert (changed["latency_ms"], changed["name"]) == (600, "Cao Lãnh mới")
    changed = await page.call("PATCH", path, {"latency_ms": None})
    assert (changed["latency_ms"], changed["profile"]) == (None, "lan")


async def test_an_edit_that_cannot_be_is_refused(page: Any, land: Any) -> None:
    cycle = await page.call("PATCH", f"{PLACES}/{land.north.id}", {"parent": land.hamlet.id}, status=409)
    assert cycle["what"]
    await page.call("PATCH", f"{PLACES}/0123456789abcdef", {"name": "X"}, status=404)
    await page.post(PLACES, {"parent": "0123456789abcdef", "name": "X", "kind": "zone"}, status=404)
    taken = {"parent": land.province.id, "name": "Other", "kind": "commune", "slug": "cao-lanh"}
    await page.post(PLACES, taken, status=409)
    assert len(await page.get(PLACES)) == 4


async def test_the_button_says_whom_it_reaches(page: Any, land: Any) -> None:
    north, hamlet, south = land.north.id, land.hamlet.id, land.south.id
    assert await page.get(f"/api/v1/reach?targets={north}") == {"speakers": 4, "online": 0, "places": 2}
    both = await page.get(f"/api/v1/reach?targets={north},{hamlet},{south}")
    assert both == {"speakers": 6, "online": 0, "places": 3}
    for nobody in ("", "targets=", "targets=,", f"targets={north},nowhere-at-all-0", f"targets={north},"):
        problem = await page.get(f"/api/v1/reach?{nobody}", status=422)
        assert "targets" in problem["where"] + problem["what"]


async def test_the_order_of_a_place_that_is_not_there(page: Any) -> None:
    await page.post(f"{PLACES}/0123456789abcdef/order", {"broadcasts": []}, status=404)
