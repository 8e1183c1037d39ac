"""Material that is encoded already: chimes and stored files laid end to end on one axis of positions.

Law: reading costs no codec work and no copy beyond the packet itself. Immutable; shared by whoever airs it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from ..codecs.frame import FRAME_US, MP3_FRAME_US


class Clip(Protocol):
    """Encoded audio: `frames` packets of 20 ms, and the same sound as `mp3_frames` frames of 24 ms."""

    @property
    def frames(self) -> int: ...
    @property
    def mp3_frames(self) -> int: ...
    def opus(self, index: int) -> bytes: ...
    def mp3(self, index: int) -> bytes: ...


class Reel:
    """Clips end to end. Positions are microseconds from the start of the first."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self._clips = [clip for clip in clips if clip.frames]
        self._ends = list(accumulate(clip.frames * FRAME_US for clip in self._clips))

    @property
    def length_us(self) -> int:
        return self._ends[-1] if self._ends else 0

    def opus(self, position_us: int) -> bytes | None:
        """The packet that holds `position_us`; None past the end."""
        clip, local_us = self._find(position_us)
        return clip.opus(local_us // FRAME_US) if clip else None

    def mp3(self, position_us: int) -> bytes | None:
        """The MP3 frame that holds `position_us`; None past the end (or where no whole frame is left)."""
        clip, local_us = self._find(position_us)
        index = local_us // MP3_FRAME_US
        return clip.mp3(index) if clip and index < clip.mp3_frames else None

    def _find(self, position_us: int) -> tuple[Clip | None, int]:
        n = bisect_right(self._ends, position_us)
        if position_us < 0 or n == len(self._clips):
            return None, 0
        return self._clips[n], position_us - (self._ends[n - 1] if n else 0)
