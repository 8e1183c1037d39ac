"""The signals: always the same, unlike each other, unlike anyone else's; and the music bed."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from loa.codecs.frame import FRAME_SAMPLES, GRID_SAMPLES, MP3_FRAME_SAMPLES, Pcm, silence, to_float
from loa.codecs.meter import LevelMeter
from loa.codecs.survey import survey
from loa.codecs.tones import Chime, encoded, music_bed, render

Spectra = npt.NDArray[np.float64]


def _spectra(pcm: Pcm, step: int = 960, window: int = 2400) -> Spectra:
    """Power by time and frequency: 20 ms steps, 20 Hz apart."""
    cuts = np.lib.stride_tricks.sliding_window_view(to_float(pcm), window)[::step]
    return np.asarray(np.square(np.abs(np.fft.rfft(cuts * np.hanning(window)))), dtype=np.float64)


def _power_at(spectra: Spectra, hertz: float, width_hz: float = 30) -> npt.NDArray[np.float64]:
    return np.asarray(
        spectra[:, round((hertz - width_hz) / 20) : round((hertz + width_hz) / 20) + 1].sum(axis=1)
    )


def _onsets(pcm: Pcm) -> int:
    """Sudden rises: 6 dB and more within 40 ms."""
    from_silence = np.concatenate((silence(9600), pcm))
    level = 10 * np.log10(_spectra(from_silence, step=480, window=960).sum(axis=1) + 1e-3)
    rising = (level[4:] - level[:-4] > 6) & (level[4:] > level.max() - 20)
    return int(np.count_nonzero(np.diff(rising.astype(np.int8), prepend=0) == 1))


@pytest.mark.parametrize("chime", Chime)
def test_each_call_gives_the_same_samples_on_the_grid(chime: Chime) -> None:
    pcm = render(chime)
    assert np.array_equal(pcm, render(chime))
    assert len(pcm) % GRID_SAMPLES == 0
    assert pcm[0] == 0
    assert np.abs(pcm[-240:].astype(np.int32)).max() < 330  # -40 dBFS: nothing is cut off at the end
    clip = encoded(chime)
    assert clip.frames * FRAME_SAMPLES == len(pcm) == clip.mp3_frames * MP3_FRAME_SAMPLES


def test_their_lengths_and_levels_fit_what_they_are_for() -> None:
    seconds = {chime: len(render(chime)) / 48_000 for chime in Chime}
    assert 1.5 <= seconds[Chime.INFORMATION] <= 2
    assert 3 <= seconds[Chime.WARNING] <= 4
    assert 2.3 <= seconds[Chime.ALL_CLEAR] <= 2.7
    loudness = {chime: survey(render(chime)) for chime in Chime}
    assert all(found.true_peak_dbtp <= -1 for found in loudness.values())
    assert loudness[Chime.WARNING].lufs > -12
    assert all(-20 < loudness[calm].lufs < -15 for calm in (Chime.INFORMATION, Chime.ALL_CLEAR))


def test_their_rhythms_differ() -> None:
    assert _onsets(render(Chime.INFORMATION)) == 2
    assert _onsets(render(Chime.WARNING)) == 12
    assert _onsets(render(Chime.ALL_CLEAR)) <= 1


def test_their_spectra_differ() -> None:
    shapes = {chime: np.sqrt(_spectra(render(chime)).sum(axis=0)) for chime in Chime}
    for one, other in combinations(shapes.values(), 2):
        likeness = np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
        assert likeness < 0.6


def test_they_are_told_apart_after_the_codec(opus_decoded: Callable[[Sequence[bytes]], Pcm]) -> None:
    for chime in Chime:
        heard = _spectra(opus_decoded(encoded(chime).opus_packets)).mean(axis=0)
        likeness = {
            other: float(np.corrcoef(np.sqrt(heard), np.sqrt(_spectra(render(other)).mean(axis=0)))[0, 1])
            for other in Chime
        }
        assert max(likeness, key=lambda other: likeness[other]) is chime
        assert likeness[chime] > 0.95


@pytest.mark.parametrize("chime", Chime)
def test_none_is_the_attention_signal_of_the_united_states(chime: Chime) -> None:
    spectra = _spectra(render(chime))
    both = np.minimum(_power_at(spectra, 853), _power_at(spectra, 960))
    assert (both < 0.02 * spectra.sum(axis=1).max()).all()


def test_the_warning_rises_within_each_group() -> None:
    spectra = _spectra(render(Chime.WARNING))[:45]
    low, high = _power_at(spectra, 560, 70), _power_at(spectra, 1180, 160)
    assert int(low.argmax()) < 12 < int(high.argmax())


def test_music_is_the_same_for_a_seed_and_another_for_another() -> None:
    assert np.array_equal(music_bed(5, seed=3), music_bed(5, seed=3))
    assert not np.array_equal(music_bed(5, seed=3), music_bed(5, seed=4))


@pytest.mark.parametrize("duration_s", [0.1, 1.0, 7.3])
def test_music_is_as_long_as_was_asked_and_fades_at_both_ends(duration_s: float) -> None:
    pcm = music_bed(duration_s)
    assert len(pcm) == round(duration_s * 48_000)
    assert pcm[0] == 0 == pcm[-1]
    level = LevelMeter().measure(pcm)
    assert -10 < level.peak_dbfs < -8
    assert not level.clipped
