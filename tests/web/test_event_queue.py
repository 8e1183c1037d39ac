"""What waits for one page: bounded, coalesced by key, oldest dropped, and nothing lost without being told."""

import asyncio
from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from loa.web.event_queue import EventQueue

BOUND = 4


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.binary(max_size=3)), max_size=40))
def test_it_behaves_like_ten_lines_that_obviously_do(puts: list[tuple[str, bytes]]) -> None:
    queue, model, dropped = EventQueue(BOUND), OrderedDict[str, bytes](), 0
    for key, event in puts:
        queue.put(key, event)
        if key not in model and len(model) == BOUND:
            model.popitem(last=False)
            dropped += 1
        model[key] = event
        assert len(queue) <= BOUND
    assert (queue.dropped, queue.stale) == (dropped, dropped > 0)
    assert queue.take_now() == list(model.values())
    assert queue.take_now() == []


async def test_take_waits_until_there_is_something() -> None:
    queue = EventQueue()
    taken = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not taken.done()
    queue.put("a", b"1")
    assert await taken == [b"1"]


async def test_starting_over_forgets_and_is_no_longer_stale() -> None:
    queue = EventQueue(1)
    queue.put("a", b"1")
    queue.put("b", b"2")
    assert queue.stale
    queue.start_over()
    assert (queue.stale, len(queue)) == (False, 0)
    queue.put("c", b"3")
    assert await queue.take() == [b"3"]


async def test_a_closed_queue_wakes_who_waits() -> None:
    queue = EventQueue()
    taken = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.close()
    assert await taken == []
    assert queue.closed
