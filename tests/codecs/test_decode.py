"""Decoding: whatever people upload comes out as sound, or as an error that says what is wrong."""

import os
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loa.codecs.decode import decode
from loa.codecs.frame import Pcm
from loa.errors import MediaError

RATE = 48_000
CODINGS = {
    "wav": ("pcm_s16le", 44_100, "stereo"),
    "flac": ("flac", 96_000, "mono"),
    "mp3": ("libmp3lame", 44_100, "stereo"),
    "opus": ("libopus", 48_000, "stereo"),
    "m4a": ("aac", 44_100, "stereo"),
    "mkv": ("aac", 22_050, "mono"),
    "aiff": ("pcm_s16be", 8_000, "mono"),
    "ac3": ("ac3", 48_000, "5.1"),
    "mov": ("alac", 44_100, "stereo"),
    "wma": ("wmav2", 44_100, "stereo"),
    "avi": ("mp2", 32_000, "mono"),
    "wv": ("wavpack", 48_000, "stereo"),
}
FORMATS = {"m4a": "ipod", "mkv": "matroska", "wma": "asf"}
LENGTH_S = 2.0


def _write(path: Path, seconds: float = LENGTH_S, *, amplitude: float = 0.3) -> Path:
    """A 440 Hz tone in the coding of the name's ending."""
    codec, rate, layout = CODINGS[path.suffix[1:]]
    with av.open(path, "w", format=FORMATS.get(path.suffix[1:], path.suffix[1:])) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout, stream.bit_rate = layout, 128_000
        tone = amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
        channels = 6 if layout == "5.1" else 2 if layout == "stereo" else 1
        samples = np.repeat((tone * 32767).astype(np.int16), channels)[None, :]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _film(path: Path, *, frames: int = 10) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(frames):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def _sound(path: Path, *, max_seconds: float = 60) -> Pcm:
    blocks = list(decode(path, max_seconds=max_seconds))
    assert all(block.dtype == np.int16 and block.ndim == 1 and len(block) for block in blocks)
    return np.concatenate(blocks)


