"""Mixing: no edge clicks, no seam is heard, and music is under every word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.codecs.frame import SAMPLE_RATE, Samples
from loa.codecs.mix import (
    ALERT_FADE_S,
    ATTACK_S,
    DUCKED_DB,
    FADE_S,
    OPEN_DB,
    RELEASE_S,
    Ducking,
    Loop,
    cross_faded,
    softened,
)

S = SAMPLE_RATE


def noise(samples: int, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def db(gains: Samples) -> Samples:
    return np.asarray(20 * np.log10(np.maximum(gains, 1e-6)), dtype=np.float32)


def test_fades_are_as_long_as_the_house_says() -> None:
    assert 0.02 <= FADE_S <= 0.05
    assert ALERT_FADE_S == 0.01


@pytest.mark.parametrize("fade_s", [FADE_S, ALERT_FADE_S])
def test_edges_rise_from_nothing_and_leave_the_rest_alone(fade_s: float) -> None:
    sound = np.full(S, 0.5, dtype=np.float32)
    soft, fade = softened(sound, fade_s), int(fade_s * S)
    assert abs(soft[0]) < 1e-4
    assert abs(soft[-1]) < 1e-4
    assert np.abs(np.diff(soft)).max() < 0.5 * np.pi / 2 / fade * 1.05
    np.testing.assert_array_equal(soft[fade:-fade], sound[fade:-fade])


@pytest.mark.parametrize("samples", [0, 1, 2, 100])
def test_the_shortest_sounds_have_edges_too(samples: int) -> None:
    assert len(softened(noise(samples, 1))) == samples
    assert len(cross_faded(noise(samples, 1), noise(10, 2))) == samples + 10 - min(samples, 10)


def test_a_cross_fade_keeps_the_power_of_two_strangers() -> None:
    fade_s = 0.5
    mixed = cross_faded(noise(S, 1), noise(S, 2), fade_s)
    assert len(mixed) == 2 * S - int(fade_s * S)
    seam = mixed[S - int(fade_s * S) : S]
    levels = [10 * np.log10(np.mean(part**2) / 0.01) for part in np.split(seam, 5)]
    assert np.abs(levels).max() < 0.5


def test_a_loop_has_no_seam_and_never_ends() -> None:
    wave = np.sin(2 * np.pi * 100.3 * np.arange(S) / S).astype(np.float32)
    loop = Loop(wave)
    long = loop.at(0, 5 * S)
    assert np.abs(np.diff(long)).max() < 0.04, "a wave that is cut jumps by up to 2"
    np.testing.assert_array_equal(loop.at(3 * S, S), long[3 * S : 4 * S])
    assert len(Loop(wave[:10]).at(0, S)) == S


def test_music_gives_way_ahead_of_the_voice_and_comes_back_after_it() -> None:
    duck = Ducking([(5 * S, 8 * S)], 0, 20 * S)
    gains = db(duck.gains(0, 20 * S))
    assert gains[0] < -50
    assert gains[3 * S] == pytest.approx(OPEN_DB, abs=0.1)
    assert gains[int((5 - ATTACK_S / 2) * S)] == pytest.approx((OPEN_DB + DUCKED_DB) / 2, abs=0.1)
    assert gains[5 * S : 8 * S].max() <= DUCKED_DB + 0.01, "under the first and the last word too"
    assert gains[int((8 + RELEASE_S) * S) + 10] == pytest.approx(OPEN_DB, abs=0.1)
    assert gains[-1] < -50


def test_music_stays_down_between_words_and_comes_up_in_a_long_pause() -> None:
    duck = Ducking([(5 * S, 6 * S), (7 * S, 8 * S), (12 * S, 13 * S)], 0, 20 * S)
    gains = db(duck.gains(0, 20 * S))
    assert gains[6 * S : 7 * S].max() <= DUCKED_DB + 0.01
    assert gains[10 * S] == pytest.approx(OPEN_DB, abs=0.1)


@given(
    lengths=st.lists(st.tuples(st.integers(1, 5 * S), st.integers(1, 4 * S)), min_size=1, max_size=8),
    cut=st.integers(1, 10 * S),
)
def test_no_word_has_music_over_it_and_blocks_do_not_matter(lengths: list[tuple[int, int]], cut: int) -> None:
    spans, at = [], 2 * S
    for pause, voice in lengths:
        spans.append((at, at + voice))
        at += voice + pause
    end = spans[-1][1] + 4 * S
    duck = Ducking(spans, 0, end)
    gains = duck.gains(0, end)
    for begin, stop in spans:
        assert db(gains[begin:stop]).max() <= DUCKED_DB + 0.01
    assert db(gains).max() <= OPEN_DB + 0.01
    cut = min(cut, end - 1)
    joined = np.concatenate((duck.gains(0, cut), duck.gains(cut, end - cut)))
    np.testing.assert_array_equal(joined, gains)
    assert np.abs(np.diff(gains)).max() < 0.001, "it moves, it does not jump"
