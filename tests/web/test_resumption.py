"""A node that died in the middle of everything: what goes on, what does not, and what the books say."""

from dataclasses import replace
from typing import Any

import pytest

from loa.clock import VirtualClock
from loa.codecs.tones import Chime
from loa.station.broadcast import Broadcast, Ended, parse_entry
from loa.station.emergency_log import EmergencyLog
from loa.station.station import Station
from loa.streamer.air import Air
from loa.streamer.broadcast import FileSource, ToneSource
from loa.web.desk import Desk
from loa.web.resumption import resume
from loa.wire.rank import BroadcastClass, Origin, Severity

OLD = "00000000000000bb"


@pytest.fixture
def before(land: Any, program: str, clock: VirtualClock) -> Broadcast:
    """A recording of six seconds that began two seconds ago."""
    return Broadcast(
        id=OLD,
        program=program,
        source="file",
        title="Bản tin",
        cls=BroadcastClass.PRIORITY,
        severity=Severity.UNKNOWN,
        origin=Origin.SCHEDULE,
        drill=False,
        targets=(land.north.id,),
        issuer_place=land.north.id,
        issuer_account=None,
        resume="continue",
        started_us=clock.now_us() - 2_000_000,
        expires_us=clock.now_us() + 600_000_000,
    )


async def test_a_recording_goes_on_under_a_new_name(
    before: Broadcast, desk: Desk, air: Air, station: Station, page: Any
) -> None:
    await station.broadcasts.add(before)
    await resume(desk)
    (on_air,) = air.on_air()
    assert on_air.order.id != OLD
    assert (on_air.order.title, on_air.order.cls, on_air.order.targets) == (
        "Bản tin",
        BroadcastClass.PRIORITY,
        before.targets,
    )
    assert on_air.order.expires_us == before.expires_us
    assert (await station.broadcasts.get(OLD)).reason == "restart"
    (now,) = await station.broadcasts.open()
    assert (now.id, now.program) == (on_air.order.id, before.program)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"source": "microphone", "program": None}, "lost"),
        ({"resume": "drop"}, "lost"),
        ({"expires_us": 1_800_000_000_000_000 - 1}, "expired"),
        ({"started_us": 1_800_000_000_000_000 - 60_000_000}, "finished"),
        ({"program": "0123456789abcdef"}, "finished"),
    ],
)
async def test_what_must_not_go_on_is_over_in_the_books(
    before: Broadcast, desk: Desk, air: Air, station: Station, change: dict[str, Any], reason: str
) -> None:
    await station.broadcasts.add(replace(before, **change))
    await resume(desk)
    assert air.on_air() == []
    assert (await station.broadcasts.get(OLD)).reason == reason
    assert await station.broadcasts.open() == ()


async def test_a_place_that_is_gone_meanwhile_stops_nothing_but_itself(
    before: Broadcast, desk: Desk, air: Air, station: Station, land: Any
) -> None:
    gone = replace(before, targets=("0123456789abcdef",), issuer_place="0123456789abcdef")
    other = replace(before, id="00000000000000cc", targets=("0123456789abcdef", land.south.id))
    for row in (gone, other):
        await station.broadcasts.add(row)
    await resume(desk)
    (on_air,) = air.on_air()
    assert on_air.order.targets == (land.south.id,)
    assert (await station.broadcasts.get(OLD)).ended_us is not None


async def test_a_file_that_repeats_goes_on_repeating(
    before: Broadcast, desk: Desk, air: Air, station: Station, clock: VirtualClock
) -> None:
    long_ago = clock.now_us() - 3_600_000_000
    await station.broadcasts.add(replace(before, source="loop", started_us=long_ago))
    await resume(desk)
    (on_air,) = air.on_air()
    assert isinstance(on_air.order.source, FileSource)
    assert on_air.order.source.repeat > 90


async def test_an_alert_goes_on_and_the_journal_says_so(
    before: Broadcast, desk: Desk, air: Air, station: Station, emergencies: EmergencyLog, page: Any
) -> None:
    alert = replace(before, cls=BroadcastClass.EMERGENCY, severity=Severity.EXTREME, origin=Origin.LIVE)
    tone = replace(alert, id="00000000000000cc", source="tone", program=None, drill=True)
    for row in (alert, tone):
        await emergencies.started(row)
    await emergencies.catch_up()
    await resume(desk)
    assert [on_air.order.drill for on_air in air.on_air()] == [False, True]
    await emergencies.catch_up()
    entries = [parse_entry(record.payload) for record in emergencies.journal.replay()]
    ended = [entry.broadcast for entry in entries if isinstance(entry, Ended)]
    assert ended == [alert.id, tone.id]
    now = {row.id for row in await station.broadcasts.open()}
    assert now == {on_air.order.id for on_air in air.on_air()}
    shown = await page.get("/api/v1/broadcasts?active=1")
    assert {broadcast["id"] for broadcast in shown} == now


async def test_what_came_first_is_still_first(
    before: Broadcast, desk: Desk, air: Air, station: Station, land: Any
) -> None:
    later = replace(before, id="00000000000000cc", started_us=before.started_us + 1_000_000, title="Sau")
    for row in (later, before):
        await station.broadcasts.add(row)
    await resume(desk)
    playing = air.playing_at(land.north.id)
    assert playing is not None
    assert playing.order.title == "Bản tin"


async def test_a_node_that_starts_goes_on_with_what_was_on_air(
    before: Broadcast, station: Station, services: Any, page_of: Any, air: Air
) -> None:
    await station.broadcasts.add(before)
    async with page_of(services) as page:
        (shown,) = await page.get("/api/v1/broadcasts?active=1")
        assert shown["title"] == "Bản tin"


async def test_an_all_clear_goes_on_as_one(
    before: Broadcast, desk: Desk, air: Air, station: Station, page: Any
) -> None:
    calm = replace(before, program=None, source="tone", cls=BroadcastClass.EMERGENCY)
    await station.broadcasts.add(replace(calm, repeat=5, chime="all_clear"))
    await resume(desk)
    (on_air,) = air.on_air()
    assert (on_air.order.chime, on_air.order.source) == (Chime.ALL_CLEAR, ToneSource(5))
