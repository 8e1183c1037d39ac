"""The track of a place: what its playlist lists, over changes of program."""

import itertools
import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from loa.codecs.frame import MP3_FRAME_US
from loa.streamer.outputs.hls_track import LISTED_FRAMES, SEGMENT_FRAMES, SILENCE, Piece, Track

FIRST = 75_000_000_000 // SEGMENT_FRAMES * SEGMENT_FRAMES
ONE, OTHER = "a" * 16, "b" * 16


def at(frame: int) -> int:
    return frame * MP3_FRAME_US


def entries(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def number(text: str, tag: str) -> int:
    return int(re.findall(rf"(?m)^#EXT-X-{tag}:(\d+)$", text)[0])


def test_segments_follow_the_grid() -> None:
    track = Track(FIRST, [(FIRST, ONE)])
    assert list(track.due(FIRST + SEGMENT_FRAMES - 1)) == []
    assert list(track.due(FIRST + SEGMENT_FRAMES)) == [Piece(ONE, FIRST, SEGMENT_FRAMES)]
    assert list(track.due(FIRST + 3 * SEGMENT_FRAMES + 5)) == [
        Piece(ONE, FIRST + SEGMENT_FRAMES, SEGMENT_FRAMES),
        Piece(ONE, FIRST + 2 * SEGMENT_FRAMES, SEGMENT_FRAMES),
    ]
    text = track.playlist("/hls/segments/")
    assert entries(text)[0] == f"/hls/segments/{ONE}/{FIRST}-{SEGMENT_FRAMES}.mp3"
    assert text.count("#EXTINF:2.016,") == 3
    assert "#EXT-X-DISCONTINUITY\n" not in text
    said = re.findall(r"PROGRAM-DATE-TIME:(.*)", text)
    assert datetime.fromisoformat(said[0]).timestamp() == round(at(FIRST) / 1e6, 3)
    assert datetime.fromisoformat(said[0]).tzinfo == UTC


def test_an_emergency_cuts_the_segment_and_what_was_beneath_comes_back() -> None:
    track = Track(FIRST, [(FIRST, ONE)])
    track.change(at(FIRST + 30), OTHER)
    track.change(at(FIRST + 50) - 1, ONE)
    assert list(track.due(FIRST + 30)) == [Piece(ONE, FIRST, 30)]
    assert list(track.due(FIRST + SEGMENT_FRAMES)) == [
        Piece(OTHER, FIRST + 30, 20),
        Piece(ONE, FIRST + 50, 34),
    ]
    text = track.playlist("")
    assert text.count("#EXT-X-DISCONTINUITY\n") == 2
    assert text.count("#EXT-X-PROGRAM-DATE-TIME") == 3


def test_a_change_that_comes_to_nothing_leaves_no_trace() -> None:
    track = Track(FIRST, [(FIRST, ONE)])
    track.change(at(FIRST + 30), OTHER)
    track.change(at(FIRST + 30), ONE)
    assert list(track.due(FIRST + SEGMENT_FRAMES)) == [Piece(ONE, FIRST, SEGMENT_FRAMES)]
    assert track.programs == {ONE}


def test_what_is_listed_already_is_not_changed() -> None:
    track = Track(FIRST, [(FIRST, ONE)])
    listed = list(track.due(FIRST + SEGMENT_FRAMES))
    track.change(at(FIRST + 10), OTHER)
    assert list(track.due(FIRST + 2 * SEGMENT_FRAMES)) == [Piece(OTHER, listed[0].end, SEGMENT_FRAMES)]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(-50, 200), st.sampled_from([ONE, OTHER, SILENCE])),
        st.tuples(st.just("time"), st.integers(0, 300), st.just("")),
    ),
    max_size=60,
)


@given(steps)
def test_pieces_lie_end_to_end_and_numbers_only_grow(script: list[tuple[str, int, str]]) -> None:
    track, end, pieces = Track(FIRST, [(FIRST, SILENCE)]), FIRST, list[Piece]()
    seen: dict[int, str] = {}
    before = 0
    for what, frames, program in script:
        if what == "change":
            track.change(at(end + frames), program)
            continue
        end += frames
        pieces += track.due(end)
        text = track.playlist("")
        first = number(text, "MEDIA-SEQUENCE")
        assert first >= before
        before = first
        for n, path in enumerate(entries(text), first):
            assert seen.setdefault(n, path) == path, "an entry keeps its number"
        listed = sum(int(re.findall(r"-(\d+)\.", path)[0]) for path in entries(text))
        assert min(end - FIRST - SEGMENT_FRAMES, LISTED_FRAMES) <= listed < LISTED_FRAMES + SEGMENT_FRAMES
        assert all(float(s) <= 2.016 for s in re.findall(r"#EXTINF:([\d.]+)", text))
    assert [piece.first for piece in pieces] == [FIRST, *[piece.end for piece in pieces]][: len(pieces)]
    assert all(piece.first // SEGMENT_FRAMES == (piece.end - 1) // SEGMENT_FRAMES for piece in pieces)
    assert end - track.next < SEGMENT_FRAMES
    changes = sum(one.program != other.program for one, other in itertools.pairwise(pieces))
    text = track.playlist("")
    shown = text.count("#EXT-X-DISCONTINUITY\n")
    gone = number(text, "DISCONTINUITY-SEQUENCE") - number(
        Track(FIRST, [(FIRST, ONE)]).playlist(""), "MEDIA-SEQUENCE"
    )
    assert shown + gone == changes


def test_a_place_that_is_tracked_anew_has_higher_numbers() -> None:
    track = Track(FIRST, [(FIRST, ONE)])
    for n in range(200):
        track.change(at(FIRST + n * 28), (ONE, OTHER)[n % 2])
        list(track.due(FIRST + n * 28))
    last = number(track.playlist(""), "MEDIA-SEQUENCE") + len(entries(track.playlist("")))
    anew = Track(track.next - track.next % SEGMENT_FRAMES + 30 * SEGMENT_FRAMES, [(0, ONE)])
    assert number(anew.playlist(""), "MEDIA-SEQUENCE") > last
