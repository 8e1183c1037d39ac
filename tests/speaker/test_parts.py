"""The small parts: pen, cache of checks, back-off, alarm, time questions."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from loa.speaker.alarm import Alarm
from loa.speaker.backoff import Backoff
from loa.speaker.checks import Checks
from loa.speaker.pen import MAX_AGE_US, MAX_EACH, MAX_KEYS, Pen
from loa.speaker.sync import PLAYING_EVERY_US, TimeSync
from loa.trust.keys import SigningKey


def test_the_pen_gives_back_in_order_and_once() -> None:
    pen = Pen()
    assert [pen.hold("a", bytes((n,)), 0, "unknown").total() for n in range(3)] == [0, 0, 0]
    assert pen.release("a") == [b"\0", b"\1", b"\2"]
    assert pen.release("a") == []


def test_the_pen_is_bounded_in_each_way_and_counts_what_falls_out() -> None:
    pen = Pen()
    full = [pen.hold("a", b"x", 0, "unknown") for _ in range(MAX_EACH + 3)]
    assert sum(full, Counter[str]()) == {"unknown": 3}
    crowd = [pen.hold(key, b"x", 0, "issuer") for key in range(MAX_KEYS)]
    assert sum(crowd, Counter[str]()) == {"unknown": MAX_EACH}
    assert len(pen) == MAX_KEYS
    assert pen.hold("late", b"x", MAX_AGE_US + 1, "clock") == {"issuer": MAX_KEYS}
    assert len(pen) == 1


def test_what_has_waited_too_long_is_counted_without_another_coming() -> None:
    pen = Pen()
    pen.hold("a", b"x", 5, "issuer")
    assert pen.expire(5 + MAX_AGE_US).total() == 0
    assert pen.expire(6 + MAX_AGE_US) == {"issuer": 1}
    assert pen.expire(6 + MAX_AGE_US).total() == 0


def test_the_same_bytes_are_parsed_and_checked_once(world: Any) -> None:
    checks, music = Checks(2), world.program()
    data = music.start_datagram()
    first = checks.parse(data)
    assert first is not None
    assert checks.parse(bytes(data)) is first
    assert first.signed_by(music.session.key.public)
    assert not first.signed_by(SigningKey.generate().public)
    for _ in range(2):
        checks.parse(music.audio_datagram())
    assert checks.parse(data) is not first
    assert checks.parse(b"no datagram") is None


def test_pauses_grow_to_their_bound_and_are_never_nothing() -> None:
    backoff = Backoff(0.5, 30.0, random.Random(1).uniform)
    pauses = [backoff.next_s() for _ in range(12)]
    assert all(0.25 <= pause <= 30.0 for pause in pauses)
    assert pauses[0] <= 0.5
    assert min(pauses[7:]) >= 15.0
    backoff.reset()
    assert backoff.next_s() <= 0.5


async def test_an_alarm_waits_for_its_time_or_a_ring() -> None:
    alarm, loop = Alarm(), asyncio.get_running_loop()
    assert not await alarm.wait(loop.time())
    alarm.ring()
    alarm.ring()
    assert await alarm.wait(None)
    assert not await alarm.wait(loop.time() + 0.01)
    loop.call_later(0.01, alarm.ring)
    assert await alarm.wait(loop.time() + 60)


async def test_an_alarm_that_is_cancelled_leaves_nothing() -> None:
    alarm = Alarm()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await alarm.wait(None)
    alarm.ring()
    assert await alarm.wait(None)


def sync_of_an_hour(*, playing: bool) -> int:
    """How many questions an hour on a link takes, with a fix from the ninth on."""
    from loa.wire.control import TimeReply

    sync = TimeSync(random.Random(2).uniform, lambda: random.getrandbits(63))
    local_us, asked = 0, 0
    sync.linked(local_us)
    while local_us < 3_600_000_000:
        due = sync.due_us()
        assert due is not None
        local_us = max(local_us, due)
        ask = sync.ask(local_us, playing=playing)
        asked += 1
        at_us = 1_800_000_000_000_000 + local_us
        sync.answered(TimeReply(ask.t1, at_us, at_us, "cc" * 8, b"", ""), local_us)
        local_us += 1
    return asked


def test_an_idle_speaker_asks_for_the_time_about_once_a_minute() -> None:
    assert 50 <= sync_of_an_hour(playing=False) <= 75
    assert sync_of_an_hour(playing=True) == pytest.approx(3_600_000_000 / PLAYING_EVERY_US, rel=0.1)


def test_nobody_is_asked_while_the_link_is_down() -> None:
    sync = TimeSync(random.uniform, lambda: 1)
    assert sync.due_us() is None
    sync.linked(5)
    assert sync.due_us() == 5
    sync.unlinked()
    assert sync.due_us() is None
