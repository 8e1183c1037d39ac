"""Typed bulletins, as the desk sees them: the voices there are, how a text would be read, how it would sound.

Laws: speaking happens in a process of its own (`text_worker.py`), one preview at a time; few wait, and more
are told to come back. A preview leaves nothing behind. State: who waits, and a thread for reading texts out
in words and for the previews' files; closed by `close`.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..codecs.bulletin import Bulletin, Part, said, script
from ..codecs.stored import MP3_FILE
from ..codecs.voices import Voice, Voices
from ..errors import BusyError
from .preparer import Preparer, WorkerPreparer
from .text_note import build_note
from .text_worker import START, WHOLE
from .voice_bench import open_voices

PREVIEW_S = 60.0
"""Of sound: enough to hear how it will be, and two or three seconds of work."""

WAITING = 4
RETRY_S = 5
MAX_SPOKEN_S = 2 * 3600
"""The longest text at the slowest speed takes 70 minutes, and there are pauses."""


def text_preparer(content: Path, piper: Path | None, *, preview: bool = False) -> WorkerPreparer:
    """What makes programs of notes. `content`: the content store's folder."""
    mode = START if preview else WHOLE
    command = (sys.executable, "-P", "-m", "loa.station.text_worker", mode, str(content), str(piper or ""))
    return WorkerPreparer(max_seconds=PREVIEW_S if preview else MAX_SPOKEN_S, command=command)


class Texts:
    """`await Texts.open(...)`."""

    def __init__(self, voices: Voices, previewer: Preparer) -> None:
        self._voices = voices
        self._previewer = previewer
        self._turn = asyncio.Lock()
        self._inside = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="texts")
        self.refused = 0

    @classmethod
    async def open(cls, content: Path, piper: Path | None = None) -> "Texts":
        """`piper`: a folder of its voices. ConfigError when that is unfit, or piper is not installed."""
        voices = await asyncio.to_thread(open_voices, piper)
        return cls(voices, text_preparer(content, piper, preview=True))

    def close(self) -> None:
        self._thread.shutdown()

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The better first; the first of a language speaks it if no other is asked for."""
        return self._voices.all

    async def reading(self, part: Part) -> tuple[str, ...]:
        """The paragraphs of a part in words. MediaError and NotFoundError as the script's."""

        def read() -> tuple[str, ...]:
            voice, _ = self._voices.find(part.language, part.voice)
            return said(Bulletin((part,)).parts[0], voice)

        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    async def check(self, bulletin: Bulletin) -> None:
        """Whether it can be read out, as far as that is seen without speaking."""
        await asyncio.get_running_loop().run_in_executor(self._thread, script, bulletin, self._voices)

    async def preview(self, bulletin: Bulletin) -> bytes:
        """The first PREVIEW_S of it as MP3, levelled and mixed as it will be. BusyError when many wait."""
        if self._inside >= WAITING:
            self.refused += 1
            raise BusyError(f"preview: {self._inside} texts wait to be heard, expected a free voice", RETRY_S)
        self._inside += 1
        try:
            async with self._turn:
                return await self._spoken(bulletin)
        finally:
            self._inside -= 1

    async def _spoken(self, bulletin: Bulletin) -> bytes:
        with tempfile.TemporaryDirectory(prefix="loa-preview-") as name:
            folder = Path(name)
            source = folder / "note"
            await asyncio.to_thread(source.write_bytes, build_note(bulletin))
            await self._previewer.prepare(source, folder, lambda _part: None)
            return await asyncio.to_thread((folder / MP3_FILE).read_bytes)


async def note_chunks(bulletin: Bulletin) -> AsyncIterator[bytes]:
    """What the content store takes in for it."""
    yield build_note(bulletin)
