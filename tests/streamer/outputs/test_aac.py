"""The transcoder: AAC frames on the grid's line, from packets as they come."""

import av
import numpy as np

from loa.codecs.aac import AAC_DELAY_SAMPLES, AAC_FRAME_SAMPLES, split_adts
from loa.codecs.frame import FRAME_SAMPLES, SAMPLE_RATE
from loa.codecs.opus import PRE_SKIP, OpusEncoder
from loa.streamer.outputs.aac import BACK_FRAMES, KEPT_FRAMES, AacPacking, Transcoder

K = 90_000_000_000
"""A Tuesday, in frames of the grid."""


class Tape:
    """A chirp of a program: packets `since` .. `until`, all there at once, or those made by now."""

    id = "a" * 16

    def __init__(self, seconds: float = 4) -> None:
        at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        self.wave = (6000 * np.sin(2 * np.pi * (300 * at + 200 * at**2))).astype(np.int16)
        encoder = OpusEncoder(lead_in=True)
        self.packets = [encoder.encode(frame) for frame in self.wave.reshape(-1, FRAME_SAMPLES)]
        self.until = K + len(self.packets)
        self.holes: set[int] = set()

    def opus(self, k: int) -> bytes | None:
        there = K <= k < self.until and k - K < len(self.packets) and k not in self.holes
        return self.packets[k - K] if there else None

    def mp3(self, k: int) -> bytes | None:
        raise AssertionError("AAC is made of the Opus packets")

    def want_mp3(self, wanted: bool) -> None:
        raise AssertionError("AAC is made of the Opus packets")


FIRST = -(-K * FRAME_SAMPLES // AAC_FRAME_SAMPLES)
"""The first frame that the program has all of."""


def decoded(frames: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    context = av.CodecContext.create("aac", "r")
    assert isinstance(context, av.AudioCodecContext)
    out = [f.to_ndarray().reshape(-1) for frame in frames for f in context.decode(av.Packet(frame))]
    return np.concatenate(out).astype(np.float64) * 32_768


def test_frames_lie_on_the_line_of_the_grid() -> None:
    tape = Tape()
    transcoder = Transcoder(tape)
    frames = [transcoder.frame(FIRST + i) for i in range(150)]
    assert None not in frames
    heard = decoded([frame for frame in frames if frame])
    offset = FIRST * AAC_FRAME_SAMPLES - K * FRAME_SAMPLES - PRE_SKIP - AAC_DELAY_SAMPLES
    at = np.arange(20_000, 100_000)
    error = heard[at] - tape.wave[at + offset]
    assert np.sqrt(np.mean(error**2)) < 0.05 * np.sqrt(np.mean(tape.wave.astype(float) ** 2))


def test_a_live_frame_is_there_when_its_last_packet_is() -> None:
    tape = Tape()
    transcoder = Transcoder(tape)
    for n in range(FIRST, FIRST + 80):
        last = ((n + 1) * AAC_FRAME_SAMPLES - 1) // FRAME_SAMPLES
        tape.until = last
        assert transcoder.frame(n) is None
        tape.until = last + 1
        frame = transcoder.frame(n)
        assert frame is not None
        assert split_adts(frame) == [frame]


def test_one_that_joins_in_the_middle_has_the_burst_and_then_the_same_sound() -> None:
    tape = Tape()
    n = FIRST + 100
    late, early = Transcoder(tape), Transcoder(tape)
    assert late.frame(n) is not None
    assert all(late.frame(n - back) is not None for back in range(BACK_FRAMES))
    assert late.frame(n - KEPT_FRAMES) is None
    before = [early.frame(FIRST + i) for i in range(140)]
    after = [late.frame(n + i) for i in range(40)]
    sounds = [decoded([f for f in frames if f])[-20_000:] for frames in (before, after)]
    assert np.abs(sounds[0] - sounds[1]).max() < 300


def test_behind_a_hole_it_goes_on_with_a_fresh_encoder() -> None:
    tape = Tape()
    tape.holes = set(range(K + 50, K + 60))
    transcoder = Transcoder(tape)
    found = [transcoder.frame(FIRST + i) is not None for i in range(150)]
    first_missing, missing = found.index(False), found.count(False)
    assert first_missing == 50 * FRAME_SAMPLES // AAC_FRAME_SAMPLES
    assert missing in (10, 11)
    assert all(found[first_missing + missing :])


def test_a_program_that_ends_has_no_more_frames_and_costs_nothing() -> None:
    tape = Tape(1)
    transcoder = Transcoder(tape)
    found = [transcoder.frame(FIRST + i) is not None for i in range(200)]
    assert found.count(True) in (45, 46)
    assert not any(found[46:])


def test_who_is_not_wanted_is_not_encoded() -> None:
    tape, packing = Tape(1), AacPacking()
    assert packing.read(tape, FIRST) is None
    packing.want(tape, True)
    assert packing.read(tape, FIRST) is not None
    packing.want(tape, False)
    assert (packing.read(tape, FIRST), packing.encoding) == (None, 0)


def test_a_packet_that_is_none_is_silence() -> None:
    tape = Tape(1)
    tape.packets[20] = b"\xff\xff\xff"
    transcoder = Transcoder(tape)
    assert all(transcoder.frame(FIRST + i) is not None for i in range(40))


def test_silence_fills_a_block() -> None:
    packing = AacPacking()
    frames = split_adts(packing.pack([None] * packing.frames, 5))
    assert len(frames) == packing.frames
    assert len(set(frames)) == 1
