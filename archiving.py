"""The recorder and its archive, wired: what airs is written down, and kept by rule."""

import asyncio

from .clock import Clock
from .config import Settings
from .station.archive import Archive
from .streamer.air import Air
from .streamer.outputs.recording import Recorder


def attached(settings: Settings, air: Air, clock: Clock, archive: Archive) -> Recorder:
    """Hears the air from now on, unless nothing is to be recorded."""
    recorder = Recorder(air, clock, archive, archive.folder)
    if settings.recordings_days:
        recorder.attach()
    return recorder


async def archiving(recorder: Recorder, archive: Archive) -> None:
    """Until cancelled; what has sounded by then is written."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(archive.run(), name="archive: notes")
        tasks.create_task(recorder.run(), name="archive: recorder")