@pytest.mark.parametrize("ending", CODINGS)
def test_every_common_coding_comes_out_as_mono_at_48_khz(tmp_path: Path, ending: str) -> None:
    pcm = _sound(_write(tmp_path / f"tone.{ending}"))
    assert len(pcm) / RATE == pytest.approx(LENGTH_S, abs=0.1)
    middle = pcm[RATE // 2 : RATE // 2 + RATE].astype(np.float64)
    assert int(np.argmax(np.abs(np.fft.rfft(middle)))) == 440
    assert 2_000 < np.abs(middle).max() < 16_000


@pytest.mark.parametrize("ending", ["flac", "mp3", "m4a", "opus"])
def test_a_wrong_name_does_not_matter(tmp_path: Path, ending: str) -> None:
    disguised = _write(tmp_path / f"tone.{ending}").rename(tmp_path / "tone.wav")
    assert len(_sound(disguised)) / RATE == pytest.approx(LENGTH_S, abs=0.1)


def test_a_file_that_changes_its_rate_in_the_middle_is_one_sound(tmp_path: Path) -> None:
    parts = []
    for rate in (44_100, 32_000):
        CODINGS["mp3"] = ("libmp3lame", rate, "mono")
        parts.append(_write(tmp_path / "part.mp3").read_bytes())
    CODINGS["mp3"] = ("libmp3lame", 44_100, "stereo")
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(part[part.index(b"\xff\xfb") + 2_000 :] for part in parts))
    pcm = _sound(joined)
    for second in (0.4, 2.6):
        cut = pcm[round(second * RATE) :][: RATE // 2].astype(np.float64)
        assert int(np.argmax(np.abs(np.fft.rfft(cut, RATE)))) == pytest.approx(440, abs=1)


def _riff(tmp_path: Path, at: int, value: bytes) -> Path:
    """A WAV with some bytes of its head overwritten."""
    path = _write(tmp_path / "tone.wav")
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


def _bytes(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def _half(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


_PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde"
    b"\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82"
)

BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda t: t / "none.wav", "cannot be opened"),
    "a folder": (lambda t: t, "cannot be opened|not audio"),
    "empty": (lambda t: _bytes(t, "empty.mp3", b""), "is empty"),
    "one byte": (lambda t: _bytes(t, "one.mp3", b"R"), "not audio"),
    "text": (lambda t: _bytes(t, "text.mp3", b"Thong bao: chieu nay mua to.\n" * 500), "not audio"),
    "picture": (lambda t: _bytes(t, "picture.mp3", _PNG), "not audio"),
    "playlist": (lambda t: _bytes(t, "list.m3u8", b"#EXTM3U\n#EXTINF:9,\n/etc/hostname\n"), "not audio"),
    "script": (lambda t: _bytes(t, "list.ffconcat", b"ffconcat version 1.0\nfile tone.wav\n"), "not audio"),
    "zeros": (lambda t: _bytes(t, "zeros.wav", bytes(100_000)), "not audio|no sound"),
    "film": (lambda t: _film(t / "film.mp4"), r"no sound \(video only\)"),
    "2 GHz": (lambda t: _riff(t, 24, b"\xff\xff\xff\x7f"), "2147483647 Hz"),
    "1 Hz": (lambda t: _riff(t, 24, b"\1\0\0\0"), "claims 1 Hz"),
    "coding": (lambda t: _riff(t, 20, b"\x77\x77"), "cannot be read|no sound"),
    "cut wav": (lambda t: _half(_write(t / "tone.wav")), "is cut off: 176.*bytes are missing"),
    "cut flac": (lambda t: _half(_write(t / "tone.flac")), "cut off|damaged"),
    "cut mp3": (lambda t: _half(_write(t / "tone.mp3")), "cut off after [01]"),
    "cut aiff": (lambda t: _half(_write(t / "tone.aiff")), "cut off after 1.0 s, expected 2.0 s"),
    "cut mkv": (lambda t: _half(_write(t / "tone.mkv")), "cut off after"),
    "cut m4a": (lambda t: _half(_write(t / "tone.m4a")), "not audio"),
    "too long": (lambda t: _write(t / "long.mp3", 61), "expected at most 60 s"),
    "long by its head": (lambda t: _write(t / "long.flac", 61), "lasts 61 s, expected at most 60 s"),
    "long without a head": (lambda t: _write(t / "long.ac3", 62), "more than 60 s, expected at most"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_an_error_that_says_what(tmp_path: Path, case: str) -> None:
    make, says = BAD[case]
    path = make(tmp_path)
    with pytest.raises(MediaError, match=says) as caught:
        _sound(path)
    assert path.name in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_bomb_is_defused_before_it_is_unpacked(tmp_path: Path) -> None:
    """Forty minutes of silence in 60 KB; no more than the limit and one block is ever decoded."""
    path = tmp_path / "bomb.wv"
    CODINGS["wv"] = ("wavpack", 8_000, "mono")
    _write(path, 2_400, amplitude=0)
    CODINGS["wv"] = ("wavpack", 48_000, "stereo")
    assert path.stat().st_size < 100_000
    heard: list[Pcm] = []
    with pytest.raises(MediaError, match="at most 5 s"):
        heard.extend(decode(path, max_seconds=5))
    assert sum(map(len, heard)) <= 5 * RATE


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (Path.iterdir keeps one open itself)


def test_nothing_stays_open_however_the_reading_ends(tmp_path: Path) -> None:
    tone = _write(tmp_path / "tone.flac", 20)
    before, threads = _open_files(), threading.active_count()
    _sound(tone)
    abandoned = decode(tone, max_seconds=60)
    next(abandoned)
    assert _open_files() == before + 1
    abandoned.close()
    for case in ("text", "film", "2 GHz", "cut flac"):
        path = BAD[case][0](tmp_path)
        with pytest.raises(MediaError):
            _sound(path)
    assert _open_files() == before
    assert threading.active_count() == threads


def test_ffmpegs_log_lines_never_come_into_python(tmp_path: Path) -> None:
    av.logging.set_level(av.logging.VERBOSE)
    _sound(_write(tmp_path / "tone.wav"))
    assert av.logging.get_level() is None


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("healthy")
    return {ending: _write(folder / f"tone.{ending}", 0.5).read_bytes() for ending in CODINGS}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_sound_or_a_media_error(
    healthy: dict[str, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    original = bytearray(healthy[data.draw(st.sampled_from(sorted(healthy)))])
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, min(len(original) - 1, 400)) | st.integers(0, len(original) - 1))
        original[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(original)) | st.just(len(original)))
    path = _bytes(tmp_path, "damaged.mp3", bytes(original[:end]))
    assert _outcome(path) in (path.name, "sound")


def _outcome(path: Path) -> str:
    """ "sound" when it decodes within bounds, or the name of the file that the error blames."""
    try:
        pcm = _sound(path, max_seconds=5)
    except MediaError as error:
        return str(error).split(" ")[0].rstrip(",")
    return "sound" if 0 < len(pcm) <= 5 * RATE else f"{len(pcm)} samples"


HEADS = [b"", b"RIFF\xff\xff\0\0WAVEfmt ", b"fLaC\0\0\0\x22", b"OggS\0\2", b"ID3\4\0\0\x7f\x7f\x7f\x7f"]
HEADS += [b"\xff\xfb\x90\0", b"\0\0\0\x18ftypM4A ", b"\x1aE\xdf\xa3", b"FORM\0\0\xff\xffAIFF", b"wvpk"]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=3_000))
def test_garbage_is_a_media_error_or_little_sound(tmp_path: Path, head: bytes, rest: bytes) -> None:
    path = _bytes(tmp_path, "garbage.bin", head + rest)
    assert _outcome(path) in (path.name, "sound")
