"""What preparing a program found out about it, and its form in JSON (the worker's last line, the note beside
the audio).

Light on purpose: the worker imports this and none of the database.
"""

import math
from dataclasses import dataclass
from typing import Any

from ..errors import ProtocolError

MAX_PEAKS = 1_000


@dataclass(frozen=True, slots=True)
class Measured:
    """Frames of 20 ms (Opus) and 24 ms (MP3); `peaks`: a picture of the wave, about 200 values 0..100."""

    frames: int
    mp3_frames: int
    duration_s: float
    loudness_lufs: float
    true_peak_dbtp: float
    peaks: tuple[int, ...]


def build_measured(measured: Measured) -> dict[str, object]:
    return {
        "frames": measured.frames,
        "mp3_frames": measured.mp3_frames,
        "duration_s": measured.duration_s,
        "loudness_lufs": measured.loudness_lufs,
        "true_peak_dbtp": measured.true_peak_dbtp,
        "peaks": list(measured.peaks),
    }


def parse_measured(fields: Any) -> Measured:
    """The inverse of `build_measured`."""
    try:
        measured = Measured(
            int(fields["frames"]),
            int(fields["mp3_frames"]),
            float(fields["duration_s"]),
            float(fields["loudness_lufs"]),
            float(fields["true_peak_dbtp"]),
            tuple(int(peak) for peak in fields["peaks"][:MAX_PEAKS]),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as problem:
        raise ProtocolError(f"measured: {problem}; expected what the worker measured") from problem
    if not (0 < measured.frames < 2**31 and 0 < measured.mp3_frames < 2**31):
        raise ProtocolError(
            f"measured: {measured.frames} frames, {measured.mp3_frames} of MP3; expected some"
        )
    if not all(map(math.isfinite, (measured.duration_s, measured.loudness_lufs, measured.true_peak_dbtp))):
        raise ProtocolError("measured: a length or level that is no number; expected some audio")
    return measured
