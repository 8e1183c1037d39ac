"""The audit log: only ever added to, and whatever somebody does to it behind our back is found and named."""

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError
from typer.testing import CliRunner, Result

from loa.__main__ import app
from loa.clock import VirtualClock
from loa.errors import InternalError, ProtocolError
from loa.station.audit import AuditFilter
from loa.station.audit_check import check_lines
from loa.station.audit_entry import HIDDEN, NewEntry, Via, build_new, clean, new_from
from loa.station.audit_entry import Result as Outcome
from loa.station.audit_line import Begin, End, build_line, parse_line
from loa.station.audit_source import lines_of_file
from loa.station.audit_watch import AuditWatch
from loa.station.broadcast import Broadcast
from loa.station.database import sqlite_url
from loa.station.emergency_log import EmergencyLog
from loa.station.keyring import Keyring
from loa.station.password import Passwords
from loa.station.station import Station
from loa.station.vault import FileVault
from loa.trust.enrol import make_code
from loa.trust.keys import SigningKey
from loa.wire.rank import BroadcastClass, Origin, Severity

PLACE = "b" * 16
WHO = "a" * 16


def entry(at_us: int, act: str = "add_place", **more: object) -> NewEntry:
    fields: dict[str, object] = {"via": Via.SESSION, "actor": WHO, "actor_name": "admin", "places": (PLACE,)}
    return NewEntry(at_us=at_us, act=act, **{**fields, **more})  # type: ignore[arg-type]


def loa(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in arguments])


async def keyring(state: Path, now_us: int) -> Keyring:
    folder = state / "keys"
    return await Keyring.open(folder, FileVault(folder), root_place=PLACE, now_us=now_us)


async def written(state: Path, now_us: int, passwords: Passwords) -> Path:
    """A state folder whose node has run twice: 10 entries, heads at 1, 5, 6 and 10. And its export."""
    keys = await keyring(state, now_us)
    clock = VirtualClock(now_us)
    async with await Station.open(sqlite_url(state / "loa.db"), passwords=passwords) as station:
        watch = AuditWatch(station, keys, clock, "test")
        for run in range(2):
            await watch.begin()
            await station.audit.append(
                [entry(now_us + run * 10 + n, detail={"name": "Ấp 1"}) for n in range(3)]
            )
            clock.advance(1_000_000)
            await watch.end()
        export = state / "audit.jsonl"
        lines = [build_line(Begin(0, "0" * 64, keys.roots))]
        lines += [build_line(line) async for line in station.audit.entries()]
        lines.append(build_line(End(*await station.audit.end())))
        export.write_bytes(b"".join(lines))
    return export


@pytest.fixture
async def export(tmp_path: Path, now_us: int, passwords: Passwords) -> Path:
    return await written(tmp_path / "state", now_us, passwords)


