"""Work that is finished once it was begun, even when whoever waits for it is told to stop.

Law: a cancellation passes, but not before the work is done: a transaction that is torn apart leaves a
connection that nobody closes.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def unbroken(work: Coroutine[Any, Any, T], name: str) -> T:
    """The result of `work`; `CancelledError` after its end if it was asked to stop meanwhile."""
    task = asyncio.create_task(work, name=name)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # it was told to stop: what failed meanwhile is begun again at the next start
        raise
