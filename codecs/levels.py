"""Decibels, and the levels the house aims at."""

import math

TARGET_LUFS = -16.0
"""Programme level of all that is stored or live: EBU R128's measure, mono. A voice from a horn competes with
traffic and rain. Broadcast's -23 would leave 7 dB of the amplifier unused; what is louder than -16 has to be
compressed, because speech at -16 already touches the ceiling with its peaks, and that costs intelligibility.
It is also the level that podcasts settled on."""

CEILING_DBTP = -1.0
"""True peak that nothing passes (EBU R128): what lossy codecs and a DAC's filter add fits above it."""

SILENT_LUFS = -60.0
"""Below this a file is as good as silent: what is left is the noise of a sound card, and lifting it helps
nobody."""

FLOOR_DB = -120.0
"""What digital silence reads as; lower than the noise of 16 bits."""


def to_db(amplitude: float) -> float:
    """Of an amplitude, full scale 1.0; never under FLOOR_DB."""
    return max(FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB


def from_db(decibels: float) -> float:
    return float(10 ** (decibels / 20))
