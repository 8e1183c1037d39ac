"""Multicast over the loopback: the right sound in the right group, heard by ffmpeg and GStreamer as well."""

import asyncio
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from loa.clock import NodeClock, VirtualClock
from loa.codecs.decimate import Decimator
from loa.codecs.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm
from loa.codecs.g711 import G711Encoder, Law
from loa.codecs.opus import OpusEncoder
from loa.streamer.broadcast import OnAir, Order, State, ToneSource
from loa.streamer.outputs.group import FORMS, Group, LanCodec
from loa.streamer.outputs.multicast import GroupState, Multicast
from loa.streamer.outputs.steady import due_us
from loa.streamer.rtp import RtpPacket, parse_rtp
from loa.wire.rank import BroadcastClass

PLACE = "a" * 16
ORDINARY, PRIORITY, EMERGENCY = BroadcastClass.ORDINARY, BroadcastClass.PRIORITY, BroadcastClass.EMERGENCY
CODECS = list(LanCodec)


@dataclass
class Program:
    """A tone that has sounded since ever."""

    id: str
    packets: list[bytes]

    def opus(self, k: int) -> bytes | None:
        return self.packets[k % len(self.packets)]


def wave(hz: int, seconds: float = 1.0, rate: int = SAMPLE_RATE) -> Pcm:
    return np.asarray(8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate), np.int16)


def tone(name: str, hz: int) -> Program:
    encoder = OpusEncoder(tonal=True)
    return Program(name, [encoder.encode(frame) for frame in wave(hz).reshape(50, FRAME_SAMPLES)])


LOW, HIGH = tone("1" * 16, 440), tone("2" * 16, 1000)


@dataclass
class Source:
    """One place, and what is on air there."""

    playing: tuple[Program, BroadcastClass] | None = None
    asked: list[str] = field(default_factory=list)

    def playing_at(self, place_id: str) -> OnAir | None:
        if self.playing is None or place_id != PLACE:
            return None
        program, cls = self.playing
        order = Order("b" * 16, program.id, "Tin", (PLACE,), cls, PLACE, 1 << 60, ToneSource())
        return OnAir(order, State.PLAYING, 1, 1, 1)

    def program_at(self, place_id: str) -> Program | None:
        return self.playing[0] if self.playing is not None and place_id == PLACE else None


class Ear:
    """A device that has joined a group on the loopback."""

    def __init__(self, group: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((group, 0))
        self.port = self.socket.getsockname()[1]
        member = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton("127.0.0.1"))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.group = group

    def heard(self) -> list[RtpPacket]:
        found = []
        while True:
            try:
                found.append(parse_rtp(self.socket.recv(2000)))
            except BlockingIOError:
                return found


def group_of(
    ear: Ear, codec: LanCodec = LanCodec.PCMU, classes: Iterable[BroadcastClass] = BroadcastClass
) -> Group:
    name = f"{ear.port:016x}"
    return Group(name, PLACE, ear.group, ear.port, codec, frozenset(classes), interface="127.0.0.1")


