"""G.722 (ITU-T, 1988): 16 kHz in two bands of ADPCM, 64 kb/s; the wideband of IP phones and speakers.

Laws: 320 samples in, 160 bytes out, at once. The encoder goes on from frame to frame, as its listener's
decoder does; both forget their past by themselves, so a listener may join anywhere and an encoder may begin
anew: after 20 ms the difference is below the noise. One thread at a time.
"""

from fractions import Fraction

import av
import numpy as np

from ..errors import InternalError
from .frame import Pcm, require_frame

RATE_HZ = 16_000
FRAME_16K = 320
FRAME_BYTES = 160


class G722Encoder:
    """FFmpeg's, which is exact to the recommendation."""

    def __init__(self) -> None:
        context = av.CodecContext.create("g722", "w")
        context.sample_rate = RATE_HZ
        context.layout = "mono"
        context.format = "s16"
        context.time_base = Fraction(1, RATE_HZ)
        context.open()
        self._context = context
        self._next_sample = 0

    def encode(self, pcm: Pcm) -> bytes:
        """`pcm`: int16 (320,) at 16 kHz."""
        require_frame(pcm, FRAME_16K)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm).reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE_HZ, Fraction(1, RATE_HZ), self._next_sample
        self._next_sample += FRAME_16K
        found = b"".join(bytes(packet) for packet in self._context.encode(frame))
        if len(found) != FRAME_BYTES:
            raise InternalError(f"G.722 gave {len(found)} bytes for one frame, expected {FRAME_BYTES}")
        return found
