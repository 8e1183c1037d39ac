"""Levelling of live sound: a slow gain towards the house's level and a limiter, frame by frame, causal.

Laws: the loudness is measured as EBU R128 does (K-weighted windows of 400 ms, the quiet ones left out), over
the last seconds, and the gain makes up for what the limiter takes. In a room (VOICE) the gain rises only on
what stands out from it: what lies within 7.5 dB of the quietest moment of the last 1.5 s is the room, and
there any gain above one is taken back. Sound that was made to be broadcast (BROADCAST) has no room in it. The
gain falls on anything that is too loud, and nothing passes CEILING_DBTP (limiter.py). One leveller per
source, owned by who feeds it.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from .filters import K_WEIGHTING, FrameFilter
from .frame import FRAME_SAMPLES, Pcm, Samples, require_frame, to_float, to_pcm
from .levels import FLOOR_DB, TARGET_LUFS, from_db, to_db
from .limiter import LATENCY_SAMPLES as LATENCY_SAMPLES
from .limiter import Limiter


@dataclass(frozen=True, slots=True)
class Habits:
    """How one kind of sound is levelled."""

    stands_out_db: float
    """How far above the quietest moment a frame must be to be a voice; 0: there is no room."""

    memory: int
    """Over how many windows (100 ms apart) the loudness is remembered."""

    max_gain_db: float


VOICE = Habits(stands_out_db=7.5, memory=30, max_gain_db=36.0)
"""3 s: a sentence, so that no word is pulled up alone. 36 dB bring a whisper at -52 LUFS to the target.
K-weighted and by 20 ms, the noise of fans and rain spreads over 1 to 6 dB; of music a fifth stands out by
7.5, of speech nine tenths (measured)."""

BROADCAST = Habits(stands_out_db=0.0, memory=100, max_gain_db=24.0)
"""10 s: what is soft in a song stays softer than its chorus."""

_QUIETEST_DB = -56.0
"""Below this it is no sound that somebody means: what is left is a sound card's own noise."""

_ROOM_FRAMES = 75
"""1.5 s: nobody speaks so long without a gap between words, and a fan, rain or hum has none."""

_WINDOW_FRAMES, _STEP_FRAMES = 20, 5
_GATE = 0.1
"""R128's: 400 ms every 100 ms, and a window 10 LU below the rest does not count."""

_OTHER_WINDOWS = 25
"""So many windows below the gate, and none above, are not pauses: somebody else speaks. Measure anew."""

_POWER_OFFSET_DB = -0.691
"""BS.1770-5: loudness is the K-weighted power, less this."""

_MIN_GAIN_DB = -30.0
_UP_DB, _DOWN_DB = 0.12, 0.5
"""Per frame: 6 dB a second up, so that a word is not pulled up alone; 25 dB a second down."""

_FAR_UP_DB, _FAR_DB, _KNOWN_WINDOWS = 0.5, 4.0, 6
"""Whoever is far too quiet, and has spoken for half a second, need not wait."""

_MAKE_UP_DB = 4.0
"""The most by which gain makes up for the limiter; more would flatten the voice."""

_HOLD_FRAMES = 40
_RETREAT = 0.08
"""After 0.8 s without a voice the lift is taken back within a quarter of a second."""


def loudness_db(power: float) -> float:
    """LUFS of a K-weighted mean power; FLOOR_DB for none."""
    return max(FLOOR_DB, _POWER_OFFSET_DB + 10 * math.log10(power)) if power > 0 else FLOOR_DB


