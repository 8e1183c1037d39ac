"""Piper behind the seam: spoken to as its command line is, with a real process at the other end.

(The voice files are large and under licences of their own, so what answers here is a small program that
takes the same arguments and the same pipes.)
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from loa.codecs.frame import SAMPLE_RATE
from loa.codecs.piper import Piper
from loa.codecs.vi_numbers import NORTHERN, SOUTHERN
from loa.codecs.voices import Voice
from loa.errors import ConfigError, MediaError

PROGRAM = """
import argparse, array, math, sys
p = argparse.ArgumentParser()
p.add_argument("--model", required=True)
p.add_argument("--length-scale", type=float, default=1.0)
p.add_argument("--output-raw", action="store_true", required=True)
a = p.parse_args()
open(a.model, "rb").close()
for line in sys.stdin.buffer.read().decode("utf-8").splitlines():
    if "chết" in line:
        sys.exit("the voice is broken")
    if "lẻ" in line:
        sys.stdout.buffer.write(b"x")
    n = int(1600 * len(line) * a.length_scale) if "câm" not in line else 0
    sys.stdout.buffer.write(array.array("h", (int(8000 * math.sin(i * 0.1)) for i in range(n))).tobytes())
"""


def put_voice(folder: Path, name: str, *, rate: int = 16_000, accent: str = "vi") -> None:
    (folder / f"{name}.onnx").write_bytes(b"onnx")
    said = {
        "audio": {"sample_rate": rate, "quality": "low"},
        "language": {"code": "vi_VN", "family": "vi"},
        "espeak": {"voice": accent},
    }
    (folder / f"{name}.onnx.json").write_text(json.dumps(said))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    voices = tmp_path / "voices"
    voices.mkdir()
    put_voice(voices, "vi_VN-nam-low", accent="vi-vn-x-south")
    put_voice(voices, "vi_VN-bac-low")
    (voices / "README").write_text("not a voice")
    return voices


@pytest.fixture
def piper(folder: Path, tmp_path: Path) -> Piper:
    program = tmp_path / "piper.py"
    program.write_text(PROGRAM)
    return Piper(folder, (sys.executable, "-P", str(program)))


def test_voices_are_the_files_and_say_their_dialect(piper: Piper) -> None:
    assert piper.voices() == (
        Voice("piper:vi_VN-bac-low", "vi", "vi_VN-bac-low", "piper", NORTHERN),
        Voice("piper:vi_VN-nam-low", "vi", "vi_VN-nam-low", "piper", SOUTHERN),
    )


def test_a_sentence_comes_back_at_the_rate_of_the_house(piper: Piper) -> None:
    sentence = "Kính thưa bà con,\nnước lên."
    pcm = piper.speak(sentence, piper.voices()[0], 1.0)
    assert abs(len(pcm) - len(sentence) * 1600 * 3) < 100, "one line, 16 kHz to 48"
    spectrum = np.abs(np.fft.rfft(pcm[:SAMPLE_RATE]))
    assert int(np.argmax(spectrum)) == pytest.approx(16_000 * 0.1 / (2 * np.pi), abs=2)


def test_speed_shortens_what_is_said(piper: Piper) -> None:
    voice = piper.voices()[0]
    assert len(piper.speak("Mưa to.", voice, 2.0)) == pytest.approx(
        len(piper.speak("Mưa to.", voice, 1.0)) / 2, rel=0.01
    )


def test_a_silent_answer_is_nothing(piper: Piper) -> None:
    assert len(piper.speak("câm", piper.voices()[0], 1.0)) == 0


@pytest.mark.parametrize(
    ("text", "says"), [("chết", "piper ended.*the voice is broken"), ("lẻ", "expected int16")]
)
def test_a_process_that_fails_is_told(piper: Piper, text: str, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        piper.speak(text, piper.voices()[0], 1.0)


def test_a_command_that_does_not_run_is_told(folder: Path) -> None:
    nowhere = Piper(folder, (str(folder / "no-such-program"),))
    with pytest.raises(MediaError, match="expected piper to run"):
        nowhere.speak("Mưa.", nowhere.voices()[0], 1.0)


def test_without_the_package_the_setting_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piper", None)
    monkeypatch.delitem(sys.modules, "piper")
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ConfigError, match="piper is not installed"):
        Piper(folder)


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (None, "does not say its rate"),
        ("{", "does not say its rate"),
        ("[]", "does not say its rate"),
        ('{"audio": {"sample_rate": 16000}}', "does not say its rate"),
        ('{"audio": {"sample_rate": 7}, "language": {"code": "vi"}}', "expected a rate"),
        ('{"audio": {"sample_rate": 16000}, "language": {"code": "7"}}', "expected a rate"),
    ],
)
def test_a_voice_without_a_proper_note_is_refused(tmp_path: Path, note: str | None, says: str) -> None:
    (tmp_path / "x.onnx").write_bytes(b"")
    if note is not None:
        (tmp_path / "x.onnx.json").write_text(note)
    with pytest.raises(ConfigError, match=says):
        Piper(tmp_path, ("true",))


def test_a_folder_without_voices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no voice"):
        Piper(tmp_path, ("true",))
    with pytest.raises(ConfigError, match="expected a folder"):
        Piper(tmp_path / "none", ("true",))
