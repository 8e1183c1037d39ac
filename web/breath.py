"""Long work on the loop, in steps: after every step `take` gives the loop back if it was held long enough."""

import asyncio
import time

HELD_S = 0.002
"""Well below the 5 ms that anything may hold the loop, with room for the step that goes beyond."""


class Breath:
    """One per piece of work."""

    def __init__(self, held_s: float = HELD_S) -> None:
        self._held_s = held_s
        self._since_s = time.perf_counter()

    async def take(self) -> None:
        if time.perf_counter() - self._since_s >= self._held_s:
            await asyncio.sleep(0)
            self._since_s = time.perf_counter()
