"""What a live microphone goes through before it is aired: high-pass, expander, automatic gain, limiter.

Laws: frame by frame and causal; the same frames give the same sound; delayed by LATENCY_SAMPLES, the
limiter's. A shy voice and a shouting one come out equally loud (leveller.py); between words what is left of
the room sinks by at most DEPTH_DB, and never a word with it; nothing passes CEILING_DBTP. One chain per
microphone, owned by its source.
"""

from .filters import FrameFilter, high_pass
from .frame import FRAME_SAMPLES, Pcm, Samples, require_frame, to_float, to_pcm
from .leveller import AutoGain, turned
from .levels import from_db, to_db
from .limiter import LATENCY_SAMPLES as LATENCY_SAMPLES
from .limiter import Limiter

HIGH_PASS_HZ = 80.0
"""The deepest voices begin at 85 Hz, and no horn sounds below 200: what is lower is steps, wind, and hum."""

DEPTH_DB = 10.0
"""Gentle: the room is still there, as it is in a studio; a gate that shuts makes holes that listeners take
for a broken line."""

_BELOW_VOICE_DB = 22.0
"""What lies so far under the voice may be the room; the softest consonants lie above."""

_NEAR_ROOM_DB = 7.5
"""And is the room, when it is as near as that to its quietest moment (leveller.py)."""

_HOLD_FRAMES = 8
"""160 ms after a word: its last consonant."""

_CLOSE_DB = 1.0
"""Per frame: shut in 0.2 s, as a room dies away. It opens within the frame that a word begins in."""


class Expander:
    """The gain of what lies between words, in decibels; from levels of frames, in LUFS."""

    def __init__(self) -> None:
        self.gain_db = 0.0
        self._quiet_frames = 0

    def step(self, level_db: float, room_db: float, voice_db: float) -> float:
        """The gain at the end of this frame. `voice_db`: as far as it is known."""
        room = level_db < voice_db - _BELOW_VOICE_DB and level_db < room_db + _NEAR_ROOM_DB
        self._quiet_frames = self._quiet_frames + 1 if room else 0
        if self._quiet_frames > _HOLD_FRAMES:
            self.gain_db = max(-DEPTH_DB, self.gain_db - _CLOSE_DB)
        elif not room:
            self.gain_db = 0.0
        return self.gain_db


class VoiceChain:
    """Feed frames of 960 samples; each gives a frame, LATENCY_SAMPLES late."""

    def __init__(self) -> None:
        self._high_pass = FrameFilter(high_pass(HIGH_PASS_HZ))
        self._auto = AutoGain()
        self._expander = Expander()
        self._limiter = Limiter()
        self._gain = 1.0

    @property
    def gain_db(self) -> float:
        """Of the moment, without the limiter's."""
        return to_db(self._gain)

    @property
    def voice(self) -> bool:
        """Whether the latest frame stood out from its room."""
        return self._auto.voice

    def process(self, frame: Pcm) -> Pcm:
        """The frame that is due."""
        require_frame(frame, FRAME_SAMPLES)
        limited = self._limiter.process(self._lifted(self._high_pass.process(to_float(frame))))
        self._auto.aired(self._limiter.kept)
        return to_pcm(limited)

    def _lifted(self, samples: Samples) -> Samples:
        before, auto = self._gain, self._auto
        gain = auto.step(samples)
        self._gain = gain * from_db(self._expander.step(auto.level_db, auto.room_db, auto.loudness_db))
        return turned(samples, before, self._gain)
