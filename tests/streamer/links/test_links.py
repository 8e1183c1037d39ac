"""Control links over real sockets: who is let in, and what reaches whom."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from loa.streamer.admission import RETRY_S
from loa.streamer.territory import Place, Territory
from loa.trust.keys import SigningKey
from loa.trust.statements import time_reply_bytes
from loa.web.certificate import ensure_certificate, server_context
from loa.wire.control import (
    Bye,
    Chain,
    Placed,
    Problem,
    Targets,
    TimeAsk,
    TimeReply,
    Via,
    Want,
    Welcome,
    build_control,
)
from loa.wire.report import Report, State, Transport

CLOCK_ID = "cc" * 8


def identity(number: int) -> str:
    return f"{number:016x}"


PROVINCE, NORTH, SOUTH = (identity(number) for number in (1, 2, 3))
EVERYWHERE, IN_NORTH, IN_SOUTH = [(0, 3)], [(1, 2)], [(2, 3)]
"""Slices of the line of the node's territory: the province, then its two communes."""


async def test_a_welcome_says_everything_and_the_greeting_follows(node: Any, linked: Any, until: Any) -> None:
    node.on_air[NORTH] = [b"\xc1start-one", b"\xc1start-two"]
    speaker = await linked(10)
    assert speaker.welcome is not None
    assert speaker.welcome.placement == node.speakers[identity(10)].placement
    assert speaker.welcome.chain == ("grant-of-the-root", "grant-of-the-node")
    assert speaker.welcome.udp == (("", 7400), ("other.example", 7401))
    assert (speaker.welcome.clock_id, speaker.welcome.version, speaker.welcome.report_s) == (CLOCK_ID, 1, 5)
    assert [await speaker.raw(), await speaker.raw()] == [b"\xc1start-one", b"\xc1start-two"]
    assert node.events.log == [("linked", identity(10))]
    assert (node.links.count(), node.links.online(identity(10)), node.links.via(identity(10))) == (
        1,
        True,
        "ws",
    )
    assert node.links.token_owner(speaker.welcome.token) == identity(10)
    await speaker.ws.close()
    await until(lambda: node.links.count() == 0)
    assert node.events.log[1:] == [("unlinked", identity(10))]
    assert node.links.token_owner(speaker.welcome.token) is None
    assert (node.links.online(identity(10)), node.links.via(identity(10))) == (False, None)


async def refused(node: Any, speaker: Any, reason: str) -> str:
    heard, code = await speaker.end()
    problem, bye = heard
    assert isinstance(problem, Problem)
    assert bye == Bye(reason, RETRY_S[reason])
    assert code == 1008
    assert node.links.count() == 0
    assert node.events.log == []
    assert node.links.counts[f"ended_{reason}"] == 1
    return problem.what


async def test_who_is_not_enrolled_is_refused(node: Any, connect: Any) -> None:
    speaker = await connect()
    await speaker.hello(66, key=SigningKey.generate())
    assert identity(66) in await refused(node, speaker, "unknown")


async def test_a_connection_is_known_once_its_speaker_has_proved_who_it_is(
    node: Any, connect: Any, linked: Any
) -> None:
    node.enrol(1)
    for number, why in ((2, "unknown"), (1, "signature")):
        speaker = await connect()
        await speaker.hello(number, key=SigningKey.generate())
        await refused(node, speaker, why)
    await connect()
    assert node.known == []
    await linked(1)
    assert len(node.known) == 1


async def test_another_key_is_refused(node: Any, connect: Any) -> None:
    node.enrol(10)
    speaker = await connect()
    await speaker.hello(10, key=node.key)
    assert node.keys[identity(10)].public.key_id in await refused(node, speaker, "signature")


