"""Loudspeakers: their state, moving and removing them, letting them in and shutting them out."""

from typing import Any

import pytest

from loa.station.speaker import NewSpeaker, SpeakerState
from loa.station.station import Station
from loa.streamer.air import Air
from loa.streamer.presence import Roll
from loa.trust.keys import SigningKey
from loa.web.desk import Desk

SPEAKERS = "/api/v1/speakers"


@pytest.fixture
async def newcomer(
    page: Any, land: Any, station: Station, desk: Desk, network: Any
) -> tuple[str, SigningKey]:
    """A device that has enrolled at the hamlet, and waits."""
    key = SigningKey.generate()
    new = NewSpeaker(
        land.hamlet.id, "Cụm mới", key.public.raw.hex(), "SN-9", "loa 0.3", state=SpeakerState.PENDING
    )
    speaker = await station.speakers.add(new, now_us=desk.clock.now_us())
    desk.speaker_changed(speaker)
    network.told.clear()
    return speaker.id, key


async def counted(page: Any, land: Any) -> int:
    places = {place["id"]: place for place in await page.get("/api/v1/places")}
    found: int = places[land.hamlet.id]["speakers"]
    return found


async def test_a_newcomer_waits_and_is_let_in_by_a_person_who_compares_its_key(
    page: Any, land: Any, newcomer: tuple[str, SigningKey], network: Any
) -> None:
    name, key = newcomer
    (shown,) = [s for s in await page.get(f"{SPEAKERS}?place={land.hamlet.id}") if s["id"] == name]
    assert (shown["state"], shown["serial"], shown["software"]) == ("pending", "SN-9", "loa 0.3")
    assert shown["key"].replace(" ", "") == key.public.key_id[:8]
    assert [len(group) for group in shown["key"].split(" ")] == [4, 4]
    assert await counted(page, land) == 2, "nobody reckons with it yet"
    approved = await page.post(f"{SPEAKERS}/{name}/approve", status=200)
    assert approved["state"] == "never"
    assert network.told == [f"changed {name}"]
    assert await counted(page, land) == 3


async def test_who_waits_or_is_shut_out_is_not_meant_by_an_order(
    page: Any, land: Any, newcomer: tuple[str, SigningKey], air: Air, roll: Roll, desk: Desk
) -> None:
    await page.post(f"{SPEAKERS}/{land.at(land.hamlet)[0]}/block", status=200)
    alert = {"source": {"kind": "tone"}, "severity": "minor", "title": "X", "targets": [land.hamlet.id]}
    started = await page.post("/api/v1/emergencies", alert)
    await desk.feed.flush()
    reach = await page.get(f"/api/v1/broadcasts/{started['id']}/reach")
    assert {missing["id"] for missing in reach["missing"]} == {land.at(land.hamlet)[1]}


async def test_a_speaker_is_blocked_and_let_in_again(
    page: Any, land: Any, roll: Roll, network: Any, station: Station
) -> None:
    name = land.at(land.hamlet)[0]
    roll.linked(name)
    assert (await page.post(f"{SPEAKERS}/{name}/block", status=200))["state"] == "blocked"
    assert (await station.speakers.get(name)).state is SpeakerState.BLOCKED
    assert await counted(page, land) == 1
    await page.post(f"{SPEAKERS}/{name}/approve", status=409)
    assert (await page.post(f"{SPEAKERS}/{name}/unblock", status=200))["state"] == "online"
    assert network.told == [f"changed {name}"] * 2
    assert await counted(page, land) == 2


@pytest.mark.parametrize("step", ["approve", "block", "unblock"])
async def test_nobody_decides_about_a_speaker_that_is_not_there(page: Any, network: Any, step: str) -> None:
    await page.post(f"{SPEAKERS}/0123456789abcdef/{step}", status=404)
    assert network.told == []


async def test_a_speaker_that_moves_is_counted_where_it_is(page: Any, land: Any, roll: Roll) -> None:
    (name, other) = land.at(land.south)
    roll.linked(name)
    body = {"place": land.hamlet.id, "name": "Cụm mới", "notes": "trên cột"}
    position = {"lat": 10.4, "lon": 105.6}
    changed = await page.call("PATCH", f"{SPEAKERS}/{name}", body | {"position": position})
    assert {key: changed[key] for key in body | position} == body | position
    assert changed["state"] == "online"
    places = {place["id"]: place for place in await page.get("/api/v1/places")}
    assert (places[land.south.id]["speakers"], places[land.hamlet.id]["online"]) == (1, 1)
    assert roll.states[name].seat.place == land.hamlet.id
    assert [s["id"] for s in await page.get(f"{SPEAKERS}?place={land.south.id}")] == [other]
    kept = await page.call("PATCH", f"{SPEAKERS}/{name}", {"name": "Cụm 9"})
    assert (kept["lat"], kept["lon"]) == (10.4, 105.6)
    gone = await page.call("PATCH", f"{SPEAKERS}/{name}", {"position": None})
    assert (gone["lat"], gone["lon"], gone["notes"]) == (None, None, "trên cột")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"position": {"lat": 10.4}}, 422),
        ({"position": {"lat": 91, "lon": 0}}, 422),
        ({"lat": 10.4, "lon": 105.0}, 422),
        ({"state": "active"}, 422),
        ({"place": "0123456789abcdef"}, 404),
    ],
)
async def test_a_change_that_cannot_be_changes_nothing(
    page: Any, land: Any, body: dict[str, Any], status: int
) -> None:
    before = await page.get(SPEAKERS)
    await page.call("PATCH", f"{SPEAKERS}/{land.at(land.south)[0]}", body, status=status)
    assert await page.get(SPEAKERS) == before


async def test_a_removed_speaker_is_nobody(page: Any, land: Any, roll: Roll, network: Any) -> None:
    name = land.at(land.south)[0]
    roll.linked(name)
    await page.call("DELETE", f"{SPEAKERS}/{name}", status=204)
    assert name not in roll.states
    assert network.told == [f"removed {name}"]
    south = (await page.get("/api/v1/places"))[3]
    assert (south["speakers"], south["online"]) == (1, 0)
    await page.call("DELETE", f"{SPEAKERS}/{name}", status=404)


async def test_speakers_of_a_place_that_is_not_there(page: Any) -> None:
    await page.get(f"{SPEAKERS}?place=0123456789abcdef", status=404)
