"""Mains hum: steady lines at 50 Hz and its double, where a voice has none.

Laws: heard over four seconds, so that no deep voice is taken for it: nobody holds a pitch to a hertz so long.
The mains of Vietnam have 50 Hz, within 0.2 (0.5 when it goes badly).
"""

from typing import ClassVar

import numpy as np

from .frame import FRAME_SAMPLES, SAMPLE_RATE, Samples
from .levels import to_db

_DECIMATION = 32
_RATE = SAMPLE_RATE // _DECIMATION
"""1500 Hz: each sample is the mean of 32, which is filter enough, for a voice does not stand still."""

_WINDOW = 3_000
_BIN_HZ = _RATE / _WINDOW
"""2 s, 0.5 Hz a bin."""

_EVERY_FRAMES = 25
_TIMES = 5
"""Looked at twice a second; true for five looks, so 4 s of sound."""

_LINES_HZ = (50.0, 100.0)
_NEAR_HZ, _AROUND_HZ = 1.0, 8.0
_ABOVE_DB = 15.0
_AUDIBLE_DBFS = -55.0
"""A line that is 15 dB above what lies around it, and would be heard."""


class Hum:
    """Feed frames; `hear` says whether it hums."""

    _window: ClassVar[Samples] = np.hanning(_WINDOW).astype(np.float32)

    def __init__(self) -> None:
        self._recent: Samples = np.zeros(_WINDOW, dtype=np.float32)
        self._frames = 0
        self._looks = 0

    def hear(self, samples: Samples) -> bool:
        """960 samples."""
        fresh = FRAME_SAMPLES // _DECIMATION
        at = self._frames * fresh % _WINDOW
        self._recent[at : at + fresh] = samples.reshape(fresh, _DECIMATION).mean(axis=1)
        self._frames += 1
        if self._frames % _EVERY_FRAMES == 0:
            self._looks = self._looks + 1 if self._look(np.roll(self._recent, -at - fresh)) else 0
        return self._looks >= _TIMES

    def _look(self, recent: Samples) -> bool:
        amplitudes: Samples = np.abs(np.fft.rfft(recent * self._window)) * np.float32(4 / _WINDOW)
        return any(_is_line(amplitudes, hertz) for hertz in _LINES_HZ)


def _is_line(amplitudes: Samples, hertz: float) -> bool:
    around = amplitudes[round((hertz - _AROUND_HZ) / _BIN_HZ) : round((hertz + _AROUND_HZ) / _BIN_HZ) + 1]
    near = amplitudes[round((hertz - _NEAR_HZ) / _BIN_HZ) : round((hertz + _NEAR_HZ) / _BIN_HZ) + 1]
    line_dbfs = to_db(float(near.max()))
    return line_dbfs > _AUDIBLE_DBFS and line_dbfs > to_db(float(np.median(around))) + _ABOVE_DB
