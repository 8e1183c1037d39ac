"""Live events: a snapshot, then what changes; gathered, bounded, and never more than a page needs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from loa.clock import VirtualClock
from loa.codecs.voice_watch import Remark
from loa.station.sessions import SESSION_TTL_US
from loa.streamer.air import Air
from loa.streamer.broadcast import LevelHeard
from loa.streamer.presence import Roll
from loa.web.desk import Desk
from loa.web.event_queue import MAX_WAITING
from loa.web.session_book import SignedIn
from loa.wire.report import Heard, Report, State, Transport

EVENTS = "/api/v1/events"


class Stream:
    """Reads server-sent events as a browser does."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.retry_ms: int | None = None
        self.ended = False

    async def next(self) -> Any:
        """The data of the next event."""
        lines: list[str] = []
        async with asyncio.timeout(20):
            while True:
                raw = await self._answer.content.readline()
                if not raw:
                    self.ended = True
                    return None
                line = raw.decode().rstrip("\n")
                if line.startswith("retry: "):
                    self.retry_ms = int(line.removeprefix("retry: "))
                elif line:
                    lines.append(line)
                elif lines and lines[0].startswith("event: "):
                    data = json.loads(lines[1].removeprefix("data: "))
                    assert data["kind"] == lines[0].removeprefix("event: ")
                    return data
                else:
                    lines = []

    async def until(self, kind: str) -> Any:
        """The next event of this kind."""
        while True:
            event = await self.next()
            assert event is not None, f"the stream ended before {kind}"
            if event["kind"] == kind:
                return event

    async def places_until(self, enough: Callable[[dict[str, Any]], bool]) -> None:
        """Lay `places` events over one another until what a page would show is enough."""
        shown: dict[str, Any] = {}
        while not shown or not enough(shown):
            shown |= {place["id"]: place for place in (await self.until("places"))["places"]}

    async def reach_until(self, reached: int) -> Any:
        """The reach of the only broadcast, alone or as part of it."""
        while True:
            event = await self.next()
            if event["kind"] in ("reach", "broadcast"):
                reach = event["reach"] if event["kind"] == "reach" else event["broadcast"]["reach"]
                if reach["reached"] == reached:
                    return reach


@asynccontextmanager
async def watching(page: Any, query: str = "") -> AsyncIterator[Stream]:
    async with page.client.get(f"{EVENTS}{query}") as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        yield Stream(answer)


def report(*broadcasts: str, state: State = State.PLAYING, level: float = -20.0) -> Report:
    heard = tuple(
        Heard(
            broadcast=name,
            program="0123456789abcdef",
            first_media_us=1_800_000_000_000_000,
            last_media_us=1_800_000_000_100_000,
            frames_played=5,
            frames_concealed=0,
            digest=bytes(32),
            level_dbfs=level,
            started_at_us=1_800_000_000_000_000,
            sounded_at_us=1_800_000_000_050_000,
        )
        for name in broadcasts
    )
    first = broadcasts[0] if broadcasts else None
    return Report(
        state=state, via=Transport.UDP, broadcast=first, level_dbfs=level, delay_ms=400.0, heard=heard
    )


def alert(*targets: str) -> dict[str, Any]:
    return {"source": {"kind": "tone"}, "targets": list(targets), "severity": "severe", "title": "Lũ"}


async def test_it_begins_with_everything_as_it_is_now(page: Any, land: Any) -> None:
    told = await page.post("/api/v1/emergencies", alert(land.north.id))
    async with watching(page) as stream:
        hello = await stream.next()
        assert (hello["kind"], hello["software"]) == ("hello", "loa test")
        assert stream.retry_ms == 2000
        broadcast = (await stream.next())["broadcast"]
        assert (broadcast["id"], broadcast["state"]) == (told["id"], "playing")
        assert (broadcast["reach"]["ordered"], broadcast["reach"]["missing_count"]) == (4, 4)
        places = {place["id"]: place for place in (await stream.next())["places"]}
        assert set(places) == {p.id for p in (land.province, land.north, land.hamlet, land.south)}
        assert places[land.hamlet.id]["playing"]["broadcast"] == told["id"]
        assert places[land.south.id]["playing"] is None
        assert places[land.province.id]["speakers"] == 6


