"""A live microphone as a program reads it: one frame each 20 ms, clear and level, whatever its network does.

Laws: `frame` never fails and never waits; silence stands for what is not there; after `close` it is silent
and takes nothing more. Owned by the broadcast that waits for it; `Whip` (or whoever decodes) pushes into it.
"""

from ..codecs.frame import FRAME_SAMPLES, Pcm, silence
from ..codecs.meter import Level, LevelMeter
from ..codecs.voice_chain import VoiceChain
from ..codecs.voice_watch import Remark, VoiceWatch
from .jitter import JitterCounters, JitterFifo


class MicrophoneSource:
    """`level` is of the sound as it came, before the chain, so that a mute or clipping microphone shows."""

    def __init__(self) -> None:
        self._fifo = JitterFifo()
        self._chain = VoiceChain()
        self._meter, self._watch = LevelMeter(), VoiceWatch()
        self.level: Level = self._meter.measure(silence(FRAME_SAMPLES))
        self.last_heard_us: int | None = None
        self.closed = False
        self.title = ""

    @property
    def counters(self) -> JitterCounters:
        return self._fifo.counters

    @property
    def delay_samples(self) -> int:
        """What lies between arrival and air at this moment."""
        return self._fifo.held_samples

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What is wrong with it, the worst first; nothing when nothing comes."""
        return self._watch.remarks

    def push(self, pcm: Pcm, now_us: int) -> None:
        """Sound that has just come: int16 mono 48 kHz, of any length."""
        if not self.closed:
            self._fifo.push(pcm)
            self.last_heard_us = now_us

    def frame(self) -> Pcm:
        """The next 960 samples."""
        if self.closed:
            return silence(FRAME_SAMPLES)
        heard = self._fifo.frame()
        self.level = self._meter.measure(heard)
        if self._fifo.flowing:
            self._watch.hear(heard, self.level)
        return self._chain.process(heard)

    def close(self) -> None:
        """End it. Closing twice is fine."""
        self.closed = True
