"""What a node keeps: the database, the keys, the recordings, the journal, each opened and closed in turn.

Law: nothing here listens or sounds; a folder or a key that cannot be used ends the start in words.
"""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from .clock import NodeClock
from .config import Settings
from .errors import ConfigError
from .station.accounts import OneTime
from .station.archive import Archive, Rule
from .station.audit_watch import AuditWatch
from .station.content import ContentLimits, ContentStore
from .station.database import sqlite_url
from .station.emergency_log import EmergencyLog
from .station.keyring import Keyring
from .station.place import NewPlace
from .station.preparer import WorkerPreparer
from .station.station import Station
from .station.texts import Texts, text_preparer
from .station.vault import FileVault

FIRST_PLACE = NewPlace(name="Địa bàn", kind="province")
"""The root of a territory that nobody has described yet; it is renamed in the console."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What outlives the process."""

    folder: Path
    station: Station
    content: ContentStore
    archive: Archive
    texts: Texts
    emergencies: EmergencyLog
    keyring: Keyring
    watch: AuditWatch
    first_login: OneTime | None

    async def check(self) -> str | None:
        """What is wrong with the database, if anything."""
        try:
            await self.station.places.version()
        except SQLAlchemyError as error:
            return f"the database does not answer: {error}"
        return None


async def open_memory(settings: Settings, clock: NodeClock, stack: contextlib.AsyncExitStack) -> Memory:
    """Whatever it opens is closed with `stack`. ConfigError when the folder or a key cannot be used."""
    folder = settings.state.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"state folder {folder}: {error.strerror}; expected one that can be written"
        ) from error
    vault = FileVault(folder / "keys", secret=os.environ.get("LOA_KEY"))
    secret = await asyncio.to_thread(vault.secret, "station")
    station = await stack.enter_async_context(
        await Station.open(sqlite_url(folder / "loa.db"), secret=secret)
    )
    first_login = await station.accounts.ensure_administrator(now_us=clock.now_us())
    places = await station.places.list()
    root = places[0] if places else await station.places.add(FIRST_PLACE, now_us=clock.now_us())
    keyring = await Keyring.open(folder / "keys", vault, root_place=root.id, now_us=clock.now_us())
    limits = ContentLimits(upload_bytes=settings.max_upload_mb << 20)
    preparer = WorkerPreparer(max_seconds=settings.max_upload_s)
    shelf, piper = folder / "content", settings.piper_voices.resolve() if settings.piper_voices else None
    content = await ContentStore.open(shelf, station, preparer, limits, texts=text_preparer(shelf, piper))
    stack.callback(content.close)
    texts = await Texts.open(shelf, piper)
    stack.callback(texts.close)
    rule = Rule(settings.recordings_days, settings.recordings_gib << 30)
    archive = Archive(folder / "recordings", station.recordings, clock, rule)
    stack.push_async_callback(archive.drain)
    emergencies = await EmergencyLog.open(folder / "journal", station)
    stack.push_async_callback(emergencies.close)
    watch = AuditWatch(station, keyring, clock, version("loa"))
    await watch.begin()
    stack.push_async_callback(watch.end)
    return Memory(folder, station, content, archive, texts, emergencies, keyring, watch, first_login)
