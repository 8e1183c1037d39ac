"""How loud a recording is: EBU R128 loudness (ITU-R BS.1770-5) and true peak, in one pass of any length.

Laws: blocks may have any length, the result does not depend on how the sound was cut. What is kept is
small, two numbers for each bin of 4 ms (its K-weighted energy and its highest true peak), so four hours
need 29 MB; and it is enough to know the loudness after any slow gain and limiter too, without hearing the
sound again (loudness.py does that). K-weighting and the fourfold oversampling for true peaks are products
of one spectrum (overlap-save), about 0.1 % of the sound's duration.
"""

import numpy as np
import numpy.typing as npt

from .filters import K_WEIGHTING, response
from .frame import SAMPLE_RATE, Pcm, Samples, to_float
from .levels import FLOOR_DB, to_db

BIN_SAMPLES = 192
"""4 ms: 25 of them are the 100 ms step of R128's windows, and a limiter need not move faster."""

_FFT = 16_384
_OVERLAP = 4_096
_STEP = _FFT - _OVERLAP
"""64 bins at a time. The overlap must outlast the filters: the high-pass at 38 Hz is 170 dB down after 4096
samples."""

_BINS_PER_100_MS = SAMPLE_RATE // 10 // BIN_SAMPLES
_WINDOW_STEPS = 4
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_LUFS = -0.691
"""BS.1770-5: windows of 400 ms every 100 ms; those under -70 LUFS and then those 10 LU under the rest do
not count."""

_OVERSAMPLING = 4
_HALF_TAPS = 32
"""Of the interpolating filter, each side: flat to 21 kHz. Within a spectrum its length costs nothing."""

Bins = npt.NDArray[np.float32]
"""One number for each BIN_SAMPLES samples."""


class Survey:
    """Feed blocks, then `finish`, then read."""

    def __init__(self) -> None:
        self.samples = 0
        self._responses = np.stack(
            [response(K_WEIGHTING, _FFT), *(_between(p) for p in range(1, _OVERSAMPLING))]
        )
        self._buffer: Samples = np.zeros(_FFT, dtype=np.float32)
        self._filled = _OVERLAP
        self._energies: list[Bins] = []
        self._peaks: list[Bins] = []

    def feed(self, pcm: Pcm) -> None:
        """Samples, any number."""
        self.samples += len(pcm)
        self._feed(to_float(pcm))

    def finish(self) -> "Loudness":
        """What was measured. The survey is used up."""
        bins = -(-self.samples // BIN_SAMPLES)
        self._feed(np.zeros(_STEP + _HALF_TAPS, dtype=np.float32))
        energies = np.concatenate(self._energies)[:bins]
        return Loudness(energies, np.concatenate(self._peaks)[:bins])

    def _feed(self, block: Samples) -> None:
        at = 0
        while at < len(block):
            part = block[at : at + _FFT - self._filled]
            self._buffer[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            at += len(part)
            if self._filled == _FFT:
                self._measure()

    def _measure(self) -> None:
        filtered = np.fft.irfft(np.fft.rfft(self._buffer) * self._responses, _FFT)[:, _OVERLAP:]
        bins = filtered.reshape(_OVERSAMPLING, -1, BIN_SAMPLES).astype(np.float32, copy=False)
        self._energies.append(np.einsum("ij,ij->i", bins[0], bins[0]))
        delayed = self._buffer[_OVERLAP - _HALF_TAPS : -_HALF_TAPS].reshape(-1, BIN_SAMPLES)
        between = np.abs(bins[1:]).max(axis=(0, 2))
        self._peaks.append(np.maximum(between, np.abs(delayed).max(axis=1)))
        self._buffer[:_OVERLAP] = self._buffer[_STEP:]
        self._filled = _OVERLAP


class Loudness:
    """What a survey found, bin by bin. A bin's peak lies up to _HALF_TAPS samples (0.7 ms) before the bin."""

    def __init__(self, energies: Bins, peaks: Bins) -> None:
        self.energies = energies
        self.peaks = peaks

    @property
    def lufs(self) -> float:
        return integrated(self.energies)

    @property
    def true_peak_dbtp(self) -> float:
        return to_db(float(self.peaks.max(initial=0.0)))


def survey(pcm: Pcm) -> Loudness:
    """Of a whole recording in memory."""
    measured = Survey()
    measured.feed(pcm)
    return measured.finish()


def integrated(energies: Bins) -> float:
    """Integrated loudness in LUFS; FLOOR_DB for silence. Less than 400 ms is measured as one window."""
    whole = len(energies) // _BINS_PER_100_MS * _BINS_PER_100_MS
    steps = energies[:whole].reshape(-1, _BINS_PER_100_MS).sum(axis=1, dtype=np.float64)
    if len(steps) < _WINDOW_STEPS:
        steps = np.array(
            [energies.sum(dtype=np.float64) * _BINS_PER_100_MS / max(1, len(energies))] * _WINDOW_STEPS
        )
    windows = np.convolve(steps, np.ones(_WINDOW_STEPS), "valid") / (_WINDOW_STEPS * SAMPLE_RATE / 10)
    loud = windows[windows > _power(_ABSOLUTE_GATE_LUFS)]
    if not len(loud):
        return FLOOR_DB
    counted = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE_LU / 10)]
    return float(_OFFSET_LUFS + 10 * np.log10(counted.mean()))


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_LUFS) / 10))


def _between(phase: int) -> npt.NDArray[np.complex64]:
    """The filter that gives the values `phase` quarters of a sample after each sample, _HALF_TAPS samples
    late."""
    offset = np.arange(2 * _HALF_TAPS + 1) - _HALF_TAPS - phase / _OVERSAMPLING
    window = np.kaiser(len(offset), 8.0)
    return np.asarray(np.fft.rfft(np.sinc(offset) * window, _FFT), dtype=np.complex64)
