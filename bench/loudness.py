"""loudness: whatever comes in arrives at the house's level, and no peak above its ceiling.

Speech, a whisper, a shout and music, each at several levels, go three ways: as a file (levelled whole), by a
microphone (jitter buffer and chain, in a room), and as a radio (levelled live, as made to be broadcast). Each
is measured by EBU R128, as it is handed to the encoders, after SETTLE_S of a live one: the gain has to hear
it first. `decoded_true_peak_dbtp` is what a loudspeaker makes of the packets: a lossy codec adds to peaks.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np

from ..codecs.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, blocks
from ..codecs.leveller import BROADCAST, LiveLeveller
from ..codecs.levels import TARGET_LUFS
from ..codecs.loudness import level
from ..codecs.music import music_bed
from ..codecs.opus import OpusDecoder, OpusEncoder
from ..codecs.survey import survey
from ..streamer.microphone import MicrophoneSource
from .recordings import at_level, in_room, shout, voice, whisper
from .result import Metrics

SETTLE_S = 5.0
_TIMES = 3
"""A recording is heard three times over: 34 s."""

_ROOM_DBFS = -62.0

_FAINTEST_RADIO_LUFS = -35.0
"""A radio that is fainter is broken, and is not lifted out of its hiss."""

Way = Callable[[Pcm], Pcm]


def run() -> Metrics:
    """Takes about a minute."""
    errors_lu: dict[str, list[float]] = {}
    peaks: list[float] = []
    decoded: list[float] = []
    for sound in _sounds():
        faint = survey(sound).lufs < _FAINTEST_RADIO_LUFS
        for way, through in _WAYS.items():
            if way == "radio" and faint:
                continue
            heard = through(sound)
            found = survey(heard)
            errors_lu.setdefault(way, []).append(abs(found.lufs - TARGET_LUFS))
            peaks.append(found.true_peak_dbtp)
            decoded.append(survey(_decoded(heard)).true_peak_dbtp)
    worst = {f"{way}_error_lu": max(errors) for way, errors in errors_lu.items()}
    return {
        "max_error_lu": max(worst.values()),
        "max_true_peak_dbtp": max(peaks),
        **worst,
        "decoded_true_peak_dbtp": max(decoded),
        "cases": len(peaks),
        "microphone_us_per_frame": _cost_us(),
    }


def _sounds() -> Iterator[Pcm]:
    for gain_db in (-24.0, -12.0, 0.0, 9.0):
        yield at_level(np.tile(voice(), _TIMES), gain_db)
    for peak_dbfs in (-24.0, -12.0, -3.0):
        yield np.tile(whisper(peak_dbfs), _TIMES)
    for peak_dbfs in (-6.0, 0.0, 6.0):
        yield np.tile(shout(peak_dbfs), _TIMES)
    for gain_db in (-10.0, 0.0, 8.0):
        yield at_level(music_bed(_TIMES * 12.0, seed=2), gain_db)


def _file(sound: Pcm) -> Pcm:
    return level(sound).pcm


def _microphone(sound: Pcm) -> Pcm:
    microphone, heard = MicrophoneSource(), []
    for k, frame in enumerate(blocks(in_room(sound, _ROOM_DBFS), FRAME_SAMPLES)):
        microphone.push(frame, k)
        heard.append(microphone.frame())
    return np.concatenate(heard)[round(SETTLE_S * SAMPLE_RATE) :]


def _radio(sound: Pcm) -> Pcm:
    leveller = LiveLeveller(BROADCAST)
    heard = [leveller.process(frame) for frame in blocks(sound, FRAME_SAMPLES)]
    return np.concatenate(heard)[round(SETTLE_S * SAMPLE_RATE) :]


def _decoded(pcm: Pcm) -> Pcm:
    encoder, decoder = OpusEncoder(lead_in=True), OpusDecoder()
    return np.concatenate([decoder.decode(encoder.encode(frame)) for frame in blocks(pcm, FRAME_SAMPLES)])


def _cost_us() -> float:
    """Of a frame of a microphone, all of it: jitter buffer, meter, watch and chain. The median."""
    microphone, spent_s = MicrophoneSource(), []
    for k, frame in enumerate(blocks(in_room(voice(), _ROOM_DBFS), FRAME_SAMPLES)):
        microphone.push(frame, k)
        begun_s = time.perf_counter()
        microphone.frame()
        spent_s.append(time.perf_counter() - begun_s)
    return float(np.median(spent_s)) * 1e6


_WAYS: dict[str, Way] = {"file": _file, "microphone": _microphone, "radio": _radio}
