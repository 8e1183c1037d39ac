"""WHIP over real sockets: aiortc calls in, is heard, leaves, vanishes; and everything that is refused."""

import asyncio
import fractions
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import av
import numpy as np
import pytest
from aiohttp import ClientResponse, ClientSession, web
from aioice import stun
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from loa.clock import NodeClock
from loa.errors import ConflictError, DeniedError, NotFoundError
from loa.streamer.leg import Gone
from loa.streamer.microphone import MicrophoneSource
from loa.streamer.whip import Whip

SDP = "application/sdp"


class Tone(MediaStreamTrack):
    """1 kHz, in real time, until it is stopped or `mute`."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._k = 0
        self._started: float | None = None
        self.mute = asyncio.Event()

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._started = self._started or loop.time()
        await asyncio.sleep(self._started + self._k * 0.02 - loop.time())
        if self.mute.is_set():
            await asyncio.Event().wait()
        wave = 8000 * np.sin(2 * np.pi * 1000 * np.arange(960) / 48_000)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._k * 960, fractions.Fraction(1, 48_000)
        self._k += 1
        return frame


@dataclass
class Site:
    url: str
    session: ClientSession
    whip: Whip
    microphones: dict[str, MicrophoneSource] = field(default_factory=dict)
    gone: list[tuple[str, Gone]] = field(default_factory=list)
    calls: list[RTCPeerConnection] = field(default_factory=list)

    def admit(self, program: str, token: str | None) -> MicrophoneSource:
        if token != "secret":
            raise DeniedError("token: expected the one that came with the order")
        if program == "ended":
            raise ConflictError("program has ended")
        if program not in self.microphones:
            raise NotFoundError(f"no program {program}")
        return self.microphones[program]

    async def post(
        self, body: str | bytes, *, program: str = "one", token: str = "secret", kind: str = SDP
    ) -> ClientResponse:
        headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
        async with self.session.post(f"{self.url}/whip/{program}", data=body, headers=headers) as response:
            await response.read()
            return response

    async def call(self, track: MediaStreamTrack, program: str = "one") -> tuple[RTCPeerConnection, str]:
        """Call in as a WHIP client does; the call and the URL of its session."""
        call = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.calls.append(call)
        call.addTransceiver(track, direction="sendonly")
        await call.setLocalDescription(await call.createOffer())
        response = await self.post(call.localDescription.sdp, program=program)
        assert response.status == 201
        assert response.content_type == SDP
        await call.setRemoteDescription(RTCSessionDescription((await response.text()), "answer"))
        return call, self.url + response.headers["Location"]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with ClientSession() as session:
        site = Site("", session, None)  # type: ignore[arg-type]
        site.whip = Whip(
            site.admit, lambda program, how: site.gone.append((program, how)), NodeClock(), max_peers=2
        )
        site.microphones = {name: MicrophoneSource() for name in ("one", "two", "three")}
        app = web.Application()
        site.whip.add_routes(app.router)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(site.whip.run())
            await asyncio.sleep(0)
            try:
                yield site
            finally:
                for call in site.calls:
                    await call.close()
                running.cancel()
        assert len(site.whip.peers) == 0
        await runner.cleanup()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        for _ in iter(holds, True):
            await asyncio.sleep(0.02)


def sounding(microphone: MicrophoneSource) -> Callable[[], bool]:
    def heard() -> bool:
        microphone.frame()
        return microphone.level.rms_dbfs > -20

    return heard


async def test_a_caller_is_heard_and_hangs_up(site: Site) -> None:
    _, session = await site.call(Tone())
    await eventually(sounding(site.microphones["one"]))
    assert len(site.whip.peers) == 1
    async with site.session.delete(session) as response:
        assert response.status == 200
    assert site.gone == [("one", Gone.LEFT)]
    assert len(site.whip.peers) == 0
    async with site.session.delete(session) as response:
        assert response.status == 404


async def test_a_caller_that_closes_has_left(site: Site) -> None:
    call, _ = await site.call(Tone())
    await eventually(sounding(site.microphones["one"]))
    await call.close()
    await eventually(lambda: site.gone == [("one", Gone.LEFT)])


async def test_a_caller_that_falls_silent_has_vanished(site: Site) -> None:
    track = Tone()
    await site.call(track)
    await eventually(sounding(site.microphones["one"]))
    track.mute.set()
    await eventually(lambda: site.gone == [("one", Gone.VANISHED)])


async def test_a_second_call_for_a_program_replaces_the_first(site: Site) -> None:
    first, first_session = await site.call(Tone())
    await eventually(sounding(site.microphones["one"]))
    await site.call(Tone())
    assert len(site.whip.peers) == 1
    await eventually(lambda: first.connectionState == "closed")
    assert site.gone == []
    async with site.session.delete(first_session) as response:
        assert response.status == 404


async def test_when_the_broadcast_ends_the_call_ends(site: Site) -> None:
    call, _ = await site.call(Tone())
    await eventually(sounding(site.microphones["one"]))
    site.microphones["one"].close()
    await eventually(lambda: call.connectionState == "closed")
    assert site.gone == []


async def test_two_programs_are_kept_apart(site: Site) -> None:
    await site.call(Tone(), "one")
    await eventually(sounding(site.microphones["one"]))
    assert site.microphones["two"].last_heard_us is None
    await site.call(Tone(), "two")
    await eventually(sounding(site.microphones["two"]))


async def offer() -> str:
    call = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    call.addTransceiver("audio", direction="sendonly")
    await call.setLocalDescription(await call.createOffer())
    await call.close()
    return str(call.localDescription.sdp)


async def test_there_are_never_more_than_the_bound(site: Site) -> None:
    text = await offer()
    answers = [await site.post(text, program=program) for program in ("one", "two", "three")]
    assert [answer.status for answer in answers] == [201, 201, 503]
    assert "2 microphones" in await answers[2].text()


async def recvonly() -> str:
    return (await offer()).replace("a=sendonly", "a=recvonly")


async def without_opus() -> str:
    return (await offer()).replace("opus/48000/2", "speex/48000/2")


async def video_only() -> str:
    return (await offer()).replace("m=audio", "m=video")


async def garbage() -> bytes:
    return b"\xff\xfe\x00"


async def nothing() -> bytes:
    return b""


async def gigantic() -> bytes:
    return b"v=0\r\n" * 50_000


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (garbage, 400, "not UTF-8 at byte 0"),
        (nothing, 400, "begins with nothing, expected v=0"),
        (gigantic, 413, "longer than 65536 bytes"),
        (video_only, 422, "no audio section"),
        (without_opus, 422, "expected opus/48000/2"),
        (recvonly, 422, "sends nothing"),
    ],
)
async def test_an_offer_that_will_not_do_is_told_so(
    site: Site, body: Callable[[], Awaitable[str | bytes]], status: int, told: str
) -> None:
    response = await site.post(await body())
    assert response.status == status
    assert told in await response.text()
    assert len(site.whip.peers) == 0


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"kind": "application/json"}, 415, "expected application/sdp"),
        ({"token": "guess"}, 401, "expected the one that came with the order"),
        ({"token": ""}, 401, "expected the one that came with the order"),
        ({"program": "none"}, 404, "no program none"),
        ({"program": "ended"}, 409, "has ended"),
    ],
)
async def test_who_may_not_call_is_told_why(
    site: Site, change: dict[str, str], status: int, told: str
) -> None:
    response = await site.post(await offer(), **change)
    assert response.status == status
    assert told in await response.text()
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


async def test_candidates_that_come_later_are_taken_note_of(site: Site) -> None:
    response = await site.post(text := await offer())
    session = site.url + response.headers["Location"]
    kind = {"Content-Type": "application/trickle-ice-sdpfrag"}
    ufrag = next(line for line in text.splitlines() if line.startswith("a=ice-ufrag:"))
    for body, headers, status in (
        (f"{ufrag}\r\na=end-of-candidates\r\n", kind, 204),
        ("a=ice-ufrag:restart\r\n", kind, 422),
        (b"\xff", kind, 400),
        (ufrag, {"Content-Type": SDP}, 415),
    ):
        async with site.session.patch(session, data=body, headers=headers) as answer:
            assert answer.status == status
    async with site.session.patch(site.url + "/whip/one/guess", data=b"", headers=kind) as answer:
        assert answer.status == 404


async def test_a_page_of_another_origin_may_call(site: Site) -> None:
    async with site.session.options(f"{site.url}/whip/one") as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["Accept-Post"] == SDP


async def test_other_methods_are_refused(site: Site) -> None:
    async with site.session.get(f"{site.url}/whip/one") as answer:
        assert answer.status == 405


async def test_strangers_on_the_port_are_counted_and_change_nothing(site: Site) -> None:
    response = await site.post(await offer())
    answer = await response.text()
    candidate = next(line for line in answer.splitlines() if line.startswith("a=candidate:")).split()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(candidate[4], int(candidate[5]))
    )
    for junk in (b"\x00", b"\x80" * 50, b"\x16" * 60, b"\x00\x01" + bytes(18), b"x" * 1500, b"x" * 3000):
        transport.sendto(junk)
    counters = site.whip.peers.counters
    await eventually(lambda: (counters.malformed, counters.strangers) == (2, 3))
    transport.close()
    await asyncio.sleep(0)
    await site.call(Tone(), "two")
    await eventually(sounding(site.microphones["two"]))


class Line(asyncio.DatagramProtocol):
    """A caller's UDP socket that speaks to one address of ours, and hears that address alone."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue(10)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        self.heard.put_nowait(data)


