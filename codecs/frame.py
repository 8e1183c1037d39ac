"""The frame: what every part of the house means by sound, and the grid on which all of it lies.

A frame is a numpy array of int16, shape (samples,), mono at 48 kHz. Frames are values: who receives one may
keep it and never writes into it. All programs share one grid: Opus frame k begins at network time
k * FRAME_US, MP3 frame k at k * MP3_FRAME_US, so the two grids meet every GRID_US.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..errors import InternalError

SAMPLE_RATE = 48_000
"""Opus works at this rate inside whatever it is fed, and every browser's Web Audio can run at it."""

FRAME_SAMPLES = 960
FRAME_US = 20_000
"""20 ms: the longest Opus frame coded as one piece, the unit of webrtcvad, and 50 decisions a second."""

MP3_FRAME_SAMPLES = 1152
MP3_FRAME_US = 24_000
"""MPEG-1 Layer III: two granules of 576 samples, which at 48 kHz is a whole number of microseconds."""

GRID_US = 120_000
GRID_SAMPLES = 5_760
"""The least common multiple of the two: 6 Opus frames, 5 MP3 frames. Clips are a whole number of these."""

FULL_SCALE = 32_768

Pcm = npt.NDArray[np.int16]
"""Samples, int16, shape (n,), mono, 48 kHz."""

Samples = npt.NDArray[np.float32]
"""The same within a calculation: float32, full scale is 1.0 (it may pass it until a limiter has run)."""


def silence(samples: int) -> Pcm:
    return np.zeros(samples, dtype=np.int16)


def to_float(pcm: Pcm) -> Samples:
    return pcm.astype(np.float32) * np.float32(1 / FULL_SCALE)


def to_pcm(samples: Samples) -> Pcm:
    """Rounded to the nearest, clipped at full scale."""
    scaled = np.rint(samples * np.float32(FULL_SCALE))
    return np.asarray(np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1), dtype=np.int16)


def whole(pcm: Pcm, unit: int) -> Pcm:
    """`pcm` with silence added at its end up to a whole number of `unit` samples."""
    rest = -len(pcm) % unit
    return np.concatenate((pcm, silence(rest))) if rest else pcm


def blocks(pcm: Pcm, samples: int) -> Iterator[Pcm]:
    """`pcm` in pieces of `samples`; a shorter rest is left out."""
    for start in range(0, len(pcm) - samples + 1, samples):
        yield pcm[start : start + samples]


def require_frame(pcm: Pcm, samples: int) -> None:
    """The law of the caller: a wrong shape is a bug in the house, never bad luck with media."""
    if pcm.dtype != np.int16 or pcm.shape != (samples,):
        raise InternalError(f"frame is {pcm.dtype}{pcm.shape}, expected int16({samples},)")
