"""What comes from outside, byte by byte: addresses, titles, playlists, HLS lists, messages of the worker."""

from contextlib import suppress
from ipaddress import ip_address, ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from loa.codecs.meter import Level
from loa.errors import DeniedError, ProtocolError
from loa.streamer.sources.radio_hls import next_segments, without_id3
from loa.streamer.sources.radio_icy import IcyStripper, parse_title
from loa.streamer.sources.radio_link import AirMeter
from loa.streamer.sources.radio_pipe import (
    HEAD,
    AddressState,
    Job,
    RadioState,
    build_job,
    build_sound,
    build_state,
    parse_head,
    parse_job,
    parse_sound,
    parse_state,
)
from loa.streamer.sources.radio_playlist import Addresses, HlsMaster, HlsMedia, is_playlist, parse_playlist
from loa.streamer.sources.radio_reach import Reach

BASE = URL("http://radio.test/dir/live.m3u8")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_only_public_addresses_are_reached(address: str, allowed: bool) -> None:
    assert Reach().allows(ip_address(address)) is allowed


def test_a_network_of_the_settings_is_reached_too() -> None:
    reach = Reach([ip_network("10.1.0.0/16")])
    assert reach.allows(ip_address("10.1.2.3"))
    assert reach.allows(ip_address("::ffff:10.1.2.3"))
    assert not reach.allows(ip_address("10.2.0.1"))
    with pytest.raises(DeniedError, match="radio_private_networks"):
        reach.check("radio.test", [ip_address("93.184.216.34"), ip_address("10.2.0.1")])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://radio.test/",
        "gopher://radio.test/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://user:pass@radio.test/",
        "/relative",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(DeniedError, match="expected"):
        Reach().check_url(URL(url))


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=30))
def test_titles_are_taken_out_however_the_bytes_are_cut(audio: bytes, cuts: list[int]) -> None:
    metaint, text = 40, b"StreamTitle='VOV1';"
    block = bytes([2]) + text.ljust(32, b"\0")
    woven, parts = b"", [audio[at : at + metaint] for at in range(0, len(audio), metaint)]
    for part in parts:
        woven += part + (block if len(part) == metaint else b"")
    stripper, at, out = IcyStripper(metaint), 0, b""
    for cut in [*cuts, len(woven)]:
        out += stripper.feed(woven[at : at + cut])
        at += cut
    assert out == audio
    assert stripper.title == ("VOV1" if len(audio) >= metaint else None)


@pytest.mark.parametrize(
    ("block", "title"),
    [
        (b"StreamTitle='Th&#7901;i s&#7921;';", "Thời sự"),
        ("StreamTitle='Thời sự';StreamUrl='';".encode(), "Thời sự"),
        (b"StreamTitle='It's here';StreamUrl='x';", "It's here"),
        (b"StreamTitle='caf\xe9';", "café"),
        (b"StreamTitle='a\x07b';", "a b"),
        (b"StreamTitle='cut", "cut"),
        (b"StreamUrl='x';", None),
        (b"", None),
    ],
)
def test_titles_as_servers_send_them(block: bytes, title: str | None) -> None:
    assert parse_title(block) == title


def test_playlists() -> None:
    m3u = parse_playlist(b"\xef\xbb\xbf#EXTM3U\r\n#EXTINF:-1,VOV\r\nhttp://a.test/x\r\n../y\r\n", BASE)
    assert m3u == Addresses((URL("http://a.test/x"), URL("http://radio.test/y")))
    pls = parse_playlist(b"[playlist]\nNumberOfEntries=1\nFile1=https://a.test/x\nTitle1=VOV\n", BASE)
    assert pls == Addresses((URL("https://a.test/x"),))
    master = parse_playlist(
        b'#EXTM3U\n#EXT-X-STREAM-INF:CODECS="a,b",BANDWIDTH=32000\nlow.m3u8\n'
        b"#EXT-X-STREAM-INF:BANDWIDTH=96000\nmid.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=256000\nhigh.m3u8\n",
        BASE,
    )
    assert isinstance(master, HlsMaster)
    assert master.best() == URL("http://radio.test/dir/mid.m3u8")


