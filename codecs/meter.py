"""The level of a frame, for meters on screens, fault detection and play reports."""

from dataclasses import dataclass

import numpy as np

from .frame import FULL_SCALE, Pcm
from .levels import FLOOR_DB, to_db

_CLIP_RUN = 3
"""So many samples in a row at full scale are clipped sound; one alone may be a true peak."""


@dataclass(frozen=True, slots=True)
class Level:
    """Against full scale: a square wave that fills it has an rms of 0 dBFS, a sine of -3."""

    rms_dbfs: float
    peak_dbfs: float
    clipped: bool


SILENT = Level(FLOOR_DB, FLOOR_DB, clipped=False)


class LevelMeter:
    """Measures frames. Only a run of full-scale samples that goes over from one frame to the next is
    state."""

    def __init__(self) -> None:
        self._run = 0

    def measure(self, frame: Pcm) -> Level:
        """Of any number of samples; none read as silence."""
        if not len(frame):
            return SILENT
        highest, lowest = int(frame.max()), int(frame.min())
        peak = max(highest, -lowest)
        wide = frame.astype(np.float32)
        rms = float(np.sqrt(np.dot(wide, wide) / len(wide)))
        clipped = self._clipped(frame) if peak >= FULL_SCALE - 1 else self._reset()
        return Level(to_db(rms / FULL_SCALE), to_db(peak / FULL_SCALE), clipped)

    def _reset(self) -> bool:
        self._run = 0
        return False

    def _clipped(self, frame: Pcm) -> bool:
        full = (frame >= FULL_SCALE - 1) | (frame <= -FULL_SCALE)
        padded = np.concatenate((np.ones(self._run, dtype=np.bool_), full, np.zeros(1, dtype=np.bool_)))
        ends = np.flatnonzero(~padded)
        runs = np.diff(ends, prepend=-1) - 1
        self._run = min(int(runs[-1]), _CLIP_RUN)
        return bool(runs.max() >= _CLIP_RUN)
