"""What our own sounds are made of: tones with an envelope, mixed at a place in time.

Laws: every function is a pure function of its arguments, and gives the same samples at each call. Samples
are float32 at 48 kHz, full scale 1.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .frame import SAMPLE_RATE, Samples


@dataclass(frozen=True, slots=True)
class Partial:
    """One sine within a tone: its frequency over the tone's, its strength, and its decay over the tone's."""

    ratio: float
    gain: float
    decay: float = 1.0


def seconds(duration_s: float) -> int:
    """In samples."""
    return round(duration_s * SAMPLE_RATE)


def time_axis(samples: int) -> Samples:
    return np.arange(samples, dtype=np.float32) / np.float32(SAMPLE_RATE)


def struck(hertz: float, duration_s: float, decay_s: float, partials: Sequence[Partial]) -> Samples:
    """A note that is struck and rings out: each partial falls to 1/e in decay_s x its own decay."""
    t = time_axis(seconds(duration_s))
    note = np.zeros_like(t)
    for partial in partials:
        wave = np.sin(np.float32(2 * np.pi * hertz * partial.ratio) * t)
        note += np.float32(partial.gain) * wave * np.exp(-t / np.float32(decay_s * partial.decay))
    return ramped(note, 0.004, min(0.05, duration_s / 4))


def held(
    hertz: float, duration_s: float, rise_s: float, fall_s: float, partials: Sequence[Partial]
) -> Samples:
    """A note that swells, stays and dies away."""
    t = time_axis(seconds(duration_s))
    note = np.zeros_like(t)
    for partial in partials:
        note += np.float32(partial.gain) * np.sin(np.float32(2 * np.pi * hertz * partial.ratio) * t)
    return ramped(note, rise_s, fall_s)


def swept(from_hertz: float, to_hertz: float, duration_s: float, partials: Sequence[Partial]) -> Samples:
    """A burst whose pitch glides, linear in pitch."""
    t = time_axis(seconds(duration_s)).astype(np.float64)
    rate = np.log(to_hertz / from_hertz) / duration_s
    phase = 2 * np.pi * from_hertz * np.expm1(rate * t) / rate
    burst = np.zeros(len(t), dtype=np.float64)
    for partial in partials:
        burst += partial.gain * np.sin(partial.ratio * phase)
    return ramped(burst.astype(np.float32), 0.008, 0.012)


def ramped(samples: Samples, rise_s: float, fall_s: float) -> Samples:
    """With a raised-cosine rise and fall, so that neither end clicks."""
    shaped = samples.copy()
    rise, fall = seconds(rise_s), seconds(fall_s)
    shaped[:rise] *= half_cosine(rise)
    if fall:
        shaped[-fall:] *= half_cosine(fall)[::-1]
    return shaped


def half_cosine(samples: int) -> Samples:
    """From 0 to 1, smooth at both ends."""
    return (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, samples))).astype(np.float32)


def add_at(canvas: Samples, start_s: float, sound: Samples, gain: float = 1.0) -> None:
    """Mix `sound` into `canvas` from `start_s` on; what runs over the end is left out."""
    start = seconds(start_s)
    room = canvas[start : start + len(sound)]
    room += np.float32(gain) * sound[: len(room)]


def normalised(samples: Samples, peak: float) -> Samples:
    """Scaled so that its largest sample is `peak`. Silence stays silence."""
    highest = float(np.max(np.abs(samples), initial=0.0))
    return samples * np.float32(peak / highest) if highest else samples