def check(offer: str, answer: str) -> bytes:
    """An ICE check as the maker of this offer would send it."""
    theirs, ours, password = (
        re.findall(rf"(?m)^a={name}:(\S+)", text)[0]
        for name, text in (("ice-ufrag", offer), ("ice-ufrag", answer), ("ice-pwd", answer))
    )
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction!")
    message.attributes["USERNAME"] = f"{ours}:{theirs}"
    message.add_message_integrity(password.encode())
    return bytes(message)


async def test_an_answer_comes_from_the_address_that_was_spoken_to(site: Site) -> None:
    """127.0.0.2 is this machine as well; unasked, the system would answer from 127.0.0.1."""
    response = await site.post(text := await offer())
    answer = await response.text()
    port = int(re.findall(r"m=audio (\d+)", answer)[0])
    loop = asyncio.get_running_loop()
    transport, line = await loop.create_datagram_endpoint(Line, remote_addr=("127.0.0.2", port))
    transport.sendto(check(text, answer))
    async with asyncio.timeout(5):
        assert (await line.heard.get())[:2] == b"\x01\x01"
    transport.close()
    await asyncio.sleep(0)


async def test_who_has_hung_up_is_a_stranger(site: Site) -> None:
    response = await site.post(text := await offer())
    answer = await response.text()
    port = int(re.findall(r"m=audio (\d+)", answer)[0])
    loop = asyncio.get_running_loop()
    transport, line = await loop.create_datagram_endpoint(Line, remote_addr=("127.0.0.1", port))
    transport.sendto(check(text, answer))
    await line.heard.get()
    async with site.session.delete(site.url + response.headers["Location"]):
        transport.sendto(b"\x80" * 50)
        transport.sendto(check(text, answer))
    await eventually(lambda: site.whip.peers.counters.strangers == 2)
    transport.close()
    await asyncio.sleep(0)


async def test_before_it_runs_nobody_can_call_in() -> None:
    whip = Whip(lambda program, token: MicrophoneSource(), lambda program, how: None, NodeClock())
    app = web.Application()
    whip.add_routes(app.router)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/whip/one"
    async with (
        ClientSession() as session,
        session.post(url, data=await offer(), headers={"Content-Type": SDP}) as answer,
    ):
        assert answer.status == 503
        assert "starting or stopping" in await answer.text()
    await runner.cleanup()
