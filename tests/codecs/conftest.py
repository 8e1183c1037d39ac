"""Sounds and readers that the tests of this room share. Recorded speech comes from Debian's alsa-utils:
tests that take it are marked `peer`; the others speak with the engine from the wheel."""

import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from loa.codecs.decode import decode
from loa.codecs.frame import Pcm
from loa.codecs.loudness import level
from loa.codecs.opus import OpusDecoder
from loa.codecs.speech import speak
from loa.codecs.tones import music_bed

_RECORDED = Path("/usr/share/sounds/alsa")
_NOTICE = (
    "Kính thưa bà con. Chiều nay trời có mưa to, nước sông lên nhanh. "
    "Đề nghị bà con đưa người già, trẻ nhỏ và gia súc đến nơi an toàn."
)


@pytest.fixture(scope="session")
def voice() -> Pcm:
    """Some eight seconds of synthetic Vietnamese at the house's level."""
    return level(speak(_NOTICE)).pcm


@pytest.fixture(scope="session")
def music() -> Pcm:
    return level(music_bed(8, seed=5)).pcm


@pytest.fixture(scope="session")
def recorded() -> Pcm:
    """Eleven seconds of a woman's voice, as recorded (-21 LUFS)."""
    files = sorted(path for path in _RECORDED.glob("*.wav") if path.stem != "Noise")
    assert files, f"no recordings in {_RECORDED}: install alsa-utils"
    return np.concatenate([block for path in files for block in decode(path, max_seconds=60)])


@pytest.fixture
def opus_decoded() -> Callable[[Sequence[bytes]], Pcm]:
    """Packets through one decoder."""

    def run(packets: Sequence[bytes]) -> Pcm:
        decoder = OpusDecoder()
        return np.concatenate([decoder.decode(packet) for packet in packets])

    return run


@pytest.fixture
def mp3_decoded() -> Callable[[Sequence[bytes]], Pcm]:
    """Frames through one of FFmpeg's decoders; each gives 1152 samples."""

    def run(frames: Sequence[bytes]) -> Pcm:
        context = av.CodecContext.create("mp3float", "r")
        assert isinstance(context, av.AudioCodecContext)
        sound = [context.decode(av.Packet(frame)) for frame in frames]
        assert all(len(one) == 1 and one[0].samples == 1152 for one in sound)
        joined = np.concatenate([np.asarray(one[0].to_ndarray()).reshape(-1) for one in sound])
        return np.asarray(np.clip(np.rint(joined * 32768), -32768, 32767), dtype=np.int16)

    return run


@pytest.fixture
def write_wav(tmp_path: Path) -> Callable[[str, Pcm], Path]:
    """A mono WAV at 48 kHz in the test's folder."""

    def write(name: str, pcm: Pcm) -> Path:
        path = tmp_path / name
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes(pcm.tobytes())
        return path

    return write
