"""What bad, slow and dead clients cost on a control link: themselves."""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest

from loa.streamer.admission import RETRY_S
from loa.streamer.link import BEHIND_US
from loa.streamer.outbox import AUDIO_AGE_US
from loa.streamer.uplink import MESSAGES_BURST
from loa.wire.control import (
    MAX_UPLINK_BYTES,
    Bye,
    Challenge,
    Hello,
    Problem,
    Targets,
    TimeAsk,
    TimeReply,
    build_control,
)

NODE = "aa" * 8


def identity(number: int) -> str:
    return f"{number:016x}"


PROVINCE, NORTH, SOUTH = (identity(number) for number in (1, 2, 3))
EVERYWHERE, IN_NORTH = [(0, 3)], [(1, 2)]


async def test_a_kind_of_a_later_version_is_refused_and_nothing_else(node: Any, linked: Any) -> None:
    speaker = await linked(10)
    await speaker.ws.send_bytes(msgpack.packb({"k": "sing", "song": 1}))
    problem = await speaker.hear()
    assert isinstance(problem, Problem)
    assert "sing" in problem.what
    await speaker.nothing_came()
    assert node.links.counts["unknown_kind"] == 1


def nested(depth: int) -> bytes:
    return b"\x82\xa1k\xa5time?\xa1x" + b"\x91" * depth + b"\xc0"


BAD: Sequence[tuple[str, bytes | str]] = [
    ("nothing", b""),
    ("no map", msgpack.packb([1, 2])),
    ("no MessagePack", b"\xc1\x01\x01"),
    ("cut short", build_control(TimeAsk(5))[:-1]),
    ("with a tail", build_control(TimeAsk(5)) + b"\0"),
    ("nested", nested(100)),
    ("nested for ever", nested(20_000)),
    ("a lie about its size", b"\xdf\xff\xff\xff\xff"),
    ("missing field", msgpack.packb({"k": "time?"})),
    ("wrong type", msgpack.packb({"k": "time?", "t1": "now"})),
    ("for a node to say", build_control(Challenge(bytes(32), NODE))),
    ("hello again", build_control(Hello(identity(10), (1,), bytes(64), "", ""))),
    ("text", "hello"),
    ("gigantic", bytes(MAX_UPLINK_BYTES + 1)),
]


@pytest.mark.parametrize(("what", "data"), BAD, ids=[what for what, _ in BAD])
async def test_bad_input_ends_that_link_and_no_other(
    node: Any, linked: Any, until: Any, what: str, data: bytes | str
) -> None:
    good = await linked(11)
    bad = await linked(10)
    await (bad.ws.send_bytes(data) if isinstance(data, bytes) else bad.ws.send_str(data))
    heard, code = await bad.end()
    if what == "gigantic":
        assert code == 1009
    else:
        assert code == 1008
        assert [type(message) for message in heard] == [Problem, Bye]
    await until(lambda: not node.links.online(identity(10)))
    assert node.links.counts["ended_protocol"] == 1
    await good.nothing_came()


async def test_who_is_being_shown_out_can_come_back_at_once(
    node: Any, linked: Any, idle: Any, until: Any
) -> None:
    await node.start()
    node.enrol(10)
    bad = await idle()
    await bad.link(node, 10)
    bad.writer.write(b"\x82\x81" + bytes(4) + b"\xc1")
    await until(lambda: node.links.counts["ended_protocol"])
    assert not node.links.online(identity(10)), "while it has not answered our close"
    assert node.links.send(EVERYWHERE, b"\xc1", everyone=True, urgent=True) == 0
    good = await linked(10)
    await good.nothing_came()


async def test_a_flood_of_questions_ends_the_link(node: Any, linked: Any) -> None:
    good = await linked(11)
    bad = await linked(10)
    for number in range(MESSAGES_BURST):
        await bad.say(TimeAsk(number))
    for _ in range(MESSAGES_BURST):
        assert isinstance(await bad.hear(), TimeReply)
    node.clock.advance(1_000_000)
    await bad.nothing_came()
    for number in range(MESSAGES_BURST):
        await bad.say(TimeAsk(number))
    heard, _ = await bad.end()
    assert heard[-1] == Bye("flood", RETRY_S["flood"])
    await good.nothing_came()


