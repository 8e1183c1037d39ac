"""The database: migrated tables equal the models, writes are all or nothing, bad files are named."""

import asyncio
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from loa.errors import ConfigError
from loa.station.database import Database, sqlite_url
from loa.station.schema import Base, SettingRow
from loa.station.settings import read_setting, write_setting
from loa.station.station import Station


async def test_the_migrations_make_exactly_the_models(station: Station) -> None:
    def difference(connection: sa.Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    async with station.database.engine.connect() as connection:
        assert await connection.run_sync(difference) == []
        tables = await connection.run_sync(lambda sync: set(sa.inspect(sync).get_table_names()))
    assert tables == set(Base.metadata.tables) | {"alembic_version"}


async def test_opening_again_keeps_what_was_there_and_migrates_nothing(url: str) -> None:
    async with await Station.open(url) as station:
        await station.settings.set("greeting", "xin chào")
    async with await Station.open(url) as station:
        assert await station.settings.get("greeting") == "xin chào"


async def test_a_connection_has_the_pragmas_that_the_laws_need(station: Station) -> None:
    async with station.database.read() as session:
        values = [
            await session.scalar(sa.text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 10_000], "2 is FULL"


async def test_a_block_that_raises_leaves_nothing_and_a_reader_changes_nothing(station: Station) -> None:
    async def fail_in_the_middle() -> None:
        async with station.database.write() as session:
            await write_setting(session, "a", "1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_in_the_middle()
    async with station.database.read() as session:
        await write_setting(session, "b", "1")
    assert (await station.settings.get("a"), await station.settings.get("b")) == (None, None)


async def test_many_writers_that_read_first_all_succeed_across_processes(url: str, station: Station) -> None:
    # A second engine stands for another process: it shares no lock with the first, only SQLite's.
    async with await Station.open(url) as other, asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(station.settings.next_number("n"))
            tasks.create_task(other.settings.next_number("n"))
    assert await station.settings.number("n") == 40


async def test_readers_do_not_wait_for_a_writer(station: Station) -> None:
    await station.settings.set("a", "old")
    async with station.database.write() as writing:
        await write_setting(writing, "a", "new")
        async with station.database.read() as reading:
            assert await read_setting(reading, "a") == "old"
    assert await station.settings.get("a") == "new"


async def test_the_file_is_for_its_owner_only(station: Station, tmp_path: Path) -> None:
    await station.settings.set("a", "1")
    for name in ("loa.db", "loa.db-wal", "loa.db-shm"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "song.db"
    path.write_bytes(b"RIFF" * 1000)
    with pytest.raises(ConfigError, match=r"song\.db.*not a database"):
        await Database.open(sqlite_url(path))


async def test_a_database_of_a_newer_loa_is_left_alone(url: str) -> None:
    async with await Station.open(url) as station, station.database.write() as session:
        await session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        await session.merge(SettingRow(name="precious", value="kept"))
    with pytest.raises(ConfigError, match="9999"):
        await Database.open(url)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("not an address", "not an address"),
        ("sqlite+aiosqlite://", "in memory"),
        ("sqlite:////tmp/x.db", "cannot be awaited"),
        ("nodb://x", "nodb"),
        ("sqlite+aiosqlite:////proc/no/such/loa.db", "/proc/no"),
    ],
)
async def test_an_address_that_cannot_be_opened_is_a_config_error(address: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        await Database.open(address)


async def test_a_path_with_odd_letters_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ấp 1 %41 #?&" / "loa.db"
    database = await Database.open(sqlite_url(path))
    await database.close()
    assert path.exists()
