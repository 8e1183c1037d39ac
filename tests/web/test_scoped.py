"""Everybody is told what lies in their scope: of lists, of broadcasts that reach further, of live events."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar, FormData

from loa.clock import VirtualClock
from loa.station.act import Act
from loa.station.emergency_log import EmergencyLog
from loa.station.role import Builtin
from loa.streamer.air import Air
from loa.streamer.presence import Roll
from loa.web.desk import Desk
from loa.web.event_hub import Client
from loa.web.live_models import PlacesEvent
from loa.web.session_book import SignedIn
from loa.web.telling import PlacesTelling, event_bytes

from .conftest import App
from .matrix_world import World

As = Callable[[SignedIn], AbstractAsyncContextManager["Seat"]]


class Seat:
    """Somebody's page."""

    def __init__(self, app: App, http: ClientSession, who: SignedIn) -> None:
        self._app, self._http, self.who = app, http, who

    async def send(self, method: str, path: str, body: object = None, form: FormData | None = None) -> Any:
        headers = {"Cookie": f"loa_session={self.who.token}", "X-CSRF-Token": self.who.csrf}
        sent: dict[str, Any] = {"data": form} if form is not None else {}
        if body is not None:
            sent["json"] = body
        url = self._app.make_url(f"/api/v1{path}")
        async with self._http.request(method, url, headers=headers, **sent) as answer:
            told = await answer.json() if answer.content_type == "application/json" else None
            return answer.status, told

    async def get(self, path: str) -> Any:
        status, told = await self.send("GET", path)
        assert status == 200, told
        return told


@pytest.fixture
def world(desk: Desk, clock: VirtualClock, land: Any) -> World:
    return World(desk, clock, land)


@pytest.fixture
def seat(app: App) -> As:
    @asynccontextmanager
    async def of(who: SignedIn) -> AsyncIterator[Seat]:
        async with ClientSession(cookie_jar=DummyCookieJar()) as http:
            yield Seat(app, http, who)

    return of


def alert(*targets: str, at: str | None = None) -> dict[str, Any]:
    body = {"source": {"kind": "tone"}, "targets": list(targets), "severity": "severe", "title": "Lũ"}
    return body | ({"at": at} if at else {})


async def test_what_is_above_is_named_and_what_is_beside_is_not(world: World, land: Any, seat: As) -> None:
    async with seat(await world.person(Builtin.VIEWER, land.north.id)) as north:
        places = {place["id"]: place for place in await north.get("/places")}
        speakers = {speaker["id"] for speaker in await north.get("/speakers")}
    assert set(places) == {land.province.id, land.north.id, land.hamlet.id}
    above = places[land.province.id]
    assert (above["in_scope"], above["speakers"], above["name"]) == (False, 0, "Đồng Tháp")
    assert (places[land.north.id]["in_scope"], places[land.north.id]["speakers"]) == (True, 4)
    assert speakers == set(land.at(land.north) + land.at(land.hamlet))


async def test_of_a_broadcast_that_reaches_further_one_is_told_ones_own_part(
    world: World, land: Any, seat: As, page: Any, desk: Desk, emergencies: EmergencyLog
) -> None:
    """On air, ended lately, and as the database remembers it."""
    whole = await page.post("/api/v1/emergencies", alert(land.north.id, land.south.id))
    path = f"/broadcasts/{whole['id']}"

    def is_my_part(told: Any) -> None:
        assert (told["targets"], told["places"], told["at"]) == ([land.north.id], 2, land.province.id)
        assert (told["reach"]["ordered"], told["reach"]["missing_count"]) == (4, 4)
        mine = set(land.at(land.north) + land.at(land.hamlet))
        assert {missing["id"] for missing in told["reach"]["missing"]} == mine

    async with seat(await world.person(Builtin.VIEWER, land.north.id)) as north:
        told = await north.get(path)
        is_my_part(told)
        async with seat(await world.person(Builtin.VIEWER, land.south.id)) as south:
            reach = (await south.get(path))["reach"]
            assert (reach["ordered"], reach["missing_count"]) == (2, 2)
            assert {missing["id"] for missing in reach["missing"]} == set(land.at(land.south))
        assert (told["winning_places"], told["state"]) == (2, "playing")
        assert [told] == await north.get("/broadcasts")
        assert told["reach"] == await north.get(f"{path}/reach")
        await page.call("DELETE", f"/api/v1/emergencies/{whole['id']}")
        is_my_part(await north.get(path))
        await desk.recorder.drain()
        await emergencies.catch_up()
        desk.ledger._ended.clear()
        desk.reach_book._pages.clear()
        is_my_part(await north.get(path))
        assert (await north.get(f"{path}/reach"))["ordered"] == 4
        is_my_part((await north.get("/broadcasts"))[0])
    everything = await page.get(f"/api/v1{path}")
    assert (everything["reach"]["ordered"], len(everything["targets"])) == (6, 2)


