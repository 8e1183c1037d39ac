"""The claim on which switching stands: at one decoder, the packets of one program may follow those of
another.

Every pairing of speech, music, signal and silence, at six places each, onto the start of the second program
and into its middle (it was beneath, and returns). Compared with a decoder that heard the second program
alone. Measured, worst of all pairings, error against the sound's own level:
- onto the start: the first packet is silence; from the second on under -50 dB, no overshoot, with libopus
and with FFmpeg's
  own decoder;
- into the middle: the error falls by 4 to 6 dB a packet and is under -18 dB at 120 ms; overshoot 1.3 dB;
- into the middle with one packet of silence between: recorded speech is under -30 dB at the second packet;
- MP3 is exact after one frame; overshoot 3.5 dB.
"""

from collections.abc import Callable, Sequence
from itertools import product

import av
import numpy as np
import numpy.typing as npt
import pytest

from loa.codecs.clip import EncodedClip, encode_clip
from loa.codecs.frame import FRAME_SAMPLES, MP3_FRAME_SAMPLES, Pcm, blocks, silence, to_float
from loa.codecs.mp3 import AlignedMp3Encoder
from loa.codecs.opus import OpusDecoder, OpusEncoder, silence_packet
from loa.codecs.tones import Chime, render

Sound = npt.NDArray[np.float64]
KINDS = ("speech", "music", "signal", "silence")
CUTS = (20, 33, 47, 58, 71, 90)
AFTER = 10
QUIETEST = 0.01
"""Errors are measured against the sound's level, but at least -40 dBFS."""


def _coded(pcm: Pcm) -> EncodedClip:
    opus, mp3 = OpusEncoder(lead_in=True), AlignedMp3Encoder()
    frames = [out for frame in blocks(pcm, MP3_FRAME_SAMPLES) for out in mp3.encode(frame)]
    packets = tuple(opus.encode(frame) for frame in blocks(pcm, FRAME_SAMPLES))
    return EncodedClip(packets, (*frames, *mp3.finish()))


@pytest.fixture(scope="module")
def programs(voice: Pcm, music: Pcm) -> dict[str, EncodedClip]:
    return {
        "speech": _coded(voice[30_000:200_000]),
        "music": _coded(music[60_000:230_000]),
        "signal": encode_clip(render(Chime.WARNING)),
        "silence": _coded(silence(170_000)),
    }


def _libopus(packets: Sequence[bytes]) -> list[Sound]:
    decoder = OpusDecoder()
    return [to_float(decoder.decode(packet)).astype(np.float64) for packet in packets]


def _ffmpeg(codec: str, packets: Sequence[bytes]) -> list[Sound]:
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.AudioCodecContext)
    if codec == "opus":
        context.sample_rate, context.layout = 48_000, "mono"
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    return [np.asarray(frame.to_ndarray(), dtype=np.float64).reshape(-1) for frame in frames]


def _spliced(
    decode: Callable[[Sequence[bytes]], list[Sound]],
    one: Sequence[bytes],
    other: Sequence[bytes],
    start: int,
    cuts: Sequence[int] = CUTS,
) -> tuple[list[float], float]:
    """Worst error in dB for each packet after the splice, and the overshoot in dB over both sounds' peak."""
    alone = decode(other[: start + AFTER])[start:]
    level = max(QUIETEST, float(np.sqrt(np.mean(np.square(np.concatenate(alone))))))
    errors, overshoot = [], -200.0
    for cut in cuts:
        heard = decode([*one[:cut], *other[start : start + AFTER]])
        before, after = heard[:cut], heard[cut:]
        errors.append(
            [_db(np.sqrt(np.mean(np.square(a - b))) / level) for a, b in zip(after, alone, strict=True)]
        )
        peak = max(QUIETEST, *(float(np.abs(part).max()) for part in (*before, *alone)))
        overshoot = max(overshoot, _db(max(float(np.abs(part).max()) for part in after) / peak))
    return list(np.max(errors, axis=0)), overshoot


def _db(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-10)))


DECODERS = {"libopus": _libopus, "ffmpeg": lambda packets: _ffmpeg("opus", packets)}


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("one", "other"), list(product(KINDS, KINDS)))
def test_where_a_program_starts_it_is_exact_after_one_packet(
    one: str, other: str, decoder: str, programs: dict[str, EncodedClip]
) -> None:
    packets = programs[one].opus_packets, programs[other].opus_packets
    errors, overshoot = _spliced(DECODERS[decoder], *packets, start=0)
    assert max(errors[1:]) < -45
    assert overshoot < 0.5


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("one", "other"), list(product(KINDS, KINDS)))
def test_where_a_program_returns_its_error_dies_away(
    one: str, other: str, decoder: str, programs: dict[str, EncodedClip]
) -> None:
    packets = programs[one].opus_packets, programs[other].opus_packets
    errors, overshoot = _spliced(DECODERS[decoder], *packets, start=60)
    exact_from = 1 if other in ("signal", "silence") else 9
    assert errors[4] < -8
    assert errors[6] < -20
    assert max(errors[exact_from:]) < -35
    assert overshoot < 2


@pytest.mark.parametrize(("one", "other"), list(product(KINDS, KINDS)))
def test_a_packet_of_silence_between_takes_the_overshoot_away(
    one: str, other: str, programs: dict[str, EncodedClip]
) -> None:
    bridged = {cut: (*programs[one].opus_packets[:cut], silence_packet()) for cut in CUTS}
    after = programs[other].opus_packets
    for cut, before in bridged.items():
        errors, overshoot = _spliced(_libopus, before, after, start=60, cuts=[cut + 1])
        assert errors[1] < 3
        assert errors[6] < -20
        assert overshoot < 0.5


@pytest.mark.parametrize(("one", "other", "start"), list(product(KINDS, KINDS, [0, 50])))
def test_mp3_is_exact_after_one_frame(
    one: str, other: str, start: int, programs: dict[str, EncodedClip]
) -> None:
    frames = programs[one].mp3_packets, programs[other].mp3_packets
    errors, overshoot = _spliced(lambda p: _ffmpeg("mp3float", p), *frames, start)
    assert max(errors[1:]) < -100
    assert overshoot < 4.5
