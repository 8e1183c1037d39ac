"""speech: how much of a voice is left after the whole chain, with the voice processing bypassed.

A real recording is levelled as an upload is, encoded to Opus packets and decoded as a loudspeaker does, and
held against the original: PESQ wideband (ITU-T P.862.2), and STI by STIPA. At 24 kb/s, and at the 32 of the
house. `live` is the same through a microphone's jitter buffer and chain at 32, which is meant to change the
voice: it says what that costs.
"""

import importlib
from collections.abc import Callable

import numpy as np

from ..codecs.ffmpeg import FrameEncoder
from ..codecs.frame import FRAME_SAMPLES, Pcm, blocks, to_float, to_pcm
from ..codecs.loudness import level
from ..codecs.opus import BIT_RATE, OPTIONS, OpusDecoder
from ..codecs.resample import resample
from ..errors import OperatorError
from ..streamer.microphone import MicrophoneSource
from . import recordings, stipa
from .result import Metrics

NARROW_BPS = 24_000
_PESQ_HZ = 16_000
_LIVE_SETTLED = 2


def run() -> Metrics:
    """Takes about 20 s."""
    voice, signal = recordings.voice(), to_pcm(stipa.signal().astype(np.float32))
    return {
        "pesq_wb": _pesq(voice, _carried(level(voice).pcm, NARROW_BPS)),
        "sti": _sti(_carried(level(signal).pcm, NARROW_BPS)),
        "pesq_wb_32": _pesq(voice, _carried(level(voice).pcm, BIT_RATE)),
        "sti_32": _sti(_carried(level(signal).pcm, BIT_RATE)),
        "pesq_wb_live": _pesq(voice, _live(voice)),
        "sti_live": _sti(_live(signal)),
    }


def _carried(pcm: Pcm, bit_rate: int) -> Pcm:
    """Encoded and decoded."""
    encoder, decoder = FrameEncoder("libopus", "s16", bit_rate, FRAME_SAMPLES, OPTIONS), OpusDecoder()
    packets = [packet for frame in blocks(pcm, FRAME_SAMPLES) for packet in encoder.encode(frame)]
    return np.concatenate([decoder.decode(packet) for packet in packets])


def _live(pcm: Pcm) -> Pcm:
    """Its last third of three times, when the gain has settled, through a microphone and at 32 kb/s."""
    microphone, heard = MicrophoneSource(), []
    for k, frame in enumerate(blocks(np.tile(pcm, _LIVE_SETTLED + 1), FRAME_SAMPLES)):
        microphone.push(frame, k)
        heard.append(microphone.frame())
    return _carried(np.concatenate(heard), BIT_RATE)[_LIVE_SETTLED * len(pcm) :]


def _sti(heard: Pcm) -> float:
    return stipa.sti(to_float(heard).astype(np.float64))


def _pesq(original: Pcm, heard: Pcm) -> float:
    return float(
        _meter()(_PESQ_HZ, resample(original, to_hz=_PESQ_HZ), resample(heard, to_hz=_PESQ_HZ), "wb")
    )


def _meter() -> Callable[[int, Pcm, Pcm, str], float]:
    """Only who develops Loa has it, and it comes without types."""
    try:
        found: Callable[[int, Pcm, Pcm, str], float] = importlib.import_module("pesq").pesq
    except ImportError as error:
        raise OperatorError("bench: no pesq; expected the packages of requirements-test.lock") from error
    return found
