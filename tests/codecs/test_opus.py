"""Opus: one packet for each frame, on the grid; and a decoder that survives anything."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import FRAME_SAMPLES, Pcm, blocks, silence
from loa.codecs.opus import (
    OPUS_PACKET_BYTES,
    PRE_SKIP,
    OpusDecoder,
    OpusEncoder,
    packet_samples,
    silence_packet,
)
from loa.errors import InternalError, MediaError

Decoded = Callable[[Sequence[bytes]], Pcm]


def _encode(pcm: Pcm, *, tonal: bool = False) -> list[bytes]:
    encoder = OpusEncoder(tonal=tonal)
    return [encoder.encode(frame) for frame in blocks(pcm, FRAME_SAMPLES)]


@pytest.mark.parametrize("tonal", [False, True])
def test_each_frame_gives_one_packet_of_80_bytes_that_says_20_ms(voice: Pcm, tonal: bool) -> None:
    packets = _encode(voice, tonal=tonal)
    assert len(packets) == len(voice) // FRAME_SAMPLES
    assert {len(packet) for packet in packets} == {OPUS_PACKET_BYTES}
    assert {packet_samples(packet) for packet in packets} == {FRAME_SAMPLES}


def test_packet_k_sounds_frame_k_later_by_the_pre_skip(music: Pcm, opus_decoded: Decoded) -> None:
    heard = opus_decoded(_encode(music)).astype(np.float64)
    said = music[: len(heard)].astype(np.float64)
    spectrum = np.fft.rfft(heard, 2 * len(heard)) * np.conj(np.fft.rfft(said, 2 * len(said)))
    assert int(np.argmax(np.fft.irfft(spectrum))) == PRE_SKIP


def test_the_sound_survives(voice: Pcm, music: Pcm, opus_decoded: Decoded) -> None:
    for pcm in (voice, music):
        heard = opus_decoded(_encode(pcm))[PRE_SKIP:]
        likeness = np.corrcoef(heard, pcm[: len(heard)])[0, 1]
        assert likeness > 0.9


def test_a_lead_in_is_a_packet_of_silence_and_a_rise(music: Pcm, opus_decoded: Decoded) -> None:
    encoder = OpusEncoder(lead_in=True)
    packets = [encoder.encode(frame) for frame in blocks(music[48_000:96_000], FRAME_SAMPLES)]
    assert packets[0] == silence_packet()
    heard, plain = opus_decoded(packets), opus_decoded(_encode(music[48_000:96_000]))
    rise = heard[FRAME_SAMPLES + PRE_SKIP :][:240]
    assert 10 < np.abs(rise).max() < 0.6 * np.abs(plain[FRAME_SAMPLES + PRE_SKIP :][:240]).max()
    assert np.corrcoef(heard[4800:], plain[4800:])[0, 1] > 0.98


def test_encoding_is_the_same_each_time(voice: Pcm) -> None:
    assert _encode(voice) == _encode(voice)


def test_zeros_give_the_silence_packet_from_the_first_frame_on() -> None:
    assert set(_encode(silence(100 * FRAME_SAMPLES))) == {silence_packet()}


def test_silence_follows_any_sound_after_one_packet(voice: Pcm, music: Pcm) -> None:
    for pcm in (voice, music):
        decoder = OpusDecoder()
        for packet in _encode(pcm)[:100]:
            decoder.decode(packet)
        decoder.decode(silence_packet())
        assert not decoder.decode(silence_packet()).any()


def test_a_frame_of_the_wrong_length_is_our_own_bug() -> None:
    with pytest.raises(InternalError, match="expected int16"):
        OpusEncoder().encode(silence(480))


# RFC 6716 table 2 and section 3.2: configuration, code -> samples at 48 kHz.
@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (bytes([0 << 3]), 480),
        (bytes([1 << 3]), 960),
        (bytes([11 << 3]), 2880),
        (bytes([12 << 3]), 480),
        (bytes([15 << 3]), 960),
        (bytes([16 << 3]), 120),
        (bytes([31 << 3]), 960),
        (bytes([30 << 3 | 1]), 960),
        (bytes([31 << 3 | 2]), 1920),
        (bytes([28 << 3 | 3, 8]), 960),
        (bytes([28 << 3 | 3, 0]), 0),
    ],
)
def test_the_duration_that_a_packet_states(packet: bytes, samples: int) -> None:
    assert packet_samples(packet) == samples


@pytest.mark.parametrize(
    ("packet", "says"),
    [
        (b"", "0 bytes"),
        (bytes(1501), "1501 bytes"),
        (bytes([31 << 3 | 3]), "frame count"),
        (bytes([30 << 3]) + bytes(79), "holds 480 samples"),
        (bytes([31 << 3 | 1]) + bytes(79), "holds 1920 samples"),
        (bytes([28 << 3 | 3, 8 | 0x80]) + b"\xff" * 3, "does not decode"),
    ],
    ids=["empty", "huge", "no count", "10 ms", "40 ms", "bad lengths"],
)
def test_a_bad_packet_is_refused_and_leaves_the_decoder_as_it_was(
    packet: bytes, says: str, music: Pcm
) -> None:
    packets = _encode(music)[:20]
    plain, disturbed = OpusDecoder(), OpusDecoder()
    for good in packets:
        with pytest.raises(MediaError, match=says):
            disturbed.decode(packet)
        assert np.array_equal(disturbed.decode(good), plain.decode(good))


@settings(max_examples=300, deadline=None)
@given(packets=st.lists(st.binary(max_size=200), max_size=6))
def test_random_bytes_are_sound_or_a_media_error(packets: list[bytes]) -> None:
    decoder = OpusDecoder()
    for packet in packets:
        try:
            pcm = decoder.decode(packet)
        except MediaError:
            pcm = decoder.conceal()
        assert pcm.shape == (FRAME_SAMPLES,)
        assert pcm.dtype == np.int16


@settings(max_examples=200, deadline=None)
@given(garbage=st.binary(min_size=78, max_size=78), head=st.sampled_from([0x08, 0x48, 0x78, 0xF8, 0xD1]))
def test_random_bytes_behind_a_true_head_decode_to_a_frame(garbage: bytes, head: int) -> None:
    assert OpusDecoder().decode(bytes([head]) + garbage).shape == (FRAME_SAMPLES,)


def test_a_closed_decoder_says_so() -> None:
    decoder = OpusDecoder()
    packet = silence_packet()
    decoder.decode(packet)
    decoder.close()
    decoder.close()
    with pytest.raises(InternalError, match="closed"):
        decoder.decode(packet)
