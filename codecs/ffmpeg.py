"""FFmpeg's encoders (through PyAV) behind one call: a frame goes in, its packets come out.

Laws: one thread at a time uses an encoder, as FFmpeg demands; nothing here reads a clock or a file.
FFmpeg's own log lines are dropped (PyAV's default): handing them to Python takes the interpreter's lock
from inside FFmpeg, where another thread may hold FFmpeg's, and that deadlocks.
"""

from fractions import Fraction
from typing import Literal

import av

from ..errors import InternalError
from .frame import SAMPLE_RATE, Pcm, require_frame, to_float

_TIME_BASE = Fraction(1, SAMPLE_RATE)


class FrameEncoder:
    """An encoder of int16 mono frames of one fixed length."""

    def __init__(
        self,
        codec: Literal["libopus", "libmp3lame", "aac"],
        sample_format: Literal["s16", "s16p", "fltp"],
        bit_rate: int,
        frame_samples: int,
        options: dict[str, str],
    ) -> None:
        context = av.CodecContext.create(codec, "w")
        context.sample_rate = SAMPLE_RATE
        context.layout = "mono"
        context.format = sample_format
        context.bit_rate = bit_rate
        context.time_base = _TIME_BASE
        context.options = options
        context.open()
        if context.frame_size != frame_samples:
            raise InternalError(f"{codec} takes frames of {context.frame_size} samples, not {frame_samples}")
        self._context = context
        self._sample_format = sample_format
        self._frame_samples = frame_samples
        self._next_sample = 0

    def encode(self, frame: Pcm) -> list[bytes]:
        """The packets that this frame completes; none while the encoder fills its look-ahead."""
        require_frame(frame, self._frame_samples)
        plane = (to_float(frame) if self._sample_format == "fltp" else frame).reshape(1, -1)
        media = av.AudioFrame.from_ndarray(plane, format=self._sample_format, layout="mono")
        media.sample_rate = SAMPLE_RATE
        media.time_base = _TIME_BASE
        media.pts = self._next_sample
        self._next_sample += self._frame_samples
        return [bytes(packet) for packet in self._context.encode(media)]
