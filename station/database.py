"""The database: one engine, its pragmas, its migrations, and the two kinds of transaction.

Laws:
- what a `write()` block did is on the disk when the block has ended (SQLite: WAL with synchronous=FULL);
- a block that raises leaves nothing behind;
- SQLite has one writer at a time: writers of this process queue on a lock here, those of other processes on
  the busy timeout. A write takes its lock at BEGIN (IMMEDIATE), because a transaction that reads first and
  writes later is refused at once, timeout or not, when somebody wrote in between.
State: the engine's pool of connections, owned by this object and closed by `close()`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ..errors import ConfigError
from .schema import Base
from .tables import METADATA

BUSY_TIMEOUT_MS = 10_000
"""How long a write waits for another process (`loa check`, a backup) before it gives up."""
PIECE_ROWS = 200
"""Rows handled between two looks at the loop (about a millisecond), and values in one IN (...): SQLite takes
32,766.
"""
_WRITES = "loa_writes"
_MIGRATIONS = Path(__file__).parent / "migrations"


Item = TypeVar("Item")
Columns = TypeVarTuple("Columns")


def sqlite_url(path: Path) -> str:
    """The address of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


class Database:
    """Sessions for the repositories; see the module's laws."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writer = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> "Database":
        """Connect and bring the tables up to date. ConfigError when the address or the file is no good."""
        address = _parse_url(url)
        if address.get_backend_name() == "sqlite":
            await asyncio.to_thread(_prepare_file, address)
        engine = create_async_engine(address, **_engine_options(address))
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine.sync_engine, "connect", _set_pragmas)
            sa.event.listen(engine.sync_engine, "begin", _begin)
        try:
            await _migrate(engine, address)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine)

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A consistent view; what is changed in it is thrown away."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """All of it or nothing, and on the disk when it ends."""
        async with (
            self._writer,
            AsyncSession(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            await session.connection(execution_options={_WRITES: True})
            yield session

    @property
    def engine(self) -> AsyncEngine:
        return self._engine


async def stream(session: AsyncSession, statement: sa.Select[*Columns]) -> AsyncIterator[tuple[*Columns]]:
    """The rows of a statement, with the loop free to do other things after every few hundred."""
    rows = await session.stream(statement.execution_options(yield_per=PIECE_ROWS))
    try:
        async for row in rows:
            yield row
    finally:
        await rows.close()


def pieces(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """`items`, a few hundred at a time."""
    for start in range(0, len(items), PIECE_ROWS):
        yield items[start : start + PIECE_ROWS]


def upsert(session: AsyncSession, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what to do ON CONFLICT: the same words in both dialects, two classes."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _parse_url(url: str) -> URL:
    try:
        address = make_url(url)
        address.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError) as problem:
        raise ConfigError(
            f"database address {url.rpartition('@')[2]!r}: {problem}; expected something like sqlite+aiosqlite:////var/lib/loa/loa.db"
        ) from problem
    if not address.get_dialect().is_async:
        raise ConfigError(
            f"database address: driver {address.drivername!r} cannot be awaited; "
            "expected sqlite+aiosqlite:// or postgresql+asyncpg://"
        )
    if address.get_backend_name() == "sqlite" and address.database in {None, "", ":memory:"}:
        raise ConfigError("database address: a database in memory keeps nothing; expected the path of a file")
    return address


def _prepare_file(address: URL) -> None:
    """The file holds password hashes: it is for its owner only, and SQLite gives its WAL the same mode."""
    path = Path(str(address.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as problem:
        raise ConfigError(
            f"database file {path}: {problem.strerror}; expected a file that can be written"
        ) from problem


def _engine_options(address: URL) -> dict[str, object]:
    if address.get_backend_name() == "sqlite":
        return {"pool_size": 4, "max_overflow": 0, "connect_args": {"timeout": BUSY_TIMEOUT_MS / 1000}}
    return {"pool_size": 8, "max_overflow": 0, "pool_pre_ping": True}


def _set_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin` does
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def _migrate(engine: AsyncEngine, address: URL) -> None:
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                await connection.run_sync(upgrade)
    except CommandError as problem:
        raise ConfigError(
            f"database {address.render_as_string()}: {problem}; expected one of this Loa or an older"
        ) from problem
    except DBAPIError as problem:
        raise ConfigError(
            f"database {address.render_as_string()} cannot be used: {problem.orig}"
        ) from problem


def upgrade(connection: Connection) -> None:
    """Bring the tables behind `connection` up to date, in its transaction."""
    settings = Config()
    settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    settings.attributes.update(connection=connection, metadata=METADATA)
    command.upgrade(settings, "head")
