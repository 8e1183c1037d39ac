"""Ordering what is on air through the API: where it sounds, as whom, and what comes of it."""

from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.station.broadcast import Broadcast
from loa.station.programs import ProgramState
from loa.station.station import Station
from loa.streamer.air import CALL_IN_US, Air
from loa.streamer.broadcast import FileSource, MicSource
from loa.wire.rank import BroadcastClass, Origin, Severity

BROADCASTS = "/api/v1/broadcasts"


def file_order(program: str, *targets: str, **more: Any) -> dict[str, Any]:
    return {"source": {"kind": "file", "program": program}, "targets": list(targets)} | more


def call_order(*targets: str, **more: Any) -> dict[str, Any]:
    return {"source": {"kind": "microphone"}, "targets": list(targets)} | more


async def test_a_file_goes_on_air_where_it_was_ordered(
    page: Any, land: Any, air: Air, program: str, station: Station
) -> None:
    told = await page.post(BROADCASTS, file_order(program, land.north.id, title="Bản tin"))
    assert told["reach"] == {"speakers": 4, "online": 0, "places": 2}
    assert (told["outranked"], told["outranked_places"], told["whip"]) == ([], 0, None)
    (on_air,) = air.on_air()
    assert (on_air.order.id, on_air.order.program_id) == (told["id"], told["program"])
    assert on_air.order.targets == (land.north.id,)
    assert isinstance(on_air.order.source, FileSource)
    stored = await station.broadcasts.get(told["id"])
    assert (stored.program, stored.title, stored.ended_us) == (program, "Bản tin", None)
    assert stored.issuer_account is not None


@pytest.mark.parametrize(
    ("targets", "word"),
    [([], "targets"), (["0123456789abcdef"], "no such place"), (["everywhere"], "targets"), ("*", "targets")],
)
async def test_a_target_that_is_nowhere_is_nobody_and_told(
    page: Any, air: Air, program: str, targets: object, word: str
) -> None:
    order = {"source": {"kind": "file", "program": program}, "targets": targets}
    problem = await page.post(BROADCASTS, order, status=422)
    assert word in problem["what"]
    assert air.on_air() == []


async def test_one_unknown_target_among_good_ones_stops_the_whole_order(
    page: Any, land: Any, air: Air, program: str
) -> None:
    await page.post(BROADCASTS, file_order(program, land.north.id, "0123456789abcdef"), status=422)
    assert air.on_air() == []


async def test_it_is_issued_for_the_lowest_place_that_covers_the_targets(
    page: Any, land: Any, air: Air, program: str
) -> None:
    places = {
        (land.hamlet.id,): (land.hamlet.id, Origin.SCHEDULE),
        (land.north.id, land.hamlet.id): (land.north.id, Origin.SCHEDULE),
        (land.hamlet.id, land.south.id): (land.province.id, Origin.RELAY),
    }
    for targets, (at, origin) in places.items():
        told = await page.post(BROADCASTS, file_order(program, *targets))
        order = air.get(told["id"]).order
        assert (order.issuer_place, order.origin) == (at, origin)
        assert (await page.get(f"{BROADCASTS}/{told['id']}"))["at"] == at
    live = await page.post(BROADCASTS, call_order(land.north.id))
    assert air.get(live["id"]).order.origin is Origin.LIVE


async def test_nobody_orders_beyond_the_place_they_act_as(
    page: Any, land: Any, air: Air, program: str
) -> None:
    order = file_order(program, land.south.id, at=land.north.id)
    assert "within 'Cao Lãnh'" in (await page.post(BROADCASTS, order, status=422))["what"]
    await page.post(BROADCASTS, file_order(program, land.south.id, at="0123456789abcdef"), status=422)
    assert air.on_air() == []
    told = await page.post(BROADCASTS, file_order(program, land.south.id, at=land.province.id))
    assert air.get(told["id"]).order.issuer_place == land.province.id


async def test_what_cannot_be_aired_is_not(
    page: Any, land: Any, air: Air, station: Station, program: str
) -> None:
    await page.post(BROADCASTS, file_order("0123456789abcdef", land.north.id), status=404)
    too_long = await page.post(BROADCASTS, file_order(program, land.north.id, max_s=20_000), status=422)
    assert "14400" in too_long["expected"]
    await page.post(BROADCASTS, file_order(program, land.north.id, cls="emergency"), status=422)
    tone = {"source": {"kind": "tone"}, "targets": [land.north.id]}
    await page.post(BROADCASTS, tone, status=422)
    assert air.on_air() == []
    assert await station.broadcasts.list() == ()


async def test_a_file_that_is_not_ready_is_not_aired(
    page: Any, land: Any, station: Station, desk: Any, clock: VirtualClock
) -> None:
    desk.directory.put_program(
        await station.programs.add(
            "00000000000000aa", place=land.province.id, title="X", now_us=clock.now_us()
        )
    )
    problem = await page.post(BROADCASTS, file_order("00000000000000aa", land.north.id), status=409)
    assert ProgramState.PREPARING in problem["what"]


