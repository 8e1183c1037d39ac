"""A deadline that can be moved: wait until a time, or until somebody rings.

Laws: a ring before the wait ends it at once; rings do not pile up. One waiter at a time. Owned by its waiter.
"""

import asyncio


class Alarm:
    def __init__(self) -> None:
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """From the loop's own thread."""
        self._rung = True
        self._wake()

    async def wait(self, due_s: float | None) -> bool:
        """Until the loop's clock says `due_s` (None: for ever), or a ring. True if it rang."""
        loop = asyncio.get_running_loop()
        if not self._rung:
            self._waiter = loop.create_future()
            timer = None if due_s is None else loop.call_at(due_s, self._wake)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        rung, self._rung = self._rung, False
        return rung

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
