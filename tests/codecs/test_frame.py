"""The grid, and samples between int16 and float."""

import numpy as np
import pytest

from loa.codecs import frame
from loa.errors import InternalError


def test_the_two_grids_meet_every_grid_unit() -> None:
    assert frame.GRID_US % frame.FRAME_US == 0 == frame.GRID_US % frame.MP3_FRAME_US
    assert frame.GRID_SAMPLES == 6 * frame.FRAME_SAMPLES == 5 * frame.MP3_FRAME_SAMPLES
    assert frame.FRAME_SAMPLES * 1_000_000 == frame.FRAME_US * frame.SAMPLE_RATE
    assert frame.MP3_FRAME_SAMPLES * 1_000_000 == frame.MP3_FRAME_US * frame.SAMPLE_RATE


def test_float_and_back_is_exact_for_every_sample_value() -> None:
    every = np.arange(-32768, 32768).astype(np.int16)
    assert np.array_equal(frame.to_pcm(frame.to_float(every)), every)


def test_what_passes_full_scale_is_clipped_not_wrapped() -> None:
    loud = np.array([1.5, 1.0, -1.0, -1.5], dtype=np.float32)
    assert frame.to_pcm(loud).tolist() == [32767, 32767, -32768, -32768]


@pytest.mark.parametrize(("samples", "filled"), [(0, 0), (1, 960), (960, 960), (961, 1920)])
def test_whole_fills_up_with_silence(samples: int, filled: int) -> None:
    out = frame.whole(np.ones(samples, dtype=np.int16), 960)
    assert len(out) == filled
    assert int(out.sum()) == samples


@pytest.mark.parametrize(
    "bad", [np.zeros(959, np.int16), np.zeros((960, 1), np.int16), np.zeros(960, np.float32)], ids=str
)
def test_a_frame_of_another_shape_is_our_own_bug(bad: frame.Pcm) -> None:
    with pytest.raises(InternalError, match="expected int16"):
        frame.require_frame(bad, 960)
