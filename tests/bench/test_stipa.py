"""The meter of speech transmission against what theory says of it."""

import numpy as np
import pytest

from loa.bench import recordings, stipa
from loa.codecs.frame import SAMPLE_RATE
from loa.codecs.survey import survey


@pytest.fixture(scope="module")
def signal() -> stipa.Sound:
    return stipa.signal()


def test_what_is_untouched_is_understood_entirely(signal: stipa.Sound) -> None:
    assert stipa.sti(signal) > 0.98
    assert stipa.sti(np.concatenate((np.zeros(5_000), signal))) > 0.97, "a delay does not matter"


@pytest.mark.parametrize(("ratio_db", "expected"), [(12, 0.9), (6, 0.7), (0, 0.5), (-6, 0.3), (-15, 0.03)])
def test_noise_of_the_same_spectrum(signal: stipa.Sound, ratio_db: float, expected: float) -> None:
    """In each band the same ratio, so STI is (ratio + 15) / 30."""
    spectrum = np.abs(np.fft.rfft(signal))
    turn = np.exp(2j * np.pi * np.random.default_rng(3).random(len(spectrum)))
    noise = np.fft.irfft(spectrum * turn, len(signal))
    heard = signal + noise * (np.std(signal) / np.std(noise) * 10 ** (-ratio_db / 20))
    assert stipa.sti(heard) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("decay_s", [0.5, 1.5, 4.0])
def test_a_reverberant_square(signal: stipa.Sound, decay_s: float) -> None:
    """An exponential decay of T leaves 1 / sqrt(1 + (2 pi F T / 13.8)^2) of a modulation at F (Schroeder)."""
    length = int(1.5 * decay_s * SAMPLE_RATE)
    room = np.random.default_rng(5).standard_normal(length)
    room *= 10 ** (-3 * np.arange(length) / SAMPLE_RATE / decay_s)
    size = len(signal) + length
    heard = np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(room, size), size)[: len(signal)]
    rates = np.array(stipa._RATES_HZ)
    left = 1 / np.sqrt(1 + np.square(2 * np.pi * rates * decay_s / 13.8))
    assert stipa.sti(heard) == pytest.approx(stipa._index(left), abs=0.05)


def test_clipping_and_a_telephone_are_worse_than_nothing(signal: stipa.Sound) -> None:
    spectrum = np.fft.rfft(signal)
    hertz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE)
    narrow = np.fft.irfft(spectrum * ((hertz > 300) & (hertz < 3_400)), len(signal))
    assert stipa.sti(narrow + np.random.default_rng(2).normal(0, 0.003, len(signal))) < 0.9
    assert stipa.sti(signal, level_dba=15) < 0.8, "too faint to be heard"


@pytest.mark.peer
def test_a_whisper_and_a_shout_are_what_they_say() -> None:
    """A whisper has no pitch: hardly any likeness with itself a period later. A shout is brighter."""

    def pitched(pcm: np.ndarray[tuple[int], np.dtype[np.int16]]) -> float:
        piece = pcm[24_000:72_000].astype(np.float64)
        likeness = np.fft.irfft(np.square(np.abs(np.fft.rfft(piece, 131_072))))
        return float(likeness[120:400].max() / likeness[0])

    def bright(pcm: np.ndarray[tuple[int], np.dtype[np.int16]]) -> float:
        powers = np.square(np.abs(np.fft.rfft(pcm.astype(np.float64))))
        return float(powers[len(powers) // 16 :].sum() / powers.sum())

    voice, whisper, shout = recordings.voice(), recordings.whisper(-12), recordings.shout(0)
    assert pitched(whisper) < 0.5 * pitched(voice)
    assert bright(shout) > 2 * bright(voice)
    assert survey(shout).lufs > survey(whisper).lufs + 10
