"""Programs, broadcasts and the play log: said twice is said once, and history outlives what it is about."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.errors import NotFoundError, OperatorError, ProtocolError
from loa.station.broadcast import Broadcast, Ended, build_entry, parse_entry
from loa.station.heard import Heard
from loa.station.measured import Measured
from loa.station.place import Place
from loa.station.play_log import Listener, Slice
from loa.station.programs import ProgramState
from loa.station.station import Station
from loa.wire import report
from loa.wire.rank import BroadcastClass, Origin, Severity

HERE = "e" * 16

MEASURED = Measured(500, 417, 10.0, -16.0, -1.2, (0, 50, 100))


def broadcast(number: int, now_us: int) -> Broadcast:
    return Broadcast(
        id=f"{number:016x}",
        program="a" * 16,
        source="file",
        title="Bão số 3",
        cls=BroadcastClass.EMERGENCY,
        severity=Severity.EXTREME,
        origin=Origin.LIVE,
        drill=False,
        targets=("b" * 16, "c" * 16),
        issuer_place="b" * 16,
        issuer_account=None,
        resume="restart",
        started_us=now_us + number,
        expires_us=now_us + 3_600_000_000,
        repeat=3,
        chime="warning",
    )


def heard(speaker: str = "1" * 16, **changes: object) -> Heard:
    stretch = Heard("0" * 15 + "1", speaker, "a" * 16, 1000, 2000, 50, 2, "ab" * 32, -20.5, 900, 1100)
    return replace(stretch, **changes)  # type: ignore[arg-type]


async def test_a_program_is_preparing_then_ready_or_failed(station: Station, now_us: int) -> None:
    made = await station.programs.add(
        "a" * 16, place=HERE, title=" Nhạc  nền ", created_by="d" * 16, now_us=now_us
    )
    assert (made.title, made.state, made.measured) == ("Nhạc nền", ProgramState.PREPARING, None)
    ready = await station.programs.ready(made.id, folder=made.id, measured=MEASURED)
    assert (ready.state, ready.measured, ready.folder) == (ProgramState.READY, MEASURED, made.id)
    later = await station.programs.add("b" * 16, place=HERE, title="Hai", now_us=now_us + 1)
    failed = await station.programs.failed(later.id, "x" * 5000)
    assert (failed.state, failed.error, failed.measured) == (ProgramState.FAILED, "x" * 1000, None)
    assert await station.programs.list() == (failed, ready)
    assert await station.programs.list(ProgramState.READY) == (ready,)
    assert (await station.programs.rename(made.id, "Tên mới")).title == "Tên mới"
    await station.programs.delete(made.id)
    await station.programs.delete(made.id)
    for missing in (station.programs.get(made.id), station.programs.failed(made.id, "x")):
        with pytest.raises(NotFoundError):
            await missing


async def test_a_broadcast_is_kept_as_it_was_and_said_twice_is_once(station: Station, now_us: int) -> None:
    first = broadcast(1, now_us)
    for _ in range(2):
        await station.broadcasts.add(first)
    assert await station.broadcasts.get(first.id) == first
    await station.broadcasts.end(first.id, at_us=now_us + 10, reason="stopped")
    await station.broadcasts.end(first.id, at_us=now_us + 20, reason="expired")
    await station.broadcasts.add(first)
    assert await station.broadcasts.get(first.id) == first.ended(now_us + 10, "stopped")
    with pytest.raises(NotFoundError, match="ffff"):
        await station.broadcasts.end("f" * 16, at_us=now_us, reason="stopped")


async def test_broadcasts_are_paged_newest_first_and_the_open_ones_known(
    station: Station, now_us: int
) -> None:
    all_ = [broadcast(number, now_us) for number in range(1, 6)]
    for each in all_:
        await station.broadcasts.add(each)
    await station.broadcasts.end(all_[2].id, at_us=now_us + 9, reason="finished")
    page = await station.broadcasts.list(limit=2)
    assert [each.id for each in page] == [all_[4].id, all_[3].id]
    rest = await station.broadcasts.list(before_us=page[-1].started_us)
    assert [each.id for each in rest] == [all_[2].id, all_[1].id, all_[0].id]
    assert [each.id for each in await station.broadcasts.open()] == [all_[n].id for n in (0, 1, 3, 4)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"targets": ()}, "targets"),
        ({"targets": ("x",)}, "targets"),
        ({"id": "x"}, "broadcast"),
        ({"issuer_place": ""}, "issuing place"),
        ({"program": "music.mp3"}, "program"),
        ({"title": ""}, "title"),
        ({"resume": "x" * 17}, "word"),
        ({"started_us": -1}, "time"),
        ({"expires_us": 2**63}, "time"),
    ],
)
def test_a_broadcast_that_cannot_be_is_refused(wrong: dict[str, object], says: str, now_us: int) -> None:
    with pytest.raises(OperatorError, match=says):
        replace(broadcast(1, now_us), **wrong)  # type: ignore[arg-type]


def test_a_journal_entry_is_read_back_as_it_was(now_us: int) -> None:
    for entry in (
        broadcast(1, now_us),
        broadcast(2, now_us).ended(now_us, "x"),
        Ended("a" * 16, now_us, "y"),
    ):
        assert parse_entry(build_entry(entry)) == entry
    assert "Bão số 3".encode() in build_entry(broadcast(1, now_us))


@settings(deadline=None)
@given(
    st.binary(max_size=100)
    | st.sampled_from([b"[]", b"{}", b'{"entry":"started"}', b'{"entry":"ended"}', b"1"])
)
def test_a_journal_entry_of_anything_else_is_a_protocol_error(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_entry(garbage)


def test_a_journal_entry_with_a_wrong_field_is_a_protocol_error(now_us: int) -> None:
    entry = build_entry(broadcast(1, now_us))
    for old, new in (
        (b'"cls":3', b'"cls":9'),
        (b'"cls":3', b'"cls":null'),
        (b'"targets":[', b'"targets":["",'),
    ):
        assert old in entry
        with pytest.raises(ProtocolError, match="journal entry"):
            parse_entry(entry.replace(old, new))


async def test_the_play_log_holds_what_was_ordered_in_slices(
    station: Station, commune: Place, now_us: int
) -> None:
    log, id = station.play_log, broadcast(1, now_us).id
    one, two = (Listener(f"{n:016x}", commune.id, f"Cụm {n}") for n in (1, 2))
    for _ in range(2):
        await log.ordered(id, [one, two], from_us=100)
    await log.released(id, until_us=200, speakers=[one.speaker])
    await log.ordered(id, [one], from_us=300)
    await log.released(id, until_us=400)
    await log.released(id, until_us=500)
    first, second = await log.of_broadcast(id)
    assert (first.listener, first.ordered) == (one, (Slice(100, 200), Slice(300, 400)))
    assert (second.listener, second.ordered) == (two, (Slice(100, 400),))
    assert await log.of_broadcast("f" * 16) == ()


async def test_an_order_that_was_released_before_it_began_has_no_length(
    station: Station, commune: Place, now_us: int
) -> None:
    id = broadcast(1, now_us).id
    await station.play_log.ordered(id, [Listener("1" * 16, commune.id, "Cụm")], from_us=100)
    await station.play_log.released(id, until_us=50)
    (entry,) = await station.play_log.of_broadcast(id)
    assert entry.ordered == (Slice(100, 100),)


async def test_reports_grow_and_never_shrink_whatever_their_order(station: Station, now_us: int) -> None:
    log, id = station.play_log, heard().broadcast
    early = heard(frames_played=10, last_media_us=1200, digest="", level_dbfs=None, sounded_at_us=None)
    late = heard()
    for reports in ([early], [late], [early], [late, early], [late, late]):
        await log.heard(reports, now_us=now_us)
        (entry,) = await log.of_broadcast(id)
        assert entry.heard == ((early,) if reports == [early] and entry.heard == (early,) else (late,))
    assert (entry.frames_played, entry.frames_concealed, entry.sounded) == (50, 2, True)
    assert entry.listener is None, "nobody ordered it, and it is shown all the same"


async def test_a_speaker_that_began_again_has_two_stretches_that_add_up(
    station: Station, now_us: int
) -> None:
    stretches = (
        heard(),
        heard(first_media_us=5000, last_media_us=6000, frames_played=30, frames_concealed=0),
    )
    for _ in range(2):
        await station.play_log.heard(stretches, now_us=now_us)
    (entry,) = await station.play_log.of_broadcast(heard().broadcast)
    assert entry.heard == stretches
    assert (entry.frames_played, entry.frames_concealed) == (80, 2)


async def test_the_missing_are_those_ordered_who_played_nothing(
    station: Station, commune: Place, now_us: int
) -> None:
    id = heard().broadcast
    listeners = [Listener(f"{n:016x}", commune.id, f"Cụm {n:04}") for n in range(1100)]
    await station.play_log.ordered(id, listeners, from_us=100)
    await station.play_log.heard(
        [heard(listener.speaker) for listener in listeners[3:]]
        + [heard(listeners[2].speaker, frames_played=0, frames_concealed=0)],
        now_us=now_us,
    )
    assert await station.play_log.missing(id) == tuple(listeners[:3])
    entries = await station.play_log.of_broadcast(id)
    assert [entry.sounded for entry in entries] == [False] * 3 + [True] * 1097


async def test_what_a_report_says_is_kept_as_it_was_said(station: Station, now_us: int) -> None:
    said = report.Heard("b" * 16, "a" * 16, 1000, 2000, 50, 2, bytes(range(32)), -20.5, 900, 1100)
    kept = Heard.reported("1" * 16, said)
    await station.play_log.heard([kept], now_us=now_us)
    (entry,) = await station.play_log.of_broadcast("b" * 16)
    assert entry.heard == (kept,)
    assert bytes.fromhex(kept.digest) == said.digest


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_media_us": 2**63},
        {"frames_played": -1},
        {"sounded_at_us": 2**64},
        {"digest": "zz"},
        {"digest": "AB" * 32},
        {"level_dbfs": float("nan")},
        {"level_dbfs": float("-inf")},
        {"program": "x"},
        {"speaker": "1" * 15},
    ],
)
def test_a_report_that_no_column_could_hold_is_its_speakers_fault(wrong: dict[str, object]) -> None:
    with pytest.raises(ProtocolError, match="heard"):
        replace(heard(), **wrong)  # type: ignore[arg-type]