@pytest.fixture
def ears() -> Iterable[list[Ear]]:
    made = [Ear(f"239.77.{n}.{n + 1}") for n in range(5)]
    yield made
    for ear in made:
        ear.socket.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def pitch(pcm: Pcm, rate: int) -> float:
    tail = pcm[len(pcm) // 2 :].astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(tail * np.hanning(len(tail)))))) * rate / len(tail)


def decoded(codec: LanCodec, payloads: list[bytes]) -> tuple[Pcm, int]:
    """By FFmpeg's decoder, which is not ours."""
    if codec is LanCodec.L16:
        return np.frombuffer(b"".join(payloads), ">i2").astype(np.int16), SAMPLE_RATE
    name, rate = {
        LanCodec.PCMU: ("pcm_mulaw", 8000),
        LanCodec.PCMA: ("pcm_alaw", 8000),
        LanCodec.G722: ("g722", 16000),
        LanCodec.OPUS: ("libopus", 48000),
    }[codec]
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout = rate, "mono"
    frames = [frame for payload in payloads for frame in context.decode(av.Packet(payload))]
    pcm = np.concatenate([np.asarray(frame.to_ndarray()).reshape(-1) for frame in frames])
    return pcm.astype(np.int16), rate


async def play(multicast: Multicast, first: int, frames: int) -> None:
    for k in range(first, first + frames):
        await multicast.step(k)


async def test_every_codec_brings_the_tone_by_the_grid(ears: list[Ear], clock: VirtualClock) -> None:
    multicast = Multicast(Source((HIGH, ORDINARY)), clock, on=True)
    multicast.use(group_of(ear, codec) for ear, codec in zip(ears, CODECS, strict=True))
    await play(multicast, 100, 50)
    for ear, codec in zip(ears, CODECS, strict=True):
        packets, form = ear.heard(), FORMS[codec]
        assert len(packets) == 50 * form.packets
        assert {packet.payload_type for packet in packets} == {form.payload_type}
        assert len({packet.ssrc for packet in packets}) == 1
        steps = np.diff([packet.timestamp for packet in packets])
        assert set(steps.tolist()) == {form.ticks // form.packets}
        assert set(np.diff([packet.sequence for packet in packets]).tolist()) <= {1, -65_535}
        assert packets[0].timestamp == 100 * form.ticks
        pcm, rate = decoded(codec, [packet.payload for packet in packets])
        assert abs(pitch(pcm, rate) - 1000) < 5, codec
        loud = float(np.sqrt(np.mean(pcm[len(pcm) // 2 :].astype(float) ** 2)))
        assert abs(20 * np.log10(loud / (8000 / np.sqrt(2)))) < 1, codec
    multicast.use(())


async def test_an_emergency_moves_to_its_group_with_its_first_packet(
    ears: list[Ear], clock: VirtualClock
) -> None:
    source = Source((LOW, ORDINARY))
    multicast = Multicast(source, clock, on=True)
    calm, urgent, never = ears[:3]
    multicast.use(
        [
            group_of(calm, classes={ORDINARY, PRIORITY}),
            group_of(urgent, classes={EMERGENCY}),
            group_of(never, classes={PRIORITY}),
        ]
    )
    await play(multicast, 1000, 10)
    assert (len(calm.heard()), len(urgent.heard())) == (10, 0)
    source.playing = HIGH, EMERGENCY
    await play(multicast, 1010, 1)
    assert calm.heard() == []
    (first,) = urgent.heard()
    assert first.timestamp == 1010 * 160
    source.playing = LOW, ORDINARY
    await play(multicast, 1011, 1)
    (back,) = calm.heard()
    assert (back.timestamp, urgent.heard()) == (1011 * 160, [])
    source.playing = None
    await play(multicast, 1012, 5)
    assert calm.heard() == never.heard() == [], "an idle place takes nothing of the LAN"
    multicast.use(())


async def test_after_a_pause_the_first_packet_is_marked(ears: list[Ear], clock: VirtualClock) -> None:
    source = Source((LOW, ORDINARY))
    multicast = Multicast(source, clock, on=True)
    multicast.use([group_of(ears[0])])
    await play(multicast, 10, 2)
    source.playing = None
    await play(multicast, 12, 2)
    source.playing = LOW, ORDINARY
    await play(multicast, 14, 2)
    marks = [ears[0].socket.recv(2000)[1] >> 7 for _ in range(4)]
    assert marks == [1, 0, 1, 0]
    multicast.use(())


async def test_nothing_leaves_while_it_is_off(ears: list[Ear]) -> None:
    clock = NodeClock()
    multicast = Multicast(Source((LOW, ORDINARY)), clock, on=False)
    group = group_of(ears[0])
    multicast.use([group])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await multicast.run()
    assert multicast.state(group.id) == (GroupState.OFF, "")
    assert ears[0].heard() == []


async def test_a_group_that_leads_nowhere_says_so_and_costs_only_itself(
    ears: list[Ear], clock: VirtualClock
) -> None:
    multicast = Multicast(Source((LOW, ORDINARY)), clock, on=True)
    good = group_of(ears[0])
    bad = Group(
        "f" * 16, PLACE, "239.9.9.9", 5004, LanCodec.OPUS, frozenset({ORDINARY}), interface="no-such0"
    )
    multicast.use([bad, good])
    await play(multicast, 100, 3)
    clock.advance(due_us(102) - clock.now_us() if due_us(102) > clock.now_us() else 0)
    state, why = multicast.state(bad.id)
    assert state is GroupState.FAULT
    assert "interface no-such0" in why
    assert len(ears[0].heard()) == 3
    multicast.use([good])
    assert multicast.state(bad.id) == (GroupState.OFF, "")
    multicast.use(())


@pytest.mark.parametrize(("law", "name"), [(Law.MU, "pcm_mulaw"), (Law.A, "pcm_alaw")])
def test_g711_is_what_ffmpeg_reads(law: Law, name: str) -> None:
    """Every sample there is comes back within half a step of its segment."""
    pcm = np.arange(-32_768, 32_768, dtype=np.int32).astype(np.int16)
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout = 8000, "mono"
    (frame,) = context.decode(av.Packet(G711Encoder(law).encode(pcm)))
    back = np.asarray(frame.to_ndarray()).reshape(-1).astype(np.int64)
    error = np.abs(back - pcm.astype(np.int64))
    assert np.all(error <= np.maximum(16, np.abs(pcm.astype(np.int64)) // 31 + 8))
    assert np.all(np.diff(back) >= 0), "a louder sample is never quieter"


@pytest.mark.parametrize(("factor", "kept", "gone"), [(6, 3000, 5200), (3, 6500, 9800)])
def test_what_would_fold_back_is_not_there(factor: int, kept: int, gone: int) -> None:
    def level(hz: int) -> float:
        decimate = Decimator(factor)
        frames = [decimate(frame) for frame in wave(hz).reshape(50, FRAME_SAMPLES)]
        out = np.concatenate(frames)[2000:].astype(float)
        return float(20 * np.log10(np.sqrt(np.mean(out**2)) / (8000 / np.sqrt(2)) + 1e-9))

    assert abs(level(1000)) < 0.1
    assert level(kept) > -1
    assert level(gone) < -50


@asynccontextmanager
async def sending(group: Group) -> AsyncIterator[None]:
    """In real time."""
    multicast = Multicast(Source((HIGH, ORDINARY)), NodeClock(), on=True)
    multicast.use([group])
    task = asyncio.create_task(multicast.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def record(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    async with asyncio.timeout(30):
        return await process.wait()


@pytest.mark.peer
@pytest.mark.parametrize("codec", CODECS)
async def test_ffmpeg_hears_a_group_by_its_sdp(tmp_path: Path, codec: LanCodec) -> None:
    group = Group(
        f"{CODECS.index(codec):016x}",
        PLACE,
        "239.78.0.1",
        5900 + 2 * CODECS.index(codec),
        codec,
        frozenset({ORDINARY}),
        interface="127.0.0.1",
    )
    description, heard = tmp_path / "group.sdp", tmp_path / "heard.wav"
    description.write_text(group.sdp())
    async with sending(group):
        command = ["ffmpeg", "-nostdin", "-protocol_whitelist", "file,udp,rtp", "-localaddr", "127.0.0.1"]
        assert await record(*command, "-i", str(description), "-t", "1", "-ac", "1", str(heard)) == 0
    pcm, rate = soundfile.read(heard, dtype="int16")
    assert abs(pitch(pcm, rate) - 1000) < 5


GST = {
    LanCodec.PCMU: ("PCMU", 8000, "rtppcmudepay ! mulawdec"),
    LanCodec.PCMA: ("PCMA", 8000, "rtppcmadepay ! alawdec"),
    LanCodec.G722: ("G722", 8000, "rtpg722depay ! avdec_g722"),
    LanCodec.OPUS: ("OPUS", 48000, "rtpopusdepay ! opusdec"),
    LanCodec.L16: ("L16", 48000, "rtpL16depay"),
}


@pytest.mark.peer
@pytest.mark.parametrize("codec", CODECS)
async def test_gstreamer_hears_a_group_through_its_jitter_buffer(tmp_path: Path, codec: LanCodec) -> None:
    port = 5950 + 2 * CODECS.index(codec)
    group = Group(
        f"{port:016x}", PLACE, "239.78.0.2", port, codec, frozenset({ORDINARY}), interface="127.0.0.1"
    )
    name, clock_hz, depay = GST[codec]
    caps = f"application/x-rtp,media=audio,clock-rate={clock_hz},encoding-name={name}"
    caps += f",payload={group.form.payload_type}" + ("" if codec is LanCodec.OPUS else ",channels=1")
    heard = tmp_path / "heard.wav"
    pipeline = (
        f"udpsrc multicast-group=239.78.0.2 multicast-iface=lo port={port} num-buffers=100 caps={caps} "
        f"! rtpjitterbuffer ! {depay} ! audioconvert ! audioresample "
        f"! audio/x-raw,format=S16LE,channels=1 ! wavenc ! filesink location={heard}"
    )
    async with sending(group):
        assert await record("gst-launch-1.0", "-q", *pipeline.split()) == 0
    pcm, rate = soundfile.read(heard, dtype="int16")
    assert len(pcm) > rate // 2
    assert abs(pitch(pcm, rate) - 1000) < 5