async def test_who_has_many_neighbours_still_finds_their_own_broadcasts(
    world: World, land: Any, seat: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list looks back beyond the first page of everybody's."""
    monkeypatch.setattr("loa.web.broadcasts.PAGE", 3)
    for place in (land.north.id, *[land.south.id] * 7):
        world.forget()
        world.clock.advance(1_000_000)
        await world.broadcast(place)
    await world.desk.recorder.drain()
    async with seat(await world.person(Builtin.VIEWER, land.north.id)) as north:
        assert [b["at"] for b in await north.get("/broadcasts?limit=2")] == [land.north.id]


async def test_content_flows_down_and_not_sideways(world: World, land: Any, seat: As, air: Air) -> None:
    above, beside = await world.program(land.province.id), await world.program(land.south.id)
    own = await world.program(land.hamlet.id)
    order = {"targets": [land.north.id]}
    async with seat(await world.person(Builtin.ANNOUNCER, land.north.id)) as north:
        assert {program["id"] for program in await north.get("/programs")} == {above, own}
        status, told = await north.send(
            "POST", "/broadcasts", order | {"source": {"kind": "file", "program": above}}
        )
        assert status == 201, told
        answers = [
            await north.send("POST", "/broadcasts", order | {"source": {"kind": "file", "program": name}})
            for name in (beside, "f" * 16)
        ]
        assert [status for status, _ in answers] == [404, 404]
        assert answers[0][1]["what"].replace(beside, "f" * 16) == answers[1][1]["what"]
    assert len(air.on_air()) == 1


async def test_an_upload_belongs_where_one_may_keep_it(world: World, land: Any, seat: As) -> None:
    def form(*fields: tuple[str, str]) -> FormData:
        made = FormData(default_to_multipart=True)
        for name, value in fields:
            made.add_field(name, value, filename="x.mp3" if name == "file" else None)
        return made

    async with seat(await world.person(Builtin.ANNOUNCER, land.north.id)) as north:

        async def upload(*fields: tuple[str, str]) -> tuple[int, Any]:
            found: tuple[int, Any] = await north.send("POST", "/programs", form=form(*fields))
            return found

        sound = ("file", "sound")
        assert (await upload(sound))[1]["place"] == land.north.id
        assert (await upload(("place", land.hamlet.id), sound))[1]["place"] == land.hamlet.id
        assert (await upload(("place", land.province.id), sound))[0] == 403
        assert (await upload(("place", land.south.id), sound))[0] == 404
        assert (await upload(sound, ("place", land.hamlet.id)))[0] == 422


async def test_a_commune_orders_the_priority_broadcasts_of_others_for_itself(
    world: World, land: Any, seat: As, page: Any, program: str
) -> None:
    """Circular 39/2020 gives that choice to the commune: no right where they were issued is asked for."""
    body = {"source": {"kind": "file", "program": program, "repeat": True}, "cls": "priority"}
    first, second = [
        (await page.post("/api/v1/broadcasts", body | {"targets": [land.province.id]}))["id"] for _ in "12"
    ]
    async with seat(await world.person(Builtin.EDITOR, land.north.id)) as north:
        status, _ = await north.send(
            "POST", f"/places/{land.north.id}/order", {"broadcasts": [second, first]}
        )
        assert status == 204
        status, _ = await north.send("DELETE", f"/broadcasts/{first}")
        assert status == 403
        playing = {place["id"]: place["playing"] for place in await north.get("/places")}
    assert playing[land.north.id]["broadcast"] == second
    everywhere = {place["id"]: place["playing"] for place in await page.get("/api/v1/places")}
    assert everywhere[land.south.id]["broadcast"] == first


def told(client: Client) -> list[Any]:
    """What waits for a page, as it would read it."""
    events = [event.split(b"\n")[1].removeprefix(b"data: ") for event in client.queue.take_now()]
    return [json.loads(event) for event in events]


async def everything(desk: Desk, client: Client) -> list[Any]:
    found = [event async for event in desk.feed.snapshot(client)]
    return [json.loads(event.split(b"\n")[1].removeprefix(b"data: ")) for event in found]


def is_stale(client: Client) -> bool:
    """Whether it is to be given everything anew."""
    return client.queue.stale


def ids_of(events: list[Any]) -> set[str]:
    return {place["id"] for event in events if event["kind"] == "places" for place in event["places"]}


async def test_a_page_is_told_of_its_own_places_and_no_others(
    world: World, land: Any, page: Any, desk: Desk, roll: Roll
) -> None:
    viewer = await world.person(Builtin.VIEWER, land.north.id)
    with desk.hub.client(viewer, land.north.id) as north, desk.hub.client(viewer, land.south.id) as nosy:
        await desk.feed.flush()
        beside = await page.post("/api/v1/emergencies", alert(land.south.id))
        program = await world.program(land.south.id)
        desk.feed.program_changed(program)
        for speaker in land.at(land.south) + land.at(land.hamlet):
            roll.linked(speaker)
        await desk.feed.flush()
        for client in (north, nosy):
            events = told(client)
            text = json.dumps(events)
            for secret in (beside["id"], program, land.south.id, *land.at(land.south)):
                assert secret not in text
            assert ids_of(events) == {land.north.id, land.hamlet.id}
            assert ids_of(await everything(desk, client)) == {land.north.id, land.hamlet.id}
        both = await page.post("/api/v1/emergencies", alert(land.north.id, land.south.id))
        await desk.feed.flush()
        (event,) = [event for event in told(north) if event["kind"] == "broadcast"]
        assert event["broadcast"]["id"] == both["id"]
        assert event["broadcast"]["targets"] == [land.north.id]
        assert event["broadcast"]["reach"]["ordered"] == 4
        snapshot = [event for event in await everything(desk, north) if event["kind"] == "broadcast"]
        assert [found["broadcast"] for found in snapshot] == [event["broadcast"]]


async def test_the_reach_that_grows_is_ones_own(
    world: World, land: Any, page: Any, desk: Desk, roll: Roll
) -> None:
    viewer = await world.person(Builtin.VIEWER, land.north.id)
    both = await page.post("/api/v1/emergencies", alert(land.north.id, land.south.id))
    with desk.hub.client(viewer, None) as north:
        await desk.feed.flush()
        north.queue.take_now()
        for speaker in (land.at(land.north)[0], *land.at(land.south)):
            desk.reach_book.sounded(both["id"], speaker)
        desk.feed._reach.add(both["id"])
        await desk.feed.flush()
        (event,) = told(north)
        assert (event["kind"], event["reach"]["ordered"], event["reach"]["reached"]) == ("reach", 4, 1)


async def test_a_program_that_is_removed_is_told_to_who_knew_it(
    world: World, land: Any, page: Any, desk: Desk
) -> None:
    own, beside = await world.program(land.hamlet.id), await world.program(land.south.id)
    viewer = await world.person(Builtin.VIEWER, land.north.id)
    with desk.hub.client(viewer, None) as north:
        for program in (own, beside):
            await page.call("DELETE", f"/api/v1/programs/{program}", status=204)
        await desk.feed.flush()
        assert [event["id"] for event in told(north) if event["kind"] == "program_gone"] == [own]


async def test_who_may_see_other_places_than_before_is_given_everything_anew(
    world: World, land: Any, desk: Desk, page: Any
) -> None:
    viewer = await world.person(Builtin.VIEWER, land.north.id)
    role = next(role.id for role in desk.authority.roles.values() if role.builtin is Builtin.VIEWER)
    with desk.hub.client(viewer, None) as client:
        await desk.feed.flush()
        assert not is_stale(client)
        await desk.station.roles.set_assignments(viewer.id, [(role, land.south.id)])
        await desk.feed.flush()
        assert is_stale(client)
        assert ids_of(await everything(desk, client)) == {land.south.id}
        client.queue.start_over()
        await page.call("PATCH", f"/api/v1/places/{land.hamlet.id}", {"parent": land.south.id})
        await desk.feed.flush()
        assert is_stale(client)
        assert ids_of(await everything(desk, client)) == {land.south.id, land.hamlet.id}


async def test_a_stream_ends_when_nothing_is_left_to_see(
    world: World, land: Any, desk: Desk, app: App
) -> None:
    viewer = await world.person(Builtin.VIEWER, land.north.id)
    async with (
        ClientSession(cookie_jar=DummyCookieJar()) as http,
        http.get(app.make_url("/api/v1/events"), headers={"Cookie": f"loa_session={viewer.token}"}) as answer,
    ):
        assert answer.status == 200
        await desk.station.roles.set_assignments(viewer.id, [])
        await answer.content.read()
    assert len(desk.hub) == 0


async def test_an_event_is_made_once_for_all_who_see_the_same(
    world: World, land: Any, page: Any, desk: Desk
) -> None:
    """The very same bytes, whoever reads them: two who see all of it, two who see the same part."""
    people = [
        await world.person(Builtin.VIEWER, place.id)
        for place in (land.province, land.province, land.north, land.north, land.hamlet)
    ]
    with (
        desk.hub.client(people[0], None) as a,
        desk.hub.client(people[1], None) as b,
        desk.hub.client(people[2], None) as c,
        desk.hub.client(people[3], None) as d,
        desk.hub.client(people[4], None) as e,
    ):
        await page.post("/api/v1/emergencies", alert(land.north.id))
        await desk.feed.flush()
        waiting = [client.queue.take_now() for client in (a, b, c, d, e)]
        kinds = [[event.split(b"\n")[0] for event in events] for events in waiting]
        assert all(kind == [b"event: broadcast", b"event: places"] for kind in kinds)
        whole, places = 0, 1
        assert len({id(events[whole]) for events in waiting[:4]}) == 1
        assert waiting[0][places] is waiting[1][places]
        assert waiting[2][places] is waiting[3][places]
        assert waiting[4][whole] != waiting[0][whole]


async def test_places_are_told_as_their_model_says(world: World, land: Any, desk: Desk) -> None:
    territory = desk.air.territory
    places = [desk.view.place_live(place) for place in territory.ids]
    viewer = await world.person(Builtin.VIEWER, land.province.id)
    made = PlacesTelling(territory, range(len(places)), places)(desk.authority.scope(viewer, Act.SEE))
    assert made == event_bytes(PlacesEvent(places=places))
