"""What is wrong with a microphone while it is live: silence, a voice too quiet, clipping, hum, feedback.

Laws: frame by frame, from the sound as it came; nobody is told of what a pause, a vowel or a held note does;
what is told stays for TOLD_FRAMES after it was last so, that it can be read. About 30 us a frame. One watch
per microphone, owned by its source.
"""

from collections import deque
from enum import StrEnum

import numpy as np

from .frame import FRAME_SAMPLES, Pcm, Samples, require_frame, to_float
from .howl import Howl
from .hum import Hum
from .levels import from_db
from .meter import Level

TOLD_FRAMES = 150
"""3 s."""

_SILENT_DBFS = -66.0
_SILENT_FRAMES = 250
"""5 s: browsers that take the noise out make a pause as silent as a muted microphone, but few pauses are so
long."""

_QUIET_DBFS = -46.0
_SPEECH_FRAMES, _REMEMBERED_FRAMES = 100, 500
"""A voice is too quiet when its mean over two seconds of speech within ten is: the gain could bring it up,
but the room with it."""

_QUIET_EVERY = 5

_STANDS_OUT_DB, _FAINTEST_DBFS, _ROOM_FRAMES = 10.0, -76.0, 75
"""What is that much over the quietest moment of the last 1.5 s is a voice here. (A detector of speech is of
no use for this: webrtcvad hears hardly any voice below -45 dBFS.)"""

_HOT = from_db(-1.0)
_HOT_PART = 0.05
"""Clipped sound that has been through Opus has no flat tops any more, but in a fifth of its frames (6 dB too
loud) more than 5 % of the samples still lie within 1 dB of full scale; in speech whose highest peak is there,
no frame has so many."""

_CLIPS, _CLIP_FRAMES = 5, 100
"""One is a knock on the table."""


class Remark(StrEnum):
    """Said to the announcer in words."""

    MUTE = "mute"
    QUIET = "quiet"
    CLIPPING = "clipping"
    HUM = "hum"
    FEEDBACK = "feedback"


class VoiceWatch:
    """Feed each frame as it came, with its level; then read `remarks`."""

    def __init__(self) -> None:
        self._frame = 0
        self._until = dict.fromkeys(Remark, 0)
        self._silent_frames = 0
        self._levels: deque[float] = deque(maxlen=_ROOM_FRAMES)
        self._speech: deque[float] = deque([0.0] * _REMEMBERED_FRAMES, maxlen=_REMEMBERED_FRAMES)
        """Powers of the frames in which a voice stood out, 0 for the others."""
        self._clips: deque[bool] = deque(maxlen=_CLIP_FRAMES)
        self._hum, self._howl = Hum(), Howl()

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What is wrong now, the worst first."""
        return tuple(remark for remark, until in self._until.items() if self._frame < until)

    def hear(self, frame: Pcm, level: Level) -> None:
        """960 samples."""
        require_frame(frame, FRAME_SAMPLES)
        self._frame += 1
        samples = to_float(frame)
        self._silent_frames = self._silent_frames + 1 if level.peak_dbfs < _SILENT_DBFS else 0
        self._tell(Remark.MUTE, self._silent_frames >= _SILENT_FRAMES)
        self._tell(Remark.QUIET, self._too_quiet(level.rms_dbfs))
        self._tell(Remark.CLIPPING, self._clipping(samples, level))
        self._tell(Remark.HUM, self._hum.hear(samples))
        self._tell(Remark.FEEDBACK, self._howl.hear(samples))

    def _tell(self, remark: Remark, so: bool) -> None:
        if so:
            self._until[remark] = self._frame + TOLD_FRAMES

    def _too_quiet(self, level_dbfs: float) -> bool:
        self._levels.append(level_dbfs)
        voice = level_dbfs > max(min(self._levels) + _STANDS_OUT_DB, _FAINTEST_DBFS)
        self._speech.append(from_db(level_dbfs) ** 2 if voice else 0.0)
        if not voice or self._frame % _QUIET_EVERY:
            return False
        powers = [power for power in self._speech if power]
        return len(powers) >= _SPEECH_FRAMES and sum(powers) < len(powers) * from_db(_QUIET_DBFS) ** 2

    def _clipping(self, samples: Samples, level: Level) -> bool:
        clipped = level.clipped
        if not clipped and level.peak_dbfs > -1.0:
            clipped = float(np.mean(np.abs(samples) > _HOT)) > _HOT_PART
        self._clips.append(clipped)
        return clipped and sum(self._clips) >= _CLIPS
