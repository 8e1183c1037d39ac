"""A load generator in a process of its own, spoken to line by line.

Law: it is killed when its block ends, whatever it does; every answer has a deadline.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

from ..errors import InternalError

LONGEST_ANSWER_BYTES = 1 << 24


class Child:
    """One that has started. `name` is for messages."""

    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process

    async def heard(self, within_s: float = 60.0) -> str:
        """Its next line. InternalError when it has ended or stays silent."""
        assert self._process.stdout is not None  # noqa: S101 - asked for below
        try:
            async with asyncio.timeout(within_s):
                line = await self._process.stdout.readline()
        except TimeoutError as error:
            raise InternalError(
                f"bench: {self._name} said nothing for {within_s:.0f} s, expected a line"
            ) from error
        if not line:
            raise InternalError(f"bench: {self._name} ended by itself, expected a line")
        return line.decode().rstrip("\n")

    async def asked(self, line: str, within_s: float = 60.0) -> str:
        """What it answers to a line."""
        assert self._process.stdin is not None  # noqa: S101 - asked for below
        self._process.stdin.write(f"{line}\n".encode())
        return await self.heard(within_s)


@contextlib.asynccontextmanager
async def child(name: str, *command: str) -> AsyncIterator[Child]:
    """The program `command`, running."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, limit=LONGEST_ANSWER_BYTES
    )
    try:
        yield Child(name, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def module(name: str, *arguments: object) -> tuple[str, ...]:
    """The command that runs a module of this folder."""
    return (sys.executable, "-P", "-m", f"loa.bench.{name}", *map(str, arguments))
