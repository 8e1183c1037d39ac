"""Text to speech with piper, where voice files (.onnx, and .onnx.json beside it) have been put in a folder.

Laws: piper runs as a process of its own, text in at its standard input, raw samples out, so its licence
(GPL-3.0), its memory and its faults stay its own; nothing is fetched from anywhere. A voice without its
.json, or with one that says nothing of rate and language, is a ConfigError when the voices are listed; that
piper itself is not installed is one too. Source: piper's command line, `--model`, `--length-scale`,
`--output-raw`, the same in its versions 1.2 and 1.3.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, MediaError
from .frame import Pcm, silence
from .resample import resample
from .vi_numbers import NORTHERN, SOUTHERN
from .voices import Voice

ENGINE = "piper"
COMMAND = (sys.executable, "-P", "-m", "piper")
PATIENCE_S = 300.0
"""A sentence takes a second or two with the loading of the voice; a slow Arm board takes a minute."""

MAX_SECONDS = 600
"""Of sound from one sentence: more is a process gone astray."""

_RATES_HZ = 8_000, 48_000
_BYTES = 2


@dataclass(frozen=True, slots=True)
class _Model:
    path: Path
    rate_hz: int


class Piper:
    """The engine behind the seam of `voices.py`. `command`: what runs piper."""

    by_clause = False
    """It shapes the melody of a whole sentence."""

    def __init__(self, folder: Path, command: tuple[str, ...] | None = None) -> None:
        if command is None and find_spec("piper") is None:
            raise ConfigError(
                f"piper_voices {folder}: piper is not installed; expected the package piper-tts beside Loa"
            )
        self._command = command or COMMAND
        found = dict(_voice(path) for path in _models(folder))
        self._models = {voice.id: model for voice, model in found.items()}
        self._voices = tuple(found)

    def voices(self) -> tuple[Voice, ...]:
        return self._voices

    def speak(self, text: str, voice: Voice, speed: float) -> Pcm:
        model = self._models[voice.id]
        arguments = ("--model", str(model.path), "--length-scale", f"{1 / speed:.3f}", "--output-raw")
        line = " ".join(text.split()) + "\n"
        try:
            done = subprocess.run(  # noqa: S603 - the command is the operator's, the text goes in by a pipe
                [*self._command, *arguments],
                input=line.encode(),
                capture_output=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MediaError(
                f"voice {voice.id}: silent for {PATIENCE_S:.0f} s; expected a sentence"
            ) from error
        except OSError as error:
            raise MediaError(f"voice {voice.id}: {error.strerror}; expected piper to run") from error
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
            raise MediaError(
                f"voice {voice.id}: piper ended with {done.returncode} ({words}); expected sound"
            )
        return _samples(done.stdout, voice, model.rate_hz)


def _samples(raw: bytes, voice: Voice, rate_hz: int) -> Pcm:
    if len(raw) % _BYTES or len(raw) > MAX_SECONDS * rate_hz * _BYTES:
        raise MediaError(f"voice {voice.id}: {len(raw)} bytes; expected int16 samples of one sentence")
    pcm = np.frombuffer(raw, dtype="<i2").astype(np.int16)
    return resample(pcm, rate_hz) if pcm.any() else silence(0)


def _models(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".onnx")
    except OSError as error:
        raise ConfigError(f"piper_voices {folder}: {error.strerror}; expected a folder of .onnx") from error
    if not found:
        raise ConfigError(f"piper_voices {folder}: it holds no voice; expected .onnx files with their .json")
    return found


def _voice(path: Path) -> tuple[Voice, _Model]:
    note = path.with_name(path.name + ".json")
    try:
        said: Any = json.loads(note.read_bytes())
        rate_hz = int(said["audio"]["sample_rate"])
        language = str(said["language"]["code"]).replace("_", "-").lower().partition("-")[0]
        accent = str(said.get("espeak", {}).get("voice", language))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"piper voice {path.name}: {note.name} does not say its rate and language; expected the file "
            "that is published with the voice"
        ) from error
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1] or not language.isalpha():
        raise ConfigError(
            f"piper voice {path.name}: {rate_hz} Hz, {language!r}; expected a rate and a language"
        )
    dialect = SOUTHERN if accent.endswith(("central", "south")) else NORTHERN
    return Voice(f"{ENGINE}:{path.stem}", language, path.stem, ENGINE, dialect), _Model(path, rate_hz)
