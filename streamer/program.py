"""A program: one source, encoded once per codec, as packets on the grid of network time.

A program is a reel of encoded clips (a chime, a file, both) that may be followed by a live feed. Laws:
packet k of Opus begins at k x 20 ms, frame j of MP3 at j x 24 ms; a live part is encoded once however many
listen, its MP3 only while someone wants it; a paused reel stands still, a paused live part flows by,
unencoded, and goes on with a fresh encoder. Owned by `Air`; ticked by the pump.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..codecs.frame import FRAME_SAMPLES, FRAME_US, MP3_FRAME_SAMPLES, MP3_FRAME_US, Pcm
from ..codecs.mp3 import Mp3Encoder
from ..codecs.opus import OpusEncoder
from .clips import Clip, Reel
from .timeline import Timeline

RING_FRAMES = 64
"""Live packets kept for readers that lag: 1.3 s, more than any block of a mount or packing of datagrams."""

FADE_IN_SAMPLES = 480
"""10 ms, so that a fresh encoder starts from silence (DESIGN.md section 3)."""


class LiveSource(Protocol):
    """What a live part is read from, one frame a tick."""

    def frame(self) -> Pcm:
        """The next 960 samples; silence when there are none."""
        ...


class _Ring:
    """The last packets of a live encoder by grid number; consecutive, oldest dropped."""

    def __init__(self) -> None:
        self._packets: deque[bytes] = deque(maxlen=RING_FRAMES)
        self.next = 0

    def put(self, number: int, packet: bytes) -> None:
        if number != self.next:
            self._packets.clear()
        self._packets.append(packet)
        self.next = number + 1

    def get(self, number: int) -> bytes | None:
        back = self.next - number
        return self._packets[-back] if 0 < back <= len(self._packets) else None


class _LiveMp3:
    """Live PCM cut to the 24 ms grid and encoded."""

    def __init__(self) -> None:
        self._encoder = Mp3Encoder()
        self._pcm = np.empty(0, np.int16)
        self._begin = 0
        self._due_k: int | None = None
        self.ring = _Ring()

    def push(self, k: int, frame: Pcm) -> None:
        """Take Opus-grid frame `k`; after a hole the grid is found anew."""
        if k != self._due_k:
            self._pcm = np.empty(0, np.int16)
            self._begin = k * FRAME_SAMPLES
        self._due_k = k + 1
        self._pcm = np.concatenate((self._pcm, frame))
        skip = min(-self._begin % MP3_FRAME_SAMPLES, len(self._pcm))
        self._take(skip)
        while len(self._pcm) >= MP3_FRAME_SAMPLES:
            number = self._begin // MP3_FRAME_SAMPLES
            self.ring.put(number, self._encoder.encode(self._take(MP3_FRAME_SAMPLES)))

    def _take(self, samples: int) -> Pcm:
        taken, self._pcm = self._pcm[:samples], self._pcm[samples:]
        self._begin += samples
        return taken


class Program:
    """Packets by grid number. `id` is 16 hex digits."""

    def __init__(self, program_id: str, clips: Sequence[Clip], live: LiveSource | None = None) -> None:
        self.id = program_id
        self._reel = Reel(clips)
        self._live = live
        self._timeline = Timeline()
        self._stopped_at_us = 0
        self._encoder: OpusEncoder | None = None
        self._opus = _Ring()
        self._mp3: _LiveMp3 | None = None
        self._mp3_wanted = 0

    @property
    def running(self) -> bool:
        return self._timeline.running

    @property
    def is_live(self) -> bool:
        return self._live is not None

    def start(self, k: int) -> None:
        """Begin (or go on after `pause`) with frame `k` of the Opus grid."""
        self._timeline.run(k * FRAME_US, self._stopped_at_us)

    def pause(self, k: int, *, rewind: bool = False) -> None:
        """Frame `k` and all after it are silent; `start` goes on here or, with `rewind`, at the beginning."""
        reached_us = self._timeline.halt(k * FRAME_US)
        self._stopped_at_us = 0 if rewind else reached_us
        self._encoder = None

    def left(self, k: int) -> int | None:
        """How many frames are left from `k` on; None for a live program, which is never over by itself."""
        at_us = self._timeline.position(k * FRAME_US)
        if self._live is not None or at_us is None:
            return None
        return max(0, self._reel.length_us - at_us) // FRAME_US

    def over(self, k: int) -> bool:
        """True once a reel has no packet for frame `k` or later."""
        return self.left(k) == 0

    def speaking(self, k: int) -> bool:
        """True where frame `k` belongs to the live part: whatever chime there was has ended."""
        at_us = self._timeline.position(k * FRAME_US)
        return self._live is not None and at_us is not None and at_us >= self._reel.length_us

    def produce(self, k: int) -> None:
        """Encode frame `k` of the live part. Called once a tick, in order; costs nothing for a reel."""
        if self._live is None:
            return
        frame = self._live.frame()
        if not self.speaking(k):
            return
        if self._encoder is None:
            self._encoder = OpusEncoder(lead_in=True)
            frame = _faded_in(frame)
        self._opus.put(k, self._encoder.encode(frame))
        if self._mp3 is not None:
            self._mp3.push(k, frame)

    def ready(self, k: int, count: int, now_k: int) -> bool:
        """Whether frames k .. k + count - 1 can be read at tick `now_k`: a reel at once, live when made."""
        return not self.speaking(k + count - 1) or k + count - 1 <= now_k

    def opus(self, k: int) -> bytes | None:
        """The packet of frame `k`; None where the program does not sound (or has not been encoded yet)."""
        at_us = self._timeline.position(k * FRAME_US)
        if at_us is None:
            return None
        return self._reel.opus(at_us) if at_us < self._reel.length_us else self._opus.get(k)

    def mp3(self, j: int) -> bytes | None:
        """The MP3 frame `j`; None as for `opus`."""
        at_us = self._timeline.position(j * MP3_FRAME_US)
        if at_us is None:
            return None
        if at_us < self._reel.length_us or self._mp3 is None:
            return self._reel.mp3(at_us)
        return self._mp3.ring.get(j)

    def want_mp3(self, wanted: bool) -> None:
        """Encode the live part as MP3 from now on, until as many have let go as have asked."""
        self._mp3_wanted = max(0, self._mp3_wanted + (1 if wanted else -1))
        if self._live is None or (self._mp3_wanted > 0) == (self._mp3 is not None):
            return
        self._mp3 = _LiveMp3() if self._mp3_wanted else None


def _faded_in(frame: Pcm) -> Pcm:
    ramp = np.minimum(np.arange(len(frame)) / FADE_IN_SAMPLES, 1.0)
    faded: Pcm = (frame * ramp).astype(np.int16)
    return faded
