"""A peer on a virtual clock, called by a caller in memory: ICE, DTLS, sound, and every way for it to end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from aioice import stun
from aiortc import rtp

from loa.codecs.frame import FRAME_SAMPLES, Pcm, silence
from loa.codecs.opus import OpusEncoder
from loa.streamer.dtls import DtlsIdentity, DtlsSession
from loa.streamer.leg import CONNECT_US, MAX_PATHS, Gone, Path
from loa.streamer.peer import SILENT_US, Peer
from loa.streamer.sdp import Call, Fingerprint, Offer
from loa.streamer.stun import parse_binding_request

HERE = Path("192.0.2.7", 5000, b"local")
ELSEWHERE = Path("::ffff:192.0.2.8", 6000)
PACKET = OpusEncoder().encode(silence(FRAME_SAMPLES))
OURS, THEIRS = DtlsIdentity(), DtlsIdentity()


@dataclass
class Microphone:
    closed: bool = False
    heard: list[int] = field(default_factory=list)

    def push(self, pcm: Pcm, now_us: int) -> None:
        self.heard.append(now_us)


class Caller:
    """The other end, and the wire to it. `now_us` is moved by the test."""

    def __init__(self, *, active: bool = True, fingerprint: Fingerprint = THEIRS.fingerprint) -> None:
        self.now_us = 1_000_000
        self.microphone = Microphone()
        self.sent: list[tuple[bytes, Path]] = []
        call = Call(Offer((), bundled=False), 0, 111, "theirs", (fingerprint,), active=not active)
        self.peer = Peer(call, OURS, self.microphone, self.carry, self.now_us)
        self.dtls = DtlsSession(THEIRS, (OURS.fingerprint,), active=active)
        self.path = HERE
        self.number = 0

    def carry(self, datagram: bytes, path: Path) -> None:
        self.sent.append((datagram, path))

    def check(
        self,
        path: Path = HERE,
        *,
        use_candidate: bool = True,
        password: str | None = None,
        user: str = "theirs",
    ) -> None:
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction!")
        message.attributes["USERNAME"] = f"{self.peer.ufrag}:{user}"
        if use_candidate:
            message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity((password or self.peer.password).encode())
        self.peer.check(parse_binding_request(bytes(message)), path, self.now_us)

    def shake_hands(self) -> None:
        flights = self.dtls.begin()
        for _ in range(6):
            for datagram in flights:
                self.peer.receive(datagram, self.now_us)
            flights = [
                answer for datagram in self.taken(range(20, 64)) for answer in self.dtls.receive(datagram)
            ]

    def taken(self, first_bytes: range) -> list[bytes]:
        """What the peer has sent of one kind; it is not seen twice."""
        kind = [datagram for datagram, _ in self.sent if datagram[0] in first_bytes]
        self.sent = [(datagram, path) for datagram, path in self.sent if datagram[0] not in first_bytes]
        return kind

    def connect(self) -> "Caller":
        self.check()
        self.shake_hands()
        assert self.dtls.srtp is not None
        return self

    def protect(self, plain: bytes) -> bytes:
        assert self.dtls.srtp is not None
        outbound = self.dtls.srtp.outbound
        return outbound.protect_rtcp(plain) if plain[1] >= 192 else outbound.protect(plain)

    def speak(self, seconds: float = 0.02, *, payload: bytes = PACKET, payload_type: int = 111) -> None:
        for _ in range(round(seconds * 50)):
            packet = rtp.RtpPacket(payload_type, 0, self.number, self.number * 960, 77, payload)
            self.number += 1
            self.peer.receive(self.protect(packet.serialize()), self.now_us)
            self.pass_time(0.02)

    def pass_time(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)
        self.peer.tick(self.now_us)


@pytest.mark.parametrize("active", [True, False], ids=["they begin", "we begin"])
def test_a_call_is_set_up_and_heard(active: bool) -> None:
    caller = Caller(active=active).connect()
    caller.speak(1)
    assert len(caller.microphone.heard) == 50
    assert caller.peer.gone is None


def test_a_check_is_answered_where_it_came_from_with_the_address_it_was_seen_at() -> None:
    caller = Caller()
    caller.check(ELSEWHERE)
    (answer, path), *_ = caller.sent
    assert path is ELSEWHERE
    assert stun.parse_message(answer).attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.8", 6000)


def test_a_path_shows_the_plain_address() -> None:
    assert ELSEWHERE.ip == ip_address("192.0.2.8")
    assert Path("2001:db8::1", 1).ip == ip_address("2001:db8::1")


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"user": "others"}])
def test_a_check_that_is_not_signed_for_this_call_gets_no_answer(wrong: dict[str, str]) -> None:
    caller = Caller()
    caller.check(**wrong)  # type: ignore[arg-type]
    assert caller.sent == []
    assert caller.peer.paths == set()


def test_media_goes_where_the_caller_nominated_last() -> None:
    caller = Caller().connect()
    caller.check(ELSEWHERE, use_candidate=False)
    caller.speak(1.1)
    assert {path for datagram, path in caller.sent if datagram[0] >= 128} == {HERE}
    caller.check(ELSEWHERE)
    caller.sent.clear()
    caller.speak(1.1)
    assert {path for datagram, path in caller.sent if datagram[0] >= 128} == {ELSEWHERE}


def test_paths_are_bounded() -> None:
    caller = Caller()
    for port in range(50):
        caller.check(Path("192.0.2.7", 1000 + port))
    assert len(caller.peer.paths) == MAX_PATHS
    assert len(caller.sent) == MAX_PATHS


def test_the_sender_is_told_how_it_is_received() -> None:
    caller = Caller().connect()
    caller.speak(0.5)
    info = rtp.RtcpSenderInfo(ntp_timestamp=1 << 40, rtp_timestamp=0, packet_count=1, octet_count=1)
    report = bytes(rtp.RtcpSrPacket(ssrc=77, sender_info=info))
    caller.peer.receive(caller.protect(report), caller.now_us)
    caller.speak(0.6)
    assert caller.dtls.srtp is not None
    (answer,) = caller.taken(range(128, 192))
    (made,) = rtp.RtcpPacket.parse(caller.dtls.srtp.inbound.unprotect_rtcp(answer))
    assert isinstance(made, rtp.RtcpRrPacket)
    assert made.reports[0].ssrc == 77
    assert made.reports[0].lsr == 1 << 24


def end_by_alert(caller: Caller) -> None:
    for datagram in caller.dtls.close():
        caller.peer.receive(datagram, caller.now_us)


def end_by_goodbye(caller: Caller) -> None:
    caller.peer.receive(caller.protect(bytes(rtp.RtcpByePacket(sources=[77]))), caller.now_us)


def end_by_vanishing(caller: Caller) -> None:
    caller.pass_time(SILENT_US / 1e6 - 0.02)
    assert caller.peer.gone is None
    caller.pass_time(0.05)


def end_by_checks_without_sound(caller: Caller) -> None:
    for _ in range(7):
        caller.check()
        caller.pass_time(0.5)


def end_by_another_codec(caller: Caller) -> None:
    caller.speak(4, payload_type=0)


def end_here(caller: Caller) -> None:
    caller.microphone.closed = True
    caller.pass_time(0.05)


@pytest.mark.parametrize(
    ("end", "gone"),
    [
        (end_by_alert, Gone.LEFT),
        (end_by_goodbye, Gone.LEFT),
        (end_by_vanishing, Gone.VANISHED),
        (end_by_checks_without_sound, Gone.VANISHED),
        (end_by_another_codec, Gone.VANISHED),
        (end_here, Gone.ENDED_HERE),
    ],
)
def test_every_end_is_noticed_and_is_final(end: Callable[[Caller], None], gone: Gone) -> None:
    caller = Caller().connect()
    caller.speak(1)
    end(caller)
    assert caller.peer.gone is gone
    assert caller.peer.why
    heard = len(caller.microphone.heard)
    caller.speak(0.1)
    caller.check()
    caller.peer.end(Gone.REPLACED, "again")
    assert caller.peer.gone is gone
    assert len(caller.microphone.heard) == heard


def test_our_end_is_told_to_the_caller() -> None:
    caller = Caller().connect()
    caller.peer.end(Gone.ENDED_HERE, "over")
    for datagram in caller.taken(range(20, 64)):
        caller.dtls.receive(datagram)
    assert caller.dtls.closed


def never(caller: Caller) -> None:
    pass


def no_dtls(caller: Caller) -> None:
    caller.check()


def no_sound(caller: Caller) -> None:
    caller.connect()


@pytest.mark.parametrize(
    ("comes", "told"), [(never, "no ICE check"), (no_dtls, "no DTLS"), (no_sound, "no sound")]
)
def test_who_never_comes_is_given_up_and_what_was_missing_is_said(
    comes: Callable[[Caller], None], told: str
) -> None:
    caller = Caller()
    comes(caller)
    ends = []
    for seconds in (CONNECT_US / 1e6, 0.05):
        caller.pass_time(seconds)
        ends.append(caller.peer.gone)
    assert ends == [None, Gone.NEVER_CAME]
    assert told in caller.peer.why


def test_sound_that_cannot_be_decoded_is_no_sound() -> None:
    caller = Caller().connect()
    caller.speak(11, payload=b"\xff" * 50)
    assert caller.peer.gone is Gone.REFUSED
    assert "could be decoded" in caller.peer.why


def test_another_certificate_than_offered_ends_the_call_before_any_sound() -> None:
    caller = Caller(fingerprint=Fingerprint("sha-256", ":".join(["AB"] * 32)))
    caller.check()
    caller.shake_hands()
    assert caller.peer.gone is Gone.REFUSED
    assert "certificate" in caller.peer.why
    assert caller.microphone.heard == []
    for datagram in caller.taken(range(20, 64)):
        caller.dtls.receive(datagram)
    assert caller.dtls.closed, "it was told"


@pytest.mark.parametrize(
    "datagram", [b"", b"\x00", b"\x10" * 30, b"\x80", b"\x80\xc8", b"\xff" * 100, bytes(1500)]
)
def test_datagrams_of_no_kind_are_dropped(datagram: bytes) -> None:
    caller = Caller()
    caller.peer.receive(datagram, caller.now_us)
    caller.connect()
    caller.peer.receive(datagram, caller.now_us)
    caller.speak(0.1)
    assert len(caller.microphone.heard) == 5
    assert caller.peer.gone is None


def test_forged_and_repeated_packets_are_not_heard() -> None:
    caller = Caller().connect()
    packet = caller.protect(rtp.RtpPacket(111, 0, 0, 0, 77, PACKET).serialize())
    forged = packet[:-1] + bytes((packet[-1] ^ 1,))
    for datagram in (forged, packet, packet, forged):
        caller.peer.receive(datagram, caller.now_us)
    assert len(caller.microphone.heard) == 1
    assert caller.peer.counters.undecryptable == 3
