"""Text to speech with eSpeak NG, from the wheel that carries it: robotic, but intelligible, offline, in
Vietnamese.

Laws: the engine keeps its state in C globals, so one thread at a time speaks in a process, behind the one
lock of this file; a call blocks for about 1 % of the duration of what it says, so it belongs in a thread.
The engine varies its voice by chance: two readings of a text differ by a few milliseconds. What comes out
is not levelled yet.
"""

import ctypes
import threading
from functools import cache

import espeakng_loader
import numpy as np

from ..errors import InternalError, MediaError, NotFoundError
from .frame import Pcm
from .resample import resample

VOICES = ("vi", "vi-vn-x-central", "vi-vn-x-south")
"""Northern, central, southern."""

DEFAULT_RATE_WPM = 150
"""eSpeak's words are English ones; its default of 175 is too fast over a horn with an echo."""

MAX_TEXT_CHARS = 20_000
"""About half an hour: longer texts are spoken in parts."""

_SYNCHRONOUS = 2
_RATE_PARAMETER, _VOLUME_PARAMETER = 1, 2
_VOLUME = 70
"""Of 100, its default, at which loud vowels clip."""

_UTF8_WITH_END_PAUSE = 0x1001
_NO_EXIT = 0x8000
_OK = 0
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
"""Constants and signature of speak_lib.h, eSpeak NG 1.52."""

_ENGINE = threading.Lock()


def speak(text: str, *, voice: str = "vi", rate_wpm: int = DEFAULT_RATE_WPM) -> Pcm:
    """`text` spoken, with a pause at its end. NotFoundError for an unknown voice, MediaError for an empty
    text."""
    spoken = " ".join(text.replace("\0", " ").split())
    if not spoken or len(spoken) > MAX_TEXT_CHARS:
        raise MediaError(f"text to speak has {len(spoken)} letters, expected 1 to {MAX_TEXT_CHARS}")
    with _ENGINE:
        engine, rate_hz = _engine()
        if engine.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise NotFoundError(f"there is no voice {voice!r}, expected one of {', '.join(VOICES)}")
        engine.espeak_SetParameter(_RATE_PARAMETER, rate_wpm, 0)
        engine.espeak_SetParameter(_VOLUME_PARAMETER, _VOLUME, 0)
        pcm = _synthesise(engine, spoken)
    if not pcm.any():
        raise MediaError(f"nothing in the text can be spoken by voice {voice!r}: {spoken[:40]!r}")
    return resample(pcm, rate_hz)


def _synthesise(engine: ctypes.CDLL, text: str) -> Pcm:
    blocks: list[Pcm] = []

    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        if samples and count > 0:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    callback = _CALLBACK(take)
    engine.espeak_SetSynthCallback(callback)
    data = text.encode("utf-8", "replace") + b"\0"
    status = engine.espeak_Synth(data, len(data), 0, 0, 0, _UTF8_WITH_END_PAUSE, None, None)
    engine.espeak_Synchronize()
    if status != _OK:
        raise InternalError(f"eSpeak failed with status {status} on a text of {len(text)} letters")
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int16)


@cache
def _engine() -> tuple[ctypes.CDLL, int]:
    """The engine and its sampling rate. It is loaded once: initialising it again leaks what it had loaded."""
    try:
        engine = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise InternalError(f"the speech engine cannot be loaded: {error}") from error
    data_path = espeakng_loader.get_data_path().encode()
    rate_hz = engine.espeak_Initialize(_SYNCHRONOUS, 0, data_path, _NO_EXIT)
    if rate_hz <= 0:
        raise InternalError("the speech engine does not start, expected its data beside it")
    return engine, rate_hz
