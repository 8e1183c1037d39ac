"""The emergencies' way into the database: through the journal, and never lost on it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loa.errors import NotFoundError, ProtocolError
from loa.station.broadcast import Broadcast
from loa.station.emergency_log import EmergencyLog
from loa.station.journal import Journal
from loa.station.station import Station
from loa.wire.rank import BroadcastClass, Origin, Severity

START_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from loa.station.broadcast import Broadcast
from loa.station.emergency_log import EmergencyLog
from loa.station.station import Station
from loa.wire.rank import BroadcastClass, Origin, Severity

async def main():
    station = await Station.open(sys.argv[1])
    log = await EmergencyLog.open(Path(sys.argv[2]), station)
    broadcast = Broadcast("1" * 16, None, "tone", "Vỡ đê", BroadcastClass.EMERGENCY, Severity.EXTREME,
                          Origin.LIVE, False, ("b" * 16,), "b" * 16, None, "restart", 1, 2)
    async with station.database.write():  # the database is busy: whoever waits for it waits for ever
        await log.started(broadcast)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def emergency(number: int = 1) -> Broadcast:
    return Broadcast(
        f"{number:016x}",
        None,
        "tone",
        "Vỡ đê",
        BroadcastClass.EMERGENCY,
        Severity.EXTREME,
        Origin.LIVE,
        False,
        ("b" * 16,),
        "b" * 16,
        None,
        "restart",
        1,
        2,
    )


async def appears(broadcast: Broadcast, station: Station) -> None:
    for _ in range(4000):
        if broadcast in await station.broadcasts.open():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never reached the database")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
async def log(folder: Path, station: Station) -> AsyncIterator[EmergencyLog]:
    log = await EmergencyLog.open(folder, station)
    yield log
    await log.close()


async def test_it_is_acknowledged_before_the_database_has_it_and_followed_later(
    log: EmergencyLog, station: Station
) -> None:
    async with station.database.write():
        await log.started(emergency())
        await log.ended(emergency().id, at_us=5, reason="stopped")
    with pytest.raises(NotFoundError):
        await station.broadcasts.get(emergency().id)
    assert await log.catch_up() == 2
    assert await station.broadcasts.get(emergency().id) == emergency().ended(5, "stopped")
    assert await log.catch_up() == 0


async def test_following_puts_each_into_the_database_soon(log: EmergencyLog, station: Station) -> None:
    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(log.follow())
        for number in (1, 2):
            await log.started(emergency(number))
            await appears(emergency(number), station)
        follower.cancel()


async def test_killed_after_the_acknowledgement_it_is_in_the_database_at_the_next_start(
    url: str, folder: Path, station: Station
) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", START_AND_DIE, url, str(folder))
    assert await child.wait() == -signal.SIGKILL
    assert await station.broadcasts.open() == ()
    log = await EmergencyLog.open(folder, station)
    (found,) = await station.broadcasts.open()
    assert (found.id, found.title) == ("1" * 16, "Vỡ đê")
    await log.close()


async def test_replayed_again_it_changes_nothing(folder: Path, station: Station) -> None:
    for _ in range(3):
        log = await EmergencyLog.open(folder, station)
        await log.started(emergency())
        await log.ended(emergency().id, at_us=5, reason="stopped")
        await log.close()
    log = await EmergencyLog.open(folder, station)
    await station.settings.set(f"journal_{log.journal.id}", "0")
    assert await log.catch_up() == 6
    assert await station.broadcasts.list() == (emergency().ended(5, "stopped"),)
    await log.close()


async def test_a_new_journal_and_one_that_lost_its_end_are_followed_from_where_they_stand(
    folder: Path, station: Station
) -> None:
    log = await EmergencyLog.open(folder, station)
    for number in (1, 2, 3):
        await log.started(emergency(number))
    assert await log.catch_up() == 3
    await log.close()
    (path,) = folder.glob("*.journal")  # noqa: ASYNC240
    path.write_bytes(path.read_bytes()[:-1])
    log = await EmergencyLog.open(folder, station)
    assert log.journal.healed is not None
    await log.started(emergency(4))
    assert await log.catch_up() == 1
    await log.close()
    fresh = await EmergencyLog.open(folder.with_name("other"), station)
    await fresh.started(emergency(5))
    assert await fresh.catch_up() == 1
    await fresh.close()
    assert len(await station.broadcasts.open()) == 5


async def test_an_end_without_a_start_is_counted_and_stops_nothing(
    log: EmergencyLog, station: Station
) -> None:
    await log.ended("f" * 16, at_us=5, reason="stopped")
    await log.started(emergency())
    assert (await log.catch_up(), log.orphans) == (2, 1)
    assert await station.broadcasts.open() == (emergency(),)


async def test_an_entry_that_cannot_be_understood_is_not_skipped(folder: Path, station: Station) -> None:
    journal = await Journal.open(folder)
    await journal.append(b'{"entry":"of a newer Loa"}')
    await journal.close()
    with pytest.raises(ProtocolError, match="newer"):
        await EmergencyLog.open(folder, station)
    reopened = await Journal.open(folder)
    assert reopened.last == 1
    await reopened.close()
