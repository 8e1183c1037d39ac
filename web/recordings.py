"""Stored recordings, opened for the air.

Laws: files are opened in a thread kept for this alone, so that an alert never waits behind an upload or a
log-in; the same recording is opened once and shared; the latest `KEPT` stay open (an open one costs address
space, no memory), and one that is dropped lives on for as long as something plays it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ..streamer.clips import Clip

KEPT = 256


class Recordings:
    """See the module. `close` when nothing is on air any more."""

    def __init__(self, opener: Callable[[str], Clip]) -> None:
        self._opener = opener
        self._open: OrderedDict[str, Clip] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recordings")

    async def open(self, folder: str) -> Clip:
        """The recording in a folder of the content store."""
        clip = self._open.get(folder)
        if clip is None:
            loop = asyncio.get_running_loop()
            clip = self._open[folder] = await loop.run_in_executor(self._thread, self._opener, folder)
        self._open.move_to_end(folder)
        while len(self._open) > KEPT:
            self._open.popitem(last=False)
        return clip

    def forget(self, folder: str) -> None:
        """It was removed from the store."""
        self._open.pop(folder, None)

    def close(self) -> None:
        self._open.clear()
        self._thread.shutdown()
