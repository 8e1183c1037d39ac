"""Long work on the loop, in steps: after every step `take` gives the loop back if it was held long enough."""

import asyncio
import time

HELD_S = 0.002
"""Well below the 5 ms that anything may hold the loop, with room for the step that goes beyond."""


class Breath:
    """One per piece of work."""

    def __init__(self) -> None:
        self._since_s = time.perf_counter()

    async def take(self) -> None:
        if time.perf_counter() - self._since_s >= HELD_S:
            await asyncio.sleep(0)
            self._since_s = time.perf_counter()
