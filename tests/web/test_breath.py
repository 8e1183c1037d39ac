"""Long work gives the loop back, and short work does not pay for it."""

import asyncio

from loa.web.breath import Breath


async def turns_of_others(breath: Breath) -> int:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(50):
        await breath.take()
    task.cancel()
    return turns


async def test_work_that_has_held_the_loop_long_enough_gives_it_back_each_time() -> None:
    assert await turns_of_others(Breath(held_s=0.0)) >= 50


async def test_work_that_has_not_goes_on() -> None:
    assert await turns_of_others(Breath(held_s=3600.0)) == 0
