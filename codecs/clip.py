"""A signal, encoded once in both codecs and kept in memory.

Laws: immutable; made by fresh encoders, so that it may be spliced in anywhere; a whole number of
GRID_SAMPLES long, so that it ends on both grids. It reads like stored audio: by number of the frame.
"""

from dataclasses import dataclass

from .frame import FRAME_SAMPLES, GRID_SAMPLES, MP3_FRAME_SAMPLES, Pcm, blocks, whole
from .mp3 import AlignedMp3Encoder
from .opus import OpusEncoder


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """The same sound as Opus packets of 20 ms and as MP3 frames of 24 ms."""

    opus_packets: tuple[bytes, ...]
    mp3_packets: tuple[bytes, ...]

    @property
    def frames(self) -> int:
        return len(self.opus_packets)

    @property
    def mp3_frames(self) -> int:
        return len(self.mp3_packets)

    def opus(self, index: int) -> bytes:
        return self.opus_packets[index]

    def mp3(self, index: int) -> bytes:
        return self.mp3_packets[index]


def encode_clip(pcm: Pcm) -> EncodedClip:
    """A signal of any length, filled up with silence to the grid. About 3 % of its duration on one core."""
    padded = whole(pcm, GRID_SAMPLES)
    encoder = OpusEncoder(tonal=True)
    mp3 = AlignedMp3Encoder()
    mp3_packets = [packet for frame in blocks(padded, MP3_FRAME_SAMPLES) for packet in mp3.encode(frame)]
    return EncodedClip(
        opus_packets=tuple(encoder.encode(frame) for frame in blocks(padded, FRAME_SAMPLES)),
        mp3_packets=(*mp3_packets, *mp3.finish()),
    )
