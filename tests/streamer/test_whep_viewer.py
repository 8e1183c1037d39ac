"""A viewer on a virtual clock, and the cursor that feeds it: what is sent, when, and every way to end."""

from dataclasses import dataclass, field

import pytest
from aioice import stun
from aiortc import rtp
from hypothesis import given
from hypothesis import strategies as st

from loa.streamer.dtls import DtlsIdentity, DtlsSession
from loa.streamer.leg import CONNECT_US, Gone, Path
from loa.streamer.outputs.steady import GRACE_K, MAX_BEHIND_K, Cursor, due_us, latest
from loa.streamer.outputs.viewer import QUIET_US, REPORT_US, Viewer
from loa.streamer.sdp import Call, Offer
from loa.streamer.stun import parse_binding_request

HERE = Path("192.0.2.7", 5000, b"local")
OURS, THEIRS = DtlsIdentity(), DtlsIdentity()
SECOND = 1_000_000


class Listener:
    """The other end, and the wire to it. `now_us` is moved by the test."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000 * SECOND
        self.sent: list[bytes] = []
        call = Call(
            Offer((), bundled=False), 0, 111, "theirs", (THEIRS.fingerprint,), active=False, to_them=True
        )
        self.viewer = Viewer(
            call, OURS, lambda data, path: self.sent.append(data), self.now_us, place="p", address="a"
        )
        self.dtls = DtlsSession(THEIRS, (OURS.fingerprint,), active=True)

    def check(self) -> None:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction!")
        message.attributes["USERNAME"] = f"{self.viewer.ufrag}:theirs"
        message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(self.viewer.password.encode())
        self.viewer.check(parse_binding_request(bytes(message)), HERE, self.now_us)

    def connect(self) -> "Listener":
        self.check()
        flights = self.dtls.begin()
        for _ in range(6):
            for datagram in flights:
                self.viewer.receive(datagram, self.now_us)
            flights = [answer for datagram in self.taken(20, 64) for answer in self.dtls.receive(datagram)]
        assert self.dtls.srtp is not None
        self.sent.clear()
        return self

    def taken(self, first: int, last: int) -> list[bytes]:
        kind = [datagram for datagram in self.sent if first <= datagram[0] < last]
        self.sent = [datagram for datagram in self.sent if datagram not in kind]
        return kind

    def media(self) -> tuple[list[rtp.RtpPacket], list[rtp.AnyRtcpPacket]]:
        """What has come, in the eyes of another implementation."""
        assert self.dtls.srtp is not None
        inbound, packets, told = self.dtls.srtp.inbound, [], []
        for datagram in self.taken(128, 192):
            if 192 <= datagram[1] < 224:
                told += rtp.RtcpPacket.parse(inbound.unprotect_rtcp(datagram))
            else:
                packets.append(rtp.RtpPacket.parse(inbound.unprotect(datagram)))
        return packets, told

    def pass_time(self, us: int) -> None:
        self.now_us += us
        self.viewer.tick(self.now_us)

    def say(self, plain: bytes) -> None:
        assert self.dtls.srtp is not None
        self.viewer.receive(self.dtls.srtp.outbound.protect_rtcp(plain), self.now_us)


def test_packets_follow_the_grid_without_a_gap_in_their_numbers() -> None:
    listener = Listener().connect()
    for k in (10, 11, 12, 20):
        listener.viewer.give(k, bytes([k]) * 80, listener.now_us)
    packets, _ = listener.media()
    assert [packet.payload[0] for packet in packets] == [10, 11, 12, 20]
    first = packets[0]
    numbers = [(packet.sequence_number - first.sequence_number) % 65_536 for packet in packets]
    stamps = [(packet.timestamp - first.timestamp) % (1 << 32) for packet in packets]
    assert numbers == [0, 1, 2, 3]
    assert stamps == [0, 960, 1920, 9600]
    assert [packet.marker for packet in packets] == [1, 0, 0, 0]
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(listener.viewer.ssrc, 111)}


def test_numbers_wrap_and_the_stream_goes_on() -> None:
    listener = Listener().connect()
    heard = 0
    for k in range(70_000):
        listener.viewer.give(k, b"x", listener.now_us)
        if k % 10_000 == 9_999:
            heard += len(listener.media()[0])
    assert heard == listener.viewer.sent == 70_000


def test_nothing_is_sent_before_both_ends_have_proved_who_they_are() -> None:
    listener = Listener()
    listener.check()
    listener.sent.clear()
    listener.viewer.give(1, b"x", listener.now_us)
    assert listener.sent == []


def test_a_report_says_which_instant_a_time_stamp_is() -> None:
    listener = Listener().connect()
    listener.viewer.give(500, b"x" * 80, listener.now_us)
    at_us = listener.now_us
    listener.pass_time(REPORT_US)
    (packet,), (report, description) = listener.media()
    assert isinstance(report, rtp.RtcpSrPacket)
    assert report.ssrc == listener.viewer.ssrc
    assert report.sender_info.rtp_timestamp == packet.timestamp
    assert (report.sender_info.packet_count, report.sender_info.octet_count) == (1, 80)
    seconds = report.sender_info.ntp_timestamp / (1 << 32) - 2_208_988_800
    assert abs(seconds * SECOND - at_us) < 10
    assert isinstance(description, rtp.RtcpSdesPacket)
    assert description.chunks[0].items[0][1] == f"loa-{listener.viewer.ssrc:08x}".encode()


def test_who_checks_or_reports_stays_and_who_does_neither_is_gone() -> None:
    listener = Listener().connect()
    for _ in range(3):
        listener.pass_time(QUIET_US - 1)
        listener.check()
        listener.pass_time(QUIET_US - 1)
        listener.say(bytes(rtp.RtcpRrPacket(ssrc=7)))
    ends = [listener.viewer.gone]
    for us in (QUIET_US, 1):
        listener.pass_time(us)
        ends.append(listener.viewer.gone)
    assert ends == [None, None, Gone.VANISHED]


def test_who_never_comes_is_given_up() -> None:
    listener = Listener()
    ends = []
    for us in (CONNECT_US, 1):
        listener.pass_time(us)
        ends.append(listener.viewer.gone)
    assert ends == [None, Gone.NEVER_CAME]
    assert "no ICE check within 10 s" in listener.viewer.why


def test_an_end_here_is_said_in_the_stream_and_below_it() -> None:
    listener = Listener().connect()
    listener.viewer.end(Gone.ENDED_HERE, "the node is stopping")
    assert any(20 <= datagram[0] < 64 for datagram in listener.sent), "DTLS goodbye"
    _, told = listener.media()
    assert [type(packet) for packet in told] == [rtp.RtcpRrPacket, rtp.RtcpSdesPacket, rtp.RtcpByePacket]
    listener.viewer.give(1, b"x", listener.now_us)
    assert listener.media() == ([], [])


def test_a_goodbye_ends_the_call() -> None:
    listener = Listener().connect()
    listener.say(bytes(rtp.RtcpRrPacket(ssrc=7)) + bytes(rtp.RtcpByePacket(sources=[7])))
    assert listener.viewer.gone is Gone.LEFT


@pytest.mark.parametrize("junk", [b"\x80\xc8\x00\x06" + bytes(4), b"\x80\xc9\xff\xff" + bytes(4)])
def test_junk_in_good_wrapping_is_counted(junk: bytes) -> None:
    listener = Listener().connect()
    listener.say(junk)
    assert listener.viewer.gone is None


@dataclass
class Program:
    id: str = "p"
    made: dict[int, bytes] = field(default_factory=dict)

    def opus(self, k: int) -> bytes | None:
        return self.made.get(k)


def test_a_late_packet_is_waited_for_and_then_given_in_its_turn() -> None:
    program, cursor = Program(made={1: b"1"}), Cursor(1)
    assert cursor.due(1, program) == [(1, b"1")]
    assert cursor.due(2, program) == []
    program.made |= {2: b"2", 3: b"3"}
    assert cursor.due(3, program) == [(2, b"2"), (3, b"3")]


def test_a_packet_that_never_comes_is_given_up_when_a_later_one_is_there() -> None:
    program, cursor = Program(made={3: b"3"}), Cursor(2)
    assert cursor.due(2, program) == []
    assert cursor.due(3, program) == [(2, None), (3, b"3")]


def test_a_program_that_says_nothing_is_silence_after_the_grace() -> None:
    program, cursor = Program(), Cursor(5)
    for k in range(5, 5 + GRACE_K):
        assert cursor.due(k, program) == []
    assert cursor.due(5 + GRACE_K, program) == [(5, None)]


def test_nothing_on_air_is_silence_at_once() -> None:
    assert Cursor(7).due(8, None) == [(7, None), (8, None)]


def test_after_a_stall_the_present_comes_first() -> None:
    cursor = Cursor(0)
    assert [k for k, _ in cursor.due(MAX_BEHIND_K + 1, None)] == [MAX_BEHIND_K + 1]
    assert cursor.skipped == MAX_BEHIND_K + 1


@given(st.lists(st.tuples(st.integers(0, 15), st.sets(st.integers(0, 300))), max_size=40))
def test_frames_are_given_once_and_in_order(turns: list[tuple[int, set[int]]]) -> None:
    cursor, now_k, given_k = Cursor(0), 0, []
    for step, made in turns:
        now_k += step
        program = Program(made=dict.fromkeys((k for k in made if k <= now_k), b"x"))
        given_k += [k for k, _ in cursor.due(now_k, program)]
        assert now_k - cursor.next < GRACE_K
    assert given_k == sorted(set(given_k))


def test_a_frame_is_due_a_little_after_it_begins() -> None:
    assert latest(due_us(1000)) == 1000
    assert latest(due_us(1000) - 1) == 999
