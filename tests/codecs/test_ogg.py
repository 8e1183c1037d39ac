"""Ogg-Opus: golden bytes, one defect each, and real players that join in the middle."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, Pcm, blocks
from loa.codecs.ogg import OggOpusStream, OggPage, checksum, granule_after, parse_pages
from loa.codecs.opus import PRE_SKIP, OpusEncoder
from loa.errors import InternalError, ProtocolError

_PER_PAGE = 5


def _table_checksum(data: bytes) -> int:
    """RFC 3533 section 6, as it is written: polynomial 0x04c11db7, bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x8000_0000 else crc << 1) & 0xFFFF_FFFF
    return crc


@given(data=st.binary(max_size=300))
def test_the_checksum_is_that_of_the_specification(data: bytes) -> None:
    assert checksum(data) == _table_checksum(data).to_bytes(4, "little")


def test_the_head_is_byte_for_byte_what_rfc_7845_asks() -> None:
    head, tags = parse_pages(OggOpusStream(0x01020304).head())
    opus_head = b"OpusHead\x01\x01" + PRE_SKIP.to_bytes(2, "little") + b"\x80\xbb\0\0" + b"\0\0" + b"\0"
    assert head == OggPage(0x01020304, 0, 0, first=True, packets=(opus_head,))
    assert tags == OggPage(0x01020304, 1, 0, first=False, packets=(b"OpusTags\x03\0\0\0Loa\0\0\0\0",))


@given(
    sizes=st.lists(st.sampled_from([0, 1, 80, 254, 255, 256, 509, 510, 511]), max_size=40),
    sequence=st.integers(0, 2**34),
    granule=st.integers(0, 2**62),
)
def test_what_goes_onto_a_page_is_read_back(sizes: list[int], sequence: int, granule: int) -> None:
    packets = tuple(bytes([n % 256]) * size for n, size in enumerate(sizes))
    [page] = parse_pages(OggOpusStream(7).page(packets, sequence, granule))
    assert page == OggPage(7, sequence % 2**32, granule, first=False, packets=packets)


def test_the_same_place_on_the_grid_gives_the_same_bytes() -> None:
    one, other = OggOpusStream(9), OggOpusStream(9)
    one.page([b"x"], 2, 960)
    assert one.page([b"y"], 50, 48_000) == other.page([b"y"], 50, 48_000)


def test_granule_positions_count_frames() -> None:
    assert granule_after(5) == 5 * FRAME_SAMPLES


_PAGE = OggOpusStream(7).page([b"a" * 80, b"b" * 80], 3, 1920)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_PAGE[:26], "26 bytes, expected a header"),
        (b"Oggs" + _PAGE[4:], "no Ogg page at byte 0"),
        (_PAGE[:4] + b"\1" + _PAGE[5:], "version 0"),
        (_PAGE + _PAGE[1:], f"byte {len(_PAGE)}"),
        (_PAGE[:-1], "is cut"),
        (_PAGE[:27], "is cut"),
        (_PAGE[:5] + b"\1" + _PAGE[6:], "part of a packet"),
        (_PAGE[:28] + b"\xff" + _PAGE[29:] + bytes(175), "part of a packet"),
        (_PAGE[:-1] + b"c", "wrong checksum"),
        (_PAGE[:22] + bytes(4) + _PAGE[26:], "wrong checksum"),
    ],
    ids=[
        "header",
        "capture",
        "version",
        "next page",
        "body",
        "lacing",
        "continued",
        "continues",
        "bit",
        "crc",
    ],
)
def test_a_defect_is_named(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_pages(data)


@given(data=st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"OggS\0" + rest))
def test_random_bytes_are_pages_or_a_protocol_error(data: bytes) -> None:
    try:
        pages = parse_pages(data)
    except ProtocolError:
        return
    assert (not data) == (not pages)


@given(at=st.integers(0, len(_PAGE) - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(at: int, bit: int) -> None:
    data = bytearray(_PAGE)
    data[at] ^= 1 << bit
    with pytest.raises(ProtocolError):
        parse_pages(bytes(data))


def test_what_does_not_fit_is_our_own_bug() -> None:
    with pytest.raises(InternalError, match="256 segments"):
        OggOpusStream(1).page([b""] * 256, 2, 0)
    with pytest.raises(InternalError, match="serial"):
        OggOpusStream(-1)


def _pages(pcm: Pcm, first_packet: int) -> list[bytes]:
    """Pages of `pcm` as a program that came on when its mount was `first_packet` packets old."""
    encoder, stream = OpusEncoder(), OggOpusStream(5)
    packets = [encoder.encode(frame) for frame in blocks(pcm, FRAME_SAMPLES)]
    return [
        stream.page(
            packets[n : n + _PER_PAGE], 2 + (first_packet + n) // _PER_PAGE, granule_after(first_packet + n)
        )
        for n in range(0, len(packets) - _PER_PAGE + 1, _PER_PAGE)
    ]


@pytest.mark.peer
@pytest.mark.parametrize(("first_packet", "skipped"), [(0, 0), (0, 12), (180_000_000, 12)])
def test_ffmpeg_joins_and_finds_nothing_to_complain_about(
    voice: Pcm, tmp_path: Path, first_packet: int, skipped: int
) -> None:
    pages = _pages(voice, first_packet)[skipped:]
    path = tmp_path / "joined.opus"
    path.write_bytes(OggOpusStream(5).head() + b"".join(pages))
    ffmpeg = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-"], capture_output=True, check=True
    )
    assert ffmpeg.stderr == b""
    heard = np.frombuffer(ffmpeg.stdout, np.int16)
    said = voice[skipped * _PER_PAGE * FRAME_SAMPLES :]
    assert abs(len(heard) - len(pages) * _PER_PAGE * FRAME_SAMPLES) <= FRAME_SAMPLES
    assert _likeness(heard, said) > 0.8


def _likeness(heard: Pcm, said: Pcm) -> float:
    """The highest correlation within 10 ms either way: players differ in what they skip at the start."""
    middle = heard[20_000:200_000]
    return max(
        float(np.corrcoef(middle, said[20_000 + shift : 20_000 + shift + len(middle)])[0, 1])
        for shift in range(-480, 481, 4)
    )
