"""An emergency takes the shortest way: air and journal at once, no database, whatever else stands still."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from loa.errors import OperatorError
from loa.station.audit_entry import NewEntry
from loa.station.broadcast import Broadcast, Ended, parse_entry
from loa.station.emergency_log import EmergencyLog
from loa.station.station import Station
from loa.streamer.air import Air
from loa.streamer.broadcast import FileSource, ToneSource
from loa.web.services import Services
from loa.wire.rank import BroadcastClass, Severity

EMERGENCIES = "/api/v1/emergencies"


def order(*targets: str, **more: Any) -> dict[str, Any]:
    return {
        "source": {"kind": "tone"},
        "targets": list(targets),
        "severity": "extreme",
        "title": "Bão",
    } | more


@asynccontextmanager
async def standing_still(station: Station) -> AsyncIterator[None]:
    """A database that answers nobody: every connection of its pool is taken."""
    async with AsyncExitStack() as taken:
        for _ in range(4):
            session = await taken.enter_async_context(station.database.read())
            await session.connection()
        yield


class Disk:
    """A journal whose disk syncs when it is told to, or refuses."""

    def __init__(self) -> None:
        self.synced = asyncio.Event()
        self.asked = asyncio.Event()
        self.fault: str | None = None
        self.entries: list[Broadcast | Ended | NewEntry] = []

    async def started(self, broadcast: Broadcast) -> None:
        await self._sync(broadcast)

    async def ended(self, broadcast_id: str, *, at_us: int, reason: str) -> None:
        await self._sync(Ended(broadcast_id, at_us, reason))

    async def noted(self, entry: NewEntry) -> None:
        await self._sync(entry)

    async def _sync(self, entry: Broadcast | Ended | NewEntry) -> None:
        self.asked.set()
        await self.synced.wait()
        if self.fault:
            raise OperatorError(self.fault)
        self.entries.append(entry)


async def test_an_emergency_is_on_air_and_in_the_journal(
    page: Any, land: Any, air: Air, emergencies: EmergencyLog, station: Station
) -> None:
    told = await page.post(EMERGENCIES, order(land.province.id))
    assert told["reach"] == {"speakers": 6, "online": 0, "places": 4}
    (on_air,) = air.on_air()
    assert (on_air.order.cls, on_air.order.severity) == (BroadcastClass.EMERGENCY, Severity.EXTREME)
    entry, noted = (parse_entry(record.payload) for record in emergencies.journal.replay())
    assert isinstance(entry, Broadcast)
    assert isinstance(noted, NewEntry)
    assert (noted.actor_name, noted.subject) == ("admin", told["id"])
    assert (entry.id, entry.title, entry.started_us) == (told["id"], "Bão", on_air.started_us)
    await emergencies.catch_up()
    assert (await station.broadcasts.get(told["id"])).targets == (land.province.id,)


async def test_it_waits_for_no_database(
    page: Any, land: Any, station: Station, air: Air, program: str
) -> None:
    async with asyncio.timeout(20), standing_still(station):
        waits = asyncio.create_task(page.get("/api/v1/broadcasts"))
        source = {"kind": "file", "program": program}
        told = await page.post(EMERGENCIES, order(land.north.id, source=source))
        assert not waits.done(), "the database answers: this test shows nothing"
        assert air.get(told["id"]).winning == 2
        assert (await page.get(f"/api/v1/broadcasts/{told['id']}"))["state"] == "playing"
        await page.call("DELETE", f"{EMERGENCIES}/{told['id']}")
        assert air.on_air() == []
    await waits


async def test_its_datagrams_are_out_before_the_disk_has_synced(
    services: Services, land: Any, page_of: Any, ears: Any
) -> None:
    disk = Disk()
    object.__setattr__(services, "emergencies", disk)
    async with page_of(services) as page:
        asked = asyncio.create_task(page.post(EMERGENCIES, order(land.province.id)))
        await asyncio.wait_for(disk.asked.wait(), 10)
        assert ears.sent, "nothing was sent while the disk synced"
        await asyncio.sleep(0)
        assert not asked.done()
        disk.synced.set()
        told = await asked
        entry, noted = disk.entries
        assert isinstance(entry, Broadcast)
        assert isinstance(noted, NewEntry)
        assert entry.id == told["id"]


async def test_a_disk_that_fails_silences_nothing_and_is_told(
    services: Services, page_of: Any, land: Any, air: Air
) -> None:
    disk = Disk()
    disk.synced.set()
    disk.fault = "no space left, expected some"
    object.__setattr__(services, "emergencies", disk)
    async with page_of(services) as page:
        problem = await page.post(EMERGENCIES, order(land.province.id), status=503)
        (on_air,) = air.on_air()
        assert on_air.order.id in problem["what"]
        assert f"DELETE {EMERGENCIES}/{on_air.order.id}" in problem["expected"]
        problem = await page.call("DELETE", f"{EMERGENCIES}/{on_air.order.id}", status=503)
        assert "has stopped" in problem["what"]
        assert air.on_air() == []
        disk.fault = None


async def test_stopping_is_answered_when_it_is_in_the_journal(
    page: Any, land: Any, emergencies: EmergencyLog, air: Air
) -> None:
    told = await page.post(EMERGENCIES, order(land.north.id))
    stopped = await page.call("DELETE", f"{EMERGENCIES}/{told['id']}")
    assert stopped == {"id": told["id"], "all_clear": None}
    entries = [parse_entry(record.payload) for record in emergencies.journal.replay()]
    assert [type(entry) for entry in entries] == [Broadcast, NewEntry, Ended, NewEntry]
    assert isinstance(entries[2], Ended)
    assert (entries[2].broadcast, entries[2].reason) == (told["id"], "stopped")
    assert air.on_air() == []


async def test_the_all_clear_sounds_where_it_was_and_only_when_asked(page: Any, land: Any, air: Air) -> None:
    told = await page.post(EMERGENCIES, order(land.north.id, land.south.id))
    stopped = await page.call("DELETE", f"{EMERGENCIES}/{told['id']}?all_clear=1")
    (on_air,) = air.on_air()
    assert on_air.order.id == stopped["all_clear"]
    assert (await page.get(f"/api/v1/broadcasts/{stopped['all_clear']}"))["all_clear"] is True
    assert (await page.get(f"/api/v1/broadcasts/{told['id']}"))["all_clear"] is False
    assert on_air.order.source == ToneSource(repeat=1)
    assert set(on_air.order.targets) == {land.north.id, land.south.id}


async def test_the_ordinary_stop_stops_an_emergency_too(page: Any, land: Any, air: Air) -> None:
    told = await page.post(EMERGENCIES, order(land.north.id))
    await page.call("DELETE", f"/api/v1/broadcasts/{told['id']}", status=204)
    assert air.on_air() == []


async def test_the_emergency_stop_is_for_emergencies(page: Any, land: Any, air: Air, program: str) -> None:
    source = {"kind": "file", "program": program}
    told = await page.post("/api/v1/broadcasts", {"source": source, "targets": [land.north.id]})
    problem = await page.call("DELETE", f"{EMERGENCIES}/{told['id']}", status=409)
    assert told["id"] in problem["expected"]
    assert len(air.on_air()) == 1
    await page.call("DELETE", f"{EMERGENCIES}/0123456789abcdef", status=404)


@pytest.mark.parametrize("targets", [[], ["0123456789abcdef"], ["*"], None])
async def test_no_target_is_nobody(page: Any, air: Air, targets: object, emergencies: EmergencyLog) -> None:
    await page.post(EMERGENCIES, order() | {"targets": targets}, status=422)
    assert air.on_air() == []
    assert list(emergencies.journal.replay()) == []


async def test_a_recorded_alert_is_said_three_times_after_the_warning(
    page: Any, land: Any, air: Air, program: str
) -> None:
    told = await page.post(EMERGENCIES, order(land.north.id, source={"kind": "file", "program": program}))
    made = air.get(told["id"]).order
    assert isinstance(made.source, FileSource)
    assert made.source.repeat == 3
    assert made.chime is not None


async def test_a_live_alert_is_given_a_microphone_and_sounds_at_once(page: Any, land: Any, air: Air) -> None:
    told = await page.post(EMERGENCIES, order(land.north.id, source={"kind": "microphone"}, drill=True))
    assert told["whip"]["url"].endswith(told["program"])
    seen = await page.get(f"/api/v1/broadcasts/{told['id']}")
    assert (seen["state"], seen["drill"], seen["cls"], seen["severity"]) == (
        "chime",
        True,
        "emergency",
        "extreme",
    )


async def test_title_and_severity_are_mandatory(page: Any, land: Any, air: Air) -> None:
    for left_out in ("title", "severity", "source", "targets"):
        body = {name: value for name, value in order(land.north.id).items() if name != left_out}
        assert left_out in (await page.post(EMERGENCIES, body, status=422))["where"]
    await page.post(EMERGENCIES, order(land.north.id, max_s=3600), status=422)
    assert air.on_air() == []


async def test_an_emergency_that_ends_by_itself_is_ended_in_the_journal_and_the_database(
    page: Any, land: Any, air: Air, emergencies: EmergencyLog, station: Station, desk: Any
) -> None:
    told = await page.post(EMERGENCIES, order(land.north.id))
    air.stop(told["id"])
    await desk.recorder.journal_ends()
    await emergencies.catch_up()
    await desk.recorder.drain()
    assert (await station.broadcasts.get(told["id"])).ended_us is not None
    assert desk.recorder.refused == 0


@pytest.mark.parametrize("title", ["Lũ\x1bquét", "Lũ\x00", "\u0958" * 200], ids=["escape", "zero", "grows"])
@pytest.mark.parametrize("path", ["/api/v1/emergencies", "/api/v1/broadcasts"])
async def test_a_title_that_cannot_be_kept_never_goes_on_air(
    page: Any, land: Any, program: str, path: str, title: str
) -> None:
    """Nothing sounds whose record the station would refuse afterwards."""
    body = {"source": {"kind": "file", "program": program}, "targets": [land.north.id], "title": title}
    if path.endswith("emergencies"):
        body["severity"] = "severe"
    told = await page.post(path, body, status=422)
    assert "title" in told["where"]
    assert await page.get("/api/v1/broadcasts") == []
