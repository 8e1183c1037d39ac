"""The node's UDP port: nothing is sent to an address that has not returned its cookie."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from loa.clock import VirtualClock
from loa.streamer.attachments import HOLD_US, Attachments
from loa.streamer.fanout import Parcel
from loa.streamer.territory import Place, Territory
from loa.streamer.udp import UdpPort
from loa.wire.cookie import EPOCH_US
from loa.wire.datagram import Attached, Confirm, Cookie, Probe, build_attach, parse_datagram

PLACE = "0" * 15 + "1"
TOKEN = bytes(range(16))
TERRITORY = Territory([Place(PLACE, None, "Xã", "xa", "commune", 0)])


class Owners:
    def token_owner(self, token: bytes) -> str | None:
        return "a" * 16 if token == TOKEN else None


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.attachments = Attachments()
        self.port = UdpPort(self.clock, Owners(), lambda _: PLACE, self.attachments, "::", 0)
        self.speaker = self.other()

    def other(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        return sock

    async def ask(self, data: bytes, sock: socket.socket | None = None) -> bytes | None:
        """Send to the node; its answer, or None."""
        sock = sock or self.speaker
        sock.sendto(data, ("127.0.0.1", self.port.port))
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 2048), 0.3)
        except TimeoutError:
            return None

    async def cookie(self) -> bytes:
        answer = await self.ask(build_attach(Probe(TOKEN)))
        assert answer is not None
        message = parse_datagram(answer).message
        assert isinstance(message, Cookie)
        return message.cookie


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    loop = asyncio.get_running_loop()
    made.port.listen(loop)
    yield made
    made.port.close(loop)
    made.speaker.close()


async def test_an_address_is_served_once_it_has_returned_its_cookie(bench: Bench) -> None:
    cookie = await bench.cookie()
    assert len(bench.attachments) == 0, "asking is not enough"
    answer = await bench.ask(build_attach(Confirm(TOKEN, cookie)))
    assert answer is not None
    assert parse_datagram(answer).message == Attached(cookie)
    bench.port.refresh(TERRITORY)
    bench.port.fanout.send([Parcel(b"sound", [(0, 1)])])
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(bench.speaker, 2048), 2) == b"sound"


async def test_a_cookie_is_good_for_one_address_only(bench: Bench) -> None:
    cookie = await bench.cookie()
    with bench.other() as victim:
        answer = await bench.ask(build_attach(Confirm(TOKEN, cookie)), victim)
    assert answer is not None
    assert isinstance(parse_datagram(answer).message, Cookie), "it is told its own cookie, and not served"
    assert len(bench.attachments) == 0
    assert bench.port.counts["bad_cookie"] == 1


@pytest.mark.parametrize("message", [Probe(TOKEN), Confirm(TOKEN, bytes(16)), Probe(bytes(16))])
async def test_a_forged_source_gets_no_more_bytes_than_were_sent(
    bench: Bench, message: Probe | Confirm
) -> None:
    """No reflection worth the name: one datagram at most for one, and no longer."""
    asked = build_attach(message)
    answer = await bench.ask(asked)
    assert len(answer or b"") <= len(asked)
    with pytest.raises(BlockingIOError):
        bench.speaker.recv(2048)
    assert len(bench.attachments) == 0


async def test_a_cookie_that_has_aged_is_renewed_at_once(bench: Bench) -> None:
    cookie = await bench.cookie()
    await bench.ask(build_attach(Confirm(TOKEN, cookie)))
    bench.clock.advance(3 * EPOCH_US)
    answer = await bench.ask(build_attach(Confirm(TOKEN, cookie)))
    assert answer is not None
    fresh = parse_datagram(answer).message
    assert isinstance(fresh, Cookie)
    assert fresh.cookie != cookie
    again = await bench.ask(build_attach(Confirm(TOKEN, fresh.cookie)))
    assert again is not None
    assert parse_datagram(again).message == Attached(fresh.cookie)


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (bytes(1400), "malformed"),
        (build_attach(Probe(bytes(16))), "unknown_token"),
        (build_attach(Confirm(bytes(16), bytes(16))), "unknown_token"),
        (build_attach(Cookie(bytes(16))), "unexpected"),
        (build_attach(Attached(bytes(16))), "unexpected"),
    ],
    ids=["empty", "short", "long", "probe of nobody", "confirm of nobody", "cookie", "attached"],
)
async def test_garbage_is_counted_and_answered_with_nothing(bench: Bench, data: bytes, counted: str) -> None:
    assert await bench.ask(data) is None
    assert bench.port.counts[counted] == 1
    assert len(bench.attachments) == 0


async def test_no_answer_is_longer_than_its_question(bench: Bench) -> None:
    probe = build_attach(Probe(TOKEN))
    cookie = await bench.cookie()
    confirm = build_attach(Confirm(TOKEN, cookie))
    for question in (probe, confirm, build_attach(Confirm(TOKEN, bytes(16)))):
        answer = await bench.ask(question)
        assert answer is not None
        assert len(answer) <= len(question)


def test_a_silent_address_is_given_up() -> None:
    attachments = Attachments()
    assert attachments.attach("a" * 16, PLACE, bytes(28), 0)
    assert not attachments.attach("a" * 16, PLACE, bytes(28), 10), "nothing new"
    assert attachments.expire(HOLD_US + 10) == []
    assert attachments.expire(HOLD_US + 11) == ["a" * 16]
    table = attachments.table(TERRITORY)
    assert table is not None
    assert len(table) == 0
