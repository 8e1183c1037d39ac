"""Offers as real callers make them, each defect once, and the answers."""

from ipaddress import ip_address

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from loa.errors import OperatorError, ProtocolError
from loa.streamer.sdp import MAX_OFFER_BYTES, Call, Fingerprint, Local, accept, build_answer, parse_offer

PRINT = ":".join(["AB"] * 32)

CHROMIUM = f"""v=0
o=- 1810197162301581510 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 44165 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 192.0.2.2
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1720063536 1 udp 2122194687 192.0.2.2 44165 typ host generation 0 network-id 1
a=ice-ufrag:gYTd
a=ice-pwd:PHdD7tC/SDx4FUTDkJ6mgb8c
a=ice-options:trickle
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=mid:0
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
"""

FFMPEG = f"""v=0
o=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1
s=FFmpegPublishSession
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:5a825f07
a=ice-pwd:d797530904f242b0e3721c9bc8637504
a=fingerprint:sha-256 {PRINT}
a=setup:passive
a=mid:0
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
m=video 9 UDP/TLS/RTP/SAVPF 106
c=IN IP4 0.0.0.0
a=mid:1
a=sendonly
a=rtcp-mux
a=rtpmap:106 H264/90000
"""

SESSION_LEVEL = f"""v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:SHA-256 {PRINT.lower()}
a=setup:active
m=video 9 UDP/TLS/RTP/SAVPF 96
m=audio 9 UDP/TLS/RTP/SAVPF 0 97
a=rtcp-mux
a=rtpmap:97 OPUS/48000/2
"""

LOCAL = Local(
    "ours",
    "secret",
    Fingerprint("sha-256", "CD"),
    [(ip_address("192.0.2.9"), 5000), (ip_address("::1"), 5001)],
)


def call_of(text: str) -> Call:
    return accept(parse_offer(text))


def test_a_browser_is_understood() -> None:
    call = call_of(CHROMIUM)
    assert (call.index, call.payload_type, call.ufrag, call.active) == (0, 111, "gYTd", False)
    assert call.fingerprints == (Fingerprint("sha-256", PRINT),)


def test_ffmpeg_waits_for_our_handshake_and_its_video_is_refused() -> None:
    call = call_of(FFMPEG)
    assert call.active
    answer = build_answer(call, LOCAL, 7)
    assert "a=setup:active" in answer
    assert "m=video 0 UDP/TLS/RTP/SAVPF 106\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\n" in answer
    assert "a=group:BUNDLE 0\r\n" in answer


def test_what_the_session_says_holds_for_its_sections() -> None:
    call = call_of(SESSION_LEVEL)
    assert (call.index, call.payload_type, call.ufrag) == (1, 97, "abcd")
    assert call.fingerprints == (Fingerprint("sha-256", PRINT),)
    assert "a=setup:passive" in build_answer(call, LOCAL, 7)


def test_line_ends_of_either_kind() -> None:
    assert parse_offer(CHROMIUM.replace("\n", "\r\n")) == parse_offer(CHROMIUM)


def test_an_answer_says_all_that_a_caller_needs() -> None:
    answer = build_answer(call_of(CHROMIUM), LOCAL, 7)
    lines = answer.split("\r\n")
    for line in (
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 5000 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 192.0.2.9",
        "a=mid:0",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=ice-ufrag:ours",
        "a=ice-pwd:secret",
        "a=fingerprint:sha-256 CD",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 192.0.2.9 5000 typ host",
        "a=candidate:2 1 udp 2130706175 ::1 5001 typ host",
        "a=end-of-candidates",
    ):
        assert line in lines
    assert answer.endswith("\r\n")
    assert lines.index("a=ice-lite") < lines.index("m=audio 5000 UDP/TLS/RTP/SAVPF 111")


@pytest.mark.parametrize("offer", [CHROMIUM, FFMPEG, SESSION_LEVEL])
def test_another_stack_reads_the_answer(offer: str) -> None:
    call = call_of(offer)
    answer = SessionDescription.parse(build_answer(call, LOCAL, 7))
    section = answer.media[call.index]
    assert len(answer.media) == len(call.offer.sections)
    assert (section.kind, section.direction) == ("audio", "recvonly")
    assert section.ice is not None
    assert section.ice.iceLite
    assert [codec.mimeType for codec in section.rtp.codecs] == ["audio/opus"]
    assert [(c.ip, c.port) for c in section.ice_candidates] == [("192.0.2.9", 5000), ("::1", 5001)]
    assert all(media.port == 0 for media in answer.media if media is not section)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "begins with nothing"),
        ("hello", "expected v=0"),
        ("{}", "expected v=0"),
        ("v=0\nnonsense", "line 2 is 'nonsense'"),
        ("v=0\na=\x00", "line 2"),
        ("v=0\nm=audio 9", "expected m=<kind> <port> <protocol> <formats>"),
        ("v=0\n" + "m=audio 9 RTP 0\n" * 17, "17 media sections"),
        ("v=0\n" + "a=x\n" * MAX_OFFER_BYTES, "at most"),
    ],
    ids=["empty", "word", "json", "line", "control", "section", "sections", "huge"],
)
def test_what_is_no_sdp_says_where(text: str, told: str) -> None:
    with pytest.raises(ProtocolError, match=told):
        parse_offer(text)


@pytest.mark.parametrize(
    ("remove", "put", "told"),
    [
        ("m=audio", "m=video", "no audio section"),
        ("opus/48000/2", "speex/16000", "no codec we take"),
        ("a=rtpmap:111 ", "a=rtpmap:999 ", "no codec we take"),
        ("a=rtpmap:111 opus", "a=rtpmap:x opus", "no codec we take"),
        ("a=sendonly", "a=recvonly", "sends nothing"),
        ("a=sendonly", "a=inactive", "sends nothing"),
        ("m=audio 44165", "m=audio 0", "sends nothing"),
        ("a=rtcp-mux", "a=x", "keeps RTCP apart"),
        ("a=ice-ufrag:gYTd", "a=x", "no ICE credentials"),
        ("a=ice-pwd:", "a=x:", "no ICE credentials"),
        ("fingerprint:sha-256", "fingerprint:sha-1", "no fingerprint we know"),
        ("a=fingerprint", "a=x", "no fingerprint we know"),
    ],
)
def test_an_offer_we_cannot_serve_says_what_it_lacks(remove: str, put: str, told: str) -> None:
    assert remove in CHROMIUM
    with pytest.raises(OperatorError, match=told):
        call_of(CHROMIUM.replace(remove, put))


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    try_to_read(text)


@given(st.lists(st.sampled_from([*CHROMIUM.split("\n"), *FFMPEG.split("\n"), "m=", "a=", "m=a b c d"])))
def test_no_heap_of_lines_raises_anything_else(lines: list[str]) -> None:
    try_to_read("\n".join(["v=0", *lines]))


def try_to_read(text: str) -> None:
    try:
        call = call_of(text)
    except (OperatorError, ProtocolError):
        return
    assert build_answer(call, LOCAL, 1).startswith("v=0")
