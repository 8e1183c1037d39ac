"""The way of entries into the audit log: gathered here, written by one task, many in one transaction.

Laws: `write` returns when the entry is on the disk; `put` never waits; what waits is bounded, and `put` may
fill half of that only, so that who is refused a thousand times crowds out nobody's act; what is left out is
counted, and the count is an entry of its own (`audit_gap`); a database that refuses is asked again, and no
entry is lost by that. Runs on the loop; owned by the desk.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..clock import Clock
from ..errors import BusyError
from ..station.audit import Audit
from ..station.audit_entry import NewEntry
from .unbroken import unbroken

MAX_WAITING = 10_000
"""Some 10 MB, for a database that stands still."""
AT_ONCE = 50
"""Some 3 ms of the loop."""
PATIENCE_S = 10.0
"""As long as a write waits for another process (`database.BUSY_TIMEOUT_MS`)."""
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)

log = structlog.get_logger("audit")


class AuditTrail:
    """See the module. `run` until cancelled, then `drain`."""

    def __init__(
        self,
        audit: Audit,
        clock: Clock,
        patience_s: float = PATIENCE_S,
        retry_s: Sequence[float] = RETRY_S,
    ) -> None:
        self._audit, self._clock, self._patience_s, self._retry_s = audit, clock, patience_s, retry_s
        self._waiting: deque[tuple[NewEntry, asyncio.Future[None] | None]] = deque()
        self._wake = asyncio.Event()
        self._draining = asyncio.Lock()
        self._left_out = 0
        self.dropped = 0
        self.retries = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(self, entry: NewEntry) -> None:
        """It follows soon."""
        if len(self._waiting) >= MAX_WAITING // 2:
            self.leave_out()
            return
        self._waiting.append((entry, None))
        self._wake.set()

    def leave_out(self) -> None:
        """Count one that is not written."""
        self.dropped += 1
        self._left_out += 1

    async def write(self, entry: NewEntry) -> None:
        """On the disk when it returns. BusyError when that takes too long; it follows later then, unless too
        many wait.
        """
        if len(self._waiting) >= MAX_WAITING:
            self.leave_out()
            raise BusyError(f"the audit log: {MAX_WAITING} entries wait for the database", int(RETRY_S[-1]))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        self._wake.set()
        try:
            async with asyncio.timeout(self._patience_s):
                await done
        except TimeoutError as error:
            raise BusyError("the audit log: the database has not taken it yet", int(RETRY_S[-1])) from error

    async def run(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            try:
                await self.drain()
                failures = 0
            except (SQLAlchemyError, OSError) as error:
                failures += 1
                self.retries += 1
                log.warning("database does not take the audit log", waiting=self.waiting, error=str(error))
                await asyncio.sleep(self._retry_s[min(failures, len(self._retry_s)) - 1])

    async def drain(self) -> None:
        """Write everything that waits. Raises what the database raises; nothing is lost then."""
        async with self._draining:
            self._wake.clear()
            try:
                while self._waiting or self._left_out:
                    await unbroken(self._write_some(), "audit: write")
            except BaseException:
                self._wake.set()
                raise

    async def _write_some(self) -> None:
        some = [self._waiting[n] for n in range(min(AT_ONCE, len(self._waiting)))]
        left_out, gap = self._left_out, list[NewEntry]()
        if left_out:
            gap = [NewEntry(at_us=self._clock.now_us(), act="audit_gap", detail={"left_out": left_out})]
        await self._audit.append([*gap, *(entry for entry, _ in some)])
        self._left_out -= left_out
        for _, done in some:
            self._waiting.popleft()
            if done is not None and not done.done():
                done.set_result(None)
