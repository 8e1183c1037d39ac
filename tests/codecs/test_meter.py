"""Levels of frames."""

import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES, Pcm, silence
from loa.codecs.levels import FLOOR_DB, from_db, to_db
from loa.codecs.meter import LevelMeter


def _square(amplitude: int) -> Pcm:
    return np.tile(np.array([amplitude, -amplitude], dtype=np.int16), FRAME_SAMPLES // 2)


def _sine(amplitude: int) -> Pcm:
    t = np.arange(FRAME_SAMPLES) / 48_000
    return np.asarray(np.rint(amplitude * np.sin(2 * np.pi * 1000 * t)), dtype=np.int16)


@pytest.mark.parametrize(
    ("frame", "rms", "peak"),
    [
        (_square(16_384), -6.02, -6.02),
        (_sine(16_384), -9.03, -6.02),
        (_sine(328), -43.0, -40.0),
        (silence(FRAME_SAMPLES), FLOOR_DB, FLOOR_DB),
        (silence(0), FLOOR_DB, FLOOR_DB),
        (np.array([-32_768], dtype=np.int16), 0.0, 0.0),
    ],
)
def test_levels_of_known_frames(frame: Pcm, rms: float, peak: float) -> None:
    level = LevelMeter().measure(frame)
    assert level.rms_dbfs == pytest.approx(rms, abs=0.05)
    assert level.peak_dbfs == pytest.approx(peak, abs=0.05)
    assert not level.clipped


def _with_full(start: int, count: int, value: int = 32_767) -> Pcm:
    frame = _sine(10_000)
    frame[start : start + count] = value
    return frame


@pytest.mark.parametrize("value", [32_767, -32_768])
def test_three_samples_at_full_scale_in_a_row_are_clipping(value: int) -> None:
    assert not LevelMeter().measure(_with_full(100, 2, value)).clipped
    assert LevelMeter().measure(_with_full(100, 3, value)).clipped
    scattered = _with_full(100, 1, value)
    scattered[300:302] = value
    assert not LevelMeter().measure(scattered).clipped


def test_a_run_that_goes_over_into_the_next_frame_counts_as_one() -> None:
    meter = LevelMeter()
    assert not meter.measure(_with_full(FRAME_SAMPLES - 2, 2)).clipped
    assert meter.measure(_with_full(0, 1)).clipped
    assert not meter.measure(_with_full(0, 2)).clipped
    assert not meter.measure(_sine(100)).clipped
    assert not meter.measure(_with_full(0, 2)).clipped


@pytest.mark.parametrize("decibels", [-100.0, -6.0, 0.0, 3.5])
def test_decibels_and_back(decibels: float) -> None:
    assert to_db(from_db(decibels)) == pytest.approx(decibels)


def test_no_amplitude_reads_below_the_floor() -> None:
    assert to_db(0.0) == FLOOR_DB == to_db(1e-12) == to_db(-1.0)