async def test_a_file_may_repeat_until_its_time_is_over(page: Any, land: Any, air: Air, program: str) -> None:
    source = {"kind": "file", "program": program, "repeat": True}
    body = {"source": source, "targets": [land.north.id], "max_s": 60}
    told = await page.post(BROADCASTS, body)
    made = air.get(told["id"]).order.source
    assert isinstance(made, FileSource)
    assert 60 <= made.repeat * made.clip.frames * 0.02 <= 67


async def test_a_microphone_is_given_where_to_call_and_a_key_for_that_alone(
    page: Any, land: Any, air: Air, services: Any, clock: VirtualClock
) -> None:
    told = await page.post(BROADCASTS, call_order(land.hamlet.id, chime="information", cls="priority"))
    on_air = air.get(told["id"])
    assert isinstance(on_air.order.source, MicSource)
    assert told["whip"]["url"] == f"/whip/{told['program']}"
    assert services.tokens.check(told["program"], told["whip"]["token"])
    assert not services.tokens.check("0123456789abcdef", told["whip"]["token"])
    waiting = await page.get(f"{BROADCASTS}/{told['id']}")
    assert (waiting["state"], waiting["started_at"]) == ("waiting", None)
    clock.advance(CALL_IN_US + 1_000_000)
    for _ in air.tick(clock.now_us() // 20_000):
        pass
    ended = await page.get(f"{BROADCASTS}/{told['id']}")
    assert (ended["state"], ended["reason"]) == ("ended", "lost")
    assert not services.tokens.check(told["program"], told["whip"]["token"])


async def test_an_order_that_is_outranked_is_told_where(page: Any, land: Any, program: str) -> None:
    await page.post(BROADCASTS, file_order(program, land.hamlet.id, cls="priority"))
    told = await page.post(BROADCASTS, file_order(program, land.north.id))
    assert (told["outranked"], told["outranked_places"]) == ([land.hamlet.id], 1)
    seen = await page.get(f"{BROADCASTS}/{told['id']}")
    assert (seen["places"], seen["winning_places"]) == (2, 1)


async def test_the_tree_shows_what_plays(page: Any, land: Any, program: str) -> None:
    told = await page.post(BROADCASTS, file_order(program, land.north.id, title="Sáng"))
    playing = {place["id"]: place["playing"] for place in await page.get("/api/v1/places")}
    assert playing[land.province.id] is None
    assert playing[land.south.id] is None
    assert playing[land.hamlet.id] == {
        "broadcast": told["id"],
        "title": "Sáng",
        "cls": "ordinary",
        "severity": None,
        "drill": False,
    }


async def test_stopping_is_one_call_and_shows(
    page: Any, land: Any, air: Air, program: str, desk: Any
) -> None:
    told = await page.post(BROADCASTS, file_order(program, land.north.id))
    await page.call("DELETE", f"{BROADCASTS}/{told['id']}", status=204)
    assert air.on_air() == []
    assert await page.get(f"{BROADCASTS}?active=1") == []
    await desk.recorder.drain()
    (ended,) = await page.get(BROADCASTS)
    assert (ended["state"], ended["reason"]) == ("ended", "stopped")
    assert ended["ended_at"] >= ended["started_at"]
    await page.call("DELETE", f"{BROADCASTS}/{told['id']}", status=404)


async def test_what_was_on_air_before_a_restart_is_read_from_the_database(
    page: Any, land: Any, station: Station, clock: VirtualClock
) -> None:
    old = Broadcast(
        id="00000000000000bb",
        program=None,
        source="microphone",
        title="Hôm qua",
        cls=BroadcastClass.ORDINARY,
        severity=Severity.UNKNOWN,
        origin=Origin.LIVE,
        drill=False,
        targets=(land.north.id,),
        issuer_place=land.north.id,
        issuer_account=None,
        resume="continue",
        started_us=clock.now_us() - 86_400_000_000,
        expires_us=clock.now_us() - 80_000_000_000,
        ended_us=clock.now_us() - 81_000_000_000,
        reason="finished",
    )
    await station.broadcasts.add(old)
    (listed,) = await page.get(BROADCASTS)
    assert listed == await page.get(f"{BROADCASTS}/{old.id}")
    assert (listed["title"], listed["state"], listed["places"]) == ("Hôm qua", "ended", 2)
    assert (await page.get(f"{BROADCASTS}/{old.id}/reach"))["ordered"] == 0


async def test_the_commune_orders_its_priority_broadcasts(
    page: Any, land: Any, air: Air, program: str
) -> None:
    first = await page.post(BROADCASTS, file_order(program, land.north.id, cls="priority"))
    second = await page.post(BROADCASTS, file_order(program, land.north.id, cls="priority"))
    assert second["outranked_places"] == 2
    path = f"/api/v1/places/{land.north.id}/order"
    await page.post(path, {"broadcasts": [second["id"], first["id"]]}, status=204)
    now = air.playing_at(land.hamlet.id)
    assert now is not None
    assert now.order.id == second["id"]


async def test_an_unknown_broadcast_is_not_found(page: Any) -> None:
    for path in ("", "/reach"):
        await page.get(f"{BROADCASTS}/0123456789abcdef{path}", status=404)
