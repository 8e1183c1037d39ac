"""A music bed of our own, for the demo: a plucked five-tone melody over soft chords, composed by chance
from a seed.

Laws: the same seconds and seed give the same samples at each call; no work of anyone's is quoted. Quiet
enough to speak over.
"""

import numpy as np

from .frame import Pcm, Samples, to_pcm
from .synth import Partial, add_at, held, normalised, ramped, seconds, struck

_BEAT_S = 0.62
_BEATS_PER_BAR = 4
_BAR_S = _BEAT_S * _BEATS_PER_BAR

_SCALE_HERTZ = (293.66, 329.63, 392.00, 440.00, 523.25, 587.33, 659.26, 783.99, 880.00)
"""D E G A C: the five tones of northern Vietnamese song, over two octaves."""

_CHORDS = (
    (146.83, 220.00, 293.66),
    (130.81, 196.00, 329.63),
    (164.81, 196.00, 293.66),
    (110.00, 220.00, 329.63),
)
_NEXT_CHORD = ((1, 2, 3), (0, 3), (0, 3), (0, 1, 2))
"""Chords of the same five tones, and which may follow which."""

_STRING = tuple(Partial(n, n**-1.3, 1 / n**0.8) for n in range(1, 7))
"""A plucked string: partials at whole multiples, the higher the weaker and the shorter."""

_PAD = (Partial(1.0, 1.0), Partial(1.003, 0.7), Partial(2.0, 0.2))
"""Two voices a little apart, so that the chord breathes."""

_PEAK = 0.35
"""-9 dBFS: music under speech, and the leveller has nothing to limit."""


def music_bed(duration_s: float, seed: int = 1) -> Pcm:
    """`duration_s` of music, faded in and out."""
    chance = np.random.default_rng(seed)
    canvas: Samples = np.zeros(seconds(duration_s), dtype=np.float32)
    chord, tone = 0, 3
    for bar in range(int(duration_s / _BAR_S) + 1):
        _lay_chord(canvas, bar * _BAR_S, chord)
        tone = _pluck_bar(canvas, bar * _BAR_S, tone, chance)
        chord = int(chance.choice(_NEXT_CHORD[chord]))
    fade_s = min(0.8, duration_s / 4)
    return to_pcm(ramped(normalised(canvas, _PEAK), fade_s, fade_s))


def _lay_chord(canvas: Samples, start_s: float, chord: int) -> None:
    for hertz in _CHORDS[chord]:
        add_at(canvas, start_s, held(hertz, _BAR_S * 1.25, 0.6, 0.8, _PAD), 0.16)


def _pluck_bar(canvas: Samples, start_s: float, tone: int, chance: np.random.Generator) -> int:
    """One bar of melody by small steps from `tone`; half beats now and then, rests too. Gives the last
    tone."""
    for half_beat in range(2 * _BEATS_PER_BAR):
        on_beat = half_beat % 2 == 0
        if chance.random() > (0.8 if on_beat else 0.3):
            continue
        tone = int(np.clip(tone + chance.integers(-2, 3), 0, len(_SCALE_HERTZ) - 1))
        loudness = float(chance.uniform(0.5, 0.8)) * (1.0 if on_beat else 0.7)
        add_at(
            canvas, start_s + half_beat * _BEAT_S / 2, struck(_SCALE_HERTZ[tone], 1.8, 0.5, _STRING), loudness
        )
    return tone
