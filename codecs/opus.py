"""Opus in the house's one shape: 48 kHz mono, 20 ms, constant 32 kb/s, so every packet is 80 bytes.

Laws: one frame in, one packet out, at once: packet k belongs to frame k of the grid. What a decoder makes
of packet k is frame k delayed by PRE_SKIP samples (6.5 ms), the same for every program, so programs stay
aligned with one another. A program starts with a fresh encoder; a listener's decoder goes on from one
program's packets to another's: with a lead-in it is exact at once where a program starts, and within a few
packets where it joins in the middle (tests/codecs/test_splice.py has the figures). An encoder or decoder
belongs to one thread at a time.

The decoder is libopus, not FFmpeg's own: it conceals a lost packet when it is given one that has a
table-of-contents byte and no frame ("discontinuous transmission or lost", RFC 6716 section 2.1.9 and
3.2.1), by continuing the pitch of what it played last, and its next packet is cross-faded from there. It
never ends such a continuation by itself as fast as we want, so the fade is ours.
"""

import av
import numpy as np
from av.error import FFmpegError

from ..errors import InternalError, MediaError
from .ffmpeg import FrameEncoder
from .frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, require_frame, silence

BIT_RATE = 32_000
OPUS_PACKET_BYTES = 80
PRE_SKIP = 312
"""Look-ahead of libopus at application=audio, in samples at 48 kHz; goes into the Ogg head."""

OPTIONS = {
    "vbr": "off",
    "frame_duration": "20",
    "application": "audio",
    "packet_loss": "5",
    "compression_level": "7",
}
"""Complexity 7 is the lowest at which libopus listens to what it encodes and gives speech to its hybrid
mode: PESQ 4.4 on recorded speech (the same at 10, for 10 % more work; 3.3 at 6 and below, where all is
CELT). In this mode a loss setting of 0 to 30 % changed neither PESQ nor how soon a decoder that joins in
the middle comes right."""

TONAL_OPTIONS = OPTIONS | {"packet_loss": "20", "compression_level": "5"}
"""For signals: CELT only, and each packet's energies coded afresh, so any decoder is exact after one
packet, wherever it joins. The hybrid mode predicts a steady tone from its own past, and after a splice
stays wrong (error 9 dB above the sound) for a whole burst."""

_FADE_IN_SAMPLES = 480
"""10 ms, as every program begins."""

_CONCEAL_GAINS = (1.0, 1.0, 0.75, 0.5, 0.25, 0.0)
"""Gain at the start of each concealed frame, and at the end of the last. One lost packet is played in full,
since most losses are single; silence is reached at 100 ms, before a continued vowel is heard as a note."""

_RETURN_SAMPLES = 480
"""10 ms from the faded level back to full, when packets come again."""

_MAX_PACKET_BYTES = 1500
"""More than any datagram carries; one frame of 20 ms is 1275 at most (RFC 6716 section 3.4)."""


def packet_samples(packet: bytes) -> int:
    """How many samples (at 48 kHz) a packet says it holds: RFC 6716 section 3.1. MediaError when it cannot
    say."""
    if not packet:
        raise MediaError("Opus packet is empty, expected at least a table-of-contents byte")
    config, code = packet[0] >> 3, packet[0] & 3
    if code == 3 and len(packet) < 2:
        raise MediaError("Opus packet ends before its frame count, expected a second byte")
    frames = (1, 2, 2, packet[1] & 63 if code == 3 else 0)[code]
    return frames * _frame_samples(config)


def _frame_samples(config: int) -> int:
    if config < 12:
        return (480, 960, 1920, 2880)[config & 3]
    if config < 16:
        return (480, 960)[config & 1]
    return (120, 240, 480, 960)[config & 3]


def _lost(packet: bytes) -> bytes:
    """What stands for the packet after this one when it is lost: the same coding, every frame of no bytes.
    (The code for the number of frames cannot be taken over: libopus pads short frames to 80 bytes as code
    3.)"""
    frames = FRAME_SAMPLES // _frame_samples(packet[0] >> 3)
    head = packet[0] & 0xFC
    return bytes((head,)) if frames == 1 else bytes((head | 3, frames))


