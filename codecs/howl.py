"""Feedback: a loudspeaker that its own microphone hears. One narrow peak, that stays where it is and grows.

Laws: a peak is a howl when it holds most of the sound, at one frequency, for 0.8 s, and has grown meanwhile
or fills the scale. A vowel moves and has harmonics, a plucked string dies away.
"""

from typing import ClassVar

import numpy as np

from .frame import FRAME_SAMPLES, SAMPLE_RATE, Samples
from .levels import to_db

_WINDOW = 4_096
_BIN_HZ = SAMPLE_RATE / _WINDOW
"""85 ms, 12 Hz a bin."""

_EVERY_FRAMES = 4
_TIMES = 10
"""Looked at every 80 ms; ten looks in a row."""

_LOWEST, _HIGHEST = round(150 / _BIN_HZ), round(10_000 / _BIN_HZ)
"""Horns howl where they are loud; below is hum."""

_WIDE = 3
"""Bins on either side: the window's own width, and the few hertz between the modes of a long loop."""

_MOST = 0.5
_OCTAVE = 0.02
"""A voice or an instrument has harmonics; a loop does not, until it clips, and then the third first."""

_GROWS_DB, _FULL_DBFS, _FAINT_DBFS = 4.0, -15.0, -50.0
_FALLS_DB = 1.0
"""Less than a note that was struck, between two looks."""


class Howl:
    """Feed frames; `hear` says whether it howls."""

    _window: ClassVar[Samples] = np.hanning(_WINDOW).astype(np.float32)

    def __init__(self) -> None:
        self._recent: Samples = np.zeros(5 * FRAME_SAMPLES, dtype=np.float32)
        self._frames = 0
        self._bin = 0
        self._levels_db: list[float] = []

    def hear(self, samples: Samples) -> bool:
        """960 samples."""
        self._recent[:-FRAME_SAMPLES] = self._recent[FRAME_SAMPLES:]
        self._recent[-FRAME_SAMPLES:] = samples
        self._frames += 1
        if self._frames % _EVERY_FRAMES == 0:
            self._look()
        levels = self._levels_db
        if len(levels) < _TIMES:
            return False
        return levels[-1] > _FULL_DBFS or levels[-1] - min(levels[: _TIMES // 2]) > _GROWS_DB

    def _look(self) -> None:
        spectrum = np.fft.rfft(self._recent[-_WINDOW:] * self._window)
        powers = np.square(np.abs(spectrum[_LOWEST:_HIGHEST])) * np.float32((4 / _WINDOW) ** 2)
        peak = int(np.argmax(powers))
        level_db = to_db(float(powers[peak]) ** 0.5)
        part, octave = _around(powers, peak), _around(powers, 2 * peak + _LOWEST)
        if level_db < _FAINT_DBFS or part < _MOST * float(powers.sum()) or octave > _OCTAVE * part:
            self._levels_db.clear()
            return
        last_db = self._levels_db[-1] if self._levels_db else level_db
        if abs(peak - self._bin) > _WIDE or level_db < last_db - _FALLS_DB:
            self._levels_db.clear()
        if not self._levels_db:
            self._bin = peak
        self._levels_db = [*self._levels_db[1 - _TIMES :], level_db]


def _around(powers: Samples, at: int) -> float:
    return float(powers[max(0, at - _WIDE) : at + _WIDE + 1].sum())
