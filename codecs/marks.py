"""Spoken marks: what a broadcast says of itself before its own words.

Law: a drill cannot be mistaken for the real thing by anybody who hears its beginning or its end. Encoded
once, like the house's signals.
"""

from functools import cache

import numpy as np

from .clip import EncodedClip, encode_clip
from .frame import SAMPLE_RATE
from .loudness import level
from .speech import speak
from .tones import Chime, encoded

DRILL_WORDS = "Đây là bản tin diễn tập."
_PAUSE_S = 0.4
"""Between the mark and what it is about: over a horn with an echo words run together sooner."""


@cache
def drill_mark() -> EncodedClip:
    """ "This is a drill", spoken. Takes 0.2 s the first time, so call it before going on air."""
    spoken = level(speak(DRILL_WORDS)).pcm
    return encode_clip(np.concatenate((spoken, np.zeros(int(_PAUSE_S * SAMPLE_RATE), np.int16))))


def encode_signals() -> None:
    """All there are: no alert waits for its own tone. Blocks for a second."""
    for chime in Chime:
        encoded(chime)
    drill_mark()
