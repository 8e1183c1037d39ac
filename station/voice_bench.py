"""Which voices this node has: those of piper, if somebody put some into a folder, then those of the
wheel.

Light on purpose: the worker imports this and none of the database.
"""

from pathlib import Path

from ..codecs.piper import Piper
from ..codecs.speech import Espeak
from ..codecs.voices import VoiceEngine, Voices


def open_voices(piper: Path | None) -> Voices:
    """`piper`: a folder of .onnx files. ConfigError when it is unfit, or piper not installed. Blocks."""
    better: list[VoiceEngine] = [Piper(piper)] if piper is not None else []
    return Voices([*better, Espeak()])
