"""Preparing an upload in a process of its own (`worker.py`), seen from the server.

Laws: nothing the file does to the worker reaches the server: a crash, a stall or nonsense on the pipe is an
error of that one file; whoever stops waiting ends the worker.
"""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..errors import MediaError, ProtocolError
from .measured import Measured, parse_measured

MAX_SECONDS = 4 * 3600
"""The longest commune programme known is 45 minutes; a congress that is carried whole takes four hours."""
STALL_S = 300.0
"""Progress comes every percent, which is 144 s of audio in the longest file: seconds of work on a slow
machine.
"""
_LINE_BYTES = 1 << 16
_LAST_WORDS_BYTES = 400


class Preparer(Protocol):
    async def prepare(self, source: Path, folder: Path, on_progress: Callable[[float], None]) -> Measured:
        """Fill `folder` (which exists) from `source`. MediaError when the file is no good."""
        ...


class WorkerPreparer:
    """One process per file: it costs a second to start, and one bad file takes no other with it."""

    def __init__(
        self,
        *,
        max_seconds: float = MAX_SECONDS,
        stall_s: float = STALL_S,
        command: tuple[str, ...] = (sys.executable, "-P", "-m", "loa.station.worker"),
    ) -> None:
        self._max_seconds = max_seconds
        self._stall_s = stall_s
        self._command = command

    async def prepare(self, source: Path, folder: Path, on_progress: Callable[[float], None]) -> Measured:
        arguments = (*self._command, str(source), str(folder), str(self._max_seconds))
        process = await asyncio.create_subprocess_exec(
            *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LINE_BYTES
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                words = tasks.create_task(_last_words(process), name="worker's errors")
                outcome = tasks.create_task(self._outcome(process, on_progress), name="worker's lines")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_drain(process), self._stall_s)
        finally:
            _kill(process)
            await _drain(process)
        match outcome.result():
            case Measured() as measured:
                return measured
            case MediaError() as problem:
                raise problem
        raise MediaError(
            f"the file stopped the decoder (exit {process.returncode}): {words.result()}; expected audio"
        )

    async def _outcome(
        self, process: Process, on_progress: Callable[[float], None]
    ) -> Measured | MediaError | None:
        """What the worker said last; None when it said nothing. Errors are returned, to end the group in
        peace.
        """
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        outcome: Measured | MediaError | None = None
        while True:
            try:
                line = await asyncio.wait_for(process.stdout.readline(), self._stall_s)
                if not line:
                    return outcome
                message = parse_line(line)
            except TimeoutError:
                _kill(process)
                return MediaError(
                    f"decoding came to a halt for {self._stall_s:.0f} s; expected a readable file"
                )
            except (ValueError, ProtocolError) as problem:
                _kill(process)
                return MediaError(f"the decoder went astray on this file ({problem}); expected audio")
            if isinstance(message, float):
                on_progress(message)
            else:
                outcome = message


def parse_line(line: bytes) -> float | Measured | MediaError:
    """What the worker says in one line: progress 0..1, that it is ready, or what is wrong with the file."""
    try:
        message = json.loads(line)
        if "progress" in message:
            progress = float(message["progress"])
            if not 0 <= progress <= 1:
                raise ValueError(f"progress {progress}")
            return progress
        if "error" in message:
            return MediaError(str(message["error"])[:1000])
        return parse_measured(message["ready"])
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise ProtocolError(
            f"worker's line {line[:80]!r}: {problem}; expected progress or a result"
        ) from problem


async def _last_words(process: Process) -> str:
    """The end of what it wrote about its errors."""
    assert process.stderr is not None  # noqa: S101 - a pipe was asked for
    words = b""
    while more := await process.stderr.read(_LINE_BYTES):
        words = (words + more)[-_LAST_WORDS_BYTES:]
    return words.decode("utf-8", "replace").strip().rpartition("\n")[2]


async def _drain(process: Process) -> None:
    """Read both pipes to their end and await the exit, which is not seen while a pipe is full."""
    for pipe in (process.stdout, process.stderr):
        while pipe is not None and await pipe.read(_LINE_BYTES):
            continue
    await process.wait()


def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
