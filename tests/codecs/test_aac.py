"""AAC: one ADTS frame for each call, on the grid, and what happens where two programs meet."""

from itertools import product

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loa.codecs.aac import (
    AAC_DELAY_SAMPLES,
    AAC_FRAME_SAMPLES,
    BIT_RATE,
    AacEncoder,
    adts,
    parse_adts,
    silence_adts,
    split_adts,
)
from loa.codecs.frame import SAMPLE_RATE, Pcm, blocks, silence, to_float
from loa.codecs.tones import Chime, render
from loa.errors import InternalError, ProtocolError


def encoded(pcm: Pcm) -> list[bytes]:
    encoder = AacEncoder()
    return [encoder.encode(frame) for frame in blocks(pcm, AAC_FRAME_SAMPLES)]


def decoded(frames: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """By FFmpeg's decoder, which reads the frames as they come from a socket."""
    context = av.CodecContext.create("aac", "r")
    assert isinstance(context, av.AudioCodecContext)
    out = [f.to_ndarray().reshape(-1) for frame in frames for f in context.decode(av.Packet(frame))]
    return np.concatenate(out).astype(np.float32)


def test_the_sound_comes_back_as_late_as_it_is_said_to(voice: Pcm) -> None:
    said = to_float(voice[: 200 * AAC_FRAME_SAMPLES])
    heard = decoded(encoded(voice[: 200 * AAC_FRAME_SAMPLES]))
    size = 2 * len(said)
    product_ = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size))
    assert int(np.argmax(np.fft.irfft(product_))) == AAC_DELAY_SAMPLES
    late = heard[AAC_DELAY_SAMPLES:]
    error = late - said[: len(late)]
    assert 10 * np.log10(np.sum(error**2) / np.sum(said**2)) < -12


def test_every_frame_has_a_header_that_says_its_size(voice: Pcm) -> None:
    frames = encoded(voice[: 300 * AAC_FRAME_SAMPLES])
    assert split_adts(b"".join(frames)) == frames
    rate = sum(map(len, frames)) * 8 * SAMPLE_RATE / len(frames) / AAC_FRAME_SAMPLES
    assert rate < BIT_RATE * 1.1
    assert {parse_adts(frame).sample_rate_index for frame in frames} == {3}


def test_silence_is_silent_wherever_it_stands(voice: Pcm) -> None:
    frames = encoded(voice[: 100 * AAC_FRAME_SAMPLES])
    heard = decoded([*frames[:50], *[silence_adts()] * 10, *frames[50:]])
    assert np.abs(heard[52 * AAC_FRAME_SAMPLES : 60 * AAC_FRAME_SAMPLES]).max() < 1e-3


@pytest.mark.parametrize(("one", "other"), list(product(("voice", "music", "signal"), repeat=2)))
def test_after_a_splice_one_frame_is_mixed_and_the_rest_exact(
    one: str, other: str, voice: Pcm, music: Pcm
) -> None:
    sounds = {"voice": voice[30_000:], "music": music[60_000:], "signal": render(Chime.WARNING)}
    before, after = (encoded(np.concatenate((sounds[name], sounds[name]))) for name in (one, other))
    alone = decoded(after)
    for cut, start in product((20, 33, 47), (0, 40)):
        heard = decoded([*before[:cut], *after[start : start + 10]])
        at = cut * AAC_FRAME_SAMPLES
        wanted = alone[start * AAC_FRAME_SAMPLES :]
        assert (
            np.abs(
                heard[at + AAC_FRAME_SAMPLES : at + 8 * AAC_FRAME_SAMPLES]
                - wanted[AAC_FRAME_SAMPLES : 8 * AAC_FRAME_SAMPLES]
            ).max()
            < 1e-3
        )
        loudest = max(np.abs(heard[:at]).max(), np.abs(wanted[: 8 * AAC_FRAME_SAMPLES]).max())
        assert np.abs(heard[at : at + AAC_FRAME_SAMPLES]).max() < 1.5 * loudest


@given(st.binary(max_size=40))
def test_random_bytes_are_refused_or_split_whole(data: bytes) -> None:
    try:
        frames = split_adts(data)
    except ProtocolError:
        return
    assert b"".join(frames) == data


@pytest.mark.parametrize("size", [8185, 20_000])
def test_a_frame_that_no_header_can_tell_is_a_bug(size: int) -> None:
    with pytest.raises(InternalError, match="expected at most 8191"):
        adts(bytes(size))


def test_frames_of_another_length_are_refused() -> None:
    with pytest.raises(InternalError):
        AacEncoder().encode(silence(960))