@pytest.mark.parametrize("why", ["pending", "blocked"])
async def test_who_is_barred_is_told_so_and_nobody_else(
    node: Any, connect: Any, linked: Any, why: str
) -> None:
    name = node.enrol(10)
    node.speakers[name] = replace(node.speakers[name], barred=why)
    stranger = await connect()
    await stranger.hello(10, key=node.key)
    await refused(node, stranger, "signature")
    speaker = await connect()
    await speaker.hello(10)
    assert name in await refused(node, speaker, why)
    assert node.links.count() == 0
    assert node.events.log == []
    node.speakers[name] = replace(node.speakers[name], barred="")
    await linked(10)
    assert node.links.online(name)


async def test_a_speaker_that_is_barred_while_it_listens_is_dropped(node: Any, linked: Any) -> None:
    speaker = await linked(10)
    name = identity(10)
    token = speaker.welcome.token
    assert node.links.token_owner(token) == name
    node.speakers[name] = replace(node.speakers[name], barred="blocked")
    node.links.place(name, node.placement(10, NORTH))
    assert node.links.token_owner(token) is None, "so it attaches by UDP no more"
    assert (await speaker.end())[0] == [Bye("blocked", RETRY_S["blocked"])]


async def test_one_speaker_is_told_something(node: Any, linked: Any) -> None:
    speaker, other = await linked(10), await linked(11)
    message = Bye("to one alone", 1)
    node.links.tell(identity(10), build_control(message))
    node.links.tell(identity(99), build_control(message))
    assert await speaker.hear() == message
    node.links.drop(identity(11), "done")
    assert (await other.end())[0] == [Bye("done", 60)]


@pytest.mark.parametrize("changed", [{"nonce": bytes(32)}, {"node": "bb" * 8}])
async def test_an_answer_to_another_challenge_is_refused(
    node: Any, connect: Any, changed: dict[str, object]
) -> None:
    node.enrol(10)
    speaker = await connect()
    await speaker.hello(10, **changed)
    await refused(node, speaker, "signature")


async def test_a_version_that_nobody_speaks_is_refused(node: Any, connect: Any) -> None:
    node.enrol(10)
    speaker = await connect()
    await speaker.hello(10, versions=(7, 9))
    assert "[7, 9], expected one of [1]" in await refused(node, speaker, "version")


async def test_the_first_word_must_be_hello(node: Any, connect: Any) -> None:
    speaker = await connect()
    await speaker.say(TimeAsk(1))
    await speaker.hear()
    assert "expected hello" in await refused(node, speaker, "protocol")


async def test_the_highest_common_version_is_taken(node: Any, connect: Any) -> None:
    node.enrol(10)
    speaker = await connect()
    await speaker.hello(10, versions=(1, 2))
    welcome = await speaker.hear()
    assert isinstance(welcome, Welcome)
    assert welcome.version == 1


async def test_what_is_no_websocket_is_told_so(node: Any) -> None:
    await node.start()
    async with aiohttp.ClientSession() as session, session.get(node.url) as answer:
        assert answer.status == 400
        assert "WebSocket" in await answer.text()


async def test_a_newer_link_replaces_the_older(node: Any, linked: Any) -> None:
    older = await linked(10)
    newer = await linked(10)
    heard, code = await older.end()
    assert heard == [Bye("replaced", RETRY_S["replaced"])]
    assert code == 1001
    await linked(11)
    told = [("linked", identity(10)), ("unlinked", identity(10)), ("linked", identity(10))]
    assert node.events.log == [*told, ("linked", identity(11))]
    assert node.links.online(identity(10)), "the end of the older is not that of the newer"
    assert node.links.token_owner(older.welcome.token) is None
    assert node.links.token_owner(newer.welcome.token) == identity(10)
    assert node.links.send(EVERYWHERE, b"\xc1", everyone=True, urgent=True) == 2
    assert await newer.raw() == b"\xc1"
    assert node.links.counts["replaced"] == 1


# --- who hears what