async def test_a_broadcast_is_told_from_its_start_to_its_end(page: Any, land: Any, desk: Desk) -> None:
    async with watching(page) as stream:
        await stream.until("places")
        told = await page.post("/api/v1/emergencies", alert(land.north.id))
        assert (await stream.until("broadcast"))["broadcast"]["state"] == "playing"
        await stream.places_until(
            lambda shown: (
                {name for name, place in shown.items() if place["playing"]} == {land.north.id, land.hamlet.id}
            )
        )
        await page.call("DELETE", f"/api/v1/emergencies/{told['id']}")
        ended = (await stream.until("broadcast"))["broadcast"]
        assert (ended["id"], ended["state"], ended["reason"]) == (told["id"], "ended", "stopped")
        await stream.places_until(
            lambda shown: (
                shown.keys() >= {land.north.id, land.hamlet.id}
                and not any(place["playing"] for place in shown.values())
            )
        )


async def test_reach_grows_with_what_speakers_report_and_names_who_is_missing(
    page: Any, land: Any, roll: Roll
) -> None:
    told = await page.post("/api/v1/emergencies", alert(land.north.id))
    async with watching(page) as stream:
        await stream.until("places")
        *sounding, silent = land.at(land.north) + land.at(land.hamlet)
        for name in sounding:
            roll.linked(name)
            roll.reported(name, report(told["id"]))
        roll.reported(land.at(land.south)[0], report(told["id"]))  # it was not asked to: no reach
        reach = await stream.reach_until(3)
        assert (reach["ordered"], reach["missing_count"]) == (4, 1)
        assert [missing["id"] for missing in reach["missing"]] == [silent]
        assert reach["missing"][0]["place_name"] == "Ấp 1"
    assert (await page.get(f"/api/v1/broadcasts/{told['id']}/reach")) == reach


async def test_a_speaker_coming_or_failing_changes_the_count_of_all_above_it(
    page: Any, land: Any, roll: Roll
) -> None:
    name = land.at(land.hamlet)[0]
    async with watching(page) as stream:
        await stream.until("places")
        above = [land.province.id, land.north.id, land.hamlet.id]

        def all_above(count: str, value: int) -> Callable[[dict[str, Any]], bool]:
            return lambda shown: [shown.get(place, {}).get(count) for place in above] == [value] * 3

        roll.linked(name)
        await stream.places_until(all_above("online", 1))
        roll.reported(name, report(state=State.FAULT))
        await stream.places_until(all_above("faulty", 1))
        roll.unlinked(name)
        await stream.places_until(all_above("online", 0))
    south = next(p for p in await page.get("/api/v1/places") if p["id"] == land.south.id)
    assert (south["speakers"], south["online"], south["faulty"]) == (2, 0, 0)


async def test_speakers_are_told_to_who_watches_their_place(page: Any, land: Any, roll: Roll) -> None:
    async with watching(page) as far, watching(page, f"?place={land.north.id}") as near:
        await far.until("places")
        shown = (await near.until("speakers"))["speakers"]
        assert {s["id"] for s in shown} == set(land.at(land.north) + land.at(land.hamlet))
        assert {s["state"] for s in shown} == {"never"}
        here, there = land.at(land.hamlet)[0], land.at(land.south)[0]
        for name in (here, there):
            roll.linked(name)
            roll.reported(name, report())
        (speaker,) = (await near.until("speakers"))["speakers"]
        assert (speaker["id"], speaker["state"], speaker["via"]) == (here, "online", "udp")
        assert (speaker["level_dbfs"], speaker["delay_ms"]) == (-20.0, 400.0)
        roll.unlinked(here)
        assert (await near.until("speakers"))["speakers"][0]["state"] == "offline"
        await page.post("/api/v1/emergencies", alert(land.south.id))
        while (event := await far.next())["kind"] != "broadcast":
            assert event["kind"] != "speakers"


