"""Splices: what fades, what is concealed, what is never mixed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, Pcm
from loa.errors import MediaError
from loa.speaker.player import (
    FADE_SAMPLES,
    GUARD_SAMPLES,
    MAX_CONCEALED,
    MAX_DECODERS,
    MAX_FINISHED,
    Player,
    Slot,
    Timeline,
)
from loa.speaker.report import Counters
from loa.speaker.selector import Active, Selector
from loa.wire.rank import BroadcastClass, Rank

A, B = "0a" * 8, "0b" * 8


class Plain:
    """A decoder whose frames are the number in the packet, all samples equal."""

    made = 0

    def __init__(self) -> None:
        Plain.made += 1
        self._last = 0
        self.closed = False

    def decode(self, packet: bytes) -> Pcm:
        if packet == b"garbage":
            raise MediaError("no Opus")
        self._last = int(packet)
        return np.full(FRAME_SAMPLES, self._last, dtype=np.int16)

    def conceal(self) -> Pcm:
        return np.full(FRAME_SAMPLES, self._last, dtype=np.int16)

    def close(self) -> None:
        self.closed = True


def active(broadcast: str) -> Active:
    return Active(broadcast, broadcast, Rank(BroadcastClass.ORDINARY, 0, 0, 0), 0, 10_000, 0)


def slot(broadcast: str | None, packet: bytes | None, *, last: bool = False) -> Slot:
    return Slot(0, active(broadcast) if broadcast else None, packet, last)


@pytest.fixture
def player() -> Player:
    return Player(Plain, lambda _: None)


def play(player: Player, *slots: Slot) -> list[Pcm]:
    return [player.frame(one) for one in slots]


def test_the_first_frame_fades_in_and_the_last_out(player: Player) -> None:
    first, middle, last = play(player, slot(A, b"1000"), slot(A, b"1000"), slot(A, b"1000", last=True))
    assert not first[:GUARD_SAMPLES].any()
    assert (np.diff(first[: GUARD_SAMPLES + FADE_SAMPLES]) >= 0).all()
    assert (first[GUARD_SAMPLES + FADE_SAMPLES :] == 1000).all()
    assert (middle == 1000).all()
    assert (last[:-FADE_SAMPLES] == 1000).all()
    assert (np.diff(last[-FADE_SAMPLES:]) <= 0).all()
    assert last[-1] == 0


def test_an_unforeseen_switch_ends_the_old_before_the_new_begins(player: Player) -> None:
    _, switched = play(player, slot(A, b"1000"), slot(B, b"-1000"))
    assert (switched[: GUARD_SAMPLES - 2] > 0).all()
    assert (switched[GUARD_SAMPLES + 2 :] < 0).all()


def test_an_unforeseen_end_dies_away(player: Player) -> None:
    _, ended, after = play(player, slot(A, b"1000"), slot(None, None), slot(None, None))
    assert ended[0] > 900
    assert not ended[GUARD_SAMPLES:].any()
    assert not after.any()


def test_a_gap_is_concealed_then_silent_then_fades_in_again(player: Player) -> None:
    frames = play(player, slot(A, b"1000"), *[slot(A, None)] * (MAX_CONCEALED + 2), slot(A, b"500"))
    assert [bool(frame.any()) for frame in frames[1:]] == [True] * MAX_CONCEALED + [False, False, True]
    assert not frames[-1][:GUARD_SAMPLES].any()


def test_what_has_not_sounded_yet_is_not_concealed(player: Player) -> None:
    _, silent = play(player, slot(A, b"1000", last=True), slot(B, None))
    assert not silent.any()


def test_garbage_is_concealed_and_told() -> None:
    told: list[MediaError] = []
    frames = play(Player(Plain, told.append), slot(A, b"1000"), slot(A, b"garbage"))
    assert frames[1].any()
    assert len(told) == 1


def test_each_broadcast_keeps_its_decoder_and_the_oldest_goes(player: Player) -> None:
    Plain.made = 0
    play(player, slot(A, b"1"), slot(B, b"1"), slot(A, b"1"))
    assert Plain.made == 2
    for number in range(MAX_DECODERS):
        player.frame(slot(f"{number:016x}", b"1"))
    player.frame(slot(A, b"1"))
    assert Plain.made == 2 + MAX_DECODERS + 1
    player.close()


slots = st.builds(
    slot,
    st.sampled_from([None, A, B]),
    st.sampled_from([None, b"1000", b"-1000", b"garbage"]),
    last=st.booleans(),
)


@settings(deadline=None)
@given(st.lists(slots, max_size=40))
def test_no_script_makes_it_louder_than_what_was_sent(script: list[Slot]) -> None:
    for frame in play(Player(Plain, lambda _: None), *script):
        assert frame.shape == (FRAME_SAMPLES,)
        assert frame.dtype == np.int16
        assert int(np.abs(frame.astype(int)).max()) <= 1000


class Shelf:
    def __init__(self) -> None:
        self.gone: list[int] = []

    def take(self, broadcast: str, k: int) -> bytes | None:
        return b"x" if k % 7 else None

    def passed(self, k: int) -> None:
        self.gone.append(k)


def test_stretches_are_tallied_and_bounded() -> None:
    selector, shelf, counters = Selector(), Shelf(), Counters()
    timeline = Timeline(selector, shelf, counters)
    selector.put(active(A))
    for number in range(MAX_FINISHED + 3):
        loud = Active(B, B, Rank(BroadcastClass.EMERGENCY, 0, 0, 0), 0, 10_000, 0)
        timeline.take(0)
        timeline.take(0)
        selector.put(loud)
        timeline.take(number)
        timeline.take(number)
        selector.remove(B)
    assert len(timeline.finished) == MAX_FINISHED
    assert {tally.broadcast for tally in timeline.finished} == {A, B}
    assert shelf.gone == list(range(timeline.next_k))


def test_skipping_never_goes_back() -> None:
    timeline = Timeline(Selector(), Shelf(), Counters(), next_k=10)
    timeline.skip_to(5)
    assert timeline.next_k == 10
    timeline.skip_to(20)
    assert timeline.next_k == 20


def test_a_report_before_anything_sounded_says_only_that_it_was_verified(rig: Any, world: Any) -> None:
    from loa.speaker.core import Gauge

    music = world.program(at_us=rig.now_us)
    rig.hear(music.start_datagram())
    (heard,) = rig.core.report(rig.local_us, Gauge()).heard
    assert (heard.frames_played, heard.sounded_at_us, heard.started_at_us) == (0, 0, rig.now_us)
    assert rig.core.report(rig.local_us, Gauge()).heard == ()