def live(first: int, count: int, ended: bool = False) -> HlsMedia:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for number in range(first, first + count):
        lines += ["#EXTINF:4.0,", f"seg{number}.aac"]
    lines += ["#EXT-X-ENDLIST"] if ended else []
    found = parse_playlist("\n".join(lines).encode(), BASE)
    assert isinstance(found, HlsMedia)
    return found


def test_an_hls_list_is_followed_from_near_its_end_each_segment_once() -> None:
    assert [s.sequence for s in next_segments(live(10, 6), None)] == [14, 15]
    assert next_segments(live(10, 6), 15) == ()
    assert [s.sequence for s in next_segments(live(12, 6), 15)] == [16, 17]
    assert [s.sequence for s in next_segments(live(40, 3), 15)] == [40, 41, 42], "it fell behind"
    assert [s.sequence for s in next_segments(live(0, 4), 500)] == [2, 3], "the encoder was restarted"
    assert len(next_segments(live(0, 9, ended=True), None)) == 9


@pytest.mark.parametrize(
    "lines",
    [
        '#EXT-X-KEY:METHOD=AES-128,URI="k"',
        "#EXT-X-BYTERANGE:100@0",
        "#EXTINF:nan,",
        "#EXT-X-MEDIA-SEQUENCE:x",
        "#EXTINF:9999999,",
    ],
)
def test_hls_lists_that_cannot_be_followed_say_why(lines: str) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        parse_playlist(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}\nseg.ts\n".encode(), BASE)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_playlist_or_an_error(data: bytes) -> None:
    for head in (b"", b"#EXTM3U\n", b"[playlist]\n", b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n"):
        is_playlist(head + data, "", "/")
        with suppress(ProtocolError):
            parse_playlist(head + data, BASE)


def test_sound_is_no_playlist_whatever_its_server_says() -> None:
    assert not is_playlist(b"\xff\xfb\x90\x00" * 20, "audio/x-mpegurl", "/live.m3u")
    assert is_playlist(b"#EXTM3U\n", "audio/mpeg", "/live")
    assert is_playlist(b"http://a.test/\n", "audio/x-mpegurl; charset=utf-8", "/live")


def test_the_tag_of_packed_audio_is_left_out() -> None:
    assert without_id3(b"ID3\x04\0\0\0\0\0\x03abcREST") == b"REST"
    assert without_id3(b"\xff\xf1...") == b"\xff\xf1..."


def test_messages_of_the_worker_come_back_as_they_were() -> None:
    job = Job(("http://a.test/",), (ip_network("10.0.0.0/8"), ip_network("fd00::/8")), once=True)
    assert parse_job(build_job(job)) == job
    state = RadioState(
        (AddressState("air"), AddressState("idle", "404", 3)), 0, "VOV", "Thời sự", "aac", "x", 1
    )
    assert parse_state(build_state(state)[HEAD.size :]) == state
    pcm = np.arange(960, dtype=np.int16)
    message = build_sound(pcm, Level(-20.0, -10.0, clipped=True))
    kind, length = parse_head(message[: HEAD.size])
    assert (kind, length) == (b"P", len(message) - HEAD.size)
    back, level = parse_sound(message[HEAD.size :])
    assert np.array_equal(back, pcm)
    assert level == Level(-20.0, -10.0, clipped=True)


@pytest.mark.parametrize(
    "head", [HEAD.pack(b"P", 10), HEAD.pack(b"X", 0), HEAD.pack(b"S", 1 << 30), HEAD.pack(b"Q", 1)]
)
def test_a_worker_that_talks_nonsense_is_not_believed(head: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_head(head)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_state_or_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_state(body)


def test_dead_air_is_silence_hum_far_below_or_a_constant_and_never_quiet_music() -> None:
    rng, at = np.random.default_rng(1), np.arange(960)
    sounds = {
        "silence": np.zeros(960),
        "constant": np.full(960, 9000),
        "noise of a line": rng.normal(0, 15, 960),
        "quiet music": 120 * np.sin(2 * np.pi * 440 * at / 48000),
    }
    for name, sound in sounds.items():
        meter = AirMeter()
        meter.hear(rng.normal(0, 3000, 960).astype(np.int16))
        for _ in range(600):
            meter.hear(sound.astype(np.int16))
        assert meter.quiet_us == (0 if name == "quiet music" else 12_000_000), name
