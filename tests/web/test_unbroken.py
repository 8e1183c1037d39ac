"""What was begun is finished, and the cancellation still arrives."""

import asyncio

import pytest

from loa.web.unbroken import unbroken


async def test_its_result_is_that_of_the_work() -> None:
    async def work() -> int:
        return 7

    assert await unbroken(work(), "seven") == 7


async def test_a_cancellation_waits_for_the_end_of_the_work() -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def work() -> None:
        begun.set()
        await go_on.wait()
        done.append("done")
        raise ValueError("and it failed")

    task = asyncio.create_task(unbroken(work(), "work"))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unbroken(work(), "work")
