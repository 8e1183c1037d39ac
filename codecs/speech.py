"""Text to speech with eSpeak NG, from the wheel that carries it: robotic, but intelligible, offline, in
Vietnamese.

Laws: the engine keeps its state in C globals, so one thread at a time speaks in a process, behind the one
lock of this file; a call blocks for about 1 % of the duration of what it says, so it belongs in a thread.
The engine varies its voice by chance: two readings of a text differ by a few milliseconds. What comes out
is not levelled yet.
"""

import ctypes
import threading
from collections.abc import Iterator
from functools import cache

import espeakng_loader
import numpy as np

from ..errors import InternalError, MediaError, NotFoundError
from .frame import Pcm, silence
from .resample import resample
from .vi_numbers import NORTHERN, SOUTHERN, Dialect
from .voices import Voice

ENGINE = "espeak-ng"
VOICES = ("vi", "vi-vn-x-central", "vi-vn-x-south")
"""Northern, central, southern."""

DEFAULT_RATE_WPM = 150
"""eSpeak's words are English ones; its default of 175 is too fast over a horn with an echo."""

MAX_TEXT_CHARS = 20_000
"""About half an hour: longer texts are spoken in parts."""

RATES_WPM = 80, 450
"""What the engine takes; it holds the slowest for anything below."""

_CONSTRUCTED = b"art/"
_MUTE = frozenset({"fo", "kaa", "xex"})
"""Voices of invented languages, and those without their dictionary in the wheel."""

_REGIONS = {
    "vi": ("Tiếng Việt, miền Bắc", NORTHERN),
    "vi-vn-x-central": ("Tiếng Việt, miền Trung", SOUTHERN),
    "vi-vn-x-south": ("Tiếng Việt, miền Nam", SOUTHERN),
}
"""Central Vietnam says its numbers as the south does (ngàn, lẻ)."""

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


class _Listed(ctypes.Structure):
    """espeak_VOICE of speak_lib.h; `languages` points to a priority and a tag."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


class Espeak:
    """The engine behind the seam of `voices.py`: Vietnamese first, then the wheel's other languages."""

    by_clause = True
    """It does not look beyond a clause anyway."""

    def voices(self) -> tuple[Voice, ...]:
        with _ENGINE:
            found = dict(_listed())
        first = [Voice(name, "vi", *_region(name)) for name in VOICES]
        return (*first, *(found[name] for name in sorted(found) if name not in VOICES))

    def speak(self, text: str, voice: Voice, speed: float) -> Pcm:
        slowest, fastest = RATES_WPM
        rate_wpm = round(min(fastest, max(slowest, DEFAULT_RATE_WPM * speed)))
        return _spoken(text, voice.id, rate_wpm)


def _region(name: str) -> tuple[str, str, Dialect]:
    told, dialect = _REGIONS[name]
    return told, ENGINE, dialect


def _listed() -> Iterator[tuple[str, Voice]]:
    """Ids and voices, as the engine's own files name them."""
    engine, _ = _engine()
    engine.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Listed))
    listed = engine.espeak_ListVoices(None)
    number = 0
    while listed[number]:
        one = listed[number].contents
        number += 1
        name = one.identifier.decode().rpartition("/")[2].lower()
        if not one.identifier.startswith(_CONSTRUCTED) and name not in _MUTE:
            yield name, Voice(name, name.partition("-")[0], one.name.decode().strip(), ENGINE)


def speak(text: str, *, voice: str = "vi", rate_wpm: int = DEFAULT_RATE_WPM) -> Pcm:
    """`text` spoken, with a pause at its end. NotFoundError for an unknown voice, MediaError for an empty
    text."""
    pcm = _spoken(text, voice, rate_wpm)
    if not len(pcm):
        raise MediaError(f"nothing in the text can be spoken by voice {voice!r}: {text[:40]!r}")
    return pcm


def _spoken(text: str, voice: str, rate_wpm: int) -> Pcm:
    """No samples when there is nothing to say."""
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
    return resample(pcm, rate_hz) if pcm.any() else silence(0)


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
