"""What is written down of the air: who was to play what, who heard it, how it ended, what a disk costs."""

import asyncio
from typing import Any

from sqlalchemy import text

from loa.clock import VirtualClock
from loa.station.broadcast import Ended
from loa.station.station import Station
from loa.streamer.air import Air
from loa.streamer.broadcast import Overridden
from loa.streamer.presence import Roll
from loa.web import recorder as recording
from loa.web.desk import Desk
from loa.wire.report import Heard, Report, State, Transport


def heard(broadcast: str, first_us: int, frames: int = 10) -> Heard:
    return Heard(
        broadcast=broadcast,
        program="0123456789abcdef",
        first_media_us=first_us,
        last_media_us=first_us + frames * 20_000,
        frames_played=frames,
        frames_concealed=1,
        digest=bytes(range(32)),
        level_dbfs=-18.0,
        started_at_us=first_us,
        sounded_at_us=first_us + 400_000,
    )


def report(*stretches: Heard) -> Report:
    return Report(state=State.PLAYING, via=Transport.UDP, heard=stretches)


async def on_air(page: Any, program: str, *targets: str, cls: str = "ordinary") -> str:
    body = {"source": {"kind": "file", "program": program}, "targets": list(targets), "cls": cls}
    told: str = (await page.post("/api/v1/broadcasts", body))["id"]
    return told


async def test_an_override_cuts_the_order_and_its_end_begins_another(
    page: Any, land: Any, program: str, desk: Desk, station: Station, clock: VirtualClock
) -> None:
    low = await on_air(page, program, land.north.id)
    clock.advance(1_000_000)
    high = await on_air(page, program, land.hamlet.id, cls="priority")
    clock.advance(1_000_000)
    await page.call("DELETE", f"/api/v1/broadcasts/{high}", status=204)
    clock.advance(1_000_000)
    await page.call("DELETE", f"/api/v1/broadcasts/{low}", status=204)
    await desk.recorder.drain()
    log = {entry.speaker: entry for entry in await station.play_log.of_broadcast(low)}
    assert set(log) == set(land.at(land.north) + land.at(land.hamlet))
    for name, entry in log.items():
        slices = entry.ordered
        assert len(slices) == (2 if name in land.at(land.hamlet) else 1)
        assert all(cut.until_us is not None and cut.until_us > cut.from_us for cut in slices)
    assert {entry.speaker for entry in await station.play_log.of_broadcast(high)} == set(land.at(land.hamlet))
    assert (await station.broadcasts.get(low)).reason == "stopped"
    assert desk.recorder.waiting == 0


async def test_what_a_speaker_says_it_heard_is_kept_once(
    page: Any, land: Any, program: str, desk: Desk, station: Station, roll: Roll, clock: VirtualClock
) -> None:
    name = await on_air(page, program, land.north.id)
    speaker, now_us = land.at(land.north)[0], clock.now_us()
    for frames in (10, 20, 15):
        roll.reported(speaker, report(heard(name, now_us, frames)))
    await desk.recorder.drain()
    roll.reported(speaker, report(heard(name, now_us, 30)))
    await desk.recorder.drain()
    (entry,) = [e for e in await station.play_log.of_broadcast(name) if e.heard]
    assert (entry.speaker, entry.frames_played) == (speaker, 30)
    missing = {listener.speaker for listener in await station.play_log.missing(name)}
    assert missing == set(land.at(land.north) + land.at(land.hamlet)) - {speaker}


async def test_reach_is_read_from_the_play_log_after_a_restart(
    page: Any,
    page_of: Any,
    services: Any,
    land: Any,
    program: str,
    desk: Desk,
    roll: Roll,
    clock: VirtualClock,
) -> None:
    name = await on_air(page, program, land.north.id)
    roll.reported(land.at(land.north)[0], report(heard(name, clock.now_us())))
    await page.call("DELETE", f"/api/v1/broadcasts/{name}", status=204)
    await desk.recorder.drain()
    remembered = await page.get(f"/api/v1/broadcasts/{name}/reach")
    desk.reach_book._pages.clear()
    desk.ledger._ended.clear()
    read = await page.get(f"/api/v1/broadcasts/{name}/reach")
    assert read["ordered"] == remembered["ordered"] == 4
    assert read["reached"] == 1
    assert {m["id"] for m in read["missing"]} == {m["id"] for m in remembered["missing"]}
    assert (await page.get("/api/v1/broadcasts"))[0]["reach"] == read


async def test_nonsense_in_a_report_costs_that_line_only(
    page: Any, land: Any, program: str, desk: Desk, station: Station, roll: Roll, clock: VirtualClock
) -> None:
    name = await on_air(page, program, land.north.id)
    lies = heard("no id", clock.now_us())
    roll.reported(land.at(land.north)[0], report(lies, heard(name, clock.now_us())))
    await desk.recorder.drain()
    assert desk.recorder.refused == 1
    assert len([e for e in await station.play_log.of_broadcast(name) if e.heard]) == 1


async def test_a_database_that_refuses_is_asked_again_and_nothing_is_lost(
    page: Any, land: Any, program: str, desk: Desk, station: Station
) -> None:
    name = await on_air(page, program, land.north.id)
    async with station.database.write() as session:
        await session.execute(text("ALTER TABLE play_ordered RENAME TO away"))
    await page.call("DELETE", f"/api/v1/broadcasts/{name}", status=204)
    for _ in range(1_000):
        if desk.recorder.retries:
            break
        await asyncio.sleep(0.01)
    assert desk.recorder.retries > 0
    assert desk.recorder.waiting > 0
    async with station.database.write() as session:
        await session.execute(text("ALTER TABLE away RENAME TO play_ordered"))
    await desk.recorder.drain()
    assert (await station.broadcasts.get(name)).reason == "stopped"
    assert len(await station.play_log.of_broadcast(name)) == 4
    assert (desk.recorder.waiting, desk.recorder.dropped, desk.restarts) == (0, 0, 0)


async def test_when_the_database_stands_still_for_ever_the_oldest_lines_go_first(
    page: Any, land: Any, program: str, desk: Desk, air: Air
) -> None:
    name = await on_air(page, program, land.north.id)
    await page.call("DELETE", f"/api/v1/broadcasts/{name}", status=204)
    for n in range(recording.MAX_STEPS + 10):
        desk.recorder.on_air_event(Overridden([(0, 1)], None, f"{n:016x}", n))
    assert desk.recorder.waiting == recording.MAX_STEPS
    assert desk.recorder.dropped >= 10
    kept = [step for step in desk.recorder._steps if isinstance(step, recording._End)]
    assert [step.ended.broadcast for step in kept] == [name], "an end was lost for lines of the play log"
    desk.recorder._steps.clear()


async def test_an_unknown_broadcast_that_ends_does_not_stop_the_writer(
    desk: Desk, station: Station, page: Any
) -> None:
    ended = Ended("0123456789abcdef", 1, "stopped")
    desk.recorder._put(recording._End(ended, emergency=False))
    await desk.recorder.drain()
    assert (desk.recorder.refused, desk.recorder.waiting) == (1, 0)
