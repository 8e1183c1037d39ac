"""Frames of 48 kHz brought to 8 or 16 kHz, one after the other, for codecs of telephones.

Laws: a frame in, its part out, at once, `DELAY_SAMPLES` (at 48 kHz) late; the stream has no seams, so a tone
comes out as a tone; what would fold back from above is at least 50 dB down. Belongs to one stream.
"""

import numpy as np

from ..errors import InternalError
from .frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, Samples, require_frame

_TAPS = 241
"""The band from 3.4 kHz to 4.6 kHz (6.8 to 9.2) is the filter's slope: telephones end at 3.4 (7) kHz."""

DELAY_SAMPLES = _TAPS // 2
"""2.5 ms."""

_FACTORS = {3: 7_400.0, 6: 3_500.0}
"""What 48 kHz is divided by, and where the filter has fallen by half, in Hz."""


class Decimator:
    """`factor` 3 gives 16 kHz, 6 gives 8 kHz."""

    def __init__(self, factor: int) -> None:
        if factor not in _FACTORS:
            raise InternalError(f"decimation by {factor}, expected one of {sorted(_FACTORS)}")
        self._factor = factor
        self._taps = _low_pass(_FACTORS[factor])
        self._before = np.zeros(_TAPS - 1, np.float32)

    def __call__(self, frame: Pcm) -> Pcm:
        """960 samples in, 960 / factor out."""
        require_frame(frame, FRAME_SAMPLES)
        line = np.concatenate((self._before, frame.astype(np.float32)))
        self._before = line[-(_TAPS - 1) :]
        windows = np.lib.stride_tricks.sliding_window_view(line, _TAPS)[:: self._factor]
        return np.asarray(np.clip(np.rint(windows @ self._taps), -32_768, 32_767), dtype=np.int16)


def _low_pass(corner_hz: float) -> Samples:
    """A windowed sinc (Kaiser, beta 6: -63 dB beside)."""
    n = np.arange(_TAPS) - _TAPS // 2
    taps = np.sinc(2 * corner_hz / SAMPLE_RATE * n) * np.kaiser(_TAPS, 6.0)
    return np.asarray(taps / taps.sum(), dtype=np.float32)