class OpusEncoder:
    """One program's encoder, new for every start of a program.

    `tonal` is for signals, not for speech or music. With `lead_in`, a packet of silence stands for the
    first frame and the second is faded in: a decoder that comes from another program forgets at the silence
    what it predicts from, and is exact from there on. Without it the first 100 ms are wrong by up to 10 dB
    over the sound, with peaks 4 dB too high.
    """

    def __init__(self, *, tonal: bool = False, lead_in: bool = False) -> None:
        options = TONAL_OPTIONS if tonal else OPTIONS
        self._encoder = FrameEncoder("libopus", "s16", BIT_RATE, FRAME_SAMPLES, options)
        self._lead_in_frames = 2 if lead_in else 0

    def encode(self, frame: Pcm) -> bytes:
        """The packet (OPUS_PACKET_BYTES) of this frame (960 samples)."""
        require_frame(frame, FRAME_SAMPLES)
        packets = self._encoder.encode(self._led_in(frame) if self._lead_in_frames else frame)
        if len(packets) != 1 or len(packets[0]) != OPUS_PACKET_BYTES:
            sizes = [len(packet) for packet in packets]
            raise InternalError(f"libopus gave {sizes} bytes for one frame, expected one packet of 80")
        return packets[0]

    def _led_in(self, frame: Pcm) -> Pcm:
        self._lead_in_frames -= 1
        return silence(FRAME_SAMPLES) if self._lead_in_frames else _ramp_head(frame, 0.0, _FADE_IN_SAMPLES)


class OpusDecoder:
    """One listener's decoder; goes on across programs, losses and packets it refused."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "r")
        context.sample_rate = SAMPLE_RATE
        context.layout = "mono"
        context.format = "s16"
        context.open()
        self._context: av.AudioCodecContext | None = context
        self._lost: bytes | None = None
        self._concealed = 0

    def decode(self, packet: bytes) -> Pcm:
        """960 samples. A packet that is none, or holds another duration, is a MediaError and changes
        nothing."""
        if not 1 <= len(packet) <= _MAX_PACKET_BYTES:
            raise MediaError(f"Opus packet of {len(packet)} bytes, expected 1 to {_MAX_PACKET_BYTES}")
        held = packet_samples(packet)
        if held != FRAME_SAMPLES:
            raise MediaError(f"Opus packet holds {held} samples, expected {FRAME_SAMPLES} (20 ms)")
        pcm = self._run(packet)
        self._lost = _lost(packet)
        gain = _CONCEAL_GAINS[min(self._concealed, len(_CONCEAL_GAINS) - 1)] if self._concealed else 1.0
        self._concealed = 0
        return _ramp_head(pcm, gain, _RETURN_SAMPLES) if gain < 1.0 else pcm

    def conceal(self) -> Pcm:
        """960 samples that continue what was played last, silent from the sixth call in a row on."""
        step, self._concealed = self._concealed, self._concealed + 1
        if self._lost is None or step + 1 >= len(_CONCEAL_GAINS):
            return silence(FRAME_SAMPLES)
        pcm = self._run(self._lost)
        gains = np.linspace(_CONCEAL_GAINS[step], _CONCEAL_GAINS[step + 1], FRAME_SAMPLES, dtype=np.float32)
        return np.asarray(pcm * gains, dtype=np.int16)

    def close(self) -> None:
        """Frees the decoder; further calls are a bug. Closing twice is fine."""
        self._context = None

    def _run(self, packet: bytes) -> Pcm:
        if self._context is None:
            raise InternalError("decoder is closed, expected no more packets")
        try:
            frames = self._context.decode(av.Packet(packet))
        except FFmpegError as error:
            raise MediaError(f"Opus packet of {len(packet)} bytes does not decode: {error}") from error
        if len(frames) != 1 or frames[0].samples != FRAME_SAMPLES:
            held = [frame.samples for frame in frames]
            raise MediaError(f"Opus packet gave {held} samples, expected one frame of {FRAME_SAMPLES}")
        return np.asarray(frames[0].to_ndarray(), dtype=np.int16).reshape(-1)


def silence_packet() -> bytes:
    """A packet of silence: what an encoder makes of zeros from its first frame on, and to which any decoder
    falls silent after the overlap of 2.5 ms."""
    return OpusEncoder().encode(silence(FRAME_SAMPLES))


def _ramp_head(pcm: Pcm, gain: float, samples: int) -> Pcm:
    gains = np.ones(FRAME_SAMPLES, dtype=np.float32)
    gains[:samples] = np.linspace(gain, 1.0, samples, dtype=np.float32)
    return np.asarray(pcm * gains, dtype=np.int16)
