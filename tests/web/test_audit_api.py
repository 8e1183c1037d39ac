"""The audit log as the API writes and shows it: who, from where, what, to which places, what came of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from loa.clock import VirtualClock
from loa.errors import BusyError
from loa.station.audit import Audit
from loa.station.audit_check import check_lines
from loa.station.audit_entry import AuditEntry, NewEntry
from loa.station.audit_line import End, parse_line
from loa.station.emergency_log import EmergencyLog
from loa.station.station import Station
from loa.streamer.air import Air
from loa.web.audit_trail import MAX_WAITING, AuditTrail
from loa.web.openapi import document
from loa.web.witness import REFUSED_BURST, UNSAFE

from .conftest import NEW_PASSWORD, App, Page, log_in


async def entries(station: Station, desk: Any, act: str | None = None) -> list[AuditEntry]:
    """Oldest first, what was put on the queue included."""
    await desk.trail.drain()
    found = [line async for line in station.audit.entries() if isinstance(line, AuditEntry)]
    return [entry for entry in found if act in (None, entry.act)]


async def test_what_changes_something_is_on_the_disk_when_its_answer_comes(
    page: Page, land: Any, station: Station
) -> None:
    made = await page.post("/api/v1/places", {"parent": land.north.id, "name": "Ấp 2", "kind": "hamlet"})
    found = [line async for line in station.audit.entries() if isinstance(line, AuditEntry)]
    last = found[-1]
    assert (last.act, last.result, last.via, last.actor_name) == ("add_place", "done", "session", "admin")
    assert (last.subject, last.places, last.address) == (made["id"], (land.north.id,), "127.0.0.1")
    assert last.detail == {"name": "Ấp 2", "kind": "hamlet", "parent": land.north.id}
    assert check_lines(found).last == len(found)


async def test_a_question_leaves_no_entry(page: Page, station: Station, desk: Any) -> None:
    before = len(await entries(station, desk))
    await page.get("/api/v1/places")
    await page.get(f"/api/v1/broadcasts/{'0' * 16}", status=404)
    await page.client.get("/healthz")
    assert len(await entries(station, desk)) == before


async def test_log_ins_good_and_bad(app: App, password: str, station: Station, desk: Any) -> None:
    for name, given in (("ADMIN", "wrong"), ("hunter2-is-my-password", "x"), ("admin", password)):
        await app.post("/api/v1/session", json={"name": name, "password": given})
    found = await entries(station, desk, "log_in")
    assert [(one.actor_name, one.result, one.detail.get("status")) for one in found] == [
        ("admin", "denied", 401),
        ("", "denied", 401),
        ("admin", "done", None),
    ]


async def test_who_is_not_logged_in_or_forges_a_request_is_noted(
    page: Page, app: App, land: Any, station: Station, desk: Any
) -> None:
    place = {"parent": land.province.id, "name": "X", "kind": "hamlet"}
    answer = await app.post("/api/v1/places", json=place)
    assert answer.status == 403, "the cookie is there, the CSRF token is not"
    app.session.cookie_jar.clear()
    assert (await app.post("/api/v1/places", json=place)).status == 401
    found = await entries(station, desk, "add_place")
    assert [(one.actor_name, one.result, one.detail["status"]) for one in found] == [
        ("admin", "denied", 403),
        ("", "denied", 401),
    ]


async def test_what_failed_is_noted_as_failed(page: Page, station: Station, desk: Any) -> None:
    await page.call("DELETE", f"/api/v1/speakers/{'0' * 16}", status=404)
    (found,) = await entries(station, desk, "remove_speaker")
    assert (found.result, found.subject, found.detail["status"]) == ("failed", "0" * 16, 404)


async def test_nothing_secret_is_in_it(
    page: Page, app: App, password: str, land: Any, station: Station, desk: Any, tmp_path: Path
) -> None:
    code = (await page.post("/api/v1/enrolments", {"place": land.north.id, "name": "Cụm 9"}))["code"]
    await app.post("/enrol", json={"secret": code, "public_key": "0" * 64, "serial": "x"})
    cookie = next(iter(app.session.cookie_jar)).value
    text = repr(await entries(station, desk)) + await (await page.client.get("/api/v1/audit")).text()
    for secret in (password, NEW_PASSWORD, code, code.replace("-", ""), page.csrf, cookie):
        assert secret not in text
    assert "make_enrolment" in text
    assert "Cụm 9" in text


async def test_an_emergency_waits_for_no_database_and_is_noted_through_the_journal(
    page: Page, land: Any, station: Station, desk: Any, emergencies: EmergencyLog
) -> None:
    body = {"targets": [land.north.id], "title": "Vỡ đê", "severity": "extreme", "source": {"kind": "tone"}}
    async with station.database.write():  # whoever waits for it waits until the block ends
        started = await page.post("/api/v1/emergencies", body)
        await page.call("DELETE", f"/api/v1/emergencies/{started['id']}")
    await emergencies.catch_up()
    await emergencies.catch_up()
    found = [one for one in await entries(station, desk) if one.subject == started["id"]]
    assert [(one.act, one.actor_name, one.places, one.detail["title"]) for one in found] == [
        ("start_emergency", "admin", (land.north.id,), "Vỡ đê"),
        ("stop_emergency", "admin", (land.north.id,), "Vỡ đê"),
    ]


async def test_pages_of_the_log_and_its_filters(page: Page, land: Any) -> None:
    for n in range(3):
        await page.post("/api/v1/places", {"parent": land.north.id, "name": f"Ấp {n + 5}", "kind": "hamlet"})
    first = await page.get("/api/v1/audit?limit=2")
    assert [entry["act"] for entry in first["entries"]] == ["add_place", "add_place"]
    rest = await page.get(f"/api/v1/audit?before={first['before']}")
    assert [entry["number"] for entry in rest["entries"]][:1] == [first["before"] - 1]
    assert rest["before"] is None
    of_south = await page.get(f"/api/v1/audit?act=add_place&place={land.south.id}")
    assert of_south == {"entries": [], "before": None}
    above = await page.get(f"/api/v1/audit?act=add_place&place={land.province.id}&result=done")
    assert len(above["entries"]) == 3
    assert above["entries"][0]["places"] == [land.north.id]
    assert above["entries"][0]["at"].endswith("Z")
    later = await page.get("/api/v1/audit?from=2999-01-01T00:00:00Z")
    assert later["entries"] == []
    await page.get("/api/v1/audit?result=perhaps", status=422)


async def test_the_export_is_the_whole_chain_and_says_that_it_was_taken(page: Page, land: Any) -> None:
    await page.post("/api/v1/places", {"parent": land.north.id, "name": "Ấp 2", "kind": "hamlet"})
    data: bytes = await page.get("/api/v1/audit/export")
    lines = [parse_line(line) for line in data.splitlines()]
    found = check_lines(lines)
    assert found.ended
    assert (found.first, found.last) == (0, len(lines) - 2)
    taken = lines[-2]
    assert isinstance(taken, AuditEntry)
    assert (taken.act, taken.actor_name) == ("export_audit", "admin")
    assert isinstance(lines[-1], End)
    more = check_lines(map(parse_line, (await page.get("/api/v1/audit/export?after=2")).splitlines()))
    assert (more.first, more.last) == (2, found.last + 1)
    await page.get("/api/v1/audit/export?after=999999", status=404)


async def test_who_is_refused_again_and_again_does_not_fill_the_disk(
    page: Page, app: App, station: Station, desk: Any
) -> None:
    app.session.cookie_jar.clear()
    for _ in range(REFUSED_BURST + 5):
        await app.delete(f"/api/v1/speakers/{'0' * 16}")
    denied = await entries(station, desk, "remove_speaker")
    assert len(denied) == REFUSED_BURST
    gaps = await entries(station, desk, "audit_gap")
    assert sum(int(gap.detail["left_out"]) for gap in gaps) == 5


def test_every_operation_that_changes_something_has_a_name_that_fits() -> None:
    for operations in document()["paths"].values():
        for method, operation in operations.items():
            if method.upper() in UNSAFE:
                NewEntry(at_us=0, act=operation["operationId"])


class Refusing(Audit):
    """A database that refuses so many times."""

    times = 2

    async def append(self, entries: Any) -> Any:
        if self.times:
            self.times -= 1
            raise OperationalError("INSERT", {}, Exception("disk I/O error"))
        return await super().append(entries)


async def test_a_database_that_refuses_loses_no_entry(station: Station, clock: VirtualClock) -> None:
    trail = AuditTrail(Refusing(station.database), clock, retry_s=(0.0,))
    work = asyncio.create_task(trail.run())
    await trail.write(NewEntry(at_us=1, act="add_place"))
    assert (trail.retries, trail.waiting, (await station.audit.end())[0]) == (2, 0, 1)
    work.cancel()


async def test_an_act_whose_entry_is_not_taken_in_time_says_so_and_the_entry_follows(
    station: Station, clock: VirtualClock
) -> None:
    trail = AuditTrail(station.audit, clock, patience_s=0.0)
    with pytest.raises(BusyError, match="has not taken it yet"):
        await trail.write(NewEntry(at_us=1, act="add_place"))
    await trail.drain()
    assert (await station.audit.end())[0] == 1


async def test_the_queue_is_bounded_and_refusals_leave_room_for_acts(
    station: Station, clock: VirtualClock
) -> None:
    trail = AuditTrail(station.audit, clock, patience_s=0.0)
    for n in range(MAX_WAITING):
        trail.put(NewEntry(at_us=n, act="log_in"))
    assert (trail.waiting, trail.dropped) == (MAX_WAITING // 2, MAX_WAITING // 2)
    with pytest.raises(BusyError):
        await trail.write(NewEntry(at_us=1, act="add_place"))
    assert trail.waiting == MAX_WAITING // 2 + 1


async def test_ordinary_air_is_on_before_its_entry_is_written(
    page: Page, land: Any, program: str, air: Air, station: Station, desk: Any
) -> None:
    """What the log costs comes after the sound has begun."""
    body = {"targets": [land.north.id], "source": {"kind": "file", "program": program}, "cls": "ordinary"}
    before = len(await entries(station, desk))
    heard: list[int] = []
    stop = air.subscribe(lambda _: heard.append(desk.trail.waiting))
    started = await page.post("/api/v1/broadcasts", body)
    stop()
    assert set(heard) == {0}, "on air, and nothing for the log yet"
    found = [line async for line in station.audit.entries() if isinstance(line, AuditEntry)]
    assert len(found) == before + 1
    assert (found[-1].act, found[-1].subject) == ("start_broadcast", started["id"])


async def test_who_may_see_a_commune_sees_what_concerns_it_and_of_that_its_places_only(
    page: Page, land: Any, station: Station, desk: Any, clock: VirtualClock
) -> None:
    """An approver of the north: nothing of the south alone, without a place only their own, no export."""
    made = await station.accounts.add("duyet", now_us=clock.now_us())
    approver = next(role for role in await station.roles.list() if role.builtin == "approver")
    await station.roles.set_assignments(made.account.id, [(approver.id, land.north.id)])
    desk.directory.put_account(made.account)
    both = (land.north.id, land.south.id)
    for places in (both, (land.south.id,), (land.hamlet.id,)):
        await station.audit.append([NewEntry(at_us=clock.now_us(), act="start_broadcast", places=places)])
    page.client.session.cookie_jar.clear()
    theirs = await log_in(page.client, made.password, name="duyet")
    found = (await theirs.get("/api/v1/audit"))["entries"]
    assert [entry["places"] for entry in found if entry["act"] == "start_broadcast"] == [
        [land.hamlet.id],
        [land.north.id],
    ]
    assert {entry["actor_name"] for entry in found if not entry["places"]} == {"duyet"}
    answer = await theirs.send("GET", "/api/v1/audit/export")
    assert answer.status in (403, 404)
    (denied,) = await entries(station, desk, "export_audit")
    assert (denied.actor_name, denied.result) == ("duyet", "denied")
