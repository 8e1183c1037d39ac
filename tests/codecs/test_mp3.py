"""MP3: one frame for each call, on the grid, each independent of those before it."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loa.codecs.frame import MP3_FRAME_SAMPLES, Pcm, blocks, silence
from loa.codecs.mp3 import (
    BIT_RATE,
    MP3_DELAY_SAMPLES,
    MP3_FRAME_BYTES,
    AlignedMp3Encoder,
    Mp3Encoder,
    Mp3Header,
    parse_frame_header,
    reservoir_bytes,
    silence_frame,
    split_frames,
)
from loa.errors import InternalError, ProtocolError

Decoded = Callable[[Sequence[bytes]], Pcm]


def _live(pcm: Pcm) -> list[bytes]:
    encoder = Mp3Encoder()
    return [encoder.encode(frame) for frame in blocks(pcm, MP3_FRAME_SAMPLES)]


def _aligned(pcm: Pcm) -> list[bytes]:
    encoder = AlignedMp3Encoder()
    frames = [out for frame in blocks(pcm, MP3_FRAME_SAMPLES) for out in encoder.encode(frame)]
    return frames + encoder.finish()


def _lag(heard: Pcm, said: Pcm) -> int:
    """By how many samples `heard` is late (negative: early)."""
    size = 2 * max(len(heard), len(said))
    product = np.fft.rfft(heard.astype(np.float64), size) * np.conj(
        np.fft.rfft(said.astype(np.float64), size)
    )
    lag = int(np.argmax(np.fft.irfft(product)))
    return lag if lag < size // 2 else lag - size


def test_each_call_gives_one_frame_from_the_first_on(voice: Pcm) -> None:
    frames = _live(voice)
    assert len(frames) == len(voice) // MP3_FRAME_SAMPLES
    assert {len(frame) for frame in frames} == {MP3_FRAME_BYTES}
    expected = Mp3Header(BIT_RATE, 48_000, channels=1, checksum=False, frame_bytes=MP3_FRAME_BYTES)
    assert {parse_frame_header(frame) for frame in frames} == {expected}


def test_the_live_delay_is_what_it_is_said_to_be(music: Pcm, mp3_decoded: Decoded) -> None:
    assert _lag(mp3_decoded(_live(music)), music) == MP3_DELAY_SAMPLES


def test_aligned_frames_sound_their_own_samples(music: Pcm, mp3_decoded: Decoded) -> None:
    frames = _aligned(music)
    assert len(frames) == len(music) // MP3_FRAME_SAMPLES
    heard = mp3_decoded(frames)
    assert _lag(heard, music) == 0
    assert np.corrcoef(heard[5000:-5000], music[5000 : len(heard) - 5000])[0, 1] > 0.99


def test_nothing_leans_on_an_earlier_frame(voice: Pcm, music: Pcm, mp3_decoded: Decoded) -> None:
    for pcm in (voice, music):
        frames = _live(pcm)
        assert {reservoir_bytes(frame) for frame in frames} == {0}
        whole, joined = mp3_decoded(frames[:60]), mp3_decoded(frames[40:60])
        assert np.array_equal(joined[MP3_FRAME_SAMPLES:], whole[41 * MP3_FRAME_SAMPLES :])


def test_zeros_give_the_silence_frame_from_the_first_call_on(mp3_decoded: Decoded) -> None:
    assert set(_live(silence(50 * MP3_FRAME_SAMPLES))) == {silence_frame()}
    assert not mp3_decoded([silence_frame()] * 3).any()


def test_a_frame_of_the_wrong_length_is_our_own_bug() -> None:
    for encoder in (Mp3Encoder(), AlignedMp3Encoder()):
        with pytest.raises(InternalError, match="expected int16"):
            encoder.encode(silence(960))


def test_frames_end_to_end_come_apart_again(voice: Pcm) -> None:
    frames = _live(voice)
    assert split_frames(b"".join(frames)) == frames
    assert split_frames(b"") == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xfb\x54", "3 bytes"),
        (b"ID3\x04", "no MP3 frame"),
        (b"\xff\xf3\x54\xc4", "no MP3 frame"),
        (b"\xff\xfb\x04\xc4", "no valid bit rate"),
        (b"\xff\xfb\xf4\xc4", "no valid bit rate"),
        (b"\xff\xfb\x5c\xc4", "no valid bit rate"),
        (b"\xff\xfb\x54\xc4" + bytes(100), "88 bytes after"),
    ],
    ids=["short", "tag", "MPEG-2", "free rate", "bad rate", "bad frequency", "cut"],
)
def test_what_is_no_frame_is_refused_with_its_reason(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        split_frames(data)


def test_side_information_that_is_missing_is_refused() -> None:
    with pytest.raises(ProtocolError, match="side information"):
        reservoir_bytes(b"\xff\xfb\x54\xc4\x00")


@settings(max_examples=300)
@given(data=st.binary(max_size=2000) | st.binary(max_size=400).map(lambda b: b"\xff\xfb\x54\xc4" + b))
def test_random_bytes_are_frames_or_a_protocol_error(data: bytes) -> None:
    try:
        frames = split_frames(data)
    except ProtocolError:
        return
    assert b"".join(frames) == data


@pytest.mark.peer
def test_mpg123_and_ffmpeg_play_from_the_middle(voice: Pcm, tmp_path: Path) -> None:
    path = tmp_path / "joined.mp3"
    frames = _live(voice)[25:]
    path.write_bytes(b"".join(frames))
    played = tmp_path / "played.wav"
    mpg123 = subprocess.run(["mpg123", "-q", "-w", played, path], capture_output=True, check=True)
    assert mpg123.stderr == b""
    ffmpeg = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-"], capture_output=True, check=True
    )
    assert ffmpeg.stderr == b""
    said = voice[25 * MP3_FRAME_SAMPLES :]
    for heard in (np.fromfile(played, np.int16)[22:], np.frombuffer(ffmpeg.stdout, np.int16)):
        late = _lag(heard, said)
        assert abs(len(heard) - len(said)) <= 2 * MP3_FRAME_SAMPLES
        assert np.corrcoef(heard[late : late + 100_000], said[:100_000])[0, 1] > 0.98
