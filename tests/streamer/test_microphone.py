"""The microphone as a program reads it."""

import numpy as np

from loa.codecs.frame import FRAME_SAMPLES, Pcm
from loa.codecs.voice_watch import Remark
from loa.streamer.microphone import MicrophoneSource


def tone(samples: int, amplitude: int = 8000) -> Pcm:
    return np.asarray(amplitude * np.sin(np.arange(samples) / 20), dtype=np.int16)


def test_it_is_silent_until_it_is_heard() -> None:
    microphone = MicrophoneSource()
    assert microphone.last_heard_us is None
    assert not microphone.frame().any()
    assert microphone.level.rms_dbfs < -90


def test_what_is_pushed_comes_out_and_the_time_is_kept() -> None:
    microphone = MicrophoneSource()
    frames = []
    for k in range(100):
        microphone.push(tone(960), 1_000_000 + k * 20_000)
        frames.append(microphone.frame())
    assert microphone.last_heard_us == 1_000_000 + 99 * 20_000
    assert all(frame.shape == (FRAME_SAMPLES,) for frame in frames)
    assert np.abs(frames[-1]).max() > 1000
    assert -17 < microphone.level.rms_dbfs < -13
    assert not microphone.level.clipped


def test_pieces_of_any_length_are_taken() -> None:
    microphone = MicrophoneSource()
    for samples in (1, 479, 1000, 2880):
        microphone.push(tone(samples), 0)
    assert microphone.delay_samples == 4360
    assert microphone.frame().shape == (FRAME_SAMPLES,)


def test_a_clipping_microphone_shows_though_the_leveller_turns_it_down() -> None:
    microphone = MicrophoneSource()
    for _ in range(5):
        microphone.push(np.clip(tone(960, 32_000).astype(np.int32) * 4, -32768, 32767).astype(np.int16), 0)
        frame = microphone.frame()
    assert microphone.level.clipped
    assert np.abs(frame).max() < 32_000


def test_closed_it_is_silent_and_takes_nothing() -> None:
    microphone = MicrophoneSource()
    microphone.push(tone(4800), 5)
    microphone.close()
    microphone.close()
    microphone.push(tone(4800), 6)
    assert microphone.closed
    assert microphone.last_heard_us == 5
    assert not microphone.frame().any()


def test_what_is_wrong_is_told_and_a_network_that_stops_is_no_muted_microphone() -> None:
    microphone = MicrophoneSource()
    for _ in range(300):
        microphone.frame()
    assert not microphone.remarks
    for k in range(300):
        microphone.push(np.zeros(960, np.int16), k)
        microphone.frame()
    assert microphone.remarks == (Remark.MUTE,)
