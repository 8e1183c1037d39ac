"""The house's own signals: information, warning, all-clear.

Laws: nobody takes one for another, on a horn, with the sound of rain, in either codec: they differ in
rhythm (two strokes; four groups of three quick bursts; one slow swell), in range and in colour. None holds
853 and 960 Hz at once (the attention signal of the United States), three equal beats a second apart (ISO
8201, "evacuate") or a falling 1200 to 500 Hz sweep (DIN 33404). Each call gives the same samples.
"""

from enum import Enum
from functools import cache

import numpy as np

from .clip import EncodedClip, encode_clip
from .frame import GRID_SAMPLES, Pcm, Samples, to_pcm
from .music import music_bed as music_bed
from .synth import Partial, add_at, held, normalised, struck, swept


class Chime(Enum):
    """What a signal tells before a word is spoken."""

    INFORMATION = "information"
    WARNING = "warning"
    ALL_CLEAR = "all_clear"


_GRID_UNITS = {Chime.INFORMATION: 15, Chime.WARNING: 30, Chime.ALL_CLEAR: 21}
"""1.8, 3.6 and 2.52 s, in units of 120 ms. The attention signal before an alert lasts 3 to 10 s (ISO
7240-16, 7.2.2)."""

_PEAKS = {Chime.INFORMATION: 0.50, Chime.WARNING: 0.84, Chime.ALL_CLEAR: 0.50}
"""-6 dBFS for what is pleasant, -1.5 dBFS for what must be heard over rain; the codecs add up to a
decibel."""

_BELL = (
    Partial(1.0, 1.0),
    Partial(2.0, 0.45, 0.7),
    Partial(3.01, 0.22, 0.5),
    Partial(5.2, 0.10, 0.25),
)
"""A struck bar: the higher, the sooner gone; slightly out of tune, as bars are."""

_HORN = (Partial(1.0, 1.0), Partial(2.0, 0.6), Partial(3.0, 0.45), Partial(4.0, 0.25), Partial(5.0, 0.15))
"""A brassy colour, strong where a small horn and the ear are best, 1 to 4 kHz."""

_ORGAN = (Partial(1.0, 1.0), Partial(2.0, 0.30), Partial(3.0, 0.08))
"""Soft, nearly a sine."""


def render(chime: Chime) -> Pcm:
    """The signal, a whole number of GRID_SAMPLES, silent at both ends."""
    canvas: Samples = np.zeros(_GRID_UNITS[chime] * GRID_SAMPLES, dtype=np.float32)
    match chime:
        case Chime.INFORMATION:
            _information(canvas)
        case Chime.WARNING:
            _warning(canvas)
        case Chime.ALL_CLEAR:
            _all_clear(canvas)
    return to_pcm(normalised(canvas, _PEAKS[chime]))


@cache
def encoded(chime: Chime) -> EncodedClip:
    """The signal in both codecs. Encoding takes about 0.2 s, so it is done once; call it before going on
    air."""
    return encode_clip(render(chime))


def _information(canvas: Samples) -> None:
    """Two strokes, high and low: a third, as door bells have it."""
    add_at(canvas, 0.0, struck(783.99, 1.1, 0.42, _BELL))
    add_at(canvas, 0.48, struck(622.25, 1.3, 0.50, _BELL))


def _warning(canvas: Samples) -> None:
    """Four groups of three rising bursts, 240 ms apart; the third leaps. Nothing sounds between 800 and
    1000 Hz."""
    for group in range(4):
        start_s = 0.9 * group
        add_at(canvas, start_s, swept(510, 620, 0.18, _HORN))
        add_at(canvas, start_s + 0.24, swept(620, 760, 0.18, _HORN))
        add_at(canvas, start_s + 0.48, swept(1040, 1320, 0.24, _HORN))


def _all_clear(canvas: Samples) -> None:
    """A major chord that opens from below and rests: no beat, no edge."""
    for step, hertz in enumerate((261.63, 392.00, 523.25, 659.26)):
        start_s = 0.30 * step
        add_at(canvas, start_s, held(hertz, 2.45 - start_s, 0.25, 0.9, _ORGAN), 1.0 - 0.12 * step)
