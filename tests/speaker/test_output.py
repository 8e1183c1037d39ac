"""The outputs: a WAV whose samples lie where network time says."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES, FRAME_US, Pcm
from loa.errors import ConfigError
from loa.speaker.output import IDLE_MARGIN_US, NullOutput, WavOutput, check_output, open_output

BEGINS_US = 1_800_000_000_000_000


def frame(value: int) -> Pcm:
    return np.full(FRAME_SAMPLES, value, dtype=np.int16)


def samples(path: Path) -> Pcm:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_frames_lie_where_their_time_says_with_silence_between(tmp_path: Path) -> None:
    output = WavOutput(tmp_path / "out.wav")
    output.play(frame(1), BEGINS_US)
    output.play(frame(2), BEGINS_US + 5 * FRAME_US)
    output.close()
    heard = samples(tmp_path / "out.wav").reshape(-1, FRAME_SAMPLES)
    assert [int(row[0]) for row in heard] == [1, 0, 0, 0, 0, 2]
    side_car = json.loads((tmp_path / "out.wav.json").read_text("utf-8"))
    assert side_car == {"sample_0_network_us": BEGINS_US, "sample_rate": 48_000, "channels": 1}


def test_idle_time_is_silence(tmp_path: Path) -> None:
    output = WavOutput(tmp_path / "out.wav")
    for second in range(4):
        output.idle(BEGINS_US + second * 1_000_000)
    output.close()
    assert len(samples(tmp_path / "out.wav")) == 3 * 48_000


def test_a_frame_after_idle_time_is_not_too_late_for_the_file(tmp_path: Path) -> None:
    output = WavOutput(tmp_path / "out.wav")
    output.idle(BEGINS_US)
    output.idle(BEGINS_US + 1_000_000)
    output.play(frame(7), BEGINS_US + 1_000_000 - FRAME_US)
    output.close()
    heard = samples(tmp_path / "out.wav")
    assert output.dropped_samples == 0
    assert int(np.argmax(heard == 7)) == (1_000_000 - FRAME_US + IDLE_MARGIN_US) * 48 // 1000


def test_what_would_overlap_is_dropped_and_counted(tmp_path: Path) -> None:
    output = WavOutput(tmp_path / "out.wav")
    output.play(frame(1), BEGINS_US)
    output.play(frame(2), BEGINS_US + FRAME_US // 2)
    output.play(frame(3), BEGINS_US - 10 * FRAME_US)
    output.close()
    heard = samples(tmp_path / "out.wav")
    assert [int(np.count_nonzero(heard == value)) for value in (1, 2, 3)] == [960, 480, 0]
    assert output.dropped_samples == 480 + 960


def test_a_file_of_a_process_that_was_killed_can_be_read(tmp_path: Path) -> None:
    output = WavOutput(tmp_path / "out.wav")
    for number in range(101):
        output.play(frame(1), BEGINS_US + number * FRAME_US)
    assert len(samples(tmp_path / "out.wav")) >= 51 * FRAME_SAMPLES
    output.close()


@pytest.mark.parametrize("spec", ["", "wav", "wav:", "file:x", "device:", "nul", "null:x"])
def test_what_is_no_output_is_said(spec: str) -> None:
    with pytest.raises(ConfigError, match="expected null, wav:FILE, device"):
        check_output(spec)


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can be written"):
        open_output(f"wav:{tmp_path}", lambda: None)


def test_null_is_nothing() -> None:
    output = open_output("null", lambda: None)
    assert isinstance(output, NullOutput)
    assert not output.wants_sound