async def test_entries_are_numbered_and_chained_however_many_write_at_once(
    station: Station, now_us: int
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for n in range(8):
            tasks.create_task(station.audit.append([entry(now_us + n), entry(now_us + n, "remove_program")]))
    found = [line async for line in station.audit.entries()]
    assert check_lines(found).last == 16
    assert (await station.audit.end())[0] == 16


async def test_the_database_itself_refuses_to_change_or_delete(station: Station, now_us: int) -> None:
    await station.audit.append([entry(now_us)])
    for words in ("UPDATE audit_entry SET actor_name = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(SQLAlchemyError, match="append-only"):
            async with station.database.write() as session:
                await (await session.connection()).exec_driver_sql(words)


async def test_pages_and_filters(station: Station, now_us: int) -> None:
    acts = ["add_place", "stop_broadcast"] * 5
    await station.audit.append([entry(now_us + n, act, subject=f"{n}") for n, act in enumerate(acts)])
    page = await station.audit.page(AuditFilter(), lambda _: True, limit=4)
    assert [found.number for found in page.entries] == [10, 9, 8, 7]
    assert page.before == 7
    page = await station.audit.page(AuditFilter(act="add_place"), lambda _: True, before=7, limit=4)
    assert [found.number for found in page.entries] == [5, 3, 1]
    assert page.before is None
    late = AuditFilter(from_us=now_us + 2, until_us=now_us + 4)
    page = await station.audit.page(late, lambda found: found.subject != "3")
    assert [found.subject for found in page.entries] == ["2"]


def test_nothing_secret_gets_in(now_us: int) -> None:
    code = make_code(SigningKey.generate().public)
    secrets = [
        code,
        code.replace("-", "").lower(),
        "loa_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
        f"LOA:https://loa.example#{code}",
        "otpauth://totp/Loa:admin?secret=JBSWY3DPEHPK3PXP",
        "eyJhbGciOiJFZDI1NTE5In0.eyJpc3MiOiJhIn0.c2ln",
        "kU7Zr0c3nYwq2V1mB8xT5pLhJ4sD6fGaQeWiOuXyNzM",
    ]
    for secret in secrets:
        made = entry(now_us, actor_name=secret, subject=secret, address=secret, detail={"name": secret})
        assert secret not in build_new(made).decode()
        assert made.detail["name"] == HIDDEN
    assert clean("Cụm loa đình làng") == "Cụm loa đình làng"
    assert clean("a" * 16) == "a" * 16
    for name in ("password", "code", "token", "secret", "recovery_codes"):
        with pytest.raises(InternalError, match="expected one of"):
            entry(now_us, detail={name: "x"})
    with pytest.raises(InternalError, match="expected a text"):
        entry(now_us, detail={"name": ["x"]})
    assert clean("a\r\nb\x00" + "c " * 300) == ("a  b " + "c " * 60)[:120]


def test_a_line_and_an_entry_of_the_journal_come_back_as_they_were(now_us: int) -> None:
    made = entry(now_us, result=Outcome.DENIED, detail={"title": "Vỡ đê", "drill": True, "status": 403})
    assert new_from(json.loads(build_new(made))) == made
    for bad in (
        b"{}",
        b"[]",
        b"\xff",
        b'{"line":"entry"}',
        b'{"line":"begin","format":2}',
        b'{"line":"head"}',
    ):
        with pytest.raises(ProtocolError):
            parse_line(bad)
    with pytest.raises(ProtocolError):
        new_from({"at_us": 1})


def test_a_log_that_nobody_has_touched_is_right(export: Path) -> None:
    state = export.parent
    found = loa("check", "audit", "--state", state, "--export", export)
    assert found.exit_code == 0, found.output
    assert "entries 1 to 10" in found.output
    assert "signed up to entry 10" in found.output
    assert loa("check", "audit", "--state", state).exit_code == 0
    alone = loa("check", "audit", "--export", export)
    assert alone.exit_code == 0, alone.output
    assert "below the root" in alone.output


def test_wrong_usage(tmp_path: Path) -> None:
    assert loa("check", "audit").exit_code == 2
    assert loa("check", "audit", "--state", tmp_path / "nowhere").exit_code == 2
    assert loa("check", "audit", "--state", tmp_path, "--root", "abc").exit_code == 2
    assert loa("check", "audit", "--state", tmp_path).exit_code == 1
    help_ = loa("check", "audit", "--help").output
    assert "Example: loa check audit" in help_


TAMPERED: list[tuple[list[str], str]] = [
    (["UPDATE audit_entry SET actor_name = 'somebody' WHERE number = 3"], "entry 3 was changed"),
    (["UPDATE audit_entry SET at_us = at_us - 1 WHERE number = 7"], "entry 7 was changed"),
    (["""UPDATE audit_entry SET places = '["cccccccccccccccc"]' WHERE number = 4"""], "entry 4 was changed"),
    (["UPDATE audit_entry SET detail = '{' WHERE number = 4"], "entry 4 was changed"),
    (["UPDATE audit_entry SET detail = '[]' WHERE number = 4"], "entry 4 was changed"),
    (["UPDATE audit_entry SET result = 'denied' WHERE number = 8"], "entry 8 was changed"),
    (["DELETE FROM audit_entry WHERE number = 6"], "entry 6 is missing"),
    (["DELETE FROM audit_entry WHERE number = 1"], "entry 1 is missing"),
    (["DELETE FROM audit_entry WHERE number > 8"], "entry 9 is missing"),
    (
        [
            "UPDATE audit_entry SET number = 99 WHERE number = 3",
            "UPDATE audit_entry SET number = 3 WHERE number = 4",
            "UPDATE audit_entry SET number = 4 WHERE number = 99",
        ],
        "entry 3 was changed",
    ),
    (["DELETE FROM audit_entry", "DELETE FROM audit_head"], "entry 1 is missing"),
    (["DELETE FROM audit_head"], "no head is signed"),
    (["UPDATE audit_head SET hash = replace(hash, '0', '1')"], "is another than was signed"),
    (["UPDATE audit_head SET at_us = at_us + 1"], "signature"),
    (["UPDATE audit_head SET signature = zeroblob(64)"], "signature"),
    (["UPDATE audit_head SET grants = '[]'"], "the head of entry"),
]


@pytest.mark.parametrize(("words", "fault"), TAMPERED, ids=[fault for _, fault in TAMPERED])
def test_whoever_takes_the_triggers_away_and_edits_is_found(
    export: Path, words: list[str], fault: str
) -> None:
    behind_our_back(export.parent, words)
    found = loa("check", "audit", "--state", export.parent, "--export", export)
    assert found.exit_code == 1
    assert fault in found.stderr


def behind_our_back(state: Path, words: list[str]) -> None:
    """The triggers are put back, so that only the seal can tell."""
    database = sqlite3.connect(state / "loa.db")
    triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    for word in words:
        database.execute(word)
    for _, sql in triggers:
        database.execute(sql)
    database.commit()
    database.close()


def test_triggers_that_are_gone_are_told(export: Path) -> None:
    database = sqlite3.connect(export.parent / "loa.db")
    database.execute("DROP TRIGGER audit_entry_no_update")
    database.commit()
    database.close()
    found = loa("check", "audit", "--state", export.parent)
    assert (found.exit_code, "no longer refuses changes" in found.stderr) == (1, True)


async def test_a_log_written_anew_without_the_nodes_key_is_found(
    tmp_path: Path, export: Path, now_us: int, passwords: Passwords
) -> None:
    """By somebody with a keyring of their own: every hash and signature fits, no root does."""
    theirs = await written(tmp_path / "theirs", now_us, passwords)
    (theirs.parent / "loa.db").replace(export.parent / "loa.db")
    found = loa("check", "audit", "--state", export.parent)
    assert (found.exit_code, "no chain leads to it" in found.stderr) == (1, True), found.output
    roots = check_lines(lines_of_file(export)).roots
    given = loa("check", "audit", "--export", theirs, "--root", roots[0].raw.hex())
    assert given.exit_code == 1, given.output


def without(number: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: lines[:number] + lines[number + 1 :]


CUT: list[tuple[str, Callable[[list[bytes]], list[bytes]], str]] = [
    ("an entry left out", without(3), "is missing"),
    ("the end cut off", without(15), "cut after entry 10"),
    ("the tail cut off", lambda lines: lines[:6], "cut after entry"),
    ("two exchanged", lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "entry 2 is missing"),
    ("a word changed", lambda lines: [line.replace(b"admin", b"nobody") for line in lines], "was changed"),
    ("no JSON", lambda lines: [*lines[:4], b"{", *lines[5:]], "line 5"),
    ("said twice", lambda lines: lines + lines[1:2], "after the end"),
    ("a hash that is none", lambda lines: [lines[0].replace(b"0" * 64, b"x" * 64), *lines[1:]], "line 1"),
    ("two beginnings", lambda lines: lines[:2] + lines, "a second beginning"),
]


@pytest.mark.parametrize(
    ("edit", "fault"), [(edit, fault) for _, edit, fault in CUT], ids=[c[0] for c in CUT]
)
def test_an_export_that_somebody_edited_is_found(
    export: Path, edit: Callable[[list[bytes]], list[bytes]], fault: str
) -> None:
    lines = export.read_bytes().splitlines()
    assert len(lines) == 16
    export.write_bytes(b"\n".join(edit(lines)) + b"\n")
    found = loa("check", "audit", "--export", export)
    assert (found.exit_code, fault in found.stderr) == (1, True), found.output


async def test_a_log_that_grew_after_the_export_still_has_it(
    export: Path, now_us: int, passwords: Passwords
) -> None:
    async with await Station.open(sqlite_url(export.parent / "loa.db"), passwords=passwords) as station:
        await station.audit.append([entry(now_us)])
        found = loa("check", "audit", "--state", export.parent, "--export", export)
    assert found.exit_code == 0, found.output
    assert "1 since" in found.output


async def test_heads_hold_when_the_nodes_key_has_been_rotated(
    export: Path, now_us: int, passwords: Passwords
) -> None:
    keys = await keyring(export.parent, now_us)
    before = keys.node.public
    await keys.rotate("node", now_us=now_us + 10)
    assert keys.node.public != before
    async with await Station.open(sqlite_url(export.parent / "loa.db"), passwords=passwords) as station:
        await AuditWatch(station, keys, VirtualClock(now_us + 20), "test").begin()
    found = loa("check", "audit", "--state", export.parent)
    assert found.exit_code == 0, found.output
    assert f"by node {keys.node.public.key_id}" in found.output


# --- emergencies: no database on their way, and nothing lost on it


def emergency(now_us: int) -> Broadcast:
    return Broadcast(
        "1" * 16,
        None,
        "tone",
        "Vỡ đê",
        BroadcastClass.EMERGENCY,
        Severity.EXTREME,
        Origin.LIVE,
        False,
        (PLACE,),
        PLACE,
        None,
        "restart",
        now_us,
        now_us + 1,
    )


NOTE_AND_DIE = """
import asyncio, json, os, signal, sys
from pathlib import Path
from loa.station.audit_entry import new_from
from loa.station.emergency_log import EmergencyLog
from loa.station.station import Station

async def main():
    station = await Station.open(sys.argv[1])
    log = await EmergencyLog.open(Path(sys.argv[2]), station)
    async with station.database.write():  # the database is busy: whoever waits for it waits for ever
        await log.noted(new_from(json.loads(sys.argv[3])))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_killed_after_the_answer_who_raised_it_is_in_the_log_at_the_next_start(
    url: str, tmp_path: Path, station: Station, now_us: int
) -> None:
    made = entry(now_us, "start_emergency", subject="1" * 16, address="192.0.2.7", detail={"title": "Vỡ đê"})
    folder = tmp_path / "journal"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", NOTE_AND_DIE, url, str(folder), build_new(made).decode()
    )
    assert await child.wait() == -signal.SIGKILL
    assert (await station.audit.end())[0] == 0
    for _ in range(2):  # applied again, it changes nothing
        log = await EmergencyLog.open(folder, station)
        await station.settings.set(f"journal_{log.journal.id}", "0")
        await log.close()
    (found,) = [line async for line in station.audit.entries()]
    assert (found.number, getattr(found, "address", "")) == (1, "192.0.2.7")


async def test_an_emergency_whose_entry_a_crash_prevented_gets_one(
    tmp_path: Path, station: Station, now_us: int
) -> None:
    keys = await keyring(tmp_path, now_us)
    clock = VirtualClock(now_us)
    watch = AuditWatch(station, keys, clock, "test")
    await watch.begin()
    await station.broadcasts.add(emergency(now_us + 5))
    await station.broadcasts.end("1" * 16, at_us=now_us + 6, reason="stopped")
    clock.advance(1_000_000)
    await watch.begin()  # no end: it crashed
    page = await station.audit.page(AuditFilter(), lambda found: found.subject == "1" * 16)
    assert [(found.act, found.via, found.detail["recovered"]) for found in page.entries] == [
        ("stop_emergency", "system", True),
        ("start_emergency", "system", True),
    ]
    clock.advance(1_000_000)
    await watch.begin()
    assert len((await station.audit.page(AuditFilter(act="start_emergency"), lambda _: True)).entries) == 1


async def test_an_emergency_that_has_its_entry_gets_no_second(
    tmp_path: Path, station: Station, now_us: int
) -> None:
    watch = AuditWatch(station, await keyring(tmp_path, now_us), VirtualClock(now_us), "test")
    await watch.begin()
    await station.broadcasts.add(emergency(now_us + 5))
    await station.audit.append([entry(now_us + 6, "start_emergency", subject="1" * 16)])
    await watch.begin()
    assert len((await station.audit.page(AuditFilter(act="start_emergency"), lambda _: True)).entries) == 1