class Loudness:
    """Of the last seconds, from the power of each frame. What went in and what came out, side by side."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._frames: deque[tuple[float, float, bool]] = deque(maxlen=_WINDOW_FRAMES)
        self._seen = 0
        self._below = 0
        self._power, self._aired = 0.0, 0.0
        self.windows = 0

    @property
    def db(self) -> float:
        """LUFS of what came in; FLOOR_DB before the first window."""
        return loudness_db(self._power)

    @property
    def taken_db(self) -> float:
        """What the limiter takes of it."""
        return self.db - loudness_db(self._aired)

    @property
    def counts(self) -> bool:
        """Whether something in the last 400 ms did."""
        return any(frame[2] for frame in self._frames)

    def add(self, power: float, kept: float, counts: bool) -> None:
        """A frame: its K-weighted power, what part of it the limiter let through, whether it counts."""
        self._frames.append((power, power * kept, counts))
        self._seen += 1
        if self._seen % _STEP_FRAMES == 0 and self.counts:
            self._learn()

    def _learn(self) -> None:
        power = sum(frame[0] for frame in self._frames) / _WINDOW_FRAMES
        aired = sum(frame[1] for frame in self._frames) / _WINDOW_FRAMES
        if power < _GATE * self._power:
            self._below += 1
            if self._below < _OTHER_WINDOWS:
                return
            self.windows = 0
        self._below = 0
        self.windows += 1
        weight = 1 / min(self.windows, self._memory)
        self._power += weight * (power - self._power)
        self._aired += weight * (aired - self._aired)


class AutoGain:
    """The slow gain. `step` decides the gain of a frame; `aired` hears what the limiter left of it."""

    def __init__(self, habits: Habits = VOICE) -> None:
        self._habits = habits
        self._weighting = FrameFilter(K_WEIGHTING)
        self._levels: deque[float] = deque(maxlen=_ROOM_FRAMES)
        self._loudness = Loudness(habits.memory)
        self._slow_db = 0.0
        self._since_voice = _HOLD_FRAMES
        self._lift = 0.0 if habits.stands_out_db else 1.0
        self._heard = (0.0, False)
        self.level_db = FLOOR_DB
        """LUFS of the latest frame, as it came."""
        self.gain = 1.0

    @property
    def voice(self) -> bool:
        """Whether the latest frame stood out from its room."""
        return self._since_voice == 0

    @property
    def loudness_db(self) -> float:
        """Of the voice as it came, in LUFS; FLOOR_DB before there was one."""
        return self._loudness.db

    @property
    def room_db(self) -> float:
        """The quietest moment of the last 1.5 s."""
        return min(self._levels, default=FLOOR_DB)

    def step(self, samples: Samples) -> float:
        """The linear gain at the end of this frame."""
        weighted = self._weighting.process(samples)
        power = float(np.dot(weighted, weighted)) / FRAME_SAMPLES
        level_db = self.level_db = loudness_db(power)
        self._levels.append(level_db)
        least_db = max(self.room_db + self._habits.stands_out_db, _QUIETEST_DB)
        voice = level_db > least_db or (not self._habits.stands_out_db and level_db == least_db)
        self._heard = power, voice or level_db + self._slow_db > TARGET_LUFS
        self._since_voice = 0 if voice else self._since_voice + 1
        self._slew()
        if self._habits.stands_out_db:
            self._breathe(voice)
        self.gain = from_db(min(self._slow_db, 0.0) + self._lift * max(self._slow_db, 0.0))
        return self.gain

    def aired(self, kept: float) -> None:
        """`kept`: the part of the frame's power that the limiter let through."""
        power, counts = self._heard
        self._loudness.add(power, kept, counts)

    def _breathe(self, voice: bool) -> None:
        if voice:
            self._lift = 1.0
        elif self._since_voice > _HOLD_FRAMES:
            self._lift = max(0.0, self._lift - _RETREAT)

    def _slew(self) -> None:
        loudness = self._loudness
        if not loudness.windows or not loudness.counts:
            return
        wanted = TARGET_LUFS - loudness.db + min(loudness.taken_db, _MAKE_UP_DB)
        off_db = min(max(wanted, _MIN_GAIN_DB), self._habits.max_gain_db) - self._slow_db
        far = off_db > _FAR_DB and loudness.windows >= _KNOWN_WINDOWS
        self._slow_db += min(max(off_db, -_DOWN_DB), _FAR_UP_DB if far else _UP_DB)


class LiveLeveller:
    """Feed frames of 960 samples; each gives a frame, LATENCY_SAMPLES late."""

    def __init__(self, habits: Habits = VOICE) -> None:
        self._auto = AutoGain(habits)
        self._limiter = Limiter()

    @property
    def gain_db(self) -> float:
        """The slow gain of the moment, without the limiter's."""
        return to_db(self._auto.gain)

    def process(self, frame: Pcm) -> Pcm:
        """The frame that is due."""
        require_frame(frame, FRAME_SAMPLES)
        samples = to_float(frame)
        before, after = self._auto.gain, self._auto.step(samples)
        limited = self._limiter.process(turned(samples, before, after))
        self._auto.aired(self._limiter.kept)
        return to_pcm(limited)


def turned(samples: Samples, before: float, after: float) -> Samples:
    """A frame under a gain that goes from one value to another; in place."""
    if before != after:
        samples *= np.linspace(before, after, len(samples), dtype=np.float32)
    elif after != 1.0:
        samples *= np.float32(after)
    return samples
