"""A recording in memory, brought to another rate."""

import av
import numpy as np
from av.audio.resampler import AudioResampler

from .frame import SAMPLE_RATE, Pcm


def resample(pcm: Pcm, rate_hz: int = SAMPLE_RATE, *, to_hz: int = SAMPLE_RATE) -> Pcm:
    """int16 mono, from `rate_hz` to `to_hz` (FFmpeg's polyphase filter)."""
    if rate_hz == to_hz:
        return pcm
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    resampler = AudioResampler(format="s16", layout="mono", rate=to_hz)
    parts = resampler.resample(frame) + resampler.resample(None)
    return np.concatenate([np.asarray(part.to_ndarray(), dtype=np.int16).reshape(-1) for part in parts])
