"""A recording in memory, brought to the rate of the house."""

import av
import numpy as np
from av.audio.resampler import AudioResampler

from .frame import SAMPLE_RATE, Pcm


def resample(pcm: Pcm, rate_hz: int) -> Pcm:
    """int16 mono at `rate_hz` to 48 kHz (FFmpeg's polyphase filter)."""
    if rate_hz == SAMPLE_RATE:
        return pcm
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    parts = resampler.resample(frame) + resampler.resample(None)
    return np.concatenate([np.asarray(part.to_ndarray(), dtype=np.int16).reshape(-1) for part in parts])
