"""MP3 in the house's one shape: MPEG-1 Layer III, 48 kHz mono, constant 64 kb/s, no bit reservoir, bare
frames.

Laws: every frame is 192 bytes and decodes without the ones before it (`reservoir=0`: its main data begin in
itself), so a stream may be joined, cut and continued with another program's frames at any frame. One frame
in, one frame out, at once. There is no ID3, Xing or LAME header in what we send.

Delay. LAME holds back one frame and 1105 samples of filter delay. A live encoder is primed with a frame of
silence, so that its first call already returns a frame: MP3 frame k sounds what was fed as frame k
MP3_DELAY_SAMPLES (47 ms) late, which a listener over HTTP does not notice. What is encoded ahead
(`AlignedMp3Encoder`) has no such delay: its frame k sounds exactly the samples of frame k.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import InternalError, ProtocolError
from .ffmpeg import FrameEncoder
from .frame import MP3_FRAME_SAMPLES, Pcm, require_frame, silence

BIT_RATE = 64_000
MP3_FRAME_BYTES = 192
"""64,000 bit/s x 24 ms / 8; a whole number, so no frame is ever padded."""

MP3_DELAY_SAMPLES = MP3_FRAME_SAMPLES + 1105
"""From a sample fed to the live encoder to the same sample out of a decoder, the decoder's 529 included."""

OPTIONS = {"reservoir": "0", "compression_level": "5"}

_HEADER_BYTES = 4
_BIT_RATES_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_MONO = 3

_ALIGN_FRAMES = -(-MP3_DELAY_SAMPLES // MP3_FRAME_SAMPLES)
_ALIGN_SAMPLES = _ALIGN_FRAMES * MP3_FRAME_SAMPLES - MP3_DELAY_SAMPLES
"""Feed this much silence first, drop that many frames, and frame k is at home."""


@dataclass(frozen=True, slots=True)
class Mp3Header:
    """The four bytes at the head of an MPEG-1 Layer III frame (ISO/IEC 11172-3, 2.4.1.3)."""

    bit_rate: int
    sample_rate: int
    channels: int
    checksum: bool
    frame_bytes: int


def parse_frame_header(data: bytes, offset: int = 0) -> Mp3Header:
    """The header at `offset`. ProtocolError for anything but MPEG-1 Layer III with a stated bit rate."""
    head = data[offset : offset + _HEADER_BYTES]
    if len(head) < _HEADER_BYTES:
        raise ProtocolError(f"MP3 header at byte {offset} has {len(head)} bytes, expected {_HEADER_BYTES}")
    if head[0] != 0xFF or head[1] & 0xFE != 0xFA:
        raise ProtocolError(f"no MP3 frame at byte {offset}: {head.hex()}, expected sync fffa or fffb")
    rate_index, frequency_index = head[2] >> 4, head[2] >> 2 & 3
    if not 0 < rate_index < len(_BIT_RATES_KBPS) or frequency_index >= len(_SAMPLE_RATES):
        raise ProtocolError(
            f"MP3 header at byte {offset} ({head.hex()}) states no valid bit rate or frequency"
        )
    bit_rate, sample_rate = _BIT_RATES_KBPS[rate_index] * 1000, _SAMPLE_RATES[frequency_index]
    return Mp3Header(
        bit_rate=bit_rate,
        sample_rate=sample_rate,
        channels=1 if head[3] >> 6 == _MONO else 2,
        checksum=not head[1] & 1,
        frame_bytes=MP3_FRAME_SAMPLES // 8 * bit_rate // sample_rate + (head[2] >> 1 & 1),
    )


def split_frames(data: bytes) -> list[bytes]:
    """Whole frames laid end to end, nothing else before, between or after; otherwise ProtocolError."""
    frames, at = [], 0
    while at < len(data):
        frame = data[at : at + parse_frame_header(data, at).frame_bytes]
        at += parse_frame_header(data, at).frame_bytes
        if at > len(data):
            raise ProtocolError(f"MP3 frame ends {at - len(data)} bytes after the end of the data")
        frames.append(frame)
    return frames


def reservoir_bytes(frame: bytes) -> int:
    """How many bytes of earlier frames this one needs (main_data_begin); 0 in all that we make."""
    header = parse_frame_header(frame)
    at = _HEADER_BYTES + (2 if header.checksum else 0)
    if len(frame) < at + 2:
        raise ProtocolError(f"MP3 frame of {len(frame)} bytes, expected side information at byte {at}")
    return frame[at] << 1 | frame[at + 1] >> 7


class Mp3Encoder:
    """A live program's encoder: frame k in, frame k out, its sound MP3_DELAY_SAMPLES late."""

    def __init__(self) -> None:
        self._encoder = FrameEncoder("libmp3lame", "s16p", BIT_RATE, MP3_FRAME_SAMPLES, OPTIONS)
        early = self._encoder.encode(silence(MP3_FRAME_SAMPLES))
        if early:
            raise InternalError("LAME returned a frame from its look-ahead, expected none before the second")

    def encode(self, frame: Pcm) -> bytes:
        """One MP3 frame (MP3_FRAME_BYTES) for these 1152 samples."""
        packets = self._encoder.encode(frame)
        if len(packets) != 1 or len(packets[0]) != MP3_FRAME_BYTES:
            raise InternalError(f"LAME gave {[len(p) for p in packets]} bytes, expected one frame of 192")
        return packets[0]


class AlignedMp3Encoder:
    """An encoder of what is known ahead: frame k of its output sounds exactly the samples of frame k."""

    def __init__(self) -> None:
        self._encoder = Mp3Encoder()
        self._carry = silence(_ALIGN_SAMPLES)
        self._skip = _ALIGN_FRAMES

    def encode(self, frame: Pcm) -> list[bytes]:
        """The MP3 frame that this frame (1152 samples) completes: none at first, later one."""
        require_frame(frame, MP3_FRAME_SAMPLES)
        joined = np.concatenate((self._carry, frame))
        self._carry = joined[MP3_FRAME_SAMPLES:]
        packet = self._encoder.encode(joined[:MP3_FRAME_SAMPLES])
        if self._skip:
            self._skip -= 1
            return []
        return [packet]

    def finish(self) -> list[bytes]:
        """What is still due; after it, as many frames have come out as went in."""
        return [packet for _ in range(_ALIGN_FRAMES) for packet in self.encode(silence(MP3_FRAME_SAMPLES))]


def silence_frame() -> bytes:
    """A frame of silence: what an encoder makes of zeros from its first frame on."""
    return Mp3Encoder().encode(silence(MP3_FRAME_SAMPLES))
