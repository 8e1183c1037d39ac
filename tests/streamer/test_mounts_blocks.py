"""Blocks: the bytes of a mount, as a function of packets and the grid."""

import pytest

from loa.codecs.frame import FRAME_US
from loa.codecs.mp3 import MP3_FRAME_BYTES, silence_frame, split_frames
from loa.codecs.ogg import parse_pages
from loa.codecs.opus import OPUS_PACKET_BYTES, silence_packet
from loa.streamer.blocks import Mp3Packing, OggPacking, Packing, due_us, first_undue, packets_of

STARTED_US = 1_800_000_000_000_000
PACKET = bytes(range(OPUS_PACKET_BYTES))
FRAME = silence_frame()[:-1] + b"\x55"


class Program:
    id = "a" * 16

    def opus(self, k: int) -> bytes | None:
        return k.to_bytes(8, "big") + PACKET[8:]

    def mp3(self, k: int) -> bytes | None:
        return FRAME[:-8] + k.to_bytes(8, "big")

    def want_mp3(self, wanted: bool) -> None:
        raise AssertionError("packing asks for nothing")


@pytest.mark.parametrize("packing", [Mp3Packing(), OggPacking(1, STARTED_US)], ids=["mp3", "opus"])
def test_blocks_lie_end_to_end_on_the_grid(packing: Packing) -> None:
    block_us = packing.frames * packing.frame_us
    j = first_undue(packing, STARTED_US)
    assert STARTED_US < due_us(packing, j) <= STARTED_US + block_us
    assert due_us(packing, j - 1) <= STARTED_US
    assert due_us(packing, j) == j * block_us + (packing.frames - 1) * packing.frame_us
    assert first_undue(packing, due_us(packing, j) - 1) == j
    assert first_undue(packing, due_us(packing, j)) == j + 1


def test_packets_of_consecutive_blocks_are_consecutive() -> None:
    packing = OggPacking(1, STARTED_US)
    packets = [*packets_of(packing, Program(), 7), *packets_of(packing, Program(), 8)]
    assert [int.from_bytes(packet[:8], "big") for packet in packets if packet] == list(range(35, 45))


def test_mp3_is_bare_frames_with_silence_in_the_gaps() -> None:
    block = Mp3Packing().pack([FRAME, None, None, FRAME], 0)
    assert split_frames(block) == [FRAME, silence_frame(), silence_frame(), FRAME]
    assert len(block) == 4 * MP3_FRAME_BYTES


def test_an_ogg_page_follows_any_other_of_the_block_before() -> None:
    packing = OggPacking(77, STARTED_US)
    j = first_undue(packing, STARTED_US)
    head = parse_pages(packing.head)
    here = parse_pages(packing.pack([PACKET] * 5, j))[0]
    there = parse_pages(packing.pack([None] * 5, j + 1))[0]
    assert [page.sequence for page in head] == [0, 1]
    assert head[0].first
    assert {page.serial for page in (*head, here, there)} == {77}
    assert there.sequence == here.sequence + 1
    assert there.granule == here.granule + 5 * 960
    assert there.packets == (silence_packet(),) * 5


def test_the_burst_of_the_first_listener_has_numbers_above_the_head() -> None:
    packing = OggPacking(77, STARTED_US)
    earliest = first_undue(packing, STARTED_US) - 3
    page = parse_pages(packing.pack([PACKET] * 5, earliest))[0]
    assert page.sequence > 1
    assert page.granule > 5 * 960


def test_numbers_count_from_the_start_so_two_nodes_differ_and_a_year_fits() -> None:
    packing = OggPacking(77, STARTED_US)
    year = first_undue(packing, STARTED_US + 365 * 86_400 * 1_000_000)
    page = parse_pages(packing.pack([PACKET] * 5, year))[0]
    assert page.sequence < 2**32
    assert page.granule // 960 == pytest.approx(365 * 86_400 * 1_000_000 / FRAME_US, rel=1e-6)