async def test_datagrams_reach_the_links_of_their_slices(node: Any, linked: Any) -> None:
    north = await linked(10, NORTH)
    south = await linked(11, SOUTH)
    assert node.links.send(EVERYWHERE, b"\xc1all", everyone=True, urgent=True) == 2
    assert node.links.send(IN_NORTH, b"\xc1north", everyone=True, urgent=True) == 1
    assert node.links.send([(0, 1)], b"\xc1nobody", everyone=True, urgent=True) == 0
    assert node.links.send([], b"\xc1nobody", everyone=True, urgent=True) == 0
    assert [await north.raw(), await north.raw(), await south.raw()] == [b"\xc1all", b"\xc1north", b"\xc1all"]
    await south.nothing_came()
    await north.nothing_came()


async def test_the_same_frames_go_through_tls(node: Any, linked: Any, until: Any, tmp_path: Path) -> None:
    certificate = ensure_certificate(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    await node.start(tls=server_context(certificate))
    speaker = await linked(10)
    frames = [bytes([0xC1, number]) + bytes(number * 50) for number in range(100)]
    for frame in frames:
        node.links.send(IN_NORTH, frame, everyone=True, urgent=True)
    assert [await speaker.raw() for _ in frames] == frames
    await speaker.nothing_came()
    await speaker.ws.close()
    await until(lambda: node.links.count() == 0)


async def test_audio_goes_to_those_who_do_not_listen_by_udp(node: Any, linked: Any, until: Any) -> None:
    by_udp = await linked(10)
    by_socket = await linked(11)
    await by_udp.say(Via(Transport.UDP, "attached"))
    await until(lambda: node.links.via(identity(10)) == "udp")
    assert node.events.log[-1] == ("via", identity(10), "udp")
    assert node.links.send(IN_NORTH, b"\xc1audio", everyone=False, urgent=False) == 1
    assert node.links.send(IN_NORTH, b"\xc1start", everyone=True, urgent=False) == 2
    assert {await by_socket.raw(), await by_socket.raw()} == {b"\xc1audio", b"\xc1start"}
    assert await by_udp.raw() == b"\xc1start"
    await by_udp.say(Via(Transport.WS, "no datagram for 300 ms"))
    await until(lambda: node.links.via(identity(10)) == "ws")
    assert node.links.send(IN_NORTH, b"\xc1audio", everyone=False, urgent=True) == 2
    assert await by_udp.raw() == b"\xc1audio"


async def test_links_follow_their_places_on_a_new_line(node: Any, linked: Any) -> None:
    north = await linked(10, NORTH)
    south = await linked(11, SOUTH)
    node.links.retarget(
        Territory(
            [
                Place(PROVINCE, None, "Tỉnh", "tinh", "province"),
                Place(SOUTH, PROVINCE, "Nam", "nam", "commune", 1),
                Place(NORTH, PROVINCE, "Bắc", "bac", "commune", 2),
            ]
        )
    )
    assert node.links.send([(1, 2)], b"\xc1south", everyone=False, urgent=False) == 1
    assert await south.raw() == b"\xc1south"
    await north.nothing_came()
    node.links.retarget(Territory([Place(SOUTH, None, "Nam", "nam", "commune")]))
    assert node.links.send([(0, 1)], b"\xc1", everyone=True, urgent=False) == 1, "the other place is gone"
    assert node.links.count() == 2


async def test_a_speaker_at_an_unknown_place_hears_nothing(node: Any, linked: Any) -> None:
    speaker = await linked(10, NORTH)
    node.links.retarget(Territory([]))
    assert node.links.send([(-1, 9)], b"\xc1", everyone=True, urgent=True) == 0
    await speaker.nothing_came()


async def test_control_for_many(node: Any, linked: Any) -> None:
    speaker = await linked(10)
    await linked(11, SOUTH)
    targets = Targets((NORTH, SOUTH))
    assert node.links.broadcast_control(IN_NORTH, build_control(targets)) == 1
    assert await speaker.hear() == targets


async def test_a_new_placement_moves_the_link_and_greets_it(node: Any, linked: Any) -> None:
    speaker = await linked(10, NORTH)
    node.on_air[SOUTH] = [b"\xc1there"]
    node.enrol(10, SOUTH)
    placement = node.placement(10, SOUTH)
    node.links.place(identity(10), placement)
    assert await speaker.hear() == Placed(placement)
    assert await speaker.raw() == b"\xc1there"
    assert node.links.send(IN_NORTH, b"\xc1", everyone=True, urgent=False) == 0
    assert node.links.send(IN_SOUTH, b"\xc1", everyone=False, urgent=False) == 1
    node.links.place(identity(77), placement)


async def test_a_speaker_that_is_no_longer_enrolled_is_dropped(node: Any, linked: Any) -> None:
    speaker = await linked(10)
    del node.speakers[identity(10)]
    node.links.place(identity(10), node.placement(10, NORTH))
    assert node.links.count() == 0
    assert (await speaker.end())[0] == [Bye("revoked", RETRY_S["revoked"])]


async def test_drop_says_why(node: Any, linked: Any) -> None:
    speaker = await linked(10)
    node.links.drop(identity(10), "moved to another edge")
    node.links.drop(identity(99), "nobody")
    assert not node.links.online(identity(10))
    assert (await speaker.end())[0] == [Bye("moved to another edge", 60)]
    assert node.events.log == [("linked", identity(10)), ("unlinked", identity(10))]


async def test_close_says_goodbye_and_takes_no_more(node: Any, connect: Any, linked: Any) -> None:
    speakers = [await linked(number) for number in range(10, 15)]
    waiting = await connect()
    ends = [asyncio.create_task(speaker.end()) for speaker in (*speakers, waiting)]
    await node.links.close()
    *heard, half = [(await end)[0] for end in ends]
    assert heard == [[Bye("restart", RETRY_S["restart"])]] * 5
    assert half[-1] == Bye("restart", RETRY_S["restart"])
    assert node.links.count() == 0
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await connect()
    assert refusal.value.status == 503


async def test_close_waits_until_the_last_has_been_told(node: Any, linked: Any, until: Any) -> None:
    first = await linked(10)
    await first.ws.close()
    await until(lambda: node.links.count() == 0)
    speaker = await linked(11)
    end = asyncio.create_task(speaker.end())
    await node.links.close()
    assert node.links.counts["ended_restart"] == 1
    assert (await end)[0] == [Bye("restart", RETRY_S["restart"])]


# --- what a speaker says


async def test_time_is_answered_at_once_and_signed(node: Any, linked: Any) -> None:
    speaker = await linked(10)
    await speaker.say(TimeAsk(123_456))
    reply = await speaker.hear()
    assert isinstance(reply, TimeReply)
    assert (reply.t1, reply.t2, reply.t3) == (123_456, node.clock.now_us(), node.clock.now_us())
    assert (reply.clock_id, reply.key_id) == (CLOCK_ID, node.key.public.key_id)
    signed = time_reply_bytes(reply.t1, reply.t2, reply.t3, reply.clock_id)
    assert node.key.public.verify(reply.signature, signed)


async def test_reports_are_passed_on_and_the_last_is_kept(node: Any, linked: Any, until: Any) -> None:
    speaker = await linked(10)
    assert node.links.last_report(identity(10)) is None
    report = Report(State.PLAYING, Transport.WS, counters={"verified": 3})
    await speaker.say(report)
    await until(lambda: node.events.reports == [report])
    assert node.links.last_report(identity(10)) == report


async def test_what_a_speaker_wants_and_what_nobody_knows(node: Any, linked: Any) -> None:
    speaker = await linked(10)
    node.lists[b"h" * 32] = build_control(Chain(("a-grant",)))
    await speaker.say(Want("chain", b"h" * 32))
    assert await speaker.hear() == Chain(("a-grant",))
    await speaker.say(Want("targets", b"x" * 32))
    problem = await speaker.hear()
    assert isinstance(problem, Problem)
    assert (b"x" * 32).hex() in problem.what
