"""ICY: whoever takes the metadata out again has the audio, whole, and every title."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.codecs.icy import METAINT, IcyInserter, metadata_block
from loa.errors import InternalError


def _apart(stream: bytes, metaint: int) -> tuple[bytes, list[bytes]]:
    """What a player does."""
    audio, titles, at = [], [], 0
    while at < len(stream):
        audio.append(stream[at : at + metaint])
        at += metaint
        if at < len(stream):
            size = stream[at] * 16
            titles.append(stream[at + 1 : at + 1 + size].rstrip(b"\0"))
            at += 1 + size
    return b"".join(audio), titles


@given(
    blocks=st.lists(st.tuples(st.binary(max_size=90), st.sampled_from(["Tin", "Nhạc", ""])), max_size=30),
    metaint=st.integers(1, 100),
)
def test_the_audio_comes_out_whole_and_titles_come_when_they_change(
    blocks: list[tuple[bytes, str]], metaint: int
) -> None:
    inserter = IcyInserter(metaint)
    stream = b"".join(inserter.feed(block, title) for block, title in blocks)
    audio, titles = _apart(stream, metaint)
    assert audio == b"".join(block for block, _ in blocks)
    told = [title for title in titles if title]
    assert all(earlier != later for earlier, later in pairwise(told))


def test_the_counter_runs_on_across_blocks() -> None:
    inserter = IcyInserter(10)
    assert inserter.feed(b"a" * 6, "x") == b"a" * 6
    block = metadata_block("x")
    assert inserter.feed(b"b" * 6, "x") == b"b" * 4 + block + b"b" * 2
    assert inserter.feed(b"c" * 8, "x") == b"c" * 8 + b"\0"
    assert inserter.feed(b"d" * 25, "y") == b"d" * 10 + metadata_block("y") + b"d" * 10 + b"\0" + b"d" * 5


def test_a_block_in_which_nothing_is_due_is_not_copied() -> None:
    block = bytes(768)
    assert IcyInserter().feed(block, "x") is block


def test_a_block_as_players_expect_it() -> None:
    assert metadata_block("Loa") == b"\x02StreamTitle='Loa';".ljust(33, b"\0")


@pytest.mark.parametrize("title", ["a" * 9000, "ữ" * 3000, "it's'; StreamUrl='x", "line\nbreak\0", "\ud800"])
def test_no_title_breaks_out_of_its_quotes_or_its_length(title: str) -> None:
    block = metadata_block(title)
    assert len(block) == 1 + 16 * block[0]
    text = block[1:].rstrip(b"\0").decode()
    assert text.startswith("StreamTitle='")
    assert text.endswith("';")
    inside = text[13:-2]
    assert "'" not in inside
    assert inside.isprintable()


def test_an_interval_below_one_is_our_own_bug() -> None:
    assert METAINT > 0
    with pytest.raises(InternalError, match="metaint"):
        IcyInserter(0)
