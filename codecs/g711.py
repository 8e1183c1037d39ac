"""G.711 (ITU-T, 1988): a sample of 8 kHz as one byte, on a curve of about the logarithm. The one codec that
every telephone and IP speaker knows.

Laws: pure; one byte for each sample; both curves are tables of 65,536 entries, made once by whoever encodes.
"""

from enum import Enum

import numpy as np
import numpy.typing as npt

from .frame import Pcm

RATE_HZ = 8_000

_BIAS = 132
_CLIP = 32_635
"""mu-law: the highest value that, with the bias, still has 15 bits."""

Table = npt.NDArray[np.uint8]


class Law(Enum):
    """`MU` in North America and Japan, `A` elsewhere."""

    MU = "mu"
    A = "a"


class G711Encoder:
    """`encode` takes int16 (n,) at 8 kHz and gives n bytes. It has no state."""

    def __init__(self, law: Law) -> None:
        values = np.arange(-32_768, 32_768, dtype=np.int32)
        self._table = _mu(values) if law is Law.MU else _a(values)

    def encode(self, pcm: Pcm) -> bytes:
        return self._table[pcm.astype(np.int32) + 32_768].tobytes()


def _mu(values: npt.NDArray[np.int32]) -> Table:
    magnitude = np.minimum(np.abs(values), _CLIP) + _BIAS
    segment = _bits(magnitude) - 8
    step = magnitude >> (segment + 3) & 0x0F
    sign = np.where(values < 0, 0x80, 0)
    return np.asarray(~(sign | segment << 4 | step) & 0xFF, dtype=np.uint8)


def _a(values: npt.NDArray[np.int32]) -> Table:
    magnitude = np.where(values < 0, ~values, values) >> 3
    segment = np.maximum(_bits(magnitude) - 5, 0)
    step = np.where(segment == 0, magnitude >> 1, magnitude >> segment) & 0x0F
    return np.asarray((segment << 4 | step) ^ np.where(values < 0, 0x55, 0xD5), dtype=np.uint8)


def _bits(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """How many bits each takes; 0 takes none."""
    return np.asarray(np.frexp(values.astype(np.float64))[1], dtype=np.int32)