async def test_the_meter_of_a_live_call(page: Any, land: Any, desk: Desk) -> None:
    body = {"source": {"kind": "microphone"}, "targets": [land.north.id]}
    told = await page.post("/api/v1/broadcasts", body)
    async with watching(page) as stream:
        await stream.until("places")
        for level in (-60.0, -21.04):
            desk.feed.on_air_event(LevelHeard(told["id"], level, -6.0, False, (Remark.HUM,)))
        event = await stream.until("level")
        assert (event["rms_dbfs"], event["broadcast"]) == (-21.0, told["id"])
        assert event["remarks"] == ["hum"]


async def test_an_edit_of_the_territory_tells_pages_to_read_again(page: Any, land: Any) -> None:
    async with watching(page) as stream:
        await stream.until("places")
        await page.call("PATCH", f"/api/v1/places/{land.south.id}", {"name": "Mỹ Tho mới"})
        assert (await stream.until("territory"))["version"] > 0


async def test_a_stream_ends_with_its_session(page: Any, clock: VirtualClock, desk: Desk) -> None:
    async with watching(page) as stream:
        await stream.until("places")
        clock.advance(SESSION_TTL_US + 1)
        desk.feed.on_air_event(LevelHeard("0123456789abcdef", -20.0, -20.0, False))
        while await stream.next() is not None:
            pass
        assert stream.ended
    assert len(desk.hub) == 0


async def test_a_page_too_many_is_told_to_come_later(page: Any, desk: Desk) -> None:
    desk.hub._max_clients = 1
    async with watching(page) as stream:
        await stream.next()
        answer = await page.send("GET", EVENTS)
        assert answer.status == 503
        assert answer.headers["Retry-After"]
    assert desk.hub.refused == 1


async def test_an_unknown_place_cannot_be_watched(page: Any) -> None:
    await page.get(f"{EVENTS}?place=0123456789abcdef", status=404)


async def test_a_page_that_missed_events_gets_everything_anew(page: Any, land: Any, desk: Desk) -> None:
    async with watching(page) as stream:
        await stream.until("places")
        (client,) = desk.hub._clients
        for n in range(MAX_WAITING + 1):
            client.queue.put(f"key {n}", b'event: old\ndata: {"kind": "old"}\n\n')
        assert client.queue.stale
        desk.feed.on_air_event(LevelHeard("0123456789abcdef", -20.0, -20.0, False))
        await stream.until("hello")
        assert desk.hub.dropped == 1


def someone(desk: Desk) -> SignedIn:
    """Who is logged in."""
    return next(iter(desk.sessions._known.values())).who


async def test_nothing_is_made_when_nobody_watches(land: Any, air: Air, page: Any, desk: Desk) -> None:
    await page.post("/api/v1/emergencies", alert(land.province.id))
    await desk.feed.flush()
    assert desk.hub.published == 0
    with desk.hub.client(someone(desk), None):
        await desk.feed.flush()
        assert desk.hub.published == 0, "what was marked before anybody watched comes with the snapshot"


async def test_a_thousand_changes_of_one_thing_are_one_event(
    land: Any, page: Any, desk: Desk, roll: Roll
) -> None:
    name = land.at(land.hamlet)[0]
    with desk.hub.client(someone(desk), land.north.id) as client:
        for n in range(1000):
            roll.reported(name, report(level=-20.0 - n / 100))
        await desk.feed.flush()
        events = client.queue.take_now()
        assert len([event for event in events if event.startswith(b"event: speakers")]) == 1
