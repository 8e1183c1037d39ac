"""A station on a fresh file, with cheap passwords: Argon2's cost is not what these tests are about."""

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import argon2
import pytest

from loa.station.database import sqlite_url
from loa.station.password import Passwords
from loa.station.place import NewPlace, Place
from loa.station.station import Station

NOW_US = 1_800_000_000_000_000


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread and no open file outlives a test."""
    threads, files = set(threading.enumerate()), open_files()
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=10)
        assert not thread.is_alive(), f"{thread} is left"
    assert open_files() <= files


def open_files() -> set[str]:
    """Those of the file system; what the event loop itself holds is none of ours."""
    found: set[str] = set()
    for link in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(FileNotFoundError):  # the one that listed them
            found.add(str(link.readlink()))
    return {path for path in found if path.startswith("/") and not path.startswith("/proc/")}


@pytest.fixture
def now_us() -> int:
    return NOW_US


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "loa.db")


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
async def station(url: str, passwords: Passwords) -> AsyncIterator[Station]:
    async with await Station.open(url, passwords=passwords) as station:
        yield station


@pytest.fixture
async def province(station: Station) -> Place:
    return await station.places.add(NewPlace("Đồng Tháp", "province"), now_us=NOW_US)


@pytest.fixture
async def commune(station: Station, province: Place) -> Place:
    return await station.places.add(NewPlace("Cao Lãnh", "commune", parent=province.id), now_us=NOW_US)
