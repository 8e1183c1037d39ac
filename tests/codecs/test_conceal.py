"""Concealment: what is lost is continued without a click, and fades to silence in 100 ms."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, Pcm, blocks
from loa.codecs.opus import OpusDecoder, OpusEncoder


def _packets(pcm: Pcm) -> list[bytes]:
    encoder = OpusEncoder()
    return [encoder.encode(frame) for frame in blocks(pcm, FRAME_SAMPLES)]


def _played(packets: list[bytes], lost: set[int]) -> Pcm:
    decoder = OpusDecoder()
    frames = [decoder.conceal() if n in lost else decoder.decode(packet) for n, packet in enumerate(packets)]
    return np.concatenate(frames)


def _largest_step(pcm: Pcm) -> int:
    return int(np.abs(np.diff(pcm.astype(np.int32))).max())


def _rms(pcm: Pcm) -> float:
    return float(np.sqrt(np.mean(np.square(pcm.astype(np.float64)))))


def _tone() -> Pcm:
    t = np.arange(60 * FRAME_SAMPLES) / 48_000
    tone = 8000 * np.sin(2 * np.pi * 220 * t) + 4000 * np.sin(2 * np.pi * 440 * t)
    return np.asarray(tone, dtype=np.int16)


def test_before_any_packet_there_is_silence() -> None:
    assert not OpusDecoder().conceal().any()


def test_a_single_loss_goes_on_at_the_level_and_pitch_it_had() -> None:
    sound = _packets(_tone())
    whole, patched = _played(sound, set()), _played(sound, {30})
    gap = slice(30 * FRAME_SAMPLES, 31 * FRAME_SAMPLES)
    assert np.corrcoef(whole[gap], patched[gap])[0, 1] > 0.9
    assert 0.8 < _rms(patched[gap]) / _rms(whole[gap]) < 1.2


def test_silence_is_reached_after_100_ms_and_stays() -> None:
    decoder = OpusDecoder()
    for packet in _packets(_tone())[:30]:
        decoder.decode(packet)
    levels = [_rms(decoder.conceal()) for _ in range(50)]
    assert levels[0] > 4000
    assert all(later < sooner for sooner, later in pairwise(levels[1:6]))
    assert 0 < levels[4] < levels[0] / 4
    assert levels[5:] == [0.0] * 45


@pytest.mark.parametrize("length", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("kind", ["voice", "music", "tone"])
def test_neither_end_of_a_gap_steps_more_than_the_sound_does(
    kind: str, length: int, request: pytest.FixtureRequest
) -> None:
    pcm: Pcm = _tone() if kind == "tone" else request.getfixturevalue(kind)
    packets = _packets(pcm)
    usual = _largest_step(_played(packets, set())[5 * FRAME_SAMPLES :])
    for start in range(5, len(packets) - length - 2, 17):
        heard = _played(packets[: start + length + 2], set(range(start, start + length)))
        around = heard[start * FRAME_SAMPLES - 1 : (start + length + 1) * FRAME_SAMPLES]
        assert _largest_step(around) <= 1.25 * usual


@settings(max_examples=25, deadline=None)
@given(lost=st.sets(st.integers(1, 58)))
def test_any_pattern_of_loss_is_free_of_clicks_and_of_overshoot(lost: set[int]) -> None:
    packets = _packets(_tone())
    whole, patched = _played(packets, set()), _played(packets, lost)
    assert len(patched) == len(whole)
    assert _largest_step(patched) <= 1.5 * _largest_step(whole)
    assert int(np.abs(patched.astype(np.int32)).max()) <= 1.3 * int(np.abs(whole.astype(np.int32)).max())


def test_after_a_gap_the_sound_is_what_it_would_have_been(voice: Pcm) -> None:
    packets = _packets(voice)[:100]
    whole, patched = _played(packets, set()), _played(packets, {40, 41, 42})
    later = slice(53 * FRAME_SAMPLES, 60 * FRAME_SAMPLES)
    error = _rms((whole[later].astype(np.int32) - patched[later]).astype(np.int16))
    assert error < 0.03 * _rms(whole[later])