# --- slow and dead clients


async def test_a_client_that_does_not_read_costs_only_itself(
    node: Any, linked: Any, idle: Any, until: Any
) -> None:
    await node.start()
    good = await linked(10)
    node.enrol(11)
    slow = await idle()
    await slow.link(node, 11)
    data = b"\xc1" + bytes(8000)
    while not node.links.counts["dropped_audio"]:
        node.links.send(IN_NORTH, data, everyone=False, urgent=False)
        assert await good.raw() == data
        node.clock.advance(10_000)
    assert node.links.online(identity(11))
    node.links.send(IN_NORTH, b"\xc1start", everyone=True, urgent=True)
    assert await good.raw() == b"\xc1start"
    node.clock.advance(BEHIND_US + 1)
    await until(lambda: not node.links.online(identity(11)))
    assert node.links.counts["cut_slow"] == 1
    assert node.events.log[-1] == ("unlinked", identity(11))
    await slow.gone()


async def test_when_it_reads_again_the_urgent_comes_first(node: Any, idle: Any, until: Any) -> None:
    await node.start()
    node.enrol(11)
    slow = await idle()
    await slow.link(node, 11)
    while not node.links.counts["dropped_audio"]:
        node.links.send(IN_NORTH, b"\xc1" + bytes(8000), everyone=False, urgent=False)
        await asyncio.sleep(0.001)
    node.links.broadcast_control(IN_NORTH, build_control(Targets((NORTH,))))
    node.links.send(IN_NORTH, b"\xc1start", everyone=True, urgent=True)
    node.clock.advance(AUDIO_AGE_US + 1)
    node.links.send(IN_NORTH, b"\xc1fresh", everyone=False, urgent=False)
    last: list[bytes] = []
    while last[-1:] != [b"\xc1fresh"]:
        last = [*last[-3:], await slow.frame()]
    assert len(last[0]) == 8001
    assert last[1:] == [b"\xc1start", build_control(Targets((NORTH,))), b"\xc1fresh"]
    assert node.links.online(identity(11))
    await slow.close()
    await until(lambda: node.links.count() == 0)


async def test_dropping_a_blocked_client_does_not_wait_for_it(node: Any, idle: Any) -> None:
    await node.start()
    node.enrol(11)
    slow = await idle()
    await slow.link(node, 11)
    while not node.links.counts["dropped_audio"]:
        node.links.send(IN_NORTH, b"\xc1" + bytes(8000), everyone=False, urgent=False)
        await asyncio.sleep(0.001)
    node.links.drop(identity(11), "revoked")
    await slow.gone()


async def test_a_thousand_half_open_links_are_timed_out_and_stop_nobody(
    node: Any, linked: Any, idle: Any
) -> None:
    await node.start(hello_s=5.0)
    idlers = [await idle() for _ in range(1000)]
    good = await linked(10)
    node.links.send(EVERYWHERE, b"\xc1", everyone=True, urgent=True)
    assert await good.raw() == b"\xc1"
    await asyncio.gather(*(idler.gone() for idler in idlers))
    assert node.links.counts["ended_timeout"] == 1000
    await good.nothing_came()


async def test_more_half_open_links_than_allowed_are_turned_away(node: Any, connect: Any) -> None:
    await node.start(most_waiting=2)
    waiting = [await connect(), await connect()]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await connect()
    assert refusal.value.status == 503
    assert refusal.value.headers is not None
    assert refusal.value.headers["Retry-After"] == "5"
    assert node.links.counts["refused_busy"] == 1
    node.enrol(10)
    await waiting[0].link(10)
    await connect()


async def test_a_client_that_vanishes_is_forgotten(node: Any, idle: Any, until: Any) -> None:
    await node.start()
    node.enrol(11)
    idler = await idle()
    await idler.link(node, 11)
    assert node.links.online(identity(11))
    await idler.close()
    await until(lambda: not node.links.online(identity(11)))
    assert node.links.send(EVERYWHERE, b"\xc1", everyone=True, urgent=True) == 0
