"""Any audio file to frames of the house.

Laws: the file is hostile until decoded. FFmpeg may read this one file and nothing else (no playlist, no
script that names others, no network), only containers of audio or film, never more than `max_seconds` of
sound; and whatever is wrong with it is a MediaError that says what. A packet that is damaged is skipped, as
long as they are few. The container is closed when the iteration ends, however it ends (`close()` the
generator, or read to the end).
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from ..errors import MediaError
from .claims import missing_bytes, stated_s
from .frame import SAMPLE_RATE, Pcm

_CONTAINERS = (
    "3gp,aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,gsm,iff,loas,m4a,matroska,mov,mp2,mp3,mp4,"
    "mpc,mpc8,mpeg,mpegts,nut,ogg,oma,rm,shn,spdif,tak,truehd,tta,voc,w64,wav,webm,wsd,wtv,wv"
)
"""What people record and keep. Not in it, on purpose: playlists and scripts, which name other files (hls,
dash, concat), devices, and everything that takes any bytes for media (text as "tty", raw samples)."""

_SLOWEST_HZ, _FASTEST_HZ = 2_000, 768_000
"""Beyond these no recording exists, and a resampler's filter grows with the ratio."""

_MAX_CHANNELS = 64
_BROKEN_PART = 20
"""More than one packet in twenty damaged is no longer the same recording."""

_SHORT_S = 0.5
"""A sound this much (or 1 %) shorter than its head states was cut."""


def decode(path: Path, *, max_seconds: float) -> Generator[Pcm, None, None]:
    """The sound of `path`: blocks of any length, mono, 48 kHz. MediaError at the first fault that cannot be
    skipped."""
    av.logging.set_level(None)
    with _opened(path) as container:
        stream = _audio_stream(container, path)
        tally = _Tally(path, max_seconds, stated_s(path, container, stream))
        converter = _Converter(path)
        for frame in _frames(container, stream, tally):
            yield from tally.counted(converter.convert(frame))
        yield from tally.counted(converter.convert(None))
        tally.close()


def _opened(path: Path) -> InputContainer:
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path.name} is empty, expected an audio file")
        if missing := missing_bytes(path):
            raise MediaError(f"{path.name} is cut off: {missing} bytes are missing from its end")
        return av.open(
            f"file:{path.resolve()}",
            "r",
            container_options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS},
            metadata_errors="replace",
        )
    except FFmpegError as error:
        raise MediaError(
            f"{path.name} is not audio or film of a known kind, or its head is damaged"
        ) from error
    except OSError as error:
        raise MediaError(f"{path.name} cannot be opened: {error.strerror}") from error


def _audio_stream(container: InputContainer, path: Path) -> AudioStream:
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise MediaError(f"{path.name} holds no sound ({kinds} only), expected an audio track")
    stream = container.streams.audio[0]
    context = stream.codec_context
    if context is None or not context.sample_rate:
        raise MediaError(f"{path.name} holds sound in a coding that cannot be read here")
    if not _SLOWEST_HZ <= context.sample_rate <= _FASTEST_HZ or not 1 <= context.channels <= _MAX_CHANNELS:
        raise MediaError(
            f"{path.name} claims {context.sample_rate} Hz and {context.channels} channels, "
            f"expected {_SLOWEST_HZ} to {_FASTEST_HZ} Hz and at most {_MAX_CHANNELS}"
        )
    context.thread_count = 1
    return stream


def _frames(container: InputContainer, stream: AudioStream, tally: "_Tally") -> Iterator[AudioFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError as error:
            raise MediaError(f"{tally.where} cannot be read on: {error.strerror}") from error
        tally.packets += 1
        try:
            frames = packet.decode()
        except FFmpegError:
            tally.broken += 1
            continue
        for frame in frames:
            if isinstance(frame, AudioFrame):
                yield frame


class _Converter:
    """Resampling and down-mixing; starts anew where a file changes its own shape in the middle."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shape: tuple[int, str, str] | None = None
        self._resampler = _new_resampler()

    def convert(self, frame: AudioFrame | None) -> list[Pcm]:
        """What this frame completes; `None` asks for the rest."""
        try:
            if frame is None:
                return self._run(None) if self._shape else []
            shape = (frame.sample_rate, frame.format.name, frame.layout.name)
            if shape == self._shape:
                return self._run(frame)
            rest = self._run(None) if self._shape else []
            self._shape, self._resampler = shape, _new_resampler()
            return rest + self._run(frame)
        except (FFmpegError, ValueError) as error:
            raise MediaError(f"{self._path.name} cannot be converted to mono 48 kHz: {error}") from error

    def _run(self, frame: AudioFrame | None) -> list[Pcm]:
        if frame is not None:
            frame.pts = None
        out = self._resampler.resample(frame)
        return [np.asarray(f.to_ndarray(), dtype=np.int16).reshape(-1) for f in out if f is not None]


def _new_resampler() -> AudioResampler:
    return AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)


@dataclass
class _Tally:
    """Counts what went by, and says when it is too much or too little."""

    path: Path
    max_seconds: float
    stated_s: float | None
    packets: int = 0
    broken: int = 0
    samples: int = 0

    def __post_init__(self) -> None:
        if self.stated_s is not None and self.stated_s > self.max_seconds:
            self._too_long(f"{self.stated_s:.0f} s")

    @property
    def where(self) -> str:
        return f"{self.path.name}, after {self.samples / SAMPLE_RATE:.1f} s,"

    def counted(self, blocks: list[Pcm]) -> Iterator[Pcm]:
        for block in blocks:
            self.samples += len(block)
            if self.samples > self.max_seconds * SAMPLE_RATE:
                self._too_long(f"more than {self.max_seconds:.0f} s")
            if len(block):
                yield block

    def close(self) -> None:
        """The last check, at the end of the file."""
        length_s = self.samples / SAMPLE_RATE
        if not self.samples:
            raise MediaError(f"{self.path.name} holds no sound that can be decoded")
        if self.broken * _BROKEN_PART > self.packets:
            raise MediaError(f"{self.path.name} is damaged: {self.broken} of its {self.packets} packets")
        if self.stated_s is not None and self.stated_s - length_s > max(_SHORT_S, self.stated_s / 100):
            raise MediaError(
                f"{self.path.name} is cut off after {length_s:.1f} s, expected {self.stated_s:.1f} s"
            )

    def _too_long(self, length: str) -> None:
        raise MediaError(f"{self.path.name} lasts {length}, expected at most {self.max_seconds:.0f} s")
